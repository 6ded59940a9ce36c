// What aggregates cost a record of 500 series on its way into the log: `item` is CPU time by
// sample, `allocations` those by record once its group is known.
//   Take/inputs   so many of the 500 are inputs of a rule (10 aggregates), kept
//   Take/dropped  the same, and cut out
//   Close         an interval's end with 100,000 inputs of 1,000 aggregates: `item` by input
//   Save          what is known of them, encoded: `item` by input, `bytes` on disk by input
// docs/testing.md has how to run it.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "agent/aggregate/group_inputs.h"
#include "agent/aggregate/rule_inputs.h"
#include "agent/aggregate/saved_state.h"
#include "common/labels/pack_labels.h"
#include "test/support/allocation_counter.h"

namespace tributary {
namespace {

constexpr TimestampMs kStart = 1'700'000'040'000;
constexpr uint32_t kSeries = 500;
constexpr uint32_t kInputs = 100'000, kAggregates = 1'000;

std::shared_ptr<const AggregateRule> Rule() {
  AggregateConfig config;
  config.match = {"m"};
  config.labels = {"service"};
  config.outputs = {{AggregateOutput::kSum, ""}, {AggregateOutput::kRateSum, ""}};
  return std::make_shared<const AggregateRule>(config);
}

std::string KeyOf(uint32_t aggregate) {
  std::string key;
  PackLabels(Labels{{"service", "service-" + std::to_string(aggregate)}}, key);
  return key;
}

// `state.range(0)`: inputs.
void Take(benchmark::State& state, bool dropped) {
  RuleInputs inputs(Rule(), kStart);
  GroupInputs group;
  const auto count = static_cast<uint32_t>(state.range(0));
  for (uint32_t i = 0; i < count; i++) {
    group.inputs.push_back({i * kSeries / count, 0, inputs.Use(i, 0, KeyOf(i % 10))});
  }
  if (dropped) {
    group.dropped.resize((kSeries + 63) / 64);
    for (const auto& input : group.inputs) {
      group.dropped[input.index / 64] |= uint64_t{1} << (input.index % 64);
    }
  }
  GroupSamples record;
  record.present.assign((kSeries + 63) / 64, ~uint64_t{0});
  record.present.back() >>= 64 - kSeries % 64;
  record.values.assign(kSeries, 1);
  record.timestamp = kStart;
  CutCounts cut;
  IntervalAggregator& aggregator = inputs.aggregator();
  const uint64_t before = AllocationCount();
  for (auto _ : state) {
    record.timestamp += 1;  // none is late nor ahead, and no interval ends
    aggregator.SetNow(record.timestamp);
    GroupInputs::ForEachValue(group.inputs, record, [&](const auto& input, double value) {
      aggregator.Take(input.input, record.timestamp, value);
    });
    if (!dropped) continue;
    CutRecord(group, record, cut);
    record.present.assign(record.present.size(), ~uint64_t{0});
    record.present.back() >>= 64 - kSeries % 64;
    record.values.resize(kSeries, 1);
  }
  state.counters["allocations"] = benchmark::Counter(
      static_cast<double>(AllocationCount() - before), benchmark::Counter::kAvgIterations);
  state.counters["item"] = benchmark::Counter(
      static_cast<double>(kSeries),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void TakeKept(benchmark::State& state) { Take(state, false); }
void TakeDropped(benchmark::State& state) { Take(state, true); }
BENCHMARK(TakeKept)->Name("Take/inputs")->Arg(500)->Arg(50);
BENCHMARK(TakeDropped)->Name("Take/dropped")->Arg(500)->Arg(50);

struct Many {
  Many() {
    for (uint32_t i = 0; i < kInputs; i++) inputs.Use(i, i % 8, KeyOf(i % kAggregates));
  }
  void Scrape(TimestampMs time) {
    inputs.aggregator().SetNow(time);
    for (uint32_t i = 0; i < kInputs; i++) inputs.aggregator().Take(i, time, i);
  }
  RuleInputs inputs{Rule(), kStart};
};

void Close(benchmark::State& state) {
  Many many;
  TimestampMs time = kStart;
  for (auto _ : state) {
    state.PauseTiming();
    time += 60'000;
    many.Scrape(time - 30'000);
    state.ResumeTiming();
    many.inputs.aggregator().Close(time + 10'000, [](uint32_t, const IntervalAggregate&) {});
  }
  state.counters["item"] = benchmark::Counter(
      kInputs, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["memory"] = static_cast<double>(many.inputs.memory_bytes()) / kInputs;
}
BENCHMARK(Close)->Unit(benchmark::kMillisecond);

void Save(benchmark::State& state) {
  Many many;
  many.Scrape(kStart + 30'000);
  many.Scrape(kStart + 60'000);
  size_t bytes = 0;
  for (auto _ : state) {
    SavedState saved(1);
    many.inputs.Save(saved.front());
    bytes = EncodeState(saved).size();
  }
  state.counters["item"] = benchmark::Counter(
      kInputs, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["bytes"] = static_cast<double>(bytes) / kInputs;
}
BENCHMARK(Save)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tributary
