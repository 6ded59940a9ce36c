// The part of the queue that tells errors apart where Prometheus drops: `tributary` in remote_write
// (docs/operating.md, "What becomes of errors"). With all of it off nothing here has an effect.
#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "agent/remote/remote_queue.h"
#include "common/base/assert.h"
#include "common/wire/remote_write.h"

namespace tributary {

namespace {

using Kind = SendOutcome::Kind;
using Blames = SendOutcome::Blames;

constexpr nanoseconds kCredentialsBackoffMin = seconds(2);
constexpr nanoseconds kCredentialsBackoffMax = seconds(60);

constexpr uint32_t kSplitRequestsMax = 32;
// Of a request that an earlier process may have delivered, for each of its parts: so many find all
// that were, be it every one.
constexpr uint32_t kSplitRequestsOfPart = 2;
// While the receiver seems to refuse everything.
constexpr uint32_t kShortSplitRequests = 2;
constexpr nanoseconds kShortSplits = seconds(60);
// A refusal says something about a series if others were accepted that lately.
constexpr nanoseconds kLately = seconds(60);

// So often in a row, and for so long, a request is answered with 429 before it is looked into.
constexpr int kTooManyAnswers = 8;
constexpr nanoseconds kTooManyAfter = seconds(30);
// It means its series if so many others were delivered meanwhile, and twice as many as were not.
constexpr uint64_t kOthersDelivered = 4;
// Or if anything was, within so long.
constexpr nanoseconds kTooManyPatience = std::chrono::minutes(10);
constexpr nanoseconds kBlindSplitInterval = std::chrono::minutes(5);
// Between the requests of such a split, where the receiver does not say how long.
constexpr nanoseconds kTooManyPause = seconds(1);

// For people: the first of the series in a piece.
std::string FirstSeries(SplitPlan& plan, RequestSplit::Piece piece) {
  constexpr size_t kBytesMax = 300;
  std::string_view labels = plan.series()[plan.SeriesIn(piece).first].labels;
  std::string_view name, value;
  std::string text;
  while (text.size() < kBytesMax && TakeEncodedLabel(labels, name, value)) {
    text += fmt::format("{}{}=\"{}\"", text.empty() ? "{" : ",", name, value);
  }
  return text.size() < kBytesMax ? text + "}" : text.substr(0, kBytesMax) + "...";
}

bool IsContent(const SendOutcome& outcome) {
  return outcome.blames == Blames::kContent || outcome.blames == Blames::kSize;
}

}  // namespace

bool RemoteQueue::HandleError(Request* request, const SendOutcome& outcome) {
  const RemoteErrorsConfig& errors = spec_.config->errors;
  if (outcome.blames == Blames::kCredentials && errors.retry_auth_errors) {
    AwaitCredentials(request, outcome);
    return true;
  }
  request->credentials_backoff = {};
  if (credential_watch_ != nullptr &&
      std::none_of(requests_.begin(), requests_.end(),
                   [](const auto& other) { return other->credentials_backoff > nanoseconds(0); })) {
    credential_watch_.reset();
  }
  if (outcome.blames == Blames::kProtocol && spec_.config->falls_back_to_v1 &&
      spec_.config->message == RemoteWriteMessage::kV2) {
    FallBack(outcome);
    return true;
  }
  const bool is_piece = request->split != nullptr && request->split->search;
  if (outcome.kind == Kind::kRetry && outcome.blames == Blames::kAmount) {
    amount_answers_++;
    request->limited.own++;
    if (errors.split_too_many_series && OnTooMany(request, outcome)) return true;
  } else if (!is_piece) {
    request->limited = {};
  }
  // A receiver that wrote a part has taken what was good: nothing would be won.
  const bool partly = outcome.written.confirmed && !outcome.written.none();
  if (is_piece || partly || outcome.kind != Kind::kRejected || !IsContent(outcome)) return false;
  if (!errors.split_rejected && dead_letter_ == nullptr) return false;
  if (splitting_ == nullptr || SplitRequests(*request, outcome) == 0) {
    StartSplit(request, outcome, false, true);
    return true;
  }
  stats_.split_waits++;
  request->refusal = outcome;
  split_waiting_.push_back(request);
  if (next_spec_ != nullptr) ApplyPendingSpec();
  return true;
}

void RemoteQueue::AwaitCredentials(Request* request, const SendOutcome& outcome) {
  stats_.credential_waits++;
  stats_.retried += request->in_body;
  NoteError(outcome.message);
  request->attempt++;
  request->credentials_backoff =
      std::clamp(2 * request->credentials_backoff, kCredentialsBackoffMin, kCredentialsBackoffMax);
  const nanoseconds wait = request->credentials_backoff;
  reshard_disabled_until_ = std::max(reshard_disabled_until_, env_.loop.Now() + 2 * wait);
  uint64_t held_back = 0;
  if (credentials_log_.Allow(env_.loop.Now(), held_back)) {
    env_.logger.Error(
        "the receiver refuses the credentials: samples are kept, and sent when it takes them or "
        "their files change",
        {{"remote_name", spec_.config->name},
         {"url", RedactUrl(spec_.config->url)},
         {"err", outcome.message},
         {"similar", std::to_string(held_back)}});
  }
  if (next_spec_ != nullptr) return ApplyPendingSpec();
  if (credential_watch_ == nullptr) {
    credential_watch_ = std::make_unique<CredentialWatch>(env_.loop, env_.files, *spec_.config,
                                                          [this] { OnCredentialsChanged(); });
  }
  request->awaits_credentials = true;
  request->timer->SetAfter(wait, [this, request] {
    request->awaits_credentials = false;
    AttemptAgain(request);
  });
}

void RemoteQueue::OnCredentialsChanged() {
  for (const auto& request : requests_) {
    if (!request->awaits_credentials) continue;
    request->credentials_backoff = nanoseconds(1);  // from the beginning, at the next refusal
    request->timer->SetAfter({}, [this, waiting = request.get()] {
      waiting->awaits_credentials = false;
      AttemptAgain(waiting);
    });
  }
}

// All that is not delivered, the request included, is prepared again for remote write 1.0.
void RemoteQueue::FallBack(const SendOutcome& outcome) {
  if (next_spec_ == nullptr) {
    stats_.fallbacks++;
    env_.logger.Warn("the receiver does not know remote write 2.0: it is sent 1.0 from now on",
                     {{"remote_name", spec_.config->name},
                      {"url", RedactUrl(spec_.config->url)},
                      {"err", outcome.message}});
    auto config = std::make_shared<RemoteWriteConfig>(*spec_.config);
    config->message = RemoteWriteMessage::kV1;
    next_spec_ =
        std::make_unique<RemoteSpec>(RemoteSpec{std::move(config), spec_.rules, spec_.share});
    deadline_timer_.Cancel();
  }
  ApplyPendingSpec();
}

bool RemoteQueue::OthersAreTaken(const Request& request) const {
  const Limited& limited = request.limited;
  const uint64_t delivered = delivered_answers_ - limited.delivered_before - limited.own_delivered;
  const uint64_t refused = amount_answers_ - limited.answers_before - limited.own;
  if (delivered >= kOthersDelivered && delivered > 2 * refused) return true;
  return env_.loop.Now() - limited.since >= kTooManyPatience &&
         (delivered > 0 || limited.partly_accepted);
}

// 429 may mean 'too fast', which passes, or 'too many series', which does not, and then nothing
// that waits for the request would ever go out. Texts do not decide (receivers differ), but what
// becomes of other requests does.
bool RemoteQueue::OnTooMany(Request* request, const SendOutcome& outcome) {
  Split* split = request->split.get();
  const bool is_piece = split != nullptr && split->search;
  if (is_piece && !split->by_amount) return false;
  if (is_piece) {
    OnPiece(request, outcome, {});
    return true;
  }
  if (request->probe) {
    StartSplit(request, outcome, true, true);
    return true;
  }
  const MonotonicTime now = env_.loop.Now();
  Limited& limited = request->limited;
  if (limited.since == MonotonicTime{}) {
    limited.since = now;
    limited.own = 1;
    limited.own_delivered = 0;
    limited.delivered_before = delivered_answers_;
    limited.answers_before = amount_answers_ - 1;
  }
  if (++limited.in_row < kTooManyAnswers || now - limited.since < kTooManyAfter) return false;
  const bool others_are_taken = OthersAreTaken(*request);
  if (splitting_ == nullptr && (others_are_taken || now >= next_blind_split_)) {
    StartSplit(request, outcome, true, others_are_taken);
    return true;
  }
  if (parked_ == nullptr) {
    parked_ = request;
    stats_.parked++;
    // Once it has its timer.
    parked_timer_.SetAfter({}, [this] {
      MaybeRead();
      TrySend();
    });
  }
  return false;
}

uint32_t RemoteQueue::SplitRequests(const Request& request, const SendOutcome& outcome) const {
  const RemoteErrorsConfig& errors = spec_.config->errors;
  if (request.probe || request.entries < 2) return 0;
  if (outcome.blames != Blames::kAmount && !errors.split_rejected) return 0;
  if (MaybeDuplicate(request, outcome)) {
    return kSplitRequestsOfPart * static_cast<uint32_t>(request.parts.size());
  }
  return env_.loop.Now() < short_splits_until_ ? kShortSplitRequests : kSplitRequestsMax;
}

void RemoteQueue::StartSplit(Request* request, const SendOutcome& outcome, bool by_amount,
                             bool may_drop) {
  if (request->split == nullptr) {
    std::vector<SplitPlan::Part> parts;
    for (const Part& part : request->parts) {
      parts.push_back(
          {part.samples.get(), &part.lane->group->prepared, part.lane->chunk, part.range});
    }
    // A receiver that has one sample already may refuse all (Prometheus does, in 1.0). What an
    // earlier process has delivered of a part it has delivered whole, or it is what came last. What
    // is refused of it is neither a dead letter nor held against a series.
    const bool by_part = MaybeDuplicate(*request, outcome);
    request->split = std::make_unique<Split>(Split{
        SplitPlan(
            std::move(parts), by_part ? SplitPlan::Unit::kPart : SplitPlan::Unit::kSeries,
            request->oldest_allowed, [this](std::string_view labels) { return HashOf(labels); },
            [this](uint64_t series) { return refused_.Knows(series); }),
        {},
        {},
        by_amount,
        may_drop,
        false,
        {}});
  }
  Split& split = *request->split;
  split.by_amount = by_amount;
  split.may_drop = may_drop;
  const uint32_t requests_max = SplitRequests(*request, outcome);
  split.search.emplace(split.plan.ForSplit(), requests_max);
  split.piece = split.plan.whole();
  request->refusal = outcome;
  if (!split.search->divides()) {
    split.refused.push_back({split.piece, request->in_body, request->written, outcome});
    return EndSplit(request);
  }
  CHECK(splitting_ == nullptr);
  splitting_ = request;
  stats_.splits++;
  NextPiece(request, by_amount ? outcome.retry_after.value_or(kTooManyPause) : nanoseconds(0));
}

void RemoteQueue::NextPiece(Request* request, nanoseconds pause) {
  if (next_spec_ != nullptr) return ApplyPendingSpec();
  Split& split = *request->split;
  for (;;) {
    std::optional<RequestSplit::Piece> piece = split.search->Next();
    while (!piece) {
      const auto again = std::find_if(
          split.refused.begin(), split.refused.end(), [&](const RefusedPiece& refused) {
            const bool blames_samples = IsContent(refused.outcome) || split.by_amount;
            return blames_samples && split.search->Reopen(refused.piece);
          });
      if (again == split.refused.end()) return EndSplit(request);
      split.refused.erase(again);
      piece = split.search->Next();
    }
    split.piece = *piece;
    request->attempt = 0;
    request->written = {};
    // Otherwise nothing of it is young enough.
    if (!Encode(*request)) continue;
    stats_.split_requests++;
    if (pause == nanoseconds(0)) return Attempt(request);
    request->timer->SetAfter(pause, [this, request] { AttemptAgain(request); });
    return;
  }
}

void RemoteQueue::OnPiece(Request* request, const SendOutcome& outcome, nanoseconds duration) {
  Split& split = *request->split;
  nanoseconds pause{};
  if (outcome.kind == Kind::kDelivered) {
    CountOutcome(*request, outcome, request->in_body, request->written);
    NoteHighest(highest_sent_ms_, request->latest);
    calculator_.AddOut(request->in_body.total(), duration);
    pending_ -= request->in_body;
    split.accepted = true;
    request->limited.own_delivered++;
    const auto [first, last] = split.plan.SeriesIn(split.piece);
    for (size_t i = first; i < last; i++) split.plan.series()[i].accepted = true;
    split.plan.SetGone(split.piece);
    split.search->Accepted();
  } else {
    const bool by_amount = split.by_amount && outcome.blames == Blames::kAmount;
    if (by_amount) pause = outcome.retry_after.value_or(kTooManyPause);
    // Of two halves of what is too large, both may be small enough.
    const bool shared = outcome.blames == Blames::kContent;
    const bool divided = (by_amount || IsContent(outcome)) && split.search->Divide(shared);
    if (!divided) {
      split.refused.push_back({split.piece, request->in_body, request->written, outcome});
    }
  }
  request->in_body = {};
  NextPiece(request, pause);
}

void RemoteQueue::EndSplit(Request* request) {
  Split& split = *request->split;
  const bool was_search = splitting_ == request;
  if (was_search) splitting_ = nullptr;
  request->in_body = {};
  if (split.by_amount && !split.may_drop) {
    request->limited.partly_accepted |= split.accepted;
    next_blind_split_ = env_.loop.Now() + kBlindSplitInterval;
    SendWholeAgain(request);
    StartNextSplit();
    return;
  }
  if (split.accepted) {
    short_splits_until_ = {};
  } else if (was_search && !MaybeDuplicate(*request, request->refusal) && !DeliveredLately() &&
             env_.loop.Now() >= short_splits_until_) {
    short_splits_until_ = env_.loop.Now() + kShortSplits;
  }
  uint64_t quarantined = 0;
  SampleCounts refused;
  for (const RefusedPiece& piece : split.refused) {
    refused += piece.counts;
    Refuse(*request, piece, quarantined);
  }
  for (const SplitPlan::Series& series : split.plan.series()) {
    if (series.accepted) refused_.Accepted(series.hash);
  }
  if (quarantined > 0) {
    env_.logger.Warn(
        "series were refused three times in a row: they are left out, and tried once an hour",
        {{"remote_name", spec_.config->name},
         {"series", std::to_string(quarantined)},
         {"in_all", std::to_string(refused_.quarantined())},
         {"err", split.refused.back().outcome.message}});
  }
  uint64_t held_back = 0;
  if (was_search && refused.total() > 0 && refusal_log_.Allow(env_.loop.Now(), held_back)) {
    env_.logger.Warn("a request was refused, and sent in parts to find out why",
                     {{"remote_name", spec_.config->name},
                      {"requests", std::to_string(split.search->sent())},
                      {"refused", std::to_string(refused.total())},
                      {"series", FirstSeries(split.plan, split.refused.front().piece)},
                      {"err", split.refused.back().outcome.message},
                      {"file", dead_letter_ == nullptr ? "" : dead_letter_->path()},
                      {"similar", std::to_string(held_back)}});
  }
  Finish(request);
  StartNextSplit();
}

// What is left after a split that found out nothing.
void RemoteQueue::SendWholeAgain(Request* request) {
  Split& split = *request->split;
  split.search.reset();
  split.refused.clear();
  split.piece = split.plan.whole();
  request->attempt = kTooManyAnswers;
  request->limited.in_row = 0;
  request->written = {};
  if (!Encode(*request)) return Finish(request);
  if (parked_ == nullptr) {
    parked_ = request;
    stats_.parked++;
  }
  stats_.retried += request->in_body;
  SendOutcome again = request->refusal;
  again.retry_after = spec_.config->queue.max_backoff;
  Retry(request, again);
  MaybeRead();
  TrySend();
}

void RemoteQueue::StartNextSplit() {
  while (splitting_ == nullptr && !split_waiting_.empty()) {
    Request* next = split_waiting_.front();
    split_waiting_.pop_front();
    StartSplit(next, next->refusal, false, true);
  }
}

bool RemoteQueue::DeliveredLately() const {
  return last_delivery_ && env_.loop.Now() - *last_delivery_ <= kLately;
}

void RemoteQueue::Refuse(Request& request, const RefusedPiece& refused, uint64_t& quarantined) {
  Split& split = *request.split;
  CountOutcome(request, refused.outcome, refused.counts, refused.written);
  NoteHighest(highest_sent_ms_, request.latest);
  pending_ -= refused.counts;
  const bool may_be_duplicate = MaybeDuplicate(request, refused.outcome);
  WriteDeadLetter(request, refused, !may_be_duplicate);
  split.plan.SetGone(refused.piece);
  // One of many may be refused because of the others, and all of them because of the receiver.
  const auto [first, last] = split.plan.SeriesIn(refused.piece);
  std::vector<SplitPlan::Series>& all = split.plan.series();
  const bool alone = last - first == 1 || std::all_of(all.begin() + static_cast<ptrdiff_t>(first),
                                                      all.begin() + static_cast<ptrdiff_t>(last),
                                                      [](const auto& s) { return s.suspect; });
  const bool others_accepted = split.accepted || DeliveredLately();
  const bool blames_series = IsContent(refused.outcome) || split.by_amount;
  if (!alone || may_be_duplicate || !blames_series || !(others_accepted || request.probe)) return;
  if (!spec_.config->errors.split_rejected) return;
  const auto words = std::make_shared<const RefusedSeries::Words>(
      RefusedSeries::Words{refused.outcome.status, refused.outcome.message});
  for (size_t i = first; i < last; i++) {
    if (all[i].accepted || all[i].noted) continue;
    const bool now_out = refused_.Refused(all[i].hash, words,
                                          spec_.config->errors.quarantine_refused, env_.loop.Now());
    if (refused_.Knows(all[i].hash)) {
      NoteRefused(*request.parts[all[i].part].lane, all[i].index, all[i].hash);
    }
    quarantined += now_out ? 1 : 0;
    // Its entries may be in several pieces; it was refused once.
    all[i].noted = true;
  }
}

void RemoteQueue::WriteDeadLetter(Request& request, const RefusedPiece& refused, bool is_loss) {
  // A receiver that wrote some of it does not say which.
  const bool partly = refused.written.Of(refused.counts).total() > 0;
  if (dead_letter_ == nullptr || !is_loss) return;
  if (partly) {
    stats_.dead_letters.lost += refused.counts.total();
    return;
  }
  const DeadLetterReason reason{env_.loop.WallMs(), spec_.config->name, refused.outcome.status,
                                refused.outcome.message};
  SplitPlan& plan = request.split->plan;
  const auto [first, last] = plan.SeriesIn(refused.piece);
  for (size_t p = 0; p < request.parts.size(); p++) {
    const Part& part = request.parts[p];
    const auto samples = KeepSelected(*part.samples, part.lane->group->prepared, part.lane->chunk,
                                      part.range, plan.Select(p, refused.piece));
    if (samples->empty()) continue;
    for (size_t i = first; i < last; i++) {
      const SplitPlan::Series& series = plan.series()[i];
      if (request.parts[series.part].lane != part.lane) continue;
      const uint64_t count = CountOf(*samples, series.index).total();
      if (count == 0) continue;
      if (!dead_letter_->HasRoom()) {
        stats_.dead_letters.lost += count;
        continue;
      }
      dead_letter_->Add(DeadLetterLine(reason, series.labels, *samples, series.index), count);
    }
  }
}

}  // namespace tributary
