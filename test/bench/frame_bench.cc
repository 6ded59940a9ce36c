// What frames cost and weigh, beside the general path with the same 2,000 samples: `item` is CPU
// time by sample, or by series where frames are compiled, `wire` bytes by sample, `memory` what the
// frames keep by series, `allocations` those of a whole request or compilation.
//   Patch      a request from four groups' blocks: fit, copy, values, time
//   Rewrite    the same with one series of each block not there
//   General    encoded labels to protobuf to libsnappy, in the groups' order
//   PageOrder  the same in the order of the page, family by family, as others send it
//   Compile    blocks made of encoded labels, symbols included
// `bench` has the labels of bench/targets as it sends them: 11 of them, long ids dropped. `ids` has
// cAdvisor's long ids. docs/testing.md has how to run it.
#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "agent/frame/block_job.h"
#include "agent/frame/frame_request.h"
#include "agent/frame/frame_unit.h"
#include "common/base/varint.h"
#include "common/wire/remote_write.h"
#include "common/wire/remote_write_v2.h"
#include "test/bench/bench_series.h"
#include "test/support/allocation_counter.h"

namespace tributary {
namespace {

constexpr size_t kSeries = kBenchSeries;
constexpr uint32_t kChunk = 250;

enum class Protocol { kV1, kV2 };
constexpr auto kBench = BenchShape::kBench;
constexpr auto kIds = BenchShape::kIds;
constexpr auto kV1 = Protocol::kV1;
constexpr auto kV2 = Protocol::kV2;
constexpr auto kShared = FrameTimes::kShared;
constexpr auto kOwn = FrameTimes::kOwn;

struct World {
  // Of the groups, 500 series each; labels and samples in page order as well.
  std::vector<GroupSamples> groups;
  std::vector<std::string> encoded, in_page_order;
  uint64_t label_bytes = 0;

  World(BenchShape shape, FrameTimes times) : groups(BenchGroups(shape, 1)) {
    for (const Labels& labels : BenchPageSeries(shape)) {
      in_page_order.push_back(EncodeLabels(labels));
    }
    std::mt19937_64 random(2);
    for (GroupSamples& samples : groups) {
      for (const Labels& labels : samples.group->Decode()) {
        encoded.push_back(EncodeLabels(labels));
        label_bytes += encoded.back().size();
      }
      if (times != kOwn) continue;
      for (uint32_t i = 0; i < kGroupSeriesMax; i++) {
        const auto age = static_cast<TimestampMs>(random() % 15'000);
        samples.own.push_back({i, samples.timestamp - age, samples.values[i]});
      }
      samples.values.clear();
      samples.present.assign(samples.present.size(), 0);
    }
  }

  void RemoveOneOfEachChunk() {
    for (GroupSamples& samples : groups) {
      for (uint32_t chunk : {1u, 0u}) {
        const uint32_t series = chunk * kChunk + 100;
        samples.present[series / 64] &= ~(uint64_t{1} << (series % 64));
        samples.values.erase(samples.values.begin() + series);
      }
    }
  }

  BlockSource Source(size_t group, uint32_t chunk, FrameTimes times) const {
    BlockSource source;
    source.begin = chunk * kChunk;
    source.end = source.begin + kChunk;
    source.times = times;
    source.metadata = groups[group].metadata;
    for (uint32_t i = source.begin; i < source.end; i++) {
      const std::string& labels = encoded[group * kGroupSeriesMax + i];
      PutVarint(source.encoded, labels.size());
      source.encoded += labels;
    }
    return source;
  }
};

std::unique_ptr<FrameUnit> CompileUnit(const World& world, Protocol protocol, FrameTimes times,
                                       HoleCompressor& compressor, std::vector<BlockRef>& blocks) {
  auto unit = std::make_unique<FrameUnit>(kSeries / kChunk);
  SymbolWriter writer(unit->symbols());
  blocks.clear();
  for (size_t group = 0; group < world.groups.size(); group++) {
    for (uint32_t chunk : {0u, 1u}) {
      BlockJob job(compressor, world.Source(group, chunk, times),
                   protocol == kV2 ? &writer : nullptr);
      while (!job.Advance(kChunk)) {
      }
      blocks.push_back(job.Take());
    }
  }
  if (protocol == kV1) return unit;
  writer.Commit();
  for (size_t i = 0; i < blocks.size(); i++) unit->Set(i, blocks[i]);
  return unit;
}

void Report(benchmark::State& state, uint64_t samples, uint64_t wire, uint64_t allocations) {
  const auto count = static_cast<double>(samples);
  state.counters["item"] = benchmark::Counter(
      count, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  if (wire > 0) state.counters["wire"] = static_cast<double>(wire) / count;
  state.counters["allocations"] = static_cast<double>(allocations);
}

void SendFrames(benchmark::State& state, const World& world, const World& compiled,
                Protocol protocol, FrameTimes times, FrameFit::Way expected) {
  HoleCompressor compressor;
  std::vector<BlockRef> blocks;
  const auto unit = CompileUnit(compiled, protocol, times, compressor, blocks);
  uint64_t wire = 0, samples = 0, allocations = 0;
  for (auto _ : state) {
    const uint64_t before = AllocationCount();
    FrameRequest request = protocol == kV1 ? FrameRequest() : FrameRequest(unit->symbols());
    samples = 0;
    for (size_t i = 0; i < blocks.size(); i++) {
      const GroupSamples& of_group = world.groups[i / 2];
      const FrameFit fit = FitOf(*blocks[i], of_group);
      if (fit.way != expected) state.SkipWithError("it is sent in another way");
      samples += fit.samples;
      request.Add(blocks[i], of_group, fit);
    }
    const std::string body = request.Finish();
    wire = body.size();
    benchmark::DoNotOptimize(body.data());
    allocations = AllocationCount() - before;
  }
  Report(state, samples, wire, allocations);
}

void Patch(benchmark::State& state, BenchShape shape, Protocol protocol, FrameTimes times) {
  const World world(shape, times);
  SendFrames(state, world, world, protocol, times, FrameFit::Way::kPatch);
}

void Rewrite(benchmark::State& state, BenchShape shape, Protocol protocol) {
  const World compiled(shape, kShared);
  World world(shape, kShared);
  world.RemoveOneOfEachChunk();
  SendFrames(state, world, compiled, protocol, kShared, FrameFit::Way::kRewrite);
}

void SendGenerally(benchmark::State& state, const World& world, Protocol protocol,
                   const std::vector<std::string>& labels) {
  uint64_t wire = 0, allocations = 0;
  for (auto _ : state) {
    const uint64_t before = AllocationCount();
    WriteRequestBuilder v1;
    WriteRequestV2Builder v2;
    size_t next = 0;
    for (const GroupSamples& samples : world.groups) {
      for (uint32_t i = 0; i < samples.values.size(); i++, next++) {
        if (protocol == kV1) {
          v1.AddSample(labels[next], samples.values[i], samples.timestamp);
        } else {
          const FamilyMetadata& family = *samples.metadata->Of(i);
          v2.AddSample({labels[next], family.type, family.help, family.unit}, samples.values[i],
                       samples.timestamp, 0);
        }
      }
    }
    const std::string body = protocol == kV1 ? v1.Finish() : v2.Finish();
    wire = body.size();
    benchmark::DoNotOptimize(body.data());
    allocations = AllocationCount() - before;
  }
  Report(state, kSeries, wire, allocations);
}

void General(benchmark::State& state, BenchShape shape, Protocol protocol) {
  const World world(shape, kShared);
  SendGenerally(state, world, protocol, world.encoded);
}

void PageOrder(benchmark::State& state, BenchShape shape, Protocol protocol) {
  const World world(shape, kShared);
  SendGenerally(state, world, protocol, world.in_page_order);
}

void Compile(benchmark::State& state, BenchShape shape, Protocol protocol) {
  const World world(shape, kShared);
  HoleCompressor compressor;
  std::vector<BlockRef> blocks;
  uint64_t memory = 0, allocations = 0;
  for (auto _ : state) {
    const uint64_t before = AllocationCount();
    const auto unit = CompileUnit(world, protocol, kShared, compressor, blocks);
    allocations = AllocationCount() - before;
    memory = protocol == kV2 ? unit->memory_bytes() : 0;
    if (protocol == kV1) {
      for (const BlockRef& block : blocks) memory += block->memory_bytes();
    }
  }
  Report(state, kSeries, 0, allocations);
  state.counters["memory"] = static_cast<double>(memory) / static_cast<double>(kSeries);
  state.counters["labels"] = static_cast<double>(world.label_bytes) / static_cast<double>(kSeries);
}

BENCHMARK_CAPTURE(Patch, bench_v1, kBench, kV1, kShared);
BENCHMARK_CAPTURE(Patch, bench_v1_own_times, kBench, kV1, kOwn);
BENCHMARK_CAPTURE(Patch, bench_v2, kBench, kV2, kShared);
BENCHMARK_CAPTURE(Patch, ids_v1, kIds, kV1, kShared);
BENCHMARK_CAPTURE(Patch, ids_v2, kIds, kV2, kShared);

#define BENCH_SHAPES(Function)                        \
  BENCHMARK_CAPTURE(Function, bench_v1, kBench, kV1); \
  BENCHMARK_CAPTURE(Function, bench_v2, kBench, kV2); \
  BENCHMARK_CAPTURE(Function, ids_v1, kIds, kV1);     \
  BENCHMARK_CAPTURE(Function, ids_v2, kIds, kV2)

BENCH_SHAPES(Rewrite);
BENCH_SHAPES(General);
BENCH_SHAPES(PageOrder);
BENCH_SHAPES(Compile);

}  // namespace
}  // namespace tributary
