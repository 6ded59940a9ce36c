#include "agent/discovery/aws/ecs_task_provider.h"

#include <utility>

#include <fmt/format.h>

#include "common/base/version.h"

namespace tributary {
namespace {

constexpr char kUriVariable[] = "ECS_CONTAINER_METADATA_URI_V4";
constexpr nanoseconds kAnswerTimeout = seconds(5);
constexpr size_t kAnswerBytesMax = 4 << 20;
constexpr int kStatusOk = 200;

std::string ValueOrEmpty(const char* value) { return value == nullptr ? "" : value; }

}  // namespace

EcsTaskProvider::EcsTaskProvider(SdEnvironment& environment, const EcsTaskSdConfig& config,
                                 const std::string& job, std::function<void()> changed)
    : environment_(environment),
      uri_(ValueOrEmpty(environment.getenv(kUriVariable))),
      changed_(std::move(changed)),
      refresher_(environment.loop, environment.counters, {"ecs_task", job}, config.refresh_interval,
                 [this] { Ask(Question::kOwnContainer); }) {}

EcsTaskProvider::~EcsTaskProvider() {
  if (request_ != 0) environment_.http.Cancel(request_);
  if (environment_.counters.shows_ecs_task == this) environment_.counters.shows_ecs_task = nullptr;
}

void EcsTaskProvider::Adopt(const Provider& predecessor) {
  const auto* other = dynamic_cast<const EcsTaskProvider*>(&predecessor);
  if (other == nullptr || task_ || !other->task_) return;
  own_id_ = other->own_id_;
  task_ = other->task_;
  groups_ = other->groups_;
}

void EcsTaskProvider::Start() {
  if (!failed()) return refresher_.Start();
  error_ = fmt::format(
      "ecs_task_sd: {} is not set: this is no container of an ECS task, and no siblings are found",
      kUriVariable);
  environment_.warn(error_);
}

void EcsTaskProvider::AppendErrors(std::vector<std::string>& errors) const {
  if (!error_.empty()) errors.push_back(error_);
}

void EcsTaskProvider::AppendGroups(std::vector<TargetGroup>& groups) const {
  groups.insert(groups.end(), groups_.begin(), groups_.end());
}

void EcsTaskProvider::Collect(MetricSink& sink) const {
  refresher_.Collect(sink);
  const void*& shows = environment_.counters.shows_ecs_task;
  if (shows == nullptr) shows = this;
  if (shows == this && task_ && stats_) CollectTaskStats(*task_, *stats_, sink);
}

void EcsTaskProvider::Ask(Question question) {
  question_ = question;
  refusal_.clear();
  body_.clear();
  HttpRequest request;
  request.url = uri_;
  if (question == Question::kTask) request.url += "/task";
  if (question == Question::kStats) request.url += "/task/stats";
  request.headers = {{"User-Agent", fmt::format("Tributary/{}", Version())},
                     {"Accept", "application/json"}};
  request.timeout = kAnswerTimeout;
  request_ = environment_.http.Start(request, this);
}

void EcsTaskProvider::OnHead(const HttpResponseHead& head) {
  if (head.status != kStatusOk) refusal_ = fmt::format("answers with status {}", head.status);
}

bool EcsTaskProvider::OnBody(std::string_view bytes) {
  if (refusal_.empty() && bytes.size() > kAnswerBytesMax - body_.size()) {
    refusal_ = fmt::format("answers with more than {} MiB", kAnswerBytesMax >> 20);
  }
  if (!refusal_.empty()) return false;
  body_.append(bytes);
  return true;
}

void EcsTaskProvider::OnDone(const HttpOutcome& outcome) {
  request_ = 0;
  Status good;
  if (!refusal_.empty()) {
    good = Fail(refusal_);
  } else if (!outcome.ok()) {
    good = Fail("cannot be asked: " + outcome.message);
  } else {
    good = Take();
  }
  if (good && question_ == Question::kOwnContainer) return Ask(Question::kTask);
  if (good && question_ == Question::kTask) return Ask(Question::kStats);
  End(good);
}

Status EcsTaskProvider::Take() {
  if (question_ == Question::kOwnContainer) {
    Result<std::string> id = ReadOwnContainerId(body_);
    if (!id) return tl::unexpected(id.error());
    own_id_ = *std::move(id);
  } else if (question_ == Question::kTask) {
    Result<EcsOwnTask> task = ReadOwnTask(body_);
    if (!task) return tl::unexpected(task.error());
    task_ = *std::move(task);
    environment_.counters.received_updates++;
    std::vector<TargetGroup> groups = MakeSiblingTargets(*task_, own_id_);
    if (std::exchange(groups_, groups) != groups) changed_();
  } else {
    Result<EcsTaskStats> stats = ReadTaskStats(body_);
    if (!stats) return tl::unexpected(stats.error());
    stats_ = *std::move(stats);
  }
  return {};
}

void EcsTaskProvider::End(const Status& status) {
  body_ = std::string();
  std::string error;
  if (!status) {
    stats_.reset();
    const bool is_of_targets = question_ != Question::kStats;
    error = fmt::format("ecs_task_sd: the metadata endpoint {}{}", status.error().message,
                        is_of_targets && task_ ? " (its last good targets are kept)" : "");
    if (error != error_) environment_.warn(error);
  }
  error_ = std::move(error);
  refresher_.Ended(status.has_value());
}

}  // namespace tributary
