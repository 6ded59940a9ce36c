#include "agent/remote/remote_queue.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "agent/remote/chunk_samples.h"
#include "common/base/assert.h"

namespace tributary {

namespace {

// While nothing is to be sent, for what can be forgotten: an agent of one target need not wake for
// the number of shards.
constexpr int kRestingTicks = 6;

// A chunk is the unit of order: small enough that eight fill a request of 2,000 samples.
constexpr uint64_t kChunkSeriesMax = 250;

uint32_t ChunkSeries(uint64_t max_samples_per_send) {
  if (max_samples_per_send <= kChunkSeriesMax) return static_cast<uint32_t>(max_samples_per_send);
  // Chunks fill requests without a rest.
  const uint64_t chunks = (max_samples_per_send + kChunkSeriesMax - 1) / kChunkSeriesMax;
  return static_cast<uint32_t>(max_samples_per_send / chunks);
}

}  // namespace

RemoteSpec MakeRemoteSpec(const Config& config, const RemoteWriteConfig& remote) {
  static std::atomic<uint64_t> last_id{0};
  auto rules = std::make_shared<RemoteRules>();
  rules->id = ++last_id;
  rules->external_labels = config.global.external_labels;
  rules->name_validation = config.global.metric_name_validation_scheme;
  rules->write_relabel = RelabelRules(remote.write_relabel_configs, rules->name_validation);
  rules->chunk_series = ChunkSeries(remote.queue.max_samples_per_send);
  RemoteSpec spec{std::make_shared<const RemoteWriteConfig>(remote), std::move(rules)};
  if (!remote.share.group.empty()) {
    spec.share = std::make_shared<const SeriesShare>(remote.share, remote.identity);
  }
  return spec;
}

bool HaveEqualRules(const RemoteSpec& a, const RemoteSpec& b) {
  return a.config->write_relabel_configs == b.config->write_relabel_configs &&
         a.rules->external_labels == b.rules->external_labels &&
         a.rules->name_validation == b.rules->name_validation &&
         a.rules->chunk_series == b.rules->chunk_series;
}

uint64_t RemoteQueue::Lane::left() const {
  uint64_t entries = 0;
  for (const Item& item : items) entries += item.left();
  return entries;
}

RemoteQueue::Group::Group(RemoteQueue& queue, const GroupRef& group, uint64_t epoch_of_share)
    : definition(group),
      target_key(group->target_key()),
      epoch(epoch_of_share),
      prepared(*group, *queue.spec_.rules, queue.shares_.Of(epoch), &queue.quota_),
      quota(queue.quota_) {
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
      given_(spec_.config),
      reader_(env_.log.AddReader(spec_.config->identity,
                                 [this] {
                                   more_to_read_ = true;
                                   MaybeRead();
                                 })),
      quota_(env_.loop, env_.limits),
      shares_(spec_.share),
      deadline_timer_(env_.loop),
      ticked_(env_.loop.Now()),
      tick_timer_(env_.loop),
      appended_before_(env_.log.stats().appended),
      start_ms_(env_.log.SinceMs(reader_)),
      filter_(MakeFilter()),
      encoder_(std::make_unique<RequestEncoder>(spec_.config->message)),
      shards_(min_shards()),
      counted_in_(appended_before_.total()),
      batch_duration_({.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25, 60, 120, 300}),
      parked_timer_(env_.loop),
      hash_(HashKey::FromSeed(env_.random())) {
  MakeClient();
  MakeDeadLetter();
  SetTick(false);
}

// Of what it shares a remote gets all that comes after it joined, whatever its time: another one
// had it before, and has it no more.
RecordFilter RemoteQueue::MakeFilter() const {
  const bool is_sharing = shares_.latest() != nullptr;
  return {*spec_.config, is_sharing ? std::numeric_limits<TimestampMs>::min() : start_ms_};
}

void RemoteQueue::MakeClient() {
  metadata_sender_.reset();
  client_ = std::make_unique<RemoteClient>(env_.loop, env_.transport, env_.files, spec_.config,
                                           env_.tracer);
  // Remote write 2.0 has metadata beside each series.
  if (spec_.config->message != RemoteWriteMessage::kV1 || draining_) return;
  metadata_sender_ = std::make_unique<MetadataSender>(env_.loop, *client_, env_.metadata,
                                                      spec_.config, metadata_stats_);
}

RemoteQueue::~RemoteQueue() {
  if (!forgotten_) env_.log.RemoveReader(reader_);
}

void RemoteQueue::Forget() {
  forgotten_ = true;
  env_.log.ForgetReader(reader_);
}

uint64_t RemoteQueue::capacity() const {
  const QueueConfig& queue = spec_.config->queue;
  return std::max(queue.capacity, queue.max_samples_per_send) *
         (shards_ + (parked_ == nullptr ? 0 : 1));
}

void RemoteQueue::MaybeRead() {
  if (stopped_ || reading_ || !more_to_read_ || next_spec_ != nullptr ||
      pending_.total() >= capacity()) {
    return;
  }
  reading_ = true;
  const uint64_t room =
      std::min(capacity() - pending_.total(), spec_.config->queue.max_samples_per_send * 4);
  env_.log.Read(reader_, room, [this](SampleLog::Batch batch) { OnBatch(std::move(batch)); });
}

void RemoteQueue::OnBatch(SampleLog::Batch batch) {
  reading_ = false;
  stats_.unwanted += batch.damaged - filter_.Wanted(batch.damaged);
  stats_.unwanted += batch.lost - filter_.Wanted(batch.lost);
  if (const SampleCounts damaged = filter_.Wanted(batch.damaged); damaged.total() > 0) {
    stats_.read += damaged;
    stats_.dropped[DropReason::kLogDamaged] += damaged;
    env_.logger.Error("a part of the sample log could not be read: its samples are lost",
                      {{"remote_name", spec_.config->name},
                       {"samples", std::to_string(damaged.samples)},
                       {"histograms", std::to_string(damaged.histograms)},
                       {"exemplars", std::to_string(damaged.exemplars)}});
  }
  if (const SampleCounts lost = filter_.Wanted(batch.lost); lost.total() > 0) {
    stats_.read += lost;
    stats_.dropped[DropReason::kLogFull] += lost;
    uint64_t held_back = 0;
    if (eviction_log_.Allow(env_.loop.Now(), held_back)) {
      env_.logger.Error("the sample log is full: oldest samples were dropped before they were sent",
                        {{"remote_name", spec_.config->name},
                         {"samples", std::to_string(lost.samples)},
                         {"histograms", std::to_string(lost.histograms)},
                         {"exemplars", std::to_string(lost.exemplars)}});
    }
  }
  if (outstanding_.empty() && !batch.records.empty()) {
    TickCalculator();  // for the time of rest, before it hears of these
    SetTick(false);
  }
  CountAppended();
  for (LogRecord& record : batch.records) {
    Filter(record.samples, false);
    epoch_ = shares_.EpochAt(record.position);
    outstanding_.push_back({record.ticket, 1, env_.loop.Now(), record.samples->timestamp,
                            record.maybe_delivered, epoch_});
    Accept(std::move(record.samples), &outstanding_.back());
  }
  if (batch.at_end) more_to_read_ = false;
  PopFinished();
  if (next_spec_ != nullptr) return ApplyPendingSpec();
  MaybeRead();
  TrySend();
  CheckDrained();
}

void RemoteQueue::NoteHighest(TimestampMs& highest, TimestampMs timestamp) {
  highest = std::max(highest, timestamp);
}

void RemoteQueue::Filter(std::shared_ptr<const GroupSamples>& samples, bool read) {
  SampleCounts counts = samples->counts();
  const RecordFilter::Removed removed = filter_.Apply(samples);
  if (read) {
    stats_.dropped[DropReason::kSwitchedOff] += removed.unwanted;
  } else {
    counts -= removed.unwanted;
    stats_.unwanted += removed.unwanted;
    stats_.read += counts;
  }
  stats_.dropped[DropReason::kBeforeStart] += removed.before_start;
  stats_.dropped[DropReason::kCustomBuckets] += removed.custom_buckets;
  pending_ += samples->counts();
  calculator_.AddDropped(
      (removed.unwanted + removed.before_start + removed.custom_buckets).total());
  uint64_t held_back = 0;
  if (removed.custom_buckets.total() > 0 && custom_buckets_log_.Allow(env_.loop.Now(), held_back)) {
    env_.logger.Warn("histograms with custom buckets are dropped: remote write 1.0 has none",
                     {{"remote_name", spec_.config->name},
                      {"histograms", std::to_string(removed.custom_buckets.histograms)}});
  }
}

void RemoteQueue::Accept(std::shared_ptr<const GroupSamples> samples, Outstanding* record) {
  TargetOrder& order = targets_[samples->group->target_key()];
  const auto turn = TurnOf(*samples, *record);
  if (!order.waiting.empty() || (order.unfinished > 0 && turn != order.turn)) {
    order.waiting.emplace_back(std::move(samples), record);
    return;
  }
  order.turn = turn;
  Enqueue(std::move(samples), record);
}

// Where nothing of it is under way another one may take its place.
bool RemoteQueue::WantsPreparing(const Group& group) const {
  return !group.prepared.over_limit().empty() && quota_.has_room() && group.idle();
}

void RemoteQueue::SetSeriesLimit(uint64_t limit) {
  if (env_.limits == nullptr) return;
  auto set = env_.limits->Set(LimitScope::kRemote, config().name, limit);
  if (set.get() == quota_.limit()) return;
  quota_.SetLimit(std::move(set));
  for (const auto& [id, group] : groups_) quota_.Own(group->prepared);
}

RemoteQueue::Group& RemoteQueue::GroupOf(const GroupRef& definition, uint64_t epoch) {
  std::shared_ptr<Group>& group = groups_[{definition->id(), epoch}];
  if (group == nullptr || WantsPreparing(*group)) {
    group = std::make_shared<Group>(*this, definition, epoch);
    if (env_.frames != nullptr) PlanFrames(*group);
    if (!refused_.empty()) FindRefused(*group);
  }
  return *group;
}

void RemoteQueue::NoteOverLimit(uint64_t entries) {
  // A reload may have taken the limit away while something of the group was under way.
  if (quota_.limit() == nullptr) return;
  quota_.CountDropped(entries);
  uint64_t held_back = 0;
  if (!series_limit_log_.Allow(env_.loop.Now(), held_back)) return;
  env_.logger.Warn("series that are new to a remote are dropped: it is at its series_limit",
                   {{"remote_name", spec_.config->name},
                    {"series_limit", std::to_string(quota_.limit()->limit())}});
}

// Takes the record's own count in `unfinished`, and puts one there for each of its items.
void RemoteQueue::Enqueue(std::shared_ptr<const GroupSamples> samples, Outstanding* record) {
  Group& group = GroupOf(samples->group, record->epoch);
  TargetOrder& order = targets_[group.target_key];
  SampleCounts left = samples->counts(), kept, refused;
  const TimestampMs limit = spec_.config->queue.sample_age_limit.count();
  // Where entries have times of their own, each is looked at when it is about to be sent.
  const bool too_old = limit > 0 && samples->timestamp < env_.loop.WallMs() - limit &&
                       samples->own.empty() && samples->irregular == nullptr;
  for (uint32_t chunk = 0; chunk < group.prepared.chunks(); chunk++) {
    const SampleCounts of_chunk = CountKept(*samples, group.prepared, chunk);
    if (of_chunk.total() == 0) continue;
    kept += of_chunk;
    if (too_old) continue;
    Lane& lane = group.lanes[chunk];
    if (HasQuarantined(lane)) {
      refused += EnqueueApart(lane, samples, record);
      continue;
    }
    record->unfinished++;
    order.unfinished++;
    Push(lane, {samples, record, of_chunk.total(), 0, record->read});
  }
  const SampleCounts elsewhere = CountIn(*samples, group.prepared.elsewhere());
  const SampleCounts over_limit = CountIn(*samples, group.prepared.over_limit());
  if (over_limit.total() > 0) NoteOverLimit(over_limit.total());
  stats_.dropped[DropReason::kOtherRemote] += elsewhere;
  stats_.dropped[DropReason::kSeriesLimit] += over_limit;
  stats_.dropped[DropReason::kSeries] += left - kept - elsewhere - over_limit;
  if (kept.total() > 0) NoteHighest(highest_read_ms_, samples->timestamp);
  if (too_old) {
    stats_.dropped[DropReason::kTooOld] += kept;
  } else {
    left -= kept;
  }
  stats_.dropped[DropReason::kRefused] += refused;
  left += refused;
  calculator_.AddDropped(left.total());
  pending_ -= left;
  Unhold(record);
}

void RemoteQueue::Push(Lane& lane, Item item) {
  if (lane.ready) ready_entries_ += item.left();
  lane.items.push_back(std::move(item));
  if (!lane.ready && !lane.in_flight) MakeReady(lane);
}

void RemoteQueue::MakeReady(Lane& lane) {
  lane.ready = true;
  ready_entries_ += lane.left();
  // What was held back for another request or generation has waited long enough.
  const bool is_oldest =
      !ready_.empty() && lane.items.front().since < ready_.front()->items.front().since;
  is_oldest ? ready_.push_front(&lane) : ready_.push_back(&lane);
}

void RemoteQueue::FinishItem(Outstanding* record, uint64_t target_key) {
  Unhold(record);
  auto it = targets_.find(target_key);
  CHECK(it != targets_.end() && it->second.unfinished > 0);
  it->second.unfinished--;
  // The next one's turn. Its records may be dropped whole, so go on until something is to be sent.
  while (it->second.unfinished == 0 && !it->second.waiting.empty()) {
    TargetOrder& order = it->second;
    auto next_turn = [&order] {
      return TurnOf(*order.waiting.front().first, *order.waiting.front().second);
    };
    order.turn = next_turn();
    while (!order.waiting.empty() && next_turn() == order.turn) {
      auto [samples, waiting_record] = std::move(order.waiting.front());
      order.waiting.pop_front();
      Enqueue(std::move(samples), waiting_record);
    }
  }
}

// One of those that keep the record open is done with it.
void RemoteQueue::Unhold(Outstanding* record) {
  DCHECK(record->unfinished > 0);
  if (--record->unfinished == 0) env_.log.Done(reader_, record->ticket);
}

void RemoteQueue::PopFinished() {
  while (!outstanding_.empty() && outstanding_.front().unfinished == 0) outstanding_.pop_front();
  shares_.Forget(outstanding_.empty() ? epoch_ : outstanding_.front().epoch);
}

// As there, what has come in counts, and not what there was room to read: else a queue that falls
// behind would want no more than it has.
void RemoteQueue::CountAppended() {
  const uint64_t appended = env_.log.stats().appended.total();
  calculator_.AddIn(appended - counted_in_);
  counted_in_ = appended;
}

TimestampMs RemoteQueue::highest_ms() const {
  if (unread().total() == 0) return highest_read_ms_;
  return std::max(highest_read_ms_, env_.log.stats().highest_ms);
}

// For all intervals that have passed. What it would have now.
uint64_t RemoteQueue::TickCalculator() {
  const double delay = std::floor(static_cast<double>(highest_ms()) / 1000) -
                       std::floor(static_cast<double>(highest_sent_ms_) / 1000);
  uint64_t wanted = shards_;
  while (ticked_ + ShardCalculator::kInterval <= env_.loop.Now()) {
    ticked_ += ShardCalculator::kInterval;
    wanted = calculator_.Tick({shards_, min_shards(), max_shards(), delay});
  }
  return wanted;
}

void RemoteQueue::SetTick(bool resting) {
  const MonotonicTime when = ticked_ + (resting ? kRestingTicks : 1) * ShardCalculator::kInterval;
  if (tick_timer_.active() && tick_timer_.when() == when) return;
  tick_timer_.Set(when, [this] { Tick(); });
}

void RemoteQueue::Tick() {
  CountAppended();
  const uint64_t wanted = TickCalculator();
  SetTick(outstanding_.empty());
  boost::unordered::erase_if(groups_, [this](const auto& entry) {
    const Group& group = *entry.second;
    return (group.definition.expired() || group.epoch < epoch_) && group.idle();
  });
  boost::unordered::erase_if(targets_, [](const auto& entry) {
    return entry.second.unfinished == 0 && entry.second.waiting.empty();
  });
  boost::unordered::erase_if(units_, [](const auto& entry) { return entry.second.expired(); });
  const MonotonicTime now = env_.loop.Now();
  const bool attempted_lately = now - last_attempt_end_ < ShardCalculator::kInterval;
  if (wanted == shards_ || !attempted_lately || now < reshard_disabled_until_) return;
  env_.logger.Info("changing the number of shards", {{"remote_name", spec_.config->name},
                                                     {"from", std::to_string(shards_)},
                                                     {"to", std::to_string(wanted)}});
  shards_ = wanted;
  MaybeRead();
  TrySend();
}

bool RemoteQueue::Serves(const RemoteSpec& spec) const {
  // Its limit on series changes without anything being prepared anew.
  RemoteWriteConfig same = *spec.config;
  same.series_limit = given_->series_limit;
  return *given_ == same && HaveEqualRules(this->spec(), spec);
}

void RemoteQueue::Reconfigure(RemoteSpec spec) {
  given_ = spec.config;
  shares_.Change(spec.share, env_.log.end());
  next_spec_ = std::make_unique<RemoteSpec>(std::move(spec));
  deadline_timer_.Cancel();
  ApplyPendingSpec();
}

void RemoteQueue::ApplyPendingSpec() {
  if (reading_) return;
  for (const auto& request : requests_) {
    // One that may be delivered is awaited; its timeout bounds that.
    if (request->send != 0) return;
  }
  // What is not delivered is prepared again under the new rules, in the order of the log.
  struct Unsent {
    std::shared_ptr<const GroupSamples> samples;
    Outstanding* record;
  };
  std::vector<Unsent> unsent;
  for (const auto& request : requests_) {
    for (size_t i = 0; i < request->parts.size(); i++) {
      const Part& part = request->parts[i];
      const PreparedGroup& prepared = part.lane->group->prepared;
      if (Split* split = request->split.get()) {
        unsent.push_back({KeepSelected(*part.samples, prepared, part.lane->chunk, part.range,
                                       split->plan.Select(i, split->plan.whole())),
                          part.record});
        continue;
      }
      unsent.push_back(
          {KeepOnly(*part.samples, prepared, part.lane->chunk, part.range, request->oldest_allowed),
           part.record});
    }
  }
  for (const auto& [id, group] : groups_) {
    for (const Lane& lane : group->lanes) {
      for (const Item& item : lane.items) {
        unsent.push_back(
            {KeepOnly(*item.samples, group->prepared, lane.chunk, {item.taken, item.left()},
                      std::numeric_limits<TimestampMs>::min()),
             item.record});
      }
    }
  }
  for (const auto& [key, order] : targets_) {
    for (const auto& [samples, record] : order.waiting) unsent.push_back({samples, record});
  }
  std::stable_sort(unsent.begin(), unsent.end(), [](const Unsent& a, const Unsent& b) {
    return a.record->ticket < b.record->ticket;
  });

  requests_.clear();
  splitting_ = parked_ = nullptr;
  parked_timer_.Cancel();
  split_waiting_.clear();
  credential_watch_.reset();
  // Other rules, or another receiver: all is tried again.
  refused_.Clear();
  ready_.clear();
  ready_entries_ = 0;
  groups_.clear();
  units_.clear();
  targets_.clear();
  spec_ = std::move(*next_spec_);
  next_spec_.reset();
  env_.log.RenameReader(reader_, spec_.config->identity);
  filter_ = MakeFilter();
  encoder_ = std::make_unique<RequestEncoder>(spec_.config->message);
  MakeClient();
  MakeDeadLetter();
  shards_ = std::clamp(shards_, min_shards(), max_shards());
  for (Outstanding& record : outstanding_) record.unfinished = 0;
  pending_ = {};
  for (Unsent& entry : unsent) {
    entry.record->unfinished++;
    Filter(entry.samples, true);
  }
  for (Unsent& entry : unsent) Accept(std::move(entry.samples), entry.record);
  PopFinished();
  MaybeRead();
  TrySend();
  CheckDrained();
}

void RemoteQueue::Drain(std::function<void()> drained) {
  drained_ = std::move(drained);
  draining_ = true;
  metadata_sender_.reset();
  MaybeRead();
  TrySend();
  CheckDrained();
}

void RemoteQueue::Stop() {
  stopped_ = true;
  metadata_sender_.reset();
  credential_watch_.reset();
  for (const auto& request : requests_) request->timer->Cancel();
  for (Timer* timer : {&deadline_timer_, &tick_timer_, &parked_timer_}) timer->Cancel();
  client_.reset();
}

void RemoteQueue::CheckDrained() {
  if (!draining_ || !drained_ || reading_ || more_to_read_ || pending_.total() > 0) return;
  env_.loop.Post(std::exchange(drained_, nullptr));
}

}  // namespace tributary
