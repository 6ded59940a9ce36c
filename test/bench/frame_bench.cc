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

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "agent/frame/block_job.h"
#include "agent/frame/frame_request.h"
#include "agent/frame/frame_unit.h"
#include "common/base/varint.h"
#include "common/wire/remote_write.h"
#include "common/wire/remote_write_v2.h"
#include "test/support/allocation_counter.h"

namespace tributary {
namespace {

constexpr size_t kSeries = 2000;
constexpr uint32_t kChunk = 250;

enum class Shape { kBench, kIds };
enum class Protocol { kV1, kV2 };
constexpr auto kBench = Shape::kBench;
constexpr auto kIds = Shape::kIds;
constexpr auto kV1 = Protocol::kV1;
constexpr auto kV2 = Protocol::kV2;
constexpr auto kShared = FrameTimes::kShared;
constexpr auto kOwn = FrameTimes::kOwn;

constexpr std::array kFamilies = {"container_cpu_usage_seconds_total",
                                  "container_cpu_user_seconds_total",
                                  "container_cpu_system_seconds_total",
                                  "container_cpu_cfs_periods_total",
                                  "container_cpu_cfs_throttled_periods_total",
                                  "container_cpu_cfs_throttled_seconds_total",
                                  "container_fs_reads_total",
                                  "container_fs_reads_bytes_total",
                                  "container_fs_writes_total",
                                  "container_fs_writes_bytes_total",
                                  "container_memory_cache",
                                  "container_memory_rss",
                                  "container_memory_swap",
                                  "container_memory_usage_bytes",
                                  "container_memory_working_set_bytes",
                                  "container_memory_failcnt",
                                  "container_memory_max_usage_bytes",
                                  "container_processes",
                                  "container_sockets",
                                  "container_spec_memory_limit_bytes"};

// The series of a page in its order: family by family.
std::vector<Labels> PageSeries(Shape shape) {
  std::mt19937_64 random(1);
  auto hex = [&](int size) {
    std::string text;
    while (size-- > 0) text += "0123456789abcdef"[random() % 16];
    return text;
  };
  const std::array namespaces = {"default", "kube-system", "monitoring", "payments-prod",
                                 "ingress-nginx"};
  const size_t families = shape == kIds ? 8 : kFamilies.size();
  std::vector<Labels> pods;
  for (size_t i = 0; i < kSeries / families; i++) {
    const std::string app =
        std::string("service-") + static_cast<char>('a' + i % 7) + "-" + std::to_string(i % 11);
    Labels labels{{"cluster", "bench"},
                  {"container", app},
                  {"device", "/dev/nvme0n1"},
                  {"image", "registry.internal.example.com/team/" + app + ":v1." +
                                std::to_string(i % 20) + "." + std::to_string(i % 7)},
                  {"instance", "node-17"},
                  {"job", "bench"},
                  {"namespace", namespaces[i % 5]},
                  {"node", "ip-10-0-0-17.eu-west-1.compute.internal"},
                  {"pod", app + "-" + hex(10) + "-" + hex(5)},
                  {"region", "eu-west-1"}};
    if (shape == kIds) {
      const std::string container = hex(64);
      labels.Set("id", "/kubepods/burstable/pod" + hex(32) + "/" + container);
      labels.Set("image", "registry.example/shop/service@sha256:" + hex(64));
      labels.Set("name", container);
    }
    pods.push_back(std::move(labels));
  }
  std::vector<Labels> series;
  for (size_t f = 0; f < families; f++) {
    for (Labels labels : pods) {
      labels.Set("__name__", kFamilies[f]);
      series.push_back(std::move(labels));
    }
  }
  return series;
}

struct World {
  // Of the groups, 500 series each; labels and samples in page order as well.
  std::vector<GroupSamples> groups;
  std::vector<std::string> encoded, in_page_order;
  uint64_t label_bytes = 0;

  World(Shape shape, FrameTimes times) {
    std::vector<std::pair<std::string, std::string>> series;  // packed, encoded
    for (const Labels& labels : PageSeries(shape)) {
      series.emplace_back("", EncodeLabels(labels));
      PackLabels(labels, series.back().first);
      in_page_order.push_back(series.back().second);
    }
    std::sort(series.begin(), series.end());
    std::vector<std::string_view> packed;
    for (const auto& [bytes, labels] : series) {
      packed.push_back(bytes);
      encoded.push_back(labels);
      label_bytes += labels.size();
    }
    auto family = std::make_shared<const FamilyMetadata>(
        FamilyMetadata{"f", MetricType::kCounter, "Cumulative cpu time consumed in seconds.", ""});
    const auto metadata =
        std::make_shared<const SeriesMetadata>(std::vector<FamilyRef>(500, family));
    std::mt19937_64 random(2);
    for (size_t begin = 0; begin < series.size(); begin += kGroupSeriesMax) {
      const auto from = packed.begin() + static_cast<ptrdiff_t>(begin);
      GroupSamples& samples = groups.emplace_back();
      samples.group = std::make_shared<const GroupDefinition>(
          1, 1, std::vector<std::string_view>(from, from + kGroupSeriesMax));
      samples.timestamp = 1'790'000'000'000;
      samples.present.resize((kGroupSeriesMax + 63) / 64);
      samples.metadata = metadata;
      for (uint32_t i = 0; i < kGroupSeriesMax; i++) {
        const double value = static_cast<double>(random() % 100'000'000) / 1000;
        if (times == kOwn) {
          samples.own.push_back(
              {i, samples.timestamp - static_cast<TimestampMs>(random() % 15'000), value});
        } else {
          samples.present[i / 64] |= uint64_t{1} << (i % 64);
          samples.values.push_back(value);
        }
      }
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

void Patch(benchmark::State& state, Shape shape, Protocol protocol, FrameTimes times) {
  const World world(shape, times);
  SendFrames(state, world, world, protocol, times, FrameFit::Way::kPatch);
}

void Rewrite(benchmark::State& state, Shape shape, Protocol protocol) {
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

void General(benchmark::State& state, Shape shape, Protocol protocol) {
  const World world(shape, kShared);
  SendGenerally(state, world, protocol, world.encoded);
}

void PageOrder(benchmark::State& state, Shape shape, Protocol protocol) {
  const World world(shape, kShared);
  SendGenerally(state, world, protocol, world.in_page_order);
}

void Compile(benchmark::State& state, Shape shape, Protocol protocol) {
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
