// Gunzip of a page of 2,000 lines in the text format, in pieces of 64 KiB as it would come, without
// reading it: `line` is CPU time by line, bytes_per_second counts the page as it is behind gzip,
// `ratio` is what it is shorter by, `allocations` those of a page.
#include <benchmark/benchmark.h>

#include <string>

#include "common/compress/inflate.h"
#include "test/bench/bench_target.h"
#include "test/support/allocation_counter.h"

namespace tributary {
namespace {

constexpr size_t kLines = 2000;

void GunzipPage(benchmark::State& state, BenchSeries series) {
  const std::string page = BenchTarget(series, kLines).Page(PageFormat::kPrometheusText);
  const std::string body = GzipOf(page);
  Gunzip gunzip;
  uint64_t allocations = 0;
  for (auto _ : state) {
    const uint64_t before = AllocationCount();
    size_t bytes = 0;
    const Gunzip::Sink sink = [&](std::string_view piece) {
      benchmark::DoNotOptimize(piece.data());
      bytes += piece.size();
      return true;
    };
    gunzip.Reset();
    bool good = true;
    for (size_t at = 0; at < body.size(); at += BenchScraper::kPiece) {
      const std::string_view piece = std::string_view(body).substr(at, BenchScraper::kPiece);
      good = gunzip.Push(piece, sink).value_or(false) && good;
    }
    if (!good || !gunzip.Finish() || bytes != page.size()) state.SkipWithError("it is not whole");
    allocations = AllocationCount() - before;
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(page.size()));
  state.counters["line"] = benchmark::Counter(
      kLines, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["ratio"] = static_cast<double>(page.size()) / static_cast<double>(body.size());
  state.counters["allocations"] = static_cast<double>(allocations);
}

BENCHMARK_CAPTURE(GunzipPage, text, BenchSeries::kLong);
BENCHMARK_CAPTURE(GunzipPage, text_short, BenchSeries::kShort);

}  // namespace
}  // namespace tributary
