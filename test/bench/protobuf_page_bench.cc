// Reading a page of the protobuf format as in steady state: each series is hashed, no label is
// decoded, and nothing may be allocated. `a_series` is the time for one series.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/varint.h"
#include "common/exposition/protobuf_page.h"
#include "common/exposition/protobuf_series.h"
#include "metrics.pb.h"
#include "test/support/allocation_counter.h"

namespace tributary {
namespace {

namespace pb = test::metrics;

constexpr int kMetrics = 1000;

void AddLabels(pb::Metric& metric, int i) {
  const auto add = [&](const char* name, const std::string& value) {
    pb::LabelPair& pair = *metric.add_label();
    pair.set_name(name);
    pair.set_value(value);
  };
  add("container", "app-" + std::to_string(100 + i % 900));
  add("id", "/kubepods/burstable/pod0a1b2c3d-1111-2222-3333-444455556666");
  add("namespace", "production");
  add("pod", "app-7f9c5d6b8-" + std::to_string(10000 + i));
}

std::string Page(int type, bool classic, bool native) {
  pb::MetricFamily family;
  family.set_name("http_request_duration_seconds");
  family.set_help("What it took to answer a request.");
  family.set_type(type);
  for (int i = 0; i < kMetrics; ++i) {
    pb::Metric& metric = *family.add_metric();
    AddLabels(metric, i);
    if (type == 0) metric.mutable_counter()->set_value(i * 7919.0);
    if (type == 1) metric.mutable_gauge()->set_value(i * 0.25);
    if (type != 4) continue;
    pb::Histogram& h = *metric.mutable_histogram();
    h.set_sample_sum(i * 0.125);
    uint64_t count = 0;
    for (int k = 0; k < 12 && classic; ++k) {
      pb::Bucket& bucket = *h.add_bucket();
      bucket.set_upper_bound(0.005 * (1 << k));
      bucket.set_cumulative_count(count += static_cast<uint64_t>(i + k));
    }
    h.set_sample_count(count);
    if (!native) continue;
    h.set_schema(3);
    h.set_zero_threshold(0x1p-128);
    for (int k = 0; k < 4; ++k) {
      h.add_positive_span()->set_offset(k == 0 ? -20 : 2);
      h.mutable_positive_span(k)->set_length(8);
    }
    h.add_positive_delta(9);
    for (int k = 1; k < 32; ++k) h.add_positive_delta(k % 2 == 0 ? -3 : 4);
  }
  std::string page;
  PutVarint(page, family.ByteSizeLong());
  return page + family.SerializeAsString();
}

class PageRun {
 public:
  explicit PageRun(const ProtobufHistogramRules& rules) : series_(rules) {}

  // The number of series; 0 after an error.
  uint64_t Read(std::string_view page) {
    uint64_t series_total = 0;
    reader_.Reset();
    reader_.Push(page);
    for (auto event = reader_.Next(); event != ProtobufPageReader::Event::kNeedsBytes;
         event = reader_.Next()) {
      if (event == ProtobufPageReader::Event::kError) return 0;
      if (event == ProtobufPageReader::Event::kFamily) series_.BeginFamily(reader_.family());
      if (event != ProtobufPageReader::Event::kMetric) continue;
      series_.BeginMetric(reader_.metric());
      while (series_.Next() == ProtobufSeriesReader::Step::kSample) {
        benchmark::DoNotOptimize(series_.Hash(key_));
        benchmark::DoNotOptimize(series_.sample());
        ++series_total;
      }
    }
    return series_total;
  }

 private:
  const HashKey key_ = HashKey::FromSeed(1);
  ProtobufPageReader reader_;
  ProtobufSeriesReader series_;
};

void Read(benchmark::State& state, const std::string& page, const ProtobufHistogramRules& rules) {
  PageRun run(rules);
  uint64_t series = run.Read(page);
  if (series == 0) return state.SkipWithError("refused");
  series = 0;
  const uint64_t before = AllocationCount();
  for (auto _ : state) series += run.Read(page);
  const uint64_t allocations = AllocationCount() - before;
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(page.size()));
  state.counters["a_series"] = benchmark::Counter(
      static_cast<double>(series), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  if (allocations != 0) state.SkipWithError("it allocated");
}

BENCHMARK_CAPTURE(Read, counters, Page(0, false, false), {});
BENCHMARK_CAPTURE(Read, gauges, Page(1, false, false), {});
BENCHMARK_CAPTURE(Read, classic_histograms, Page(4, true, false), {});
BENCHMARK_CAPTURE(Read, native_histograms, Page(4, false, true), {});
BENCHMARK_CAPTURE(Read, classic_converted, Page(4, true, false), {false, false, true});

}  // namespace
}  // namespace tributary
