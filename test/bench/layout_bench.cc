// A whole scrape of 2,000 lines, from the body of the answer to the commit, in each format: lines
// that stand where they stood, lines at first sight, lines that moved, lines of which some are new,
// or over a limit. `line` is the CPU time of a scrape by its lines, `allocations_line` what it
// allocates by its lines, bytes_per_second counts the page as it is behind gzip, `bytes_series` is
// what the layout keeps of a series. docs/testing.md has how to run it.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "test/bench/bench_target.h"

namespace tributary {
namespace {

constexpr size_t kLines = 2000;
constexpr size_t kPages = 4;

constexpr auto kText = PageFormat::kPrometheusText;
constexpr auto kOpenMetrics = PageFormat::kOpenMetrics;
constexpr auto kProtobuf = PageFormat::kProtobuf;
constexpr auto kLong = BenchSeries::kLong;
constexpr auto kShort = BenchSeries::kShort;

enum class Body { kPlain, kGzip };
constexpr auto kPlain = Body::kPlain;
constexpr auto kGzip = Body::kGzip;

struct Answer {
  Answer(BenchTarget& target, PageFormat format, Body body)
      : page(target.Page(format)), gzip(body == kGzip ? GzipOf(page) : "") {}
  void ScrapeBy(BenchScraper& scraper) const {
    gzip.empty() ? scraper.Scrape(page) : scraper.ScrapeGzip(gzip);
  }

  std::string page;
  std::string gzip;  // empty: it is not compressed
};

void Report(benchmark::State& state, const BenchScraper& scraper, size_t page_bytes) {
  if (!scraper.good()) state.SkipWithError("a page was refused");
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(page_bytes));
  state.counters["line"] = benchmark::Counter(
      kLines, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["allocations_line"] =
      static_cast<double>(scraper.allocations()) / static_cast<double>(kLines);
  state.counters["bytes_series"] = static_cast<double>(scraper.layout().memory_bytes()) /
                                   static_cast<double>(scraper.layout().series());
}

void Known(benchmark::State& state, PageFormat format, BenchSeries series, Body body) {
  BenchTarget target(series, kLines);
  BenchScraper scraper(format);
  for (int i = 0; i < 2; i++) scraper.Scrape(target.Page(format));
  const Answer answer(target, format, body);
  answer.ScrapeBy(scraper);
  for (auto _ : state) answer.ScrapeBy(scraper);
  if (scraper.allocations() > kLines / 10) state.SkipWithError("known lines allocate");
  Report(state, scraper, answer.page.size());
}

// Half of the lines are over a limit on series.
void OverLimit(benchmark::State& state, PageFormat format) {
  BenchTarget target(kLong, kLines);
  BenchScraper scraper(format);
  scraper.SetSeriesLimit(kLines / 2);
  for (int i = 0; i < 2; i++) scraper.Scrape(target.Page(format));
  const std::string page = target.Page(format);
  scraper.Scrape(page);
  for (auto _ : state) scraper.Scrape(page);
  if (scraper.allocations() > kLines / 10) state.SkipWithError("known lines allocate");
  Report(state, scraper, page.size());
}

void FirstSight(benchmark::State& state, PageFormat format, BenchSeries series, Body body) {
  BenchTarget target(series, kLines);
  const Answer answer(target, format, body);
  auto scraper = std::make_unique<BenchScraper>(format);
  for (auto _ : state) {
    state.PauseTiming();
    scraper = std::make_unique<BenchScraper>(format);
    state.ResumeTiming();
    answer.ScrapeBy(*scraper);
  }
  Report(state, *scraper, answer.page.size());
}

// Every page has the same lines in another order.
void Moved(benchmark::State& state, PageFormat format, BenchSeries series, Body body) {
  BenchTarget target(series, kLines);
  BenchScraper scraper(format);
  std::vector<Answer> answers;
  for (size_t i = 0; i < kPages; i++) {
    target.Shuffle();
    answers.emplace_back(target, format, body);
    answers.back().ScrapeBy(scraper);
  }
  size_t next = 0;
  for (auto _ : state) answers[next++ % kPages].ScrapeBy(scraper);
  Report(state, scraper, answers[0].page.size());
}

// Every page has one line in twenty, or one only, that the page before it did not have.
void Churn(benchmark::State& state, PageFormat format, size_t count) {
  BenchTarget target(kLong, kLines);
  BenchScraper scraper(format);
  scraper.Scrape(target.Page(format));
  std::string page;
  for (auto _ : state) {
    state.PauseTiming();
    target.Churn(count);
    page = target.Page(format);
    state.ResumeTiming();
    scraper.Scrape(page);
  }
  Report(state, scraper, page.size());
}

#define BENCH_LINES(Function)                                                \
  BENCHMARK_CAPTURE(Function, text, kText, kLong, kPlain);                   \
  BENCHMARK_CAPTURE(Function, text_short, kText, kShort, kPlain);            \
  BENCHMARK_CAPTURE(Function, text_gzip, kText, kLong, kGzip);               \
  BENCHMARK_CAPTURE(Function, openmetrics, kOpenMetrics, kLong, kPlain);     \
  BENCHMARK_CAPTURE(Function, openmetrics_gzip, kOpenMetrics, kLong, kGzip); \
  BENCHMARK_CAPTURE(Function, protobuf, kProtobuf, kLong, kPlain);           \
  BENCHMARK_CAPTURE(Function, protobuf_gzip, kProtobuf, kLong, kGzip)

BENCH_LINES(Known);
BENCH_LINES(FirstSight);
BENCH_LINES(Moved);
BENCHMARK_CAPTURE(OverLimit, text, kText);
BENCHMARK_CAPTURE(OverLimit, openmetrics, kOpenMetrics);
BENCHMARK_CAPTURE(OverLimit, protobuf, kProtobuf);
BENCHMARK_CAPTURE(Churn, text_one, kText, 1);
BENCHMARK_CAPTURE(Churn, text_twentieth, kText, kLines / 20);
BENCHMARK_CAPTURE(Churn, openmetrics_twentieth, kOpenMetrics, kLines / 20);
BENCHMARK_CAPTURE(Churn, protobuf_twentieth, kProtobuf, kLines / 20);

}  // namespace
}  // namespace tributary
