#include "test/unit/agent/aggregate/aggregate_rig.h"

#include <cmath>
#include <sstream>

#include "agent/telemetry/metric_page.h"
#include "common/labels/pack_labels.h"
#include "test/support/catch.h"

namespace tributary {

Labels LabelsOf(const std::string& text) {
  Labels labels;
  const size_t brace = text.find('{');
  labels.Set(kMetricName, text.substr(0, brace));
  for (size_t at = brace; at < text.size() && text[at] != '}';) {
    const size_t equals = text.find('=', at);
    const size_t end = text.find('"', equals + 2);
    labels.Set(text.substr(at + 1, equals - at - 1), text.substr(equals + 2, end - equals - 2));
    at = end + 1;
  }
  return labels;
}

GroupRef MakeGroup(uint64_t target_key, const std::vector<std::string>& series) {
  std::vector<std::string> packed(series.size());
  for (size_t i = 0; i < series.size(); i++) PackLabels(LabelsOf(series[i]), packed[i]);
  return std::make_shared<const GroupDefinition>(
      target_key, 1, std::vector<std::string_view>(packed.begin(), packed.end()));
}

AggregateRig::One::One(SimLoop& loop, AggregateRig& rig, AggregateOptions options)
    : work(loop), log(loop, {}), aggregates(loop, log, [&] {
        options.place.work = &work;
        return options;
      }()) {
  work.set_latency(nanoseconds(0));
  log.set_on_append([&rig](const std::shared_ptr<const GroupSamples>& record) {
    const bool is_output = OutputSource::IsKey(record->group->target_key());
    Logged& to = is_output ? rig.outputs : rig.logged;
    const std::vector<Labels> labels = record->group->Decode();
    const auto add = [&](uint32_t index, TimestampMs time, double value) {
      std::string name(labels[index].Get(kMetricName));
      char open = '{';
      for (const Label& label : labels[index]) {
        if (label.name == kMetricName) continue;
        name += open + label.name + "=\"" + label.value + "\"";
        open = ',';
      }
      if (open == ',') name += '}';
      to[name].emplace_back(time, value);
    };
    size_t value = 0;
    for (uint32_t i = 0; i < record->group->series(); i++) {
      if (record->Has(i)) add(i, record->timestamp, record->values[value++]);
    }
    for (const OwnSample& own : record->own) add(own.index, own.timestamp, own.value);
  });
}

AggregateRig::AggregateRig(SimLoop& world_loop, size_t count) : loop(world_loop) { Start(count); }

void AggregateRig::Start(size_t count) {
  AggregateOptions options;
  options.place = {&disk, nullptr, "/data/aggregates"};
  options.restored = std::make_shared<const std::vector<SavedState>>(
      ReadStates(disk, options.place.folder,
                 [this](const std::string& problem) { problems.push_back(problem); }));
  std::vector<Aggregates::Peer> peers;
  for (size_t i = 0; i < count; i++) {
    workers.push_back(std::make_unique<One>(loop, *this, options));
    peers.push_back({&loop, &workers.back()->aggregates});
  }
  for (const auto& worker : workers) {
    worker->aggregates.SetPeers(peers);
    worker->aggregates.ApplyConfig(config);
  }
}

void AggregateRig::Stop() {
  size_t left = workers.size();
  for (const auto& worker : workers) worker->aggregates.Stop();
  for (const auto& worker : workers) worker->aggregates.Flush([&] { left--; });
  REQUIRE(loop.RunUntil([&] { return left == 0; }, seconds(1)));
  workers.clear();
}

void AggregateRig::Apply(std::vector<AggregateConfig> rules,
                         std::vector<DownsampleConfig> downsample) {
  config.aggregate = std::move(rules);
  config.downsample = std::move(downsample);
  for (const auto& worker : workers) worker->aggregates.ApplyConfig(config);
}

void AggregateRig::Append(const GroupRef& group, TimestampMs time, std::vector<double> values) {
  GroupSamples record;
  record.group = group;
  record.timestamp = time;
  record.present.resize((group->series() + 63) / 64);
  for (uint32_t i = 0; i < values.size(); i++) {
    if (std::isnan(values[i]) && !IsStaleNan(values[i])) continue;
    record.present[i / 64] |= uint64_t{1} << (i % 64);
    record.values.push_back(values[i]);
  }
  Append(std::move(record));
}

void AggregateRig::Append(GroupSamples record) {
  const uint64_t key = record.group->target_key();
  Commit commit{key, {}};
  commit.groups.push_back(std::move(record));
  workers[key % kLogPartitions % workers.size()]->log.Append(std::move(commit));
}

double AggregateRig::Metric(const std::string& series) const {
  MetricPage page;
  for (const auto& worker : workers) worker->aggregates.Collect(page);
  std::istringstream lines(page.Text());
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(series + " ")) return std::stod(line.substr(series.size() + 1));
  }
  return -1;
}

AggregateConfig RuleOf(std::vector<std::string> match, std::vector<std::string> by,
                       std::vector<AggregateConfig::Output> outputs) {
  AggregateConfig rule;
  rule.name = "r";
  rule.match = std::move(match);
  rule.labels = std::move(by);
  rule.outputs = std::move(outputs);
  return rule;
}

}  // namespace tributary
