// A page as /federate answers it, 300,000 lines under honor_labels, each with a time of its own,
// beside the same page without times. The two are scraped in turn, as both are to see the same
// noise: `ratio` is the median of what the one takes by what the other takes, `ns_line_own` and
// `ns_line_plain` are their best scrapes. CPU time, without writing the pages.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <string>
#include <vector>

#include "test/bench/bench_target.h"

namespace tributary {
namespace {

constexpr size_t kLines = 300'000;

double CpuSeconds() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// Each piece is written before it is read, and so as near as if it had just arrived.
double ScrapeSeconds(BenchScraper& scraper, const BenchTarget& target, bool own_times) {
  std::string piece;
  double start = CpuSeconds();
  PageReader reader = scraper.Begin();
  double seconds = CpuSeconds() - start;
  for (size_t at = 0; at < kLines;) {
    piece.clear();
    target.AppendText(at, BenchScraper::kPiece, own_times ? scraper.now_ms() : 0, piece);
    start = CpuSeconds();
    reader.Push(piece);
    seconds += CpuSeconds() - start;
  }
  start = CpuSeconds();
  scraper.End(reader);
  return seconds + CpuSeconds() - start;
}

void Federate(benchmark::State& state) {
  ScrapeRules rules;
  rules.honor_labels = true;
  BenchTarget target(BenchSeries::kFederated, kLines);
  BenchScraper plain(PageFormat::kPrometheusText, rules);
  BenchScraper own(PageFormat::kPrometheusText, rules);
  for (int i = 0; i < 3; i++) {
    ScrapeSeconds(plain, target, false);
    ScrapeSeconds(own, target, true);
  }
  std::vector<double> plain_seconds, own_seconds, ratios;
  for (auto _ : state) {
    target.NextRound();
    plain_seconds.push_back(ScrapeSeconds(plain, target, false));
    own_seconds.push_back(ScrapeSeconds(own, target, true));
    ratios.push_back(own_seconds.back() / plain_seconds.back());
    state.SetIterationTime(own_seconds.back());
  }
  if (!plain.good() || !own.good()) state.SkipWithError("a page was refused");
  if (own.samples() < kLines) state.SkipWithError("samples are missing");
  std::sort(ratios.begin(), ratios.end());
  state.counters["ratio"] = ratios[ratios.size() / 2];
  const auto ns_line = [](const std::vector<double>& seconds) {
    return *std::min_element(seconds.begin(), seconds.end()) * 1e9 / kLines;
  };
  state.counters["ns_line_plain"] = ns_line(plain_seconds);
  state.counters["ns_line_own"] = ns_line(own_seconds);
}
BENCHMARK(Federate)->UseManualTime()->Iterations(20)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tributary
