// The part of the queue that makes requests of what is ready, sends them, and hears what became of
// them.
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "agent/remote/remote_queue.h"
#include "common/base/assert.h"

namespace tributary {

namespace {

// Receivers refuse more than 32 MiB; small requests are cheaper for both sides.
constexpr uint64_t kRequestBytesMax = 4 << 20;
// Bytes of the encoding around an entry: tags, lengths, value and times.
constexpr uint64_t kEntryBytes = 32;

// Helps and units stand in a request once, however many series they belong to.
uint64_t MetadataBytes(const GroupSamples& samples) {
  const uint64_t bytes = samples.metadata == nullptr ? 0 : samples.metadata->text_bytes();
  // A page of enormous helps must not make a request of each series.
  return std::min(bytes, kRequestBytesMax / 4);
}

}  // namespace

void RemoteQueue::TrySend() {
  if (stopped_) return;
  const QueueConfig& queue = spec_.config->queue;
  bool dropped = false;
  const uint64_t apart = parked_ == nullptr ? 0 : 1;
  while (next_spec_ == nullptr && requests_.size() - apart < shards_ && !ready_.empty()) {
    const MonotonicTime due = ready_.front()->items.front().since + queue.batch_send_deadline;
    const bool full = ready_entries_ >= queue.max_samples_per_send;
    if (!full && !draining_ && env_.loop.Now() < due) {
      if (!deadline_timer_.active() || deadline_timer_.when() != due) {
        deadline_timer_.Set(due, [this] { TrySend(); });
      }
      break;
    }
    std::unique_ptr<Request> request = BuildRequest();
    Request* started = request.get();
    requests_.push_back(std::move(request));
    if (Encode(*started)) {
      Attempt(started);
    } else {
      Settle(started);
      dropped = true;
    }
  }
  if (!dropped) return;
  MaybeRead();
  CheckDrained();
}

std::unique_ptr<RemoteQueue::Request> RemoteQueue::BuildRequest() {
  const uint64_t entries_max = spec_.config->queue.max_samples_per_send;
  auto request = std::make_unique<Request>();
  request->timer = std::make_unique<Timer>(env_.loop);
  uint64_t bytes = 0;
  while (!ready_.empty() && request->entries < entries_max && bytes < kRequestBytesMax) {
    Lane& lane = *ready_.front();
    if (request->entries > 0 && !FitsBeside(lane, *request)) break;
    // A lane is not split between two requests, as the second would have to wait for the first.
    if (request->entries > 0 && request->entries + lane.items.front().left() > entries_max) break;
    ready_.pop_front();
    ready_entries_ -= lane.left();
    lane.ready = false;
    lane.in_flight = true;
    TakeFromLane(lane, *request, bytes);
  }
  return request;
}

bool RemoteQueue::FitsBeside(const Lane& lane, const Request& request) {
  const Item& item = lane.items.front();
  return !item.probe && !request.probe && item.record->maybe_delivered == request.maybe_delivered &&
         UnitOf(lane) == UnitOf(*request.parts.front().lane);
}

void RemoteQueue::TakeFromLane(Lane& lane, Request& request, uint64_t& bytes) {
  const uint64_t entries_max = spec_.config->queue.max_samples_per_send;
  const PreparedGroup& prepared = lane.group->prepared;
  if (encoder_->has_metadata()) bytes += MetadataBytes(*lane.items.front().samples);
  request.maybe_delivered = lane.items.front().record->maybe_delivered;
  request.probe = lane.items.front().probe;
  do {
    Item& item = lane.items.front();
    if (item.taken == 0 && !item.probe) Observe(lane, *item.samples);
    const uint64_t entry_bytes = prepared.bytes_per_series(lane.chunk) + kEntryBytes +
                                 LargestIrregular(*item.samples, prepared, lane.chunk);
    // At least one, however long its labels are.
    const uint64_t by_bytes =
        std::max<uint64_t>(1, (kRequestBytesMax - std::min(bytes, kRequestBytesMax)) / entry_bytes);
    const uint64_t count = std::min({item.left(), entries_max - request.entries, by_bytes});
    request.parts.push_back(
        {&lane, item.samples, item.record, {item.taken, count}, count == item.left()});
    request.entries += count;
    bytes += count * entry_bytes;
    item.taken += count;
    if (item.left() > 0) return;
    lane.items.pop_front();
  } while (!lane.items.empty() && bytes < kRequestBytesMax && FitsBeside(lane, request) &&
           lane.items.front().left() <= entries_max - request.entries);
}

bool RemoteQueue::Encode(Request& request) {
  const TimestampMs limit = spec_.config->queue.sample_age_limit.count();
  const TimestampMs known_old = request.oldest_allowed;
  // It never falls, whatever the clock does: what was once left out has been counted as dropped.
  if (limit > 0) {
    request.oldest_allowed = std::max(request.oldest_allowed, env_.loop.WallMs() - limit);
  }
  Split* split = request.split.get();
  // What a split has left out as too old is gone.
  encoder_->Begin(split != nullptr ? std::numeric_limits<TimestampMs>::min() : known_old,
                  request.oldest_allowed, split != nullptr ? nullptr : SymbolsFor(request));
  for (size_t i = 0; i < request.parts.size(); i++) {
    const Part& part = request.parts[i];
    const PreparedGroup& prepared = part.lane->group->prepared;
    if (split == nullptr && part.is_whole() &&
        encoder_->AddFramed(*part.samples, prepared, part.lane->chunk)) {
      continue;
    }
    const EntrySelection selection =
        split != nullptr ? split->plan.Select(i, split->piece) : EntrySelection{};
    encoder_->Add(*part.samples, prepared, part.lane->chunk, part.range,
                  split != nullptr ? &selection : nullptr);
  }
  const SampleCounts& too_old = encoder_->too_old();
  stats_.dropped[DropReason::kTooOld] += too_old;
  pending_ -= too_old;
  calculator_.AddDropped(too_old.total());
  request.in_body = encoder_->written();
  if (request.in_body.total() == 0) return false;
  stats_.framed += encoder_->framed();
  request.earliest = encoder_->earliest();
  request.latest = encoder_->latest();
  request.body = std::make_shared<const std::string>(encoder_->Finish());
  return true;
}

void RemoteQueue::Attempt(Request* request) {
  stats_.requests++;
  request->started = env_.loop.Now();
  request->send = client_->Send(
      request->body, request->attempt,
      [this, request](SendOutcome outcome) { OnOutcome(request, std::move(outcome)); },
      {request->in_body, 0});
}

void RemoteQueue::OnOutcome(Request* request, SendOutcome outcome) {
  request->send = 0;
  const nanoseconds duration = env_.loop.Now() - request->started;
  last_attempt_end_ = env_.loop.Now();
  batch_duration_.Observe(std::chrono::duration<double>(duration).count());
  request->written += outcome.written;
  const bool is_v2 = spec_.config->message == RemoteWriteMessage::kV2;
  // A receiver of 2.0 says what it has written: one that says nothing does not speak 2.0.
  if (outcome.kind == SendOutcome::Kind::kDelivered && outcome.written.none() && is_v2) {
    outcome.kind = SendOutcome::Kind::kRejected;
    outcome.blames = SendOutcome::Blames::kProtocol;
    outcome.message = fmt::format(
        "the receiver answered {}, but not that it has written anything: it may not know remote "
        "write 2.0",
        outcome.status);
  }
  if (outcome.kind == SendOutcome::Kind::kDelivered) {
    delivered_answers_++;
    last_delivery_ = env_.loop.Now();
    short_splits_until_ = {};
  }
  if (HandleError(request, outcome)) return;
  if (outcome.kind == SendOutcome::Kind::kRetry) {
    stats_.retried += request->in_body;
    NoteError(outcome.message);
    return Retry(request, outcome);
  }
  if (request->split != nullptr && request->split->search) {
    return OnPiece(request, outcome, duration);
  }
  CountOutcome(*request, outcome, request->in_body, request->written);
  if (outcome.kind == SendOutcome::Kind::kDelivered && !refused_.empty())
    ForgiveDelivered(*request);
  NoteHighest(highest_sent_ms_, request->latest);
  calculator_.AddOut(request->in_body.total(), duration);
  Finish(request);
}

// What is refused, if it is, because it has been delivered before.
bool RemoteQueue::MaybeDuplicate(const Request& request, const SendOutcome& outcome) const {
  return request.maybe_delivered && outcome.blames == SendOutcome::Blames::kContent &&
         spec_.config->errors.count_maybe_duplicates;
}

void RemoteQueue::CountOutcome(const Request& request, const SendOutcome& outcome,
                               const SampleCounts& counts, const WrittenStats& said) {
  const bool delivered = outcome.kind == SendOutcome::Kind::kDelivered;
  // Without a word of what was written, 2xx means all, and anything else nothing.
  const SampleCounts written = delivered && !said.confirmed ? counts : said.Of(counts);
  const SampleCounts failed = counts - written;
  const bool maybe_duplicate = MaybeDuplicate(request, outcome);
  stats_.sent += written;
  (maybe_duplicate ? stats_.dropped[DropReason::kMaybeDuplicate] : stats_.failed) += failed;
  if (delivered) {
    stats_.bytes_sent += request.body->size();
    last_success_ms_ = env_.loop.WallMs();
  }
  if ((delivered && failed.total() == 0) || maybe_duplicate) return;
  const std::string error =
      delivered ? "the receiver took the request, but says that it has written less than was in it"
                : outcome.message;
  NoteError(error);
  uint64_t held_back = 0;
  if (!failure_log_.Allow(env_.loop.Now(), held_back)) return;
  env_.logger.Error("samples were refused and are dropped",
                    {{"remote_name", spec_.config->name},
                     {"url", RedactUrl(spec_.config->url)},
                     {"samples", std::to_string(failed.samples)},
                     {"histograms", std::to_string(failed.histograms)},
                     {"exemplars", std::to_string(failed.exemplars)},
                     {"err", error},
                     {"similar", std::to_string(held_back)}});
}

void RemoteQueue::Retry(Request* request, const SendOutcome& outcome) {
  const QueueConfig& queue = spec_.config->queue;
  // Earlier attempts may have waited for something else (401).
  if (request->attempt++ == 0 || request->backoff == nanoseconds(0)) {
    request->backoff = queue.min_backoff;
  }
  nanoseconds wait = request->backoff;
  if (outcome.retry_after) {
    wait = *outcome.retry_after;
  } else {
    // A tenth of jitter, upwards only: senders that failed together do not return together.
    wait += wait / 1000 * static_cast<int64_t>(env_.random() % 100);
  }
  request->backoff =
      std::min<nanoseconds>(2 * (outcome.retry_after ? wait : request->backoff), queue.max_backoff);
  reshard_disabled_until_ = std::max(reshard_disabled_until_, env_.loop.Now() + 2 * wait);
  uint64_t held_back = 0;
  if (failure_log_.Allow(env_.loop.Now(), held_back)) {
    env_.logger.Warn("sending failed, trying again", {{"remote_name", spec_.config->name},
                                                      {"url", RedactUrl(spec_.config->url)},
                                                      {"attempt", std::to_string(request->attempt)},
                                                      {"err", outcome.message},
                                                      {"similar", std::to_string(held_back)}});
  }
  if (next_spec_ != nullptr) return ApplyPendingSpec();
  request->timer->SetAfter(wait, [this, request] { AttemptAgain(request); });
}

void RemoteQueue::AttemptAgain(Request* request) {
  const TimestampMs limit = spec_.config->queue.sample_age_limit.count();
  const bool aged = limit > 0 && request->earliest < env_.loop.WallMs() - limit;
  if (!aged || Encode(*request)) return Attempt(request);
  // Nothing of it is young enough.
  if (request->split != nullptr && request->split->search) return NextPiece(request, {});
  Finish(request);
}

// The request's samples are delivered or dropped: its lanes go on.
void RemoteQueue::Settle(Request* request) {
  auto it = std::find_if(requests_.begin(), requests_.end(),
                         [&](const auto& candidate) { return candidate.get() == request; });
  CHECK(it != requests_.end());
  const std::unique_ptr<Request> finished = std::move(*it);
  *it = std::move(requests_.back());
  requests_.pop_back();
  if (parked_ == request) parked_ = nullptr;
  pending_ -= finished->in_body;
  // A lane may have several parts: it is free when all are done.
  for (const Part& part : finished->parts) part.lane->in_flight = false;
  for (const Part& part : finished->parts) {
    Lane& lane = *part.lane;
    if (!lane.ready && !lane.items.empty()) MakeReady(lane);
  }
  for (const Part& part : finished->parts) {
    if (part.last) FinishItem(part.record, part.lane->group->target_key);
  }
  PopFinished();
}

void RemoteQueue::Finish(Request* request) {
  Settle(request);
  if (next_spec_ != nullptr) return ApplyPendingSpec();
  MaybeRead();
  TrySend();
  MaybeRead();
  CheckDrained();
}

}  // namespace tributary
