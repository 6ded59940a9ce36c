// Reading a target's page against its layout: 2,000 lines as cAdvisor writes them (264 bytes) or
// short ones. `line` is the time of one whole scrape, commit included, by its lines; `allocations`
// are those of one scrape; `bytes_series` is what the layout keeps for each series.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "agent/layout/page_reader.h"

namespace {

uint64_t allocation_count = 0;

}  // namespace

void* operator new(size_t size) {
  ++allocation_count;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace tributary {
namespace {

constexpr size_t kLines = 2000;
constexpr TimestampMs kInterval = 15'000;
constexpr size_t kPiece = 16384;

using MakeSeries = std::string (*)(size_t);

std::string LongSeries(size_t i) {
  return "container_memory_usage_bytes{container=\"app-" + std::to_string(100 + i % 900) +
         "\",id=\"/kubepods/burstable/pod0a1b2c3d-1111-2222-3333-444455556666/"
         "0123456789abcdef0123456789abcdef\",image=\"registry/team/app:v1.2.3\",name=\"k8s_app\","
         "namespace=\"production\",pod=\"app-7f9c5d6b8-" +
         std::to_string(10000 + i) + "\"}";
}

std::string ShortSeries(size_t i) { return "node_cpu{cpu=\"" + std::to_string(i) + "\"}"; }

struct Line {
  std::string series;
  size_t number;
};

// A target whose pages are written before they are timed.
class Target {
 public:
  explicit Target(MakeSeries make) : make_(make) {
    for (size_t i = 0; i < kLines; i++) lines_.push_back({make(i), i});
    next_ = kLines;
  }

  void Churn(size_t count) {
    for (size_t i = 0; i < count; i++) {
      const size_t at = random_() % lines_.size();
      lines_[at] = {make_(next_), next_};
      next_++;
    }
  }
  void Shuffle() { std::shuffle(lines_.begin(), lines_.end(), random_); }

  const std::string& Page(TimestampMs own_timestamp = 0) {
    page_.clear();
    round_++;
    for (const Line& line : lines_) {
      page_ += line.series;
      page_ += ' ';
      page_ += std::to_string(12345678 + 7919 * line.number + 31 * round_);
      if (own_timestamp != 0) {
        page_ += ' ';
        page_ += std::to_string(own_timestamp);
      }
      page_ += '\n';
    }
    return page_;
  }

 private:
  MakeSeries make_;
  std::mt19937_64 random_{1};
  std::vector<Line> lines_;
  size_t next_;
  size_t round_ = 0;
  std::string page_;
};

class Scraper {
 public:
  void Scrape(const std::string& page) {
    timestamp_ += kInterval;
    const uint64_t before = allocation_count;
    PageReader reader({layout_, rules_, target_, hash_, pool_, buffer_}, timestamp_, timestamp_);
    for (size_t at = 0; at < page.size(); at += kPiece) {
      reader.Push(std::string_view(page).substr(at, kPiece));
    }
    good_ = good_ && reader.FinishPage().has_value();
    benchmark::DoNotOptimize(reader.MakeCommit({}));
    allocations_ += allocation_count - before;
    scrapes_++;
  }

  void Report(benchmark::State& state) const {
    if (!good_) state.SkipWithError("a page was refused");
    const auto scrapes = static_cast<double>(scrapes_);
    state.counters["line"] = benchmark::Counter(
        scrapes * kLines, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    state.counters["allocations"] = static_cast<double>(allocations_) / scrapes;
    state.counters["bytes_series"] =
        static_cast<double>(layout_.memory_bytes()) / static_cast<double>(layout_.series());
    state.counters["groups"] = static_cast<double>(layout_.groups().size());
    state.counters["generations"] = static_cast<double>(layout_.generation()) / scrapes;
  }
  TimestampMs next_timestamp() const { return timestamp_ + kInterval; }
  void Warm(const std::string& page) {
    Scrape(page);
    allocations_ = scrapes_ = 0;
  }

 private:
  TargetLayout layout_{1};
  ScrapeRules rules_;
  Labels target_{{"instance", "10.0.0.1:9100"}, {"job", "node"}};
  HashKey hash_ = HashKey::FromSeed(1);
  MetadataPool pool_;
  ScrapeBuffer buffer_;
  TimestampMs timestamp_ = 1'700'000'000'000;
  uint64_t allocations_ = 0;
  uint64_t scrapes_ = 0;
  bool good_ = true;
};

void Known(benchmark::State& state, MakeSeries make) {
  Target target(make);
  Scraper scraper;
  scraper.Warm(target.Page());
  scraper.Warm(target.Page());
  const std::string page = target.Page();
  for (auto _ : state) scraper.Scrape(page);
  scraper.Report(state);
}
BENCHMARK_CAPTURE(Known, long_lines, LongSeries);
BENCHMARK_CAPTURE(Known, short_lines, ShortSeries);

void FirstSight(benchmark::State& state, MakeSeries make) {
  Target target(make);
  const std::string page = target.Page();
  for (auto _ : state) {
    auto scraper = std::make_unique<Scraper>();
    scraper->Scrape(page);
    state.PauseTiming();
    scraper->Report(state);
    scraper.reset();
    state.ResumeTiming();
  }
  state.counters["line"] = benchmark::Counter(
      kLines, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK_CAPTURE(FirstSight, long_lines, LongSeries);
BENCHMARK_CAPTURE(FirstSight, short_lines, ShortSeries);

template <typename Change>
void Changing(benchmark::State& state, MakeSeries make, Change change) {
  Target target(make);
  Scraper scraper;
  scraper.Warm(target.Page());
  for (auto _ : state) {
    state.PauseTiming();
    change(target);
    const std::string& page = target.Page();
    state.ResumeTiming();
    scraper.Scrape(page);
  }
  scraper.Report(state);
}

void Churn(benchmark::State& state, MakeSeries make) {
  const auto count = static_cast<size_t>(state.range(0));
  Changing(state, make, [count](Target& target) { target.Churn(count); });
}
BENCHMARK_CAPTURE(Churn, long_lines, LongSeries)->Arg(1)->Arg(kLines / 20);
BENCHMARK_CAPTURE(Churn, short_lines, ShortSeries)->Arg(1)->Arg(kLines / 20);

void Reordered(benchmark::State& state, MakeSeries make) {
  Changing(state, make, [](Target& target) { target.Shuffle(); });
}
BENCHMARK_CAPTURE(Reordered, long_lines, LongSeries);
BENCHMARK_CAPTURE(Reordered, short_lines, ShortSeries);

void OwnTimestamps(benchmark::State& state, MakeSeries make) {
  Target target(make);
  Scraper scraper;
  for (int i = 0; i < 3; i++) scraper.Warm(target.Page(scraper.next_timestamp() - 5000));
  for (auto _ : state) {
    state.PauseTiming();
    const std::string& page = target.Page(scraper.next_timestamp() - 5000);
    state.ResumeTiming();
    scraper.Scrape(page);
  }
  scraper.Report(state);
}
BENCHMARK_CAPTURE(OwnTimestamps, long_lines, LongSeries);
BENCHMARK_CAPTURE(OwnTimestamps, short_lines, ShortSeries);

}  // namespace
}  // namespace tributary
