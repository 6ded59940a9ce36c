#include "agent/discovery/kubernetes/watcher.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "agent/discovery/kubernetes/apis.h"
#include "common/base/hash.h"
#include "common/base/version.h"
#include "common/http/query.h"

namespace tributary {
namespace {

constexpr int kPageObjects = 500;
constexpr int kPagesMax = 10'000;
// Clusters have up to some 150,000 pods.
constexpr size_t kObjectsMax = 1'000'000;
constexpr nanoseconds kPageTimeout = std::chrono::minutes(2);
constexpr nanoseconds kBackoffMin = milliseconds(800);
constexpr nanoseconds kBackoffMax = seconds(30);
constexpr nanoseconds kRetryAfterMax = std::chrono::minutes(5);
// A watch is ended by the server after five to ten minutes; one that it forgets, by us.
constexpr int kWatchSeconds = 300;
constexpr nanoseconds kWatchSlack = seconds(30);
// No more than one watch a second is begun.
constexpr nanoseconds kWatchSpacing = seconds(1);
constexpr size_t kReasonBytesMax = 500;
constexpr size_t kRefusedBytesMax = 64 << 10;

constexpr int kStatusOk = 200;
constexpr int kStatusUnauthorized = 401;
constexpr int kStatusForbidden = 403;
constexpr int kStatusGone = 410;

std::string_view AcceptOf(KubeResource resource, bool list) {
  if (!IsMetadataOnly(resource)) return "application/json";
  return list ? "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
              : "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
}

// In [0, 1): so that agents that began together do not ask together for ever.
double Chance(EventLoop& loop) {
  constexpr uint64_t kSteps = 1000;
  return static_cast<double>(StableHash(std::to_string(loop.WallNs())) % kSteps) / kSteps;
}

// Whole seconds; of a date nothing is known.
nanoseconds ReadRetryAfter(std::string_view text) {
  int64_t value = 0;
  if (text.empty() || text.size() > 9) return {};
  for (const char c : text) {
    if (c < '0' || c > '9') return {};
    value = value * 10 + (c - '0');
  }
  return std::min<nanoseconds>(seconds(value), kRetryAfterMax);
}

}  // namespace

KubeWatcher::KubeWatcher(EventLoop& loop, std::shared_ptr<KubeApi> api, KubeQuery query,
                         KubeCounters& counters, std::function<void(std::string)> warn)
    : loop_(loop),
      api_(std::move(api)),
      query_(std::move(query)),
      counters_(counters),
      warn_(std::move(warn)),
      retry_(loop) {
  List();
}

KubeWatcher::~KubeWatcher() { api_->client().Cancel(request_); }

const KubeObject* KubeWatcher::Find(const std::string& key) const {
  const auto found = objects_.find(key);
  return found == objects_.end() ? nullptr : &found->second.object;
}

void KubeWatcher::List() {
  phase_ = Phase::kList;
  listed_.clear();
  continue_token_.clear();
  pages_ = 0;
  ListPage();
}

void KubeWatcher::ListPage() {
  cutter_ = std::make_unique<JsonCutter>(JsonCutter::Where::kItems);
  std::string query = fmt::format("limit={}", kPageObjects);
  if (!continue_token_.empty()) {
    query += "&continue=" + EscapeQuery(continue_token_);
  } else if (from_cache_) {
    query += "&resourceVersion=0";
  }
  Send(std::move(query), kPageTimeout);
}

void KubeWatcher::Watch() {
  phase_ = Phase::kWatch;
  cutter_ = std::make_unique<JsonCutter>(JsonCutter::Where::kDocuments);
  had_event_ = false;
  const auto server_seconds = static_cast<int64_t>(kWatchSeconds * (1 + Chance(loop_)));
  Send(fmt::format("watch=true&allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={}",
                   EscapeQuery(version_), server_seconds),
       seconds(server_seconds) + kWatchSlack);
}

void KubeWatcher::Send(std::string query, nanoseconds timeout) {
  started_ = loop_.Now();
  status_ = 0;
  retry_after_ = {};
  refused_body_.clear();
  problem_.clear();
  expired_ = false;
  const KubeSelector& selector = query_.selector;
  if (!selector.label.empty()) query += "&labelSelector=" + EscapeQuery(selector.label);
  if (!selector.field.empty()) query += "&fieldSelector=" + EscapeQuery(selector.field);
  HttpRequest request;
  request.url =
      api_->access().server + KubePath(query_.resource, query_.namespace_name) + "?" + query;
  request.headers = {{"User-Agent", fmt::format("Tributary/{}", Version())},
                     {"Accept", std::string(AcceptOf(query_.resource, phase_ == Phase::kList))}};
  request.timeout = timeout;
  request_ = api_->client().Start(std::move(request), this);
}

void KubeWatcher::CountRequest() {
  const std::string space = query_.namespace_name.empty() ? "" : "{namespace}";
  counters_.CountRequest(KubePath(query_.resource, space), status_,
                         std::chrono::duration<double>(loop_.Now() - started_).count());
}

void KubeWatcher::OnHead(const HttpResponseHead& head) {
  status_ = head.status;
  CountRequest();
  if (status_ == kStatusGone) expired_ = true;
  if (status_ != kStatusOk) retry_after_ = ReadRetryAfter(head.Header("Retry-After"));
}

bool KubeWatcher::OnBody(std::string_view bytes) {
  if (status_ != kStatusOk) {
    refused_body_.append(bytes.substr(0, kRefusedBytesMax - refused_body_.size()));
    return refused_body_.size() < kRefusedBytesMax;
  }
  const bool list = phase_ == Phase::kList;
  const auto outcome = cutter_->Feed(bytes, [this, list](std::string_view json) {
    return list ? TakeListed(json) : TakeEvent(json);
  });
  if (outcome == JsonCutter::Outcome::kTooLarge) {
    problem_ = fmt::format("an object of more than {} MiB or {} levels, or no list of objects",
                           JsonCutter::kObjectBytesMax >> 20, JsonCutter::kDepthMax);
  } else if (outcome == JsonCutter::Outcome::kMore && !list && !cutter_->rest().empty()) {
    problem_ = "the watch brings no JSON";
  }
  return outcome == JsonCutter::Outcome::kMore && problem_.empty();
}

bool KubeWatcher::TakeListed(std::string_view json) {
  Result<KubeVersioned> read = ReadKubeObject(query_.resource, json);
  if (!read) {
    problem_ = read.error().message;
    return false;
  }
  if (listed_.size() == kObjectsMax) {
    problem_ = fmt::format("more than {} objects", kObjectsMax);
    return false;
  }
  std::string key = read->object.Key();
  listed_.insert_or_assign(std::move(key), *std::move(read));
  return true;
}

bool KubeWatcher::TakeEvent(std::string_view json) {
  Result<KubeEvent> event = ReadKubeEvent(query_.resource, json);
  if (!event) {
    problem_ = event.error().message;
    return false;
  }
  if (event->type == KubeEvent::Type::kError) {
    expired_ = true;  // whatever it is: what was missed is only known from a new list
    if (event->code != kStatusGone) {
      problem_ = fmt::format("an error from the watch (code {}): {}", event->code,
                             api_->Presentable(event->message));
    }
    return false;
  }
  had_event_ = true;
  watch_failures_ = 0;
  if (!event->changed.version.empty()) version_ = event->changed.version;
  if (event->type == KubeEvent::Type::kDeleted) {
    Remove(event->changed.object.Key());
  } else if (event->type != KubeEvent::Type::kBookmark) {
    if (objects_.size() >= kObjectsMax) {
      problem_ = fmt::format("more than {} objects", kObjectsMax);
      return false;
    }
    Upsert(std::move(event->changed));
  }
  return true;
}

void KubeWatcher::OnDone(const HttpOutcome& outcome) {
  request_ = 0;
  if (status_ == 0) CountRequest();
  const bool granted = status_ == kStatusOk;
  if (status_ != 0 && !granted) problem_ = Refusal();
  if (phase_ == Phase::kWatch && granted) return WatchDone(outcome);
  if (problem_.empty() && !outcome.ok()) problem_ = outcome.message;
  if (phase_ == Phase::kList) return ListDone();
  if (expired_) counters_.relists++;
  Failed(problem_);
  Retry(watch_failures_);
}

void KubeWatcher::ListDone() {
  KubeListEnd end;
  if (problem_.empty()) {
    Result<KubeListEnd> read = ReadKubeListEnd(cutter_->rest());
    if (cutter_->inside()) {
      problem_ = "the list ends in the middle of an object";
    } else if (++pages_ > kPagesMax) {
      problem_ = fmt::format("a list of more than {} pages", kPagesMax);
    } else if (read) {
      end = *std::move(read);
    } else {
      problem_ = read.error().message;
    }
  }
  if (!problem_.empty()) {
    Failed(problem_);
    return Retry(list_failures_);
  }
  if (!end.continue_token.empty()) {
    continue_token_ = std::move(end.continue_token);
    return ListPage();
  }
  version_ = std::move(end.version);
  from_cache_ = true;
  list_failures_ = 0;
  if (watch_failures_ == 0) error_.clear();
  Replace();
  if (!std::exchange(synced_, true)) {
    for (KubeListener* listener : listeners_) listener->OnProgress();
  }
  Watch();
}

// Of a watch that was granted.
void KubeWatcher::WatchDone(const HttpOutcome& outcome) {
  const nanoseconds lasted = loop_.Now() - started_;
  const bool short_lived = !had_event_ && lasted < kWatchSpacing;
  // Of what was not understood, too, a new list says what it has come to.
  if (!problem_.empty()) expired_ = true;
  if (expired_) counters_.relists++;
  if (!problem_.empty()) {
    Failed(problem_);
    return Retry(watch_failures_);
  }
  if (expired_ || short_lived) {
    watch_failures_++;
    return Retry(watch_failures_);
  }
  const bool broken = !outcome.ok() && outcome.failure != HttpFailure::kTimeout;
  if (broken || cutter_->inside()) counters_.broken_watches++;
  error_.clear();
  watch_failures_ = 0;
  retry_.Set(std::max(loop_.Now(), started_ + kWatchSpacing), [this] { Watch(); });
}

void KubeWatcher::Replace() {
  std::map<std::string, KubeVersioned> listed = std::move(listed_);
  listed_.clear();
  std::vector<std::string> gone;
  for (const auto& [key, object] : objects_) {
    if (!listed.contains(key)) gone.push_back(key);
  }
  for (const std::string& key : gone) Remove(key);
  for (auto& [key, object] : listed) {
    const auto known = objects_.find(key);
    if (known != objects_.end() && known->second.version == object.version) continue;
    Upsert(std::move(object));
  }
}

void KubeWatcher::Upsert(KubeVersioned changed) {
  const std::string key = changed.object.Key();
  const auto [place, added] = objects_.try_emplace(key);
  const bool differs = added || !(place->second.object == changed.object);
  place->second.version = std::move(changed.version);
  if (differs) place->second.object = std::move(changed.object);
  Tell(key, added ? KubeChange::kAdd : KubeChange::kUpdate, differs);
}

void KubeWatcher::Remove(const std::string& key) {
  if (objects_.erase(key) > 0) Tell(key, KubeChange::kDelete, true);
}

void KubeWatcher::Tell(const std::string& key, KubeChange change, bool differs) {
  for (KubeListener* listener : listeners_) listener->OnChange(*this, key, change, differs);
}

std::string KubeWatcher::Refusal() const {
  std::string text = fmt::format("the API server answers with status {}", status_);
  const std::string message = api_->Presentable(ReadKubeMessage(refused_body_));
  if (!message.empty()) text += ": " + message;
  if (status_ == kStatusUnauthorized) {
    text += "; it does not accept the credentials (token, password or certificate)";
  } else if (status_ == kStatusForbidden) {
    text += fmt::format("; RBAC has to allow list and watch of \"{}\" (apiGroup \"{}\")",
                        KubeResourceName(query_.resource), KubeApiGroup(query_.resource));
  }
  return text;
}

std::string KubeWatcher::error() const {
  const bool watching = phase_ == Phase::kWatch && request_ != 0 && status_ == kStatusOk;
  return watching ? "" : error_;
}

void KubeWatcher::Failed(const std::string& reason) {
  counters_.failures++;
  (phase_ == Phase::kList ? list_failures_ : watch_failures_)++;
  const std::string where = query_.namespace_name.empty()
                                ? ""
                                : fmt::format(" in namespace \"{}\"", query_.namespace_name);
  const std::string error = fmt::format(
      "kubernetes_sd: {}: cannot {} {}{}: {}{}", api_->shown_url(),
      phase_ == Phase::kList ? "list" : "watch", KubeResourceName(query_.resource), where,
      reason.substr(0, 2 * kReasonBytesMax), synced_ ? " (its last good targets are kept)" : "");
  if (error_ != error) warn_(error);
  error_ = error;
  if (std::exchange(failed_once_, true) || synced_) return;
  for (KubeListener* listener : listeners_) listener->OnProgress();
}

void KubeWatcher::Retry(int failures) {
  const bool list = phase_ == Phase::kList || expired_;
  if (expired_) from_cache_ = false;  // it may be what is behind
  const int doublings = std::clamp(failures - 1, 0, 6);
  const nanoseconds backoff = std::min(kBackoffMin * (1 << doublings), kBackoffMax);
  const auto longer = std::chrono::duration_cast<nanoseconds>(backoff * (1 + Chance(loop_)));
  retry_.SetAfter(std::max(longer, retry_after_), [this, list] {
    if (list) {
      List();
    } else {
      Watch();
    }
  });
}

}  // namespace tributary
