// Pages of /federate, from groups and their last records, for so many series (argument) of targets
// with 2,000 each and 11 labels. `passes`: how often the definitions are gone over; `kept`: bytes
// that were kept for the page at most; `page`: its bytes; counted per page, time per series.
#include <benchmark/benchmark.h>

#include <map>

#include "agent/federate/federate_page.h"
#include "agent/federate/federate_query.h"
#include "test/bench/bench_series.h"

namespace tributary {
namespace {

constexpr TimestampMs kNow = 1'700'000'000'000;

std::vector<LatestOfGroup> GroupsOf(size_t series) {
  std::vector<LatestOfGroup> groups;
  const std::vector<Labels> page = BenchPageSeries(BenchShape::kBench);
  for (size_t target = 0; target < series / kBenchSeries; target++) {
    std::vector<std::string> packed;
    for (Labels labels : page) {
      labels.Set("instance", "10.1." + std::to_string(target / 256) + "." +
                                 std::to_string(target % 256) + ":9100");
      PackLabels(labels, packed.emplace_back());
    }
    std::sort(packed.begin(), packed.end());
    for (size_t begin = 0; begin < packed.size(); begin += kGroupSeriesMax) {
      const size_t end = std::min(begin + kGroupSeriesMax, packed.size());
      const std::vector<std::string_view> views(packed.begin() + static_cast<ptrdiff_t>(begin),
                                                packed.begin() + static_cast<ptrdiff_t>(end));
      auto record = std::make_shared<GroupSamples>();
      record->group = std::make_shared<const GroupDefinition>(target, 1, views);
      record->timestamp = kNow - 1000;
      record->present.resize((views.size() + 63) / 64);
      for (size_t i = 0; i < views.size(); i++) {
        record->present[i / 64] |= uint64_t{1} << (i % 64);
        record->values.push_back(static_cast<double>(i * target) * 0.37);
      }
      groups.push_back({record->group, std::move(record), nullptr});
    }
  }
  return groups;
}

const std::vector<LatestOfGroup>& SharedGroups(size_t series) {
  static std::map<size_t, std::vector<LatestOfGroup>> all;
  auto [it, is_new] = all.try_emplace(series);
  if (is_new) it->second = GroupsOf(series);
  return it->second;
}

void RunPage(benchmark::State& state, const char* query, FederateForm form, bool gzip) {
  const auto series = static_cast<size_t>(state.range(0));
  const std::vector<LatestOfGroup>& groups = SharedGroups(series);
  uint64_t written = 0, passes = 0, bytes = 0;
  size_t kept = 0;
  for (auto _ : state) {
    FederateSource source{groups, kNow, 300'000, Labels{{"cluster", "west"}}};
    FederatePage page(std::move(source), *ParseMatches(query), form, gzip);
    std::string piece;
    bytes = 0;
    while (page.Next(piece)) bytes += piece.size();
    written = page.series();
    passes = page.passes();
    kept = page.bytes_peak();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * series));
  state.counters["series"] = static_cast<double>(written);
  state.counters["passes"] = static_cast<double>(passes);
  state.counters["kept"] = static_cast<double>(kept);
  state.counters["page"] = static_cast<double>(bytes);
}

void AllSeries(benchmark::State& state) {
  RunPage(state, "match[]={__name__!=\"\"}", {}, state.range(1) != 0);
}
void AllSeriesProtobuf(benchmark::State& state) {
  RunPage(state, "match[]={__name__!=\"\"}", {FederateFormat::kProtobuf, NameEscaping::kNone},
          state.range(1) != 0);
}
// As the job of a central server has them: none of them fits but a few series.
void FewSeries(benchmark::State& state) {
  RunPage(state,
          "match[]={job=~\"kubernetes-(apiservers|nodes)\"}&match[]={__name__=~\"node_.*\"}"
          "&match[]={__name__=~\".*_total\",instance=~\".*[.]7:9100\"}",
          {}, false);
}

BENCHMARK(AllSeries)
    ->Args({20'000, 0})
    ->Args({100'000, 0})
    ->Args({1'000'000, 0})
    ->Args({1'000'000, 1})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(AllSeriesProtobuf)->Args({1'000'000, 0})->Unit(benchmark::kMillisecond);
BENCHMARK(FewSeries)->Args({1'000'000})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tributary
