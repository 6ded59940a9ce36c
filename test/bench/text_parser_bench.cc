// The text parser on lines as cAdvisor writes them (264 bytes): at first sight, and in steady
// state. `allocations` are those of one iteration.
#include <benchmark/benchmark.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/exposition/text_parser.h"
#include "test/support/allocation_counter.h"

namespace tributary {
namespace {

constexpr size_t kLines = 1024;

std::string Line(size_t i, std::string_view value) {
  std::string line =
      "container_memory_usage_bytes{container=\"app-" + std::to_string(100 + i % 900) +
      "\",id=\"/kubepods/burstable/pod0a1b2c3d-1111-2222-3333-444455556666/"
      "0123456789abcdef0123456789abcdef\",image=\"registry/team/app:v1.2.3\",name=\"k8s_app\",";
  line += "namespace=\"production\",pod=\"app-7f9c5d6b8-" + std::to_string(10000 + i) + "\"} ";
  return line + std::string(value);
}

std::vector<std::string> Lines() {
  std::vector<std::string> lines;
  for (size_t i = 0; i < kLines; ++i) lines.push_back(Line(i, std::to_string(12345678 + 7919 * i)));
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
  const std::vector<std::string> lines = Lines();
  std::string buffer;
  size_t i = 0;
  const uint64_t before = AllocationCount();
  for (auto _ : state) {
    const auto line = ParseLine(lines[i++ % kLines], buffer);
    benchmark::DoNotOptimize(ParseSeries(line->series));
  }
  Report(state, before, Allocates::kMay, lines[0].size());
}
BENCHMARK(FirstSight);

void ParseLineAlone(benchmark::State& state) {
  const std::vector<std::string> lines = Lines();
  std::string buffer;
  size_t i = 0;
  const uint64_t before = AllocationCount();
  for (auto _ : state) benchmark::DoNotOptimize(ParseLine(lines[i++ % kLines], buffer));
  Report(state, before, Allocates::kNever, lines[0].size());
}
BENCHMARK(ParseLineAlone);

void FindSeriesText(benchmark::State& state) {
  const std::vector<std::string> lines = Lines();
  size_t i = 0;
  const uint64_t before = AllocationCount();
  for (auto _ : state) benchmark::DoNotOptimize(SeriesText(lines[i++ % kLines]));
  Report(state, before, Allocates::kNever, lines[0].size());
}
BENCHMARK(FindSeriesText);

// What a page holds: one form each, the digits differing from line to line.
std::vector<std::string> Values(std::string_view form) {
  std::vector<std::string> values;
  for (size_t i = 0; i < kLines; ++i) {
    std::string value(form);
    for (char& c : value) {
      if (c == '#')
        c = static_cast<char>('1' + (i * 7 + static_cast<size_t>(&c - value.data()) * 3) % 9);
    }
    values.push_back(value);
  }
  return values;
}

void Value(benchmark::State& state, std::string_view form) {
  const std::vector<std::string> values = Values(form);
  size_t i = 0;
  ValueAndTimestamp out;
  const uint64_t before = AllocationCount();
  for (auto _ : state) {
    if (!ParseValueAndTimestamp(values[i++ % kLines], out)) state.SkipWithError("refused");
    benchmark::DoNotOptimize(out);
  }
  Report(state, before, Allocates::kNever, form.size());
}
BENCHMARK_CAPTURE(Value, digit, " #");
BENCHMARK_CAPTURE(Value, integer, " ########");
BENCHMARK_CAPTURE(Value, decimal, " #####.###");
BENCHMARK_CAPTURE(Value, go_form, " #.######e+07");
BENCHMARK_CAPTURE(Value, digits_17_exponent, " #.################e+09");
BENCHMARK_CAPTURE(Value, timestamp, " #####.### 17########901");
BENCHMARK_CAPTURE(Value, nan, " NaN");

// What the fast path is measured against.
void FromChars(benchmark::State& state, std::string_view form) {
  const std::vector<std::string> values = Values(form);
  size_t i = 0;
  double out = 0;
  for (auto _ : state) {
    const std::string& value = values[i++ % kLines];
    benchmark::DoNotOptimize(std::from_chars(value.data() + 1, value.data() + value.size(), out));
    benchmark::DoNotOptimize(out);
  }
}
BENCHMARK_CAPTURE(FromChars, integer, " ########");
BENCHMARK_CAPTURE(FromChars, decimal, " #####.###");
BENCHMARK_CAPTURE(FromChars, go_form, " #.######e+07");
BENCHMARK_CAPTURE(FromChars, digits_17_exponent, " #.################e+09");

}  // namespace
}  // namespace tributary
