// The OpenMetrics parser on lines as cAdvisor writes them (264 bytes), without and with an
// exemplar: at first sight, and in steady state. `allocations` are those of one iteration.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/hash.h"
#include "common/exposition/openmetrics_parser.h"
#include "common/exposition/start_timestamps.h"
#include "test/support/allocation_counter.h"

namespace tributary {
namespace {

constexpr size_t kLines = 1024;
constexpr std::string_view kTimestamp = " 1712345678.901";
constexpr std::string_view kExemplar =
    " # {trace_id=\"0af7651916cd43dd8448eb211c80319c\",span_id=\"b7ad6b7169203331\"} 0.25"
    " 1712345678.5";

std::vector<std::string> Lines(std::string_view behind_value) {
  std::vector<std::string> lines;
  for (size_t i = 0; i < kLines; ++i) {
    std::string line =
        "container_memory_usage_bytes{container=\"app-" + std::to_string(100 + i % 900) +
        "\",id=\"/kubepods/burstable/pod0a1b2c3d-1111-2222-3333-444455556666/"
        "0123456789abcdef0123456789abcdef\",image=\"registry/team/app:v1.2.3\",name=\"k8s_app\",";
    line += "namespace=\"production\",pod=\"app-7f9c5d6b8-" + std::to_string(10000 + i) + "\"} ";
    lines.push_back(line + std::to_string(12345678 + 7919 * i) + std::string(behind_value));
  }
  return lines;
}

enum class Allocates { kNever, kMay };

void Report(benchmark::State& state, uint64_t allocations_before, Allocates allocates,
            size_t bytes) {
  const uint64_t allocations = AllocationCount() - allocations_before;
  state.counters["allocations"] =
      static_cast<double>(allocations) / static_cast<double>(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes));
  if (allocates == Allocates::kNever && allocations != 0) state.SkipWithError("it allocated");
}

void FirstSight(benchmark::State& state) {
  const std::vector<std::string> lines = Lines("");
  std::string buffer;
  size_t i = 0;
  const uint64_t before = AllocationCount();
  for (auto _ : state) {
    const auto line = ParseOpenMetricsLine(lines[i++ % kLines], buffer);
    benchmark::DoNotOptimize(ParseOpenMetricsSeries(line->series));
  }
  Report(state, before, Allocates::kMay, lines[0].size());
}
BENCHMARK(FirstSight);

void ParseLineAlone(benchmark::State& state) {
  const std::vector<std::string> lines = Lines("");
  std::string buffer;
  size_t i = 0;
  const uint64_t before = AllocationCount();
  for (auto _ : state) {
    benchmark::DoNotOptimize(ParseOpenMetricsLine(lines[i++ % kLines], buffer));
  }
  Report(state, before, Allocates::kNever, lines[0].size());
}
BENCHMARK(ParseLineAlone);

// A line where it is expected: one hash over the known length of its series, and the value.
void KnownLine(benchmark::State& state, std::string_view behind_value) {
  const std::vector<std::string> lines = Lines(behind_value);
  const HashKey hash = HashKey::FromSeed(1);
  const size_t length = OpenMetricsSeriesText(lines[0]).size();
  ValueAndTimestamp out;
  std::string_view exemplar;
  size_t i = 0;
  const uint64_t before = AllocationCount();
  for (auto _ : state) {
    const std::string_view line = lines[i++ % kLines];
    benchmark::DoNotOptimize(hash(line.substr(0, length)));
    if (!ParseOpenMetricsValue(line.substr(length), out, exemplar)) state.SkipWithError("refused");
    benchmark::DoNotOptimize(out);
    benchmark::DoNotOptimize(exemplar);
  }
  Report(state, before, Allocates::kNever, lines[0].size());
}
BENCHMARK_CAPTURE(KnownLine, value, "");
BENCHMARK_CAPTURE(KnownLine, timestamp, kTimestamp);
BENCHMARK_CAPTURE(KnownLine, exemplar, kExemplar);

// A known line that is not where it was expected.
void MovedLine(benchmark::State& state, std::string_view behind_value) {
  const std::vector<std::string> lines = Lines(behind_value);
  const HashKey hash = HashKey::FromSeed(1);
  ValueAndTimestamp out;
  std::string_view exemplar;
  size_t i = 0;
  const uint64_t before = AllocationCount();
  for (auto _ : state) {
    const std::string_view line = lines[i++ % kLines];
    const std::string_view series = OpenMetricsSeriesText(line);
    benchmark::DoNotOptimize(hash(series));
    if (!ParseOpenMetricsValue(line.substr(series.size()), out, exemplar)) {
      state.SkipWithError("refused");
    }
    benchmark::DoNotOptimize(out);
  }
  Report(state, before, Allocates::kNever, lines[0].size());
}
BENCHMARK_CAPTURE(MovedLine, value, "");
BENCHMARK_CAPTURE(MovedLine, exemplar, kExemplar);

void Value(benchmark::State& state, const std::string& text) {
  ValueAndTimestamp out;
  std::string_view exemplar;
  const uint64_t before = AllocationCount();
  for (auto _ : state) {
    if (!ParseOpenMetricsValue(text, out, exemplar)) state.SkipWithError("refused");
    benchmark::DoNotOptimize(out);
  }
  Report(state, before, Allocates::kNever, text.size());
}
BENCHMARK_CAPTURE(Value, digit, " 5");
BENCHMARK_CAPTURE(Value, integer, " 12345678");
BENCHMARK_CAPTURE(Value, decimal, " 12345.678");
BENCHMARK_CAPTURE(Value, digits_17_exponent, " 1.2345678901234567e+09");
BENCHMARK_CAPTURE(Value, timestamp, " 12345.678 1712345678.901");
BENCHMARK_CAPTURE(Value, exemplar, " 12345678" + std::string(kExemplar));

void ExemplarAtSend(benchmark::State& state) {
  const std::string_view text = kExemplar.substr(3);
  for (auto _ : state) benchmark::DoNotOptimize(ParseExemplar(text));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}
BENCHMARK(ExemplarAtSend);

void StartKey(benchmark::State& state) {
  const std::vector<std::string> lines = Lines("");
  const HashKey hash = HashKey::FromSeed(1);
  const size_t length = OpenMetricsSeriesText(lines[0]).size();
  size_t i = 0;
  const uint64_t before = AllocationCount();
  for (auto _ : state) {
    const std::string_view series = std::string_view(lines[i++ % kLines]).substr(0, length);
    benchmark::DoNotOptimize(StartTimestampKey(series, "counter", 20, hash));
  }
  Report(state, before, Allocates::kNever, length);
}
BENCHMARK(StartKey);

}  // namespace
}  // namespace tributary
