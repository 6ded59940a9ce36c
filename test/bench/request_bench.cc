// What a request of 500 samples of as many series costs by the general path: `item` is CPU time by
// sample, `wire` bytes and `allocations` allocations by sample.
//   Encoder   RequestEncoder, as queues use it: the labels of the group's two chunks are unpacked,
//             then encoded with the samples and compressed
//   Builder   encoding and compressing alone, of labels that are at hand
// The labels are those of bench_frame, `bench` and `ids`; `v1` and `v2` the two protocols.
// docs/testing.md has how to run it.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "agent/remote/prepared_group.h"
#include "agent/remote/request_encoder.h"
#include "common/wire/remote_write.h"
#include "common/wire/remote_write_v2.h"
#include "test/bench/bench_series.h"
#include "test/support/allocation_counter.h"

namespace tributary {
namespace {

constexpr auto kBench = BenchShape::kBench;
constexpr auto kIds = BenchShape::kIds;
constexpr auto kV1 = RemoteWriteMessage::kV1;
constexpr auto kV2 = RemoteWriteMessage::kV2;

void Report(benchmark::State& state, uint64_t wire, uint64_t allocations) {
  const auto count = static_cast<double>(kGroupSeriesMax);
  state.counters["item"] = benchmark::Counter(
      count, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["wire"] = static_cast<double>(wire) / count;
  state.counters["allocations"] = static_cast<double>(allocations) / count;
}

void Encoder(benchmark::State& state, BenchShape shape, RemoteWriteMessage message) {
  const GroupSamples samples = BenchGroups(shape, 1).front();
  const PreparedGroup prepared(*samples.group, RemoteRules{});
  RequestEncoder encoder(message);
  uint64_t wire = 0, allocations = 0;
  for (auto _ : state) {
    const uint64_t before = AllocationCount();
    encoder.Begin(0, 0);
    for (uint32_t chunk = 0; chunk < prepared.chunks(); chunk++) {
      encoder.Add(samples, prepared, chunk, {});
    }
    const std::string body = encoder.Finish();
    wire = body.size();
    benchmark::DoNotOptimize(body.data());
    allocations = AllocationCount() - before;
  }
  if (encoder.written().samples != kGroupSeriesMax) state.SkipWithError("samples are missing");
  Report(state, wire, allocations);
}

void Builder(benchmark::State& state, BenchShape shape, RemoteWriteMessage message) {
  const GroupSamples samples = BenchGroups(shape, 1).front();
  std::vector<std::string> encoded;
  for (const Labels& labels : samples.group->Decode()) encoded.push_back(EncodeLabels(labels));
  uint64_t wire = 0, allocations = 0;
  for (auto _ : state) {
    const uint64_t before = AllocationCount();
    WriteRequestBuilder v1;
    WriteRequestV2Builder v2;
    for (uint32_t i = 0; i < kGroupSeriesMax; i++) {
      if (message == kV1) {
        v1.AddSample(encoded[i], samples.values[i], samples.timestamp);
      } else {
        const FamilyMetadata& family = *samples.metadata->Of(i);
        v2.AddSample({encoded[i], family.type, family.help, family.unit}, samples.values[i],
                     samples.timestamp, 0);
      }
    }
    const std::string body = message == kV1 ? v1.Finish() : v2.Finish();
    wire = body.size();
    benchmark::DoNotOptimize(body.data());
    allocations = AllocationCount() - before;
  }
  Report(state, wire, allocations);
}

#define BENCH_SHAPES(Function)                        \
  BENCHMARK_CAPTURE(Function, bench_v1, kBench, kV1); \
  BENCHMARK_CAPTURE(Function, bench_v2, kBench, kV2); \
  BENCHMARK_CAPTURE(Function, ids_v1, kIds, kV1);     \
  BENCHMARK_CAPTURE(Function, ids_v2, kIds, kV2)

BENCH_SHAPES(Encoder);
BENCH_SHAPES(Builder);

}  // namespace
}  // namespace tributary
