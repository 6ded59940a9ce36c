#include "agent/aggregate/aggregates.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "common/base/assert.h"
#include "common/base/hash.h"
#include "common/file/replace_file.h"
#include "common/labels/pack_labels.h"
#include "common/wire/histogram.h"

namespace tributary {

namespace {

// The wall clock may be set while a timer runs.
constexpr nanoseconds kTimerMax = seconds(10);
constexpr size_t kEarlyMax = 64;
// How long what is made waits for a disk.
constexpr nanoseconds kSaveMax = seconds(5);
constexpr nanoseconds kWhileSaving = milliseconds(100);

// Workers may have been more before.
void RemoveOthers(Disk& disk, const std::string& folder, uint32_t workers) {
  const auto names = disk.List(folder);
  if (!names) return;
  std::set<std::string> ours;
  for (uint32_t i = 0; i < workers; i++) ours.insert(StatePath(folder, i));
  for (const std::string& name : *names) {
    const std::string path = folder + "/" + name;
    if (name.ends_with(".state") && !ours.contains(path)) static_cast<void>(disk.Remove(path));
  }
}

}  // namespace

Aggregates::Aggregates(EventLoop& loop, SampleLog& log, AggregateOptions options)
    : loop_(loop),
      log_(log),
      options_(std::move(options)),
      timer_(loop),
      stall_timer_(loop),
      peers_{{&loop, this}} {}

void Aggregates::SetPeers(std::vector<Peer> peers) {
  peers_ = std::move(peers);
  const auto self = std::find_if(peers_.begin(), peers_.end(),
                                 [this](const Peer& peer) { return peer.aggregates == this; });
  CHECK(self != peers_.end());
  worker_ = static_cast<uint32_t>(self - peers_.begin());
}

void Aggregates::ApplyConfig(const Config& config) {
  const auto workers = static_cast<uint32_t>(peers_.size());
  std::vector<Rule> old = std::exchange(rules_, {});
  for (const AggregateConfig& rule : config.aggregate) {
    const auto known = std::find_if(old.begin(), old.end(), [&](const Rule& one) {
      return one.inputs != nullptr && one.inputs->rule().config() == rule;
    });
    if (known != old.end()) {
      rules_.push_back(std::move(*known));
      continue;
    }
    auto shared = std::make_shared<const AggregateRule>(rule);
    rules_.push_back({std::make_unique<RuleInputs>(shared, loop_.WallMs()),
                      std::make_unique<RuleOutputs>(shared, workers, sources_)});
    if (options_.restored != nullptr) RestoreRule(rules_.back());
  }
  options_.restored = nullptr;
  // Numbers of rules have changed.
  ForgetGroups(true);
  for (Rule& rule : old) {
    if (rule.outputs != nullptr) rule.outputs->End(loop_.WallMs());
  }
  AppendOutputs();
  old.clear();
  downsampling_.clear();
  for (const DownsampleConfig& one : config.downsample) {
    downsampling_.push_back({AnySelector(one.match), static_cast<uint32_t>(one.interval.count())});
  }
  if (rules_.empty() && downsampling_.empty()) {
    log_.set_before_append(nullptr);
  } else {
    log_.set_before_append([this](Commit& commit) { Take(commit); });
  }
  for (const auto& parts : std::exchange(early_, {})) TakeParts(parts);
  Schedule();
}

void Aggregates::Stop() {
  stopped_ = true;
  timer_.Cancel();
}

Aggregates::Rule* Aggregates::Find(uint64_t id) {
  for (Rule& rule : rules_) {
    if (rule.inputs->rule().id() == id) return &rule;
  }
  return nullptr;
}

Aggregates::Group& Aggregates::GroupOf(const GroupRef& definition) {
  const auto [it, is_new] = groups_.try_emplace(definition->id());
  if (!is_new) return it->second;
  it->second = {definition, LookAt(*definition)};
  if (groups_.size() <= 2 * groups_after_sweep_ + 64) return it->second;
  ForgetGroups(false);
  return groups_.at(definition->id());
}

std::unique_ptr<GroupInputs> Aggregates::LookAt(const GroupDefinition& definition) {
  auto found = std::make_unique<GroupInputs>();
  PackedCursor cursor;
  cursor.Begin(definition);
  std::vector<LabelView> labels;
  std::string key;
  std::string_view packed;
  const auto partition = static_cast<uint32_t>(definition.target_key() % kLogPartitions);
  for (uint32_t index = 0; cursor.Next(packed); index++) {
    UnpackLabels(packed, labels);
    bool drop = false;
    for (uint32_t i = 0; i < rules_.size(); i++) {
      RuleInputs& inputs = *rules_[i].inputs;
      if (!inputs.rule().Selects(labels)) continue;
      inputs.rule().KeyOf(labels, key);
      found->inputs.push_back({index, i, inputs.Use(StableHash(packed), partition, key)});
      drop |= inputs.rule().config().drop_inputs;
    }
    if (drop) {
      found->dropped.resize((definition.series() + 63) / 64);
      found->dropped[index / 64] |= uint64_t{1} << (index % 64);
      continue;
    }
    for (const Downsampling& one : downsampling_) {
      if (!one.match.Selects(labels)) continue;
      found->downsampled.push_back({index, one.interval_ms});
      break;
    }
  }
  if (found->empty()) return nullptr;
  found->inputs.shrink_to_fit();
  found->downsampled.shrink_to_fit();
  return found;
}

void Aggregates::Take(Commit& commit) {
  if (OutputSource::IsKey(commit.target_key)) return;
  const TimestampMs now = loop_.WallMs();
  for (Rule& rule : rules_) rule.inputs->aggregator().SetNow(now);
  bool cut = false;
  for (GroupSamples& record : commit.groups) {
    Group& group = GroupOf(record.group);
    if (group.inputs == nullptr) continue;
    TakeInputs(*group.inputs, record);
    if (record.irregular != nullptr) TakeHistograms(*group.inputs, record);
    CutRecord(*group.inputs, record, cut_);
    cut |= record.empty();
  }
  if (cut) std::erase_if(commit.groups, [](const GroupSamples& record) { return record.empty(); });
}

void Aggregates::TakeInputs(GroupInputs& inputs, const GroupSamples& record) {
  GroupInputs::ForEachValue(
      inputs.inputs, record, [&](const GroupInputs::Input& input, double value) {
        rules_[input.rule].inputs->aggregator().Take(input.input, record.timestamp, value);
      });
  for (const OwnSample& sample : record.own) {
    GroupInputs::ForEachOf(inputs.inputs, sample.index, [&](const GroupInputs::Input& input) {
      rules_[input.rule].inputs->aggregator().Take(input.input, sample.timestamp, sample.value);
    });
  }
}

void Aggregates::TakeHistograms(GroupInputs& inputs, const GroupSamples& record) {
  for (const HistogramSample& sample : record.irregular->histograms) {
    HistogramRef counts;
    bool decoded = false;
    GroupInputs::ForEachOf(inputs.inputs, sample.index, [&](const GroupInputs::Input& input) {
      if (!std::exchange(decoded, true) && DecodeHistogram(sample.encoded, histogram_) &&
          !IsStaleNan(histogram_.sum)) {
        if (auto found = CountsOf(histogram_)) {
          counts = std::make_shared<const HistogramCounts>(*std::move(found));
        }
      }
      IntervalAggregator& aggregator = rules_[input.rule].inputs->aggregator();
      if (counts == nullptr) {
        aggregator.Take(input.input, sample.timestamp, StaleNan());
      } else {
        aggregator.Take(input.input, sample.timestamp, counts, histogram_.reset_hint);
      }
    });
  }
}

void Aggregates::Release(const GroupInputs& inputs) {
  for (const GroupInputs::Input& input : inputs.inputs) {
    rules_[input.rule].inputs->Release(input.input);
  }
}

void Aggregates::ForgetGroups(bool all) {
  boost::unordered::erase_if(groups_, [&](auto& entry) {
    Group& group = entry.second;
    if (!all && !group.definition.expired()) return false;
    if (!all && group.inputs != nullptr) Release(*group.inputs);
    return true;
  });
  groups_after_sweep_ = groups_.size();
  for (Rule& rule : rules_) {
    if (all) rule.inputs->ReleaseAll();
    rule.inputs->Sweep();
  }
}

void Aggregates::Schedule() {
  timer_.Cancel();
  if (rules_.empty() || stopped_) return;
  TimestampMs next = INT64_MAX;
  for (const Rule& rule : rules_) {
    next = std::min(next, rule.inputs->aggregator().NextCloseMs());
  }
  const auto wait = milliseconds(std::max<TimestampMs>(next - loop_.WallMs(), 1));
  timer_.SetAfter(std::min<nanoseconds>(wait, kTimerMax), [this] { Close(); });
}

std::vector<std::shared_ptr<Aggregates::Parts>> Aggregates::CloseRules(TimestampMs now) {
  std::vector<std::shared_ptr<Parts>> parts(peers_.size());
  for (auto& one : parts) {
    one = std::make_shared<Parts>();
    one->worker = worker_;
  }
  for (Rule& rule : rules_) {
    RuleInputs& inputs = *rule.inputs;
    IntervalAggregator& aggregator = inputs.aggregator();
    if (aggregator.NextCloseMs() > now) continue;
    std::vector<Parts::OfRule> of_rule(peers_.size());
    aggregator.Close(now, [&](uint32_t output, const IntervalAggregate& aggregate) {
      const std::string& key = inputs.KeyOf(output);
      const uint32_t partition = RuleOutputs::PartitionOf(inputs.rule(), key);
      of_rule[partition % peers_.size()].parts.push_back({key, aggregate});
    });
    for (size_t i = 0; i < peers_.size(); i++) {
      of_rule[i].rule = inputs.rule().id();
      of_rule[i].silent_until = aggregator.silent_until();
      of_rule[i].closed = aggregator.closed();
      parts[i]->rules.push_back(std::move(of_rule[i]));
    }
  }
  return parts;
}

void Aggregates::Close() {
  if (saving_ && !stalled_) {
    timer_.SetAfter(kWhileSaving, [this] { Close(); });
    return;
  }
  std::vector<std::shared_ptr<Parts>> parts = CloseRules(loop_.WallMs());
  if (!parts.front()->rules.empty()) {
    ForgetGroups(false);
    // Where there is nobody else, what comes of it is saved with it.
    if (peers_.size() == 1) {
      JoinParts(parts.front());
    } else {
      undelivered_ = std::move(parts);
    }
    if (!options_.place.exists()) {
      Deliver();
    } else if (saving_) {
      save_failures_++;
      Deliver();
    } else {
      Save();
    }
  }
  Schedule();
}

void Aggregates::Save() {
  saving_ = true;
  SavedState state;
  for (const Rule& rule : rules_) {
    SavedRule& saved = state.emplace_back();
    saved.id = rule.inputs->rule().id();
    rule.inputs->Save(saved);
    rule.outputs->Save(saved);
  }
  std::string bytes = EncodeState(state);
  saved_bytes_ = bytes.size();
  const bool first = worker_ == 0 && !std::exchange(saved_once_, true);
  auto good = std::make_shared<bool>(false);
  stall_timer_.SetAfter(kSaveMax, [this] {
    stalled_ = true;
    Deliver();
  });
  const AggregatePlace& place = options_.place;
  place.work->Run(
      [disk = place.disk, folder = place.folder, path = StatePath(place.folder, worker_),
       bytes = std::move(bytes), good, workers = first ? peers_.size() : 0] {
        *good = disk->CreateDirectories(folder) && ReplaceFile(*disk, path, bytes);
        if (*good && workers > 0) RemoveOthers(*disk, folder, static_cast<uint32_t>(workers));
      },
      [self = self_, good] {
        if (*self != nullptr) (*self)->Saved(*good);
      });
}

void Aggregates::Saved(bool good) {
  saving_ = stalled_ = false;
  stall_timer_.Cancel();
  if (!good) save_failures_++;
  Deliver();
  if (flushed_ == nullptr) return;
  if (std::exchange(save_again_, false)) return Save();
  std::exchange(flushed_, nullptr)();
}

void Aggregates::Flush(std::function<void()> done) {
  Deliver();
  if (!options_.place.exists() || rules_.empty()) return done();
  flushed_ = std::move(done);
  save_again_ = saving_;
  if (!saving_) Save();
}

void Aggregates::Deliver() {
  std::vector<std::shared_ptr<Parts>> parts = std::exchange(undelivered_, {});
  for (size_t i = 0; i < parts.size(); i++) {
    Aggregates* const owner = peers_[i].aggregates;
    if (owner == this) {
      JoinParts(parts[i]);
    } else {
      peers_[i].loop->Post([owner, of_owner = std::move(parts[i])] { owner->TakeParts(of_owner); });
    }
  }
  AppendOutputs();
}

void Aggregates::TakeParts(const std::shared_ptr<Parts>& parts) {
  JoinParts(parts);
  AppendOutputs();
}

void Aggregates::JoinParts(const std::shared_ptr<Parts>& parts) {
  Parts unknown;
  unknown.worker = parts->worker;
  for (Parts::OfRule& of_rule : parts->rules) {
    Rule* const rule = Find(of_rule.rule);
    if (rule == nullptr) {
      unknown.rules.push_back(std::move(of_rule));
      continue;
    }
    rule->outputs->Take(parts->worker, of_rule.silent_until, of_rule.closed,
                        std::move(of_rule.parts));
  }
  if (unknown.rules.empty()) return;
  if (early_.size() < kEarlyMax) {
    early_.push_back(std::make_shared<Parts>(std::move(unknown)));
  } else {
    for (const Parts::OfRule& of_rule : unknown.rules) parts_dropped_ += of_rule.parts.size();
  }
}

void Aggregates::RestoreRule(Rule& rule) const {
  RuleInputs& inputs = *rule.inputs;
  const auto workers = static_cast<uint32_t>(peers_.size());
  const auto is_mine = [&](uint32_t partition) { return partition % workers == worker_; };
  std::vector<std::pair<const SavedRule*, uint32_t>> found;  // and which file
  for (uint32_t file = 0; file < options_.restored->size(); file++) {
    for (const SavedRule& saved : (*options_.restored)[file]) {
      if (saved.id == inputs.rule().id()) found.emplace_back(&saved, file);
    }
  }
  if (found.empty()) return;
  // A file may be one that its worker could not replace in the end: what is newer counts.
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.first->given_out < b.first->given_out; });
  TimestampMs closed = INT64_MIN;
  boost::unordered_flat_map<uint64_t, std::pair<const std::string*, const SavedInput*>> newest;
  for (const auto& [saved, file] : found) {
    closed = std::max(closed, saved->closed);
    rule.outputs->RestoreGivenOut(saved->given_out);
    for (const SavedOutput& output : saved->outputs) {
      if (is_mine(RuleOutputs::PartitionOf(inputs.rule(), output.place_key))) {
        rule.outputs->Restore(output);
      }
    }
    for (const SavedAggregate& aggregate : saved->aggregates) {
      for (const SavedInput& input : aggregate.inputs) {
        if (!is_mine(input.partition)) continue;
        auto& best = newest[input.series];
        if (best.second == nullptr || best.second->known.newest < input.known.newest) {
          best = {&aggregate.key, &input};
        }
      }
    }
  }
  const TimestampMs oldest = loop_.WallMs() - inputs.rule().config().staleness_interval.count();
  if (closed >= oldest) inputs.aggregator().Resume(closed);
  for (const auto& [series, best] : newest) inputs.Restore(*best.first, *best.second);
  for (const auto& [saved, file] : found) {
    if (!is_mine(file)) continue;
    for (const SavedAggregate& aggregate : saved->aggregates) {
      for (const IntervalAggregate& open : aggregate.open) inputs.Restore(aggregate.key, open);
    }
  }
}

void Aggregates::AppendOutputs() {
  for (uint32_t partition = 0; partition < kLogPartitions; partition++) {
    OutputSource* const source = sources_.Find(partition);
    if (source == nullptr) continue;
    for (Commit& commit : source->TakeCommits()) log_.Append(std::move(commit));
  }
}

size_t Aggregates::memory_bytes() const {
  size_t bytes = sources_.memory_bytes() + groups_.bucket_count() * 33;
  for (const Rule& rule : rules_) {
    bytes += rule.inputs->memory_bytes() + rule.outputs->memory_bytes();
  }
  for (const auto& [id, group] : groups_) {
    if (group.inputs != nullptr) bytes += group.inputs->memory_bytes();
  }
  return bytes;
}

void Aggregates::CollectRule(const Rule& rule, TimestampMs now, MetricSink& sink) {
  const MetricLabels labels{{"rule", rule.inputs->rule().config().name}};
  const auto counter = [&](const char* name, const char* help, uint64_t value) {
    sink.AddCounter(name, help, labels, static_cast<double>(value));
  };
  const auto gauge = [&](const char* name, const char* help, size_t value) {
    sink.AddGauge(name, help, labels, static_cast<double>(value));
  };
  const IntervalAggregator& aggregator = rule.inputs->aggregator();
  counter("tributary_aggregate_taken_samples_total", "Samples that count in an aggregate.",
          aggregator.stats().taken);
  const auto refused = [&](const char* reason, uint64_t value) {
    sink.AddCounter(
        "tributary_aggregate_refused_samples_total",
        "Samples that count in no aggregate: later than the rule waits for them (late), more than "
        "a minute ahead of the clock (ahead), or not after their series' last (out_of_order).",
        {labels.front(), {"reason", reason}}, static_cast<double>(value));
  };
  refused("late", aggregator.stats().late);
  refused("ahead", aggregator.stats().ahead);
  refused("out_of_order", aggregator.stats().out_of_order);
  const RuleOutputs::Stats& outputs = rule.outputs->stats();
  counter("tributary_aggregate_output_samples_total",
          "Samples and markers of aggregates that were appended to the log.", outputs.samples);
  counter("tributary_aggregate_conflicts_total",
          "Samples of aggregates that were left out, as the series of another rule has the same "
          "labels.",
          outputs.conflicts);
  counter("tributary_aggregate_mixed_total",
          "Values that were left out, as inputs are floats and native histograms, or histograms "
          "that cannot be added up.",
          outputs.mixed);
  gauge("tributary_aggregate_inputs", "Series that are inputs of the rule.", rule.inputs->inputs());
  gauge("tributary_aggregate_aggregates", "Aggregates of the rule.", rule.outputs->aggregates());
  // Of several workers the one that is behind.
  sink.AddGreatest("tributary_aggregate_behind_seconds",
                   "How far what is closed is behind the clock.", labels,
                   static_cast<double>(now - aggregator.closed()) / 1000);
}

void Aggregates::Collect(MetricSink& sink) const {
  if (rules_.empty() && downsampling_.empty()) return;
  for (const Rule& rule : rules_) CollectRule(rule, loop_.WallMs(), sink);
  const auto counter = [&](const char* name, const char* help, uint64_t value) {
    sink.AddCounter(name, help, {}, static_cast<double>(value));
  };
  counter("tributary_aggregate_dropped_samples_total",
          "Samples of inputs that were not appended to the log, as a rule says.", cut_.dropped);
  counter("tributary_aggregate_downsampled_samples_total",
          "Samples that were not appended to the log, as their interval had one.",
          cut_.downsampled);
  counter("tributary_aggregate_parts_dropped_total",
          "Parts of intervals that came from another worker for a rule that is not known, and were "
          "too many to be kept until it is.",
          parts_dropped_);
  sink.AddGauge("tributary_aggregate_output_series", "Series of aggregates.", {},
                static_cast<double>(sources_.series()));
  sink.AddGauge("tributary_memory_bytes", "Memory in use, by part.", {{"part", "aggregates"}},
                static_cast<double>(memory_bytes()));
  if (!options_.place.exists()) return;
  counter("tributary_aggregate_save_failures_total",
          "Times that what is known of aggregates could not be written down.", save_failures_);
  sink.AddGauge("tributary_aggregate_saved_bytes",
                "Size of what was last written down of aggregates.", {},
                static_cast<double>(saved_bytes_));
}

}  // namespace tributary
