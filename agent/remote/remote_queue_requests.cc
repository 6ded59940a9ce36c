// The part of the queue that makes requests of what is ready, sends them, and hears what became of
// them.
#include <algorithm>
#include <limits>

#include "agent/remote/chunk_samples.h"
#include "agent/remote/remote_queue.h"
#include "common/base/assert.h"
#include "common/wire/remote_write.h"

namespace tributary {

namespace {

// Receivers refuse more than 32 MiB; small requests are cheaper for both sides.
constexpr uint64_t kRequestBytesMax = 4 << 20;
// Bytes of the encoding around a sample: tags, lengths, value and timestamp.
constexpr uint64_t kSampleBytes = 24;

}  // namespace

void RemoteQueue::TrySend() {
  const QueueConfig& queue = spec_.config->queue;
  bool dropped = false;
  while (next_spec_ == nullptr && requests_.size() < shards_ && !ready_.empty()) {
    const MonotonicTime due = ready_.front()->items.front().since + queue.batch_send_deadline;
    const bool full = ready_samples_ >= queue.max_samples_per_send;
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
  const uint64_t samples_max = spec_.config->queue.max_samples_per_send;
  auto request = std::make_unique<Request>();
  request->timer = std::make_unique<Timer>(env_.loop);
  uint64_t bytes = 0;
  while (!ready_.empty() && request->samples < samples_max && bytes < kRequestBytesMax) {
    Lane& lane = *ready_.front();
    // A lane is not split between two requests, as the second would have to wait for the first.
    if (request->samples > 0 && request->samples + lane.items.front().left() > samples_max) break;
    ready_.pop_front();
    ready_samples_ -= lane.left();
    lane.ready = false;
    lane.in_flight = true;
    TakeFromLane(lane, *request, bytes);
  }
  return request;
}

void RemoteQueue::TakeFromLane(Lane& lane, Request& request, uint64_t& bytes) {
  const uint64_t samples_max = spec_.config->queue.max_samples_per_send;
  const uint64_t sample_bytes = lane.group->prepared.bytes_per_series(lane.chunk) + kSampleBytes;
  do {
    Item& item = lane.items.front();
    // At least one, however long its labels are.
    const uint64_t by_bytes = std::max<uint64_t>(
        1, (kRequestBytesMax - std::min(bytes, kRequestBytesMax)) / sample_bytes);
    const uint64_t count = std::min({item.left(), samples_max - request.samples, by_bytes});
    request.parts.push_back(
        {&lane, item.samples, item.record, item.taken, count, count == item.left()});
    request.samples += count;
    bytes += count * sample_bytes;
    item.taken += count;
    if (item.left() > 0) return;
    lane.items.pop_front();
  } while (!lane.items.empty() && bytes < kRequestBytesMax &&
           lane.items.front().left() <= samples_max - request.samples);
}

bool RemoteQueue::Encode(Request& request) {
  const TimestampMs limit = spec_.config->queue.sample_age_limit.count();
  // It never falls, whatever the clock does: what was once left out has been counted as dropped.
  if (limit > 0) {
    request.oldest_allowed = std::max(request.oldest_allowed, env_.loop.WallMs() - limit);
  }
  WriteRequestBuilder builder;
  const Lane* decoded = nullptr;
  uint64_t samples = 0;
  request.latest = std::numeric_limits<TimestampMs>::min();
  request.oldest = std::numeric_limits<TimestampMs>::max();
  for (const Part& part : request.parts) {
    const PreparedGroup& prepared = part.lane->group->prepared;
    if (part.lane != decoded) prepared.Encoded(part.lane->chunk, label_bytes_, labels_);
    decoded = part.lane;
    const uint32_t begin = prepared.begin(part.lane->chunk);
    uint64_t index = 0;
    ForEachKept(*part.samples, prepared, part.lane->chunk,
                [&](uint32_t series, TimestampMs timestamp, double value) {
                  const uint64_t i = index++;
                  if (i < part.skip || i >= part.skip + part.count) return;
                  if (timestamp < request.oldest_allowed) return;
                  builder.AddSample(labels_[series - begin], value, timestamp);
                  samples++;
                  request.latest = std::max(request.latest, timestamp);
                  request.oldest = std::min(request.oldest, timestamp);
                });
  }
  // Those that were to be sent until now and have become too old.
  const uint64_t before = request.body == nullptr ? request.samples : request.body_samples;
  stats_.dropped_too_old += before - samples;
  pending_ -= before - samples;
  calculator_.AddDropped(before - samples);
  request.body_samples = samples;
  if (samples == 0) return false;
  request.body = std::make_shared<const std::string>(builder.Finish());
  return true;
}

void RemoteQueue::Attempt(Request* request) {
  stats_.requests++;
  request->started = env_.loop.Now();
  request->send = client_->Send(
      request->body, request->attempt,
      [this, request](SendOutcome outcome) { OnOutcome(request, std::move(outcome)); });
}

void RemoteQueue::OnOutcome(Request* request, SendOutcome outcome) {
  request->send = 0;
  const nanoseconds duration = env_.loop.Now() - request->started;
  last_attempt_end_ = env_.loop.Now();
  batch_duration_.Observe(std::chrono::duration<double>(duration).count());
  if (outcome.kind == SendOutcome::Kind::kRetry) {
    stats_.samples_retried += request->body_samples;
    last_error_ = outcome.message;
    return Retry(request, outcome);
  }
  if (outcome.kind == SendOutcome::Kind::kDelivered) {
    stats_.samples_sent += request->body_samples;
    stats_.bytes_sent += request->body->size();
  } else {
    stats_.samples_failed += request->body_samples;
    last_error_ = outcome.message;
    uint64_t held_back = 0;
    if (failure_log_.Allow(env_.loop.Now(), held_back)) {
      env_.logger.Error("samples were refused and are dropped",
                        {{"remote_name", spec_.config->name},
                         {"url", RedactUrl(spec_.config->url)},
                         {"samples", std::to_string(request->body_samples)},
                         {"err", outcome.message},
                         {"similar", std::to_string(held_back)}});
    }
  }
  NoteHighest(highest_sent_ms_, request->latest);
  calculator_.AddOut(request->body_samples, duration);
  Finish(request);
}

void RemoteQueue::Retry(Request* request, const SendOutcome& outcome) {
  const QueueConfig& queue = spec_.config->queue;
  if (request->attempt++ == 0) request->backoff = queue.min_backoff;
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
  request->timer->SetAfter(wait, [this, request] {
    const TimestampMs limit = spec_.config->queue.sample_age_limit.count();
    const bool aged = limit > 0 && request->oldest < env_.loop.WallMs() - limit;
    if (aged && !Encode(*request)) {
      Finish(request);
    } else {
      Attempt(request);
    }
  });
}

// The request's samples are delivered or dropped: its lanes go on.
void RemoteQueue::Settle(Request* request) {
  auto it = std::find_if(requests_.begin(), requests_.end(),
                         [&](const auto& candidate) { return candidate.get() == request; });
  CHECK(it != requests_.end());
  const std::unique_ptr<Request> finished = std::move(*it);
  *it = std::move(requests_.back());
  requests_.pop_back();
  pending_ -= finished->body_samples;
  // A lane may have several parts: it is free when all are done.
  for (const Part& part : finished->parts) part.lane->in_flight = false;
  for (const Part& part : finished->parts) {
    Lane& lane = *part.lane;
    if (!lane.ready && !lane.items.empty()) MakeReady(lane);
  }
  for (const Part& part : finished->parts) {
    if (part.last) FinishItem(part.record, part.lane->group->target_key);
  }
  AdvanceLowWater();
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
