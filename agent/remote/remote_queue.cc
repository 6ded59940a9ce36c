#include "agent/remote/remote_queue.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "common/base/assert.h"
#include "common/wire/remote_write.h"

namespace tributary {

namespace {

// Receivers refuse more than 32 MiB; small requests are cheaper for both sides.
constexpr uint64_t kRequestBytesMax = 4 << 20;
// A chunk is the unit of order: small enough that eight fill a request of 2,000 samples.
constexpr uint64_t kChunkSeriesMax = 250;
// Names of the encoding around a sample: tags, lengths, value and timestamp.
constexpr uint64_t kSampleBytes = 24;

uint32_t ChunkSeries(uint64_t max_samples_per_send) {
  if (max_samples_per_send <= kChunkSeriesMax) return static_cast<uint32_t>(max_samples_per_send);
  // Chunks fill requests without a rest.
  const uint64_t chunks = (max_samples_per_send + kChunkSeriesMax - 1) / kChunkSeriesMax;
  return static_cast<uint32_t>(max_samples_per_send / chunks);
}

uint64_t BitsBelow(uint32_t n) { return n >= 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1; }

// Calls f(w, mask) for the words of a bitmap that hold the bits [begin, end).
template <typename F>
void ForEachWord(uint32_t begin, uint32_t end, F f) {
  for (uint32_t w = begin / 64; w * 64 < end; w++) {
    uint64_t mask = BitsBelow(end - w * 64);
    if (w * 64 < begin) mask &= ~BitsBelow(begin - w * 64);
    f(w, mask);
  }
}

uint64_t CountKept(const GroupSamples& samples, const PreparedGroup& prepared, uint32_t chunk) {
  const uint32_t begin = prepared.begin(chunk), end = prepared.end(chunk);
  uint64_t count = 0;
  ForEachWord(begin, end, [&](uint32_t w, uint64_t mask) {
    count += static_cast<uint64_t>(std::popcount(samples.present[w] & prepared.kept_word(w) & mask));
  });
  for (const OwnSample& own : samples.own) {
    count += own.index >= begin && own.index < end && prepared.keeps(own.index);
  }
  return count;
}

// Calls f(series, timestamp, value) for the samples of a chunk that the remote keeps: own times before
// the scrape's first, so that a series' samples come in their order.
template <typename F>
void ForEachKept(const GroupSamples& samples, const PreparedGroup& prepared, uint32_t chunk, F f) {
  const uint32_t begin = prepared.begin(chunk), end = prepared.end(chunk);
  auto own_samples = [&](bool earlier) {
    for (const OwnSample& own : samples.own) {
      if (own.index >= begin && own.index < end && prepared.keeps(own.index) &&
          (own.timestamp < samples.timestamp) == earlier) {
        f(own.index, own.timestamp, own.value);
      }
    }
  };
  if (!samples.own.empty()) own_samples(true);
  size_t value = 0;
  ForEachWord(0, begin, [&](uint32_t w, uint64_t mask) {
    value += static_cast<size_t>(std::popcount(samples.present[w] & mask));
  });
  ForEachWord(begin, end, [&](uint32_t w, uint64_t mask) {
    for (uint64_t bits = samples.present[w] & mask; bits != 0; bits &= bits - 1, value++) {
      const uint32_t series = w * 64 + static_cast<uint32_t>(std::countr_zero(bits));
      if (prepared.keeps(series)) f(series, samples.timestamp, samples.values[value]);
    }
  });
  if (!samples.own.empty()) own_samples(false);
}

// A copy of the samples [skip, skip + count) that a chunk of a record has for a remote, without those
// from before `oldest`.
std::shared_ptr<const GroupSamples> KeepOnly(const GroupSamples& samples,
                                             const PreparedGroup& prepared, uint32_t chunk,
                                             uint64_t skip, uint64_t count, TimestampMs oldest) {
  auto kept = std::make_shared<GroupSamples>();
  kept->group = samples.group;
  kept->timestamp = samples.timestamp;
  kept->present.resize(samples.present.size());
  uint64_t index = 0;
  uint32_t next = 0;  // values stand in the order of their series
  ForEachKept(samples, prepared, chunk, [&](uint32_t series, TimestampMs timestamp, double value) {
    const uint64_t i = index++;
    if (i < skip || i >= skip + count || timestamp < oldest) return;
    if (timestamp == samples.timestamp && series >= next) {
      kept->present[series / 64] |= uint64_t{1} << (series % 64);
      kept->values.push_back(value);
      next = series + 1;
    } else {
      kept->own.push_back({series, timestamp, value});
    }
  });
  return kept;
}

}  // namespace

RemoteSpec MakeRemoteSpec(const Config& config, const RemoteWriteConfig& remote) {
  auto rules = std::make_shared<RemoteRules>();
  rules->external_labels = config.global.external_labels;
  rules->name_validation = config.global.metric_name_validation_scheme;
  rules->write_relabel = RelabelRules(remote.write_relabel_configs, rules->name_validation);
  rules->chunk_series = ChunkSeries(remote.queue.max_samples_per_send);
  return {std::make_shared<const RemoteWriteConfig>(remote), std::move(rules)};
}

uint64_t RemoteQueue::Lane::left() const {
  uint64_t samples = 0;
  for (const Item& item : items) samples += item.left();
  return samples;
}

RemoteQueue::Group::Group(const GroupRef& group, const RemoteRules& rules)
    : definition(group), target_key(group->target_key()), prepared(*group, rules) {
  lanes.resize(prepared.chunks());
  for (uint32_t chunk = 0; chunk < prepared.chunks(); chunk++) {
    lanes[chunk].group = this;
    lanes[chunk].chunk = chunk;
  }
}

bool RemoteQueue::Group::idle() const {
  return std::all_of(lanes.begin(), lanes.end(),
                     [](const Lane& lane) { return lane.items.empty() && !lane.in_flight; });
}

RemoteQueue::RemoteQueue(const RemoteEnvironment& environment, RemoteSpec spec)
    : env_(environment),
      spec_(std::move(spec)),
      client_(std::make_unique<RemoteClient>(env_.loop, env_.transport, env_.files, spec_.config)),
      metadata_sender_(std::make_unique<MetadataSender>(env_.loop, *client_, env_.metadata,
                                                        spec_.config, metadata_stats_)),
      reader_(env_.log.AddReader([this] {
        more_to_read_ = true;
        MaybeRead();
      })),
      deadline_timer_(env_.loop),
      tick_timer_(env_.loop),
      start_ms_(env_.loop.WallMs()),
      shards_(spec_.config->queue.min_shards),
      batch_duration_({.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25, 60, 120, 300}) {
  tick_timer_.SetAfter(ShardCalculator::kInterval, [this] { Tick(); });
}

RemoteQueue::~RemoteQueue() { env_.log.RemoveReader(reader_); }

uint64_t RemoteQueue::capacity() const {
  const QueueConfig& queue = spec_.config->queue;
  return std::max(queue.capacity, queue.max_samples_per_send) * shards_;
}

// ---- reading

void RemoteQueue::MaybeRead() {
  if (reading_ || !more_to_read_ || next_spec_ != nullptr || pending_ >= capacity()) return;
  reading_ = true;
  const uint64_t room = std::min(capacity() - pending_, spec_.config->queue.max_samples_per_send * 4);
  env_.log.Read(reader_, room, [this](SampleLog::Batch batch) { OnBatch(std::move(batch)); });
}

void RemoteQueue::OnBatch(SampleLog::Batch batch) {
  reading_ = false;
  if (batch.lost_samples > 0) {
    stats_.samples_read += batch.lost_samples;
    stats_.dropped_evicted += batch.lost_samples;
    uint64_t held_back = 0;
    if (eviction_log_.Allow(env_.loop.Now(), held_back)) {
      env_.logger.Error("the sample log is full: oldest samples were dropped before they were sent",
                        {{"remote_name", spec_.config->name},
                         {"samples", std::to_string(batch.lost_samples)}});
    }
  }
  for (LogRecord& record : batch.records) {
    const uint64_t samples = record.samples->samples();
    stats_.samples_read += samples;
    pending_ += samples;
    calculator_.AddIn(samples);
    NoteHighest(highest_read_ms_, record.samples->timestamp);
    DropOlderThanStart(record.samples);
    outstanding_.push_back({record.position, 1});
    Accept(std::move(record.samples), &outstanding_.back());
  }
  if (batch.at_end) more_to_read_ = false;
  AdvanceLowWater();
  if (next_spec_ != nullptr) return ApplyPendingSpec();
  MaybeRead();
  TrySend();
  CheckDrained();
}

void RemoteQueue::NoteHighest(TimestampMs& highest, TimestampMs timestamp) {
  highest = std::max(highest, timestamp);
}

// A new remote begins with the present: pages with times of their own may hold much older samples
// (Prometheus' watcher sends nothing from before its start either).
void RemoteQueue::DropOlderThanStart(std::shared_ptr<const GroupSamples>& samples) {
  auto is_older = [this](const OwnSample& own) { return own.timestamp <= start_ms_; };
  const auto older = static_cast<uint64_t>(
      std::count_if(samples->own.begin(), samples->own.end(), is_older));
  if (older == 0) return;
  auto kept = std::make_shared<GroupSamples>(*samples);
  std::erase_if(kept->own, is_older);
  samples = std::move(kept);
  stats_.dropped_before_start += older;
  pending_ -= older;
}

void RemoteQueue::Accept(std::shared_ptr<const GroupSamples> samples, Outstanding* record) {
  TargetOrder& order = targets_[samples->group->target_key()];
  const uint32_t generation = samples->group->generation();
  if (!order.waiting.empty() || (order.unfinished > 0 && generation != order.generation)) {
    order.waiting.emplace_back(std::move(samples), record);
    return;
  }
  order.generation = generation;
  Enqueue(std::move(samples), record);
}

RemoteQueue::Group& RemoteQueue::GroupOf(const GroupRef& definition) {
  std::unique_ptr<Group>& group = groups_[definition->id()];
  if (group == nullptr) group = std::make_unique<Group>(definition, *spec_.rules);
  return *group;
}

// Takes the record's own count in `unfinished`, and puts one there for each of its items.
void RemoteQueue::Enqueue(std::shared_ptr<const GroupSamples> samples, Outstanding* record) {
  Group& group = GroupOf(samples->group);
  TargetOrder& order = targets_[group.target_key];
  uint64_t left = samples->samples();
  const TimestampMs limit = spec_.config->queue.sample_age_limit.count();
  const bool too_old = limit > 0 && samples->timestamp < env_.loop.WallMs() - limit;
  uint64_t kept_samples = 0;
  for (uint32_t chunk = 0; chunk < group.prepared.chunks(); chunk++) {
    const uint64_t kept = CountKept(*samples, group.prepared, chunk);
    if (kept == 0) continue;
    kept_samples += kept;
    if (too_old) continue;
    record->unfinished++;
    order.unfinished++;
    left -= kept;
    Push(group.lanes[chunk], {samples, record, kept, 0, env_.loop.Now()});
  }
  if (too_old) stats_.dropped_too_old += kept_samples;
  const uint64_t dropped = samples->samples() - kept_samples;
  stats_.dropped_series += dropped;
  calculator_.AddDropped(left);
  pending_ -= left;
  record->unfinished--;
}

void RemoteQueue::Push(Lane& lane, Item item) {
  if (lane.ready) ready_samples_ += item.left();
  lane.items.push_back(std::move(item));
  if (!lane.ready && !lane.in_flight) MakeReady(lane);
}

void RemoteQueue::MakeReady(Lane& lane) {
  lane.ready = true;
  ready_samples_ += lane.left();
  ready_.push_back(&lane);
}

// ---- sending

void RemoteQueue::TrySend() {
  const QueueConfig& queue = spec_.config->queue;
  while (next_spec_ == nullptr && requests_.size() < shards_ && !ready_.empty()) {
    const MonotonicTime due = ready_.front()->items.front().since + queue.batch_send_deadline;
    const bool full = ready_samples_ >= queue.max_samples_per_send;
    if (!full && !draining_ && env_.loop.Now() < due) {
      if (!deadline_timer_.active() || deadline_timer_.when() != due) {
        deadline_timer_.Set(due, [this] { TrySend(); });
      }
      return;
    }
    std::unique_ptr<Request> request = BuildRequest();
    Request* started = request.get();
    requests_.push_back(std::move(request));
    if (Encode(*started)) {
      Attempt(started);
    } else {
      Settle(started);
    }
  }
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
    const uint64_t by_bytes =
        std::max<uint64_t>(1, (kRequestBytesMax - std::min(bytes, kRequestBytesMax)) / sample_bytes);
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
  request->send = client_->Send(request->body, request->attempt, [this, request](SendOutcome outcome) {
    OnOutcome(request, std::move(outcome));
  });
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
  request->backoff = std::min<nanoseconds>(
      2 * (outcome.retry_after ? wait : request->backoff), queue.max_backoff);
  reshard_disabled_until_ =
      std::max(reshard_disabled_until_, env_.loop.Now() + 2 * wait);
  uint64_t held_back = 0;
  if (failure_log_.Allow(env_.loop.Now(), held_back)) {
    env_.logger.Warn("sending failed, trying again",
                     {{"remote_name", spec_.config->name},
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

void RemoteQueue::FinishItem(Outstanding* record, uint64_t target_key) {
  DCHECK(record->unfinished > 0);
  record->unfinished--;
  auto it = targets_.find(target_key);
  CHECK(it != targets_.end() && it->second.unfinished > 0);
  it->second.unfinished--;
  // The next generation's turn. Its records may be dropped whole, so go on until something is to be sent.
  while (it->second.unfinished == 0 && !it->second.waiting.empty()) {
    TargetOrder& order = it->second;
    order.generation = order.waiting.front().first->group->generation();
    while (!order.waiting.empty() &&
           order.waiting.front().first->group->generation() == order.generation) {
      auto [samples, waiting_record] = std::move(order.waiting.front());
      order.waiting.pop_front();
      Enqueue(std::move(samples), waiting_record);
    }
  }
}

void RemoteQueue::AdvanceLowWater() {
  LogPosition done = 0;
  while (!outstanding_.empty() && outstanding_.front().unfinished == 0) {
    done = outstanding_.front().position;
    outstanding_.pop_front();
  }
  if (done > 0) env_.log.Release(reader_, done);
}

// ---- shards, reconfiguration, the end

void RemoteQueue::Tick() {
  tick_timer_.SetAfter(ShardCalculator::kInterval, [this] { Tick(); });
  boost::unordered::erase_if(groups_, [](const auto& entry) {
    return entry.second->definition.expired() && entry.second->idle();
  });
  boost::unordered::erase_if(targets_, [](const auto& entry) {
    return entry.second.unfinished == 0 && entry.second.waiting.empty();
  });
  const MonotonicTime now = env_.loop.Now();
  const QueueConfig& queue = spec_.config->queue;
  const double delay = std::floor(static_cast<double>(highest_read_ms_) / 1000) -
                       std::floor(static_cast<double>(highest_sent_ms_) / 1000);
  const uint64_t wanted =
      calculator_.Tick({shards_, queue.min_shards, queue.max_shards, delay});
  const bool attempted_lately = now - last_attempt_end_ < ShardCalculator::kInterval;
  if (wanted == shards_ || !attempted_lately || now < reshard_disabled_until_) return;
  env_.logger.Info("changing the number of shards",
                   {{"remote_name", spec_.config->name},
                    {"from", std::to_string(shards_)},
                    {"to", std::to_string(wanted)}});
  shards_ = wanted;
  MaybeRead();
  TrySend();
}

bool RemoteQueue::Serves(const RemoteSpec& spec) const {
  const RemoteSpec& latest = next_spec_ != nullptr ? *next_spec_ : spec_;
  return *latest.config == *spec.config &&
         latest.rules->external_labels == spec.rules->external_labels &&
         latest.rules->name_validation == spec.rules->name_validation;
}

void RemoteQueue::Reconfigure(RemoteSpec spec) {
  next_spec_ = std::make_unique<RemoteSpec>(std::move(spec));
  deadline_timer_.Cancel();
  ApplyPendingSpec();
}

void RemoteQueue::ApplyPendingSpec() {
  if (reading_) return;
  for (const auto& request : requests_) {
    if (request->send != 0) return;  // a request that may be delivered is awaited: its timeout bounds that
  }
  // What is not delivered is prepared again under the new rules, in the order of the log.
  struct Unsent {
    std::shared_ptr<const GroupSamples> samples;
    Outstanding* record;
  };
  std::vector<Unsent> unsent;
  auto take = [&](const std::shared_ptr<const GroupSamples>& samples, Outstanding* record,
                  const PreparedGroup& prepared, uint32_t chunk, uint64_t skip, uint64_t count,
                  TimestampMs oldest) {
    unsent.push_back({KeepOnly(*samples, prepared, chunk, skip, count, oldest), record});
  };
  for (const auto& request : requests_) {
    for (const Part& part : request->parts) {
      take(part.samples, part.record, part.lane->group->prepared, part.lane->chunk, part.skip,
           part.count, request->oldest_allowed);
    }
  }
  for (const auto& [id, group] : groups_) {
    for (const Lane& lane : group->lanes) {
      for (const Item& item : lane.items) {
        take(item.samples, item.record, group->prepared, lane.chunk, item.taken, item.left(),
             std::numeric_limits<TimestampMs>::min());
      }
    }
  }
  for (const auto& [key, order] : targets_) {
    for (const auto& [samples, record] : order.waiting) unsent.push_back({samples, record});
  }
  std::stable_sort(unsent.begin(), unsent.end(), [](const Unsent& a, const Unsent& b) {
    return a.record->position < b.record->position;
  });

  requests_.clear();
  ready_.clear();
  ready_samples_ = 0;
  groups_.clear();
  targets_.clear();
  spec_ = std::move(*next_spec_);
  next_spec_.reset();
  metadata_sender_.reset();
  client_ = std::make_unique<RemoteClient>(env_.loop, env_.transport, env_.files, spec_.config);
  metadata_sender_ = std::make_unique<MetadataSender>(env_.loop, *client_, env_.metadata,
                                                      spec_.config, metadata_stats_);
  shards_ = std::clamp(shards_, spec_.config->queue.min_shards, spec_.config->queue.max_shards);
  for (Outstanding& record : outstanding_) record.unfinished = 0;
  uint64_t pending = 0;
  for (const Unsent& entry : unsent) {
    entry.record->unfinished++;
    pending += entry.samples->samples();
  }
  pending_ = pending;
  for (Unsent& entry : unsent) Accept(std::move(entry.samples), entry.record);
  AdvanceLowWater();
  MaybeRead();
  TrySend();
  CheckDrained();
}

void RemoteQueue::Drain(std::function<void()> drained) {
  drained_ = std::move(drained);
  draining_ = true;
  metadata_sender_->Stop();
  MaybeRead();
  TrySend();
  CheckDrained();
}

void RemoteQueue::CheckDrained() {
  if (!draining_ || !drained_ || reading_ || more_to_read_ || pending_ > 0) return;
  env_.loop.Post(std::exchange(drained_, nullptr));
}

// ---- metrics

void RemoteQueue::Collect(MetricSink& sink) const {
  const MetricLabels labels = {{"remote_name", spec_.config->name},
                               {"url", RedactUrl(spec_.config->url)}};
  auto counter = [&](const char* name, const char* help, uint64_t value) {
    sink.AddCounter(std::string("prometheus_remote_storage_") + name, help, labels,
                    static_cast<double>(value));
  };
  auto gauge = [&](const char* name, const char* help, double value) {
    sink.AddGauge(std::string("prometheus_remote_storage_") + name, help, labels, value);
  };
  counter("samples_total", "Samples delivered.", stats_.samples_sent);
  counter("samples_failed_total", "Samples that the receiver refused for good.",
          stats_.samples_failed);
  counter("samples_retried_total", "Samples whose sending failed and was tried again.",
          stats_.samples_retried);
  counter("bytes_total", "Bytes of delivered requests, compressed.", stats_.bytes_sent);
  counter("metadata_total", "Metadata entries delivered.", metadata_stats_.sent);
  counter("metadata_failed_total", "Metadata entries that the receiver refused for good.",
          metadata_stats_.failed);
  counter("metadata_retried_total", "Metadata entries whose sending failed and was tried again.",
          metadata_stats_.retried);
  counter("metadata_bytes_total", "Bytes of delivered metadata, compressed.", metadata_stats_.bytes);
  auto dropped = [&](const char* reason, uint64_t value) {
    MetricLabels with_reason = labels;
    with_reason.emplace_back("reason", reason);
    sink.AddCounter("prometheus_remote_storage_samples_dropped_total",
                    "Samples read from the log and not sent.", with_reason,
                    static_cast<double>(value));
  };
  dropped("dropped_series", stats_.dropped_series);
  dropped("too_old", stats_.dropped_too_old);
  dropped("log_full", stats_.dropped_evicted);
  dropped("before_start", stats_.dropped_before_start);
  gauge("samples_pending", "Samples read from the log and neither sent nor dropped.",
        static_cast<double>(pending_));
  gauge("shards", "Requests that may be under way.", static_cast<double>(shards_));
  gauge("shards_min", "The least number of shards.",
        static_cast<double>(spec_.config->queue.min_shards));
  gauge("shards_max", "The greatest number of shards.",
        static_cast<double>(spec_.config->queue.max_shards));
  gauge("shards_desired", "Shards that the queue's throughput asks for.", calculator_.desired());
  gauge("shard_capacity", "Samples read ahead per shard.",
        static_cast<double>(spec_.config->queue.capacity));
  gauge("max_samples_per_send", "Samples in a request, at most.",
        static_cast<double>(spec_.config->queue.max_samples_per_send));
  gauge("queue_highest_timestamp_seconds", "Latest sample read from the log.",
        static_cast<double>(highest_read_ms_ / 1000));
  gauge("queue_highest_sent_timestamp_seconds", "Latest sample delivered.",
        static_cast<double>(highest_sent_ms_ / 1000));
  sink.AddHistogram("prometheus_remote_storage_sent_batch_duration_seconds",
                    "How long attempts to send took.", labels, batch_duration_);
  sink.AddCounter("tributary_remote_samples_read_total",
                  "Samples taken from the log: sent, failed, dropped or pending.", labels,
                  static_cast<double>(stats_.samples_read));
  sink.AddCounter("tributary_remote_requests_total", "Attempts to send.", labels,
                  static_cast<double>(stats_.requests));
}

}  // namespace tributary
