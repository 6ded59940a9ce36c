// From a commit to series that people can read.
#include "tools/agentctl/scrape_series.h"

#include <cmath>
#include <limits>
#include <random>

#include "agent/layout/scrape_rules.h"
#include "common/wire/histogram.h"
#include "common/wire/protobuf_writer.h"
#include "test/support/catch.h"
#include "tools/agentctl/label_input.h"
#include "tools/agentctl/value_text.h"

namespace tributary {
namespace {

using Groups = std::vector<std::shared_ptr<const GroupSamples>>;

// A group of these series without samples.
GroupSamples Group(const std::vector<Labels>& series) {
  std::vector<std::string> packed(series.size());
  for (size_t i = 0; i < series.size(); i++) PackLabels(series[i], packed[i]);
  GroupSamples samples;
  samples.group = std::make_shared<GroupDefinition>(
      1, 1, std::vector<std::string_view>(packed.begin(), packed.end()));
  samples.timestamp = 1000;
  samples.present.resize((series.size() + 63) / 64);
  return samples;
}

void Add(GroupSamples& samples, uint32_t index, double value) {
  samples.present[index / 64] |= uint64_t{1} << (index % 64);
  samples.values.push_back(value);
}

Groups Of(GroupSamples samples) {
  return {std::make_shared<const GroupSamples>(std::move(samples))};
}

std::string Lines(const std::vector<SeriesSample>& series) {
  std::string out;
  for (const SeriesSample& sample : series) {
    out += FormatSeries(sample.labels) + " " +
           (sample.histogram.empty() ? FormatValue(sample.value) : sample.histogram);
    if (sample.timestamp) out += " at " + std::to_string(*sample.timestamp);
    if (sample.start != 0) out += " since " + std::to_string(sample.start);
    for (const SeriesExemplar& exemplar : sample.exemplars) {
      out += " # " + FormatSeries(exemplar.labels) + " " + FormatValue(exemplar.value);
    }
    out += "\n";
  }
  return out;
}

TEST_CASE("agentctl scrape: the samples of a commit, by name, with times of their own") {
  GroupSamples samples = Group({{{"__name__", "b"}, {"x", "1"}},
                                {{"__name__", "absent"}},
                                {{"__name__", "a"}, {"x", "2"}},
                                {{"__name__", "a"}, {"x", "1"}}});
  Add(samples, 0, 1);
  Add(samples, 2, 2);
  samples.own = {{3, 500, 3}, {2, 1000, 4}};
  CHECK(Lines(ReadSeries(Of(std::move(samples)))) ==
        "a{x=\"1\"} 3 at 500\na{x=\"2\"} 2\na{x=\"2\"} 4\nb{x=\"1\"} 1\n");
}

TEST_CASE("agentctl scrape: every series of random groups comes back with its value") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 50; round++) {
    std::vector<Labels> labels;
    for (size_t i = 0; i < 1 + random() % kGroupSeriesMax; i++) {
      labels.push_back(
          {{"__name__", "m" + std::to_string(random() % 5)}, {"i", std::to_string(i)}});
    }
    GroupSamples samples = Group(labels);
    std::vector<std::string> expected;
    for (uint32_t i = 0; i < labels.size(); i++) {
      if (random() % 3 == 0) continue;
      Add(samples, i, i);
      expected.push_back(FormatSeries(labels[i]) + " " + std::to_string(i) + "\n");
    }
    const std::vector<SeriesSample> series = ReadSeries(Of(std::move(samples)));
    REQUIRE(series.size() == expected.size());
    for (const SeriesSample& sample : series) {
      const std::string line = Lines({sample});
      REQUIRE(std::find(expected.begin(), expected.end(), line) != expected.end());
    }
  }
}

TEST_CASE("agentctl scrape: start times, exemplars and histograms are with their series") {
  GroupSamples samples = Group({{{"__name__", "a"}}, {{"__name__", "h"}}});
  Add(samples, 0, 1);
  samples.starts = std::make_shared<const StartTimes>(StartTimes{700, 0});
  IrregularSamples irregular;
  HistogramSample& histogram = irregular.histograms.emplace_back();
  histogram.index = 1;
  histogram.timestamp = 900;
  histogram.start = 800;
  protobuf::AppendVarintField(1, 3, histogram.encoded);
  protobuf::AppendDoubleField(3, 1.5, histogram.encoded);
  std::string packed;
  PackLabels({{"trace", "t"}}, packed);
  irregular.exemplars = {{0, 990, 0.5, packed}, {1, 990, 7, ""}};
  samples.irregular = std::make_shared<const IrregularSamples>(std::move(irregular));
  CHECK(Lines(ReadSeries(Of(std::move(samples)))) ==
        "a 1 since 700 # {trace=\"t\"} 0.5\n"
        "h {count:3, sum:1.5} at 900 since 800 # {} 7\n");
}

TEST_CASE("agentctl scrape: the report is taken out, the page's own series of its name stay") {
  const Labels target{{"instance", "i"}, {"job", "j"}};
  const Labels up = ReportLabels("up", target);
  GroupSamples samples =
      Group({up, ReportLabels("scrape_duration_seconds", target), {{"__name__", "up"}}});
  Add(samples, 0, 5);
  Add(samples, 1, 0.25);
  Add(samples, 2, 6);
  samples.own = {{0, 1000, 1}};  // the page had a series of the same labels
  std::vector<SeriesSample> series = ReadSeries(Of(std::move(samples)));
  CHECK(Lines(TakeReport(target, series)) ==
        "up{instance=\"i\",job=\"j\"} 1\nscrape_duration_seconds{instance=\"i\",job=\"j\"} 0.25\n");
  CHECK(Lines(series) == "up 6\nup{instance=\"i\",job=\"j\"} 5\n");
}

TEST_CASE("agentctl scrape: values are short and exact") {
  CHECK(FormatValue(1) == "1");
  CHECK(FormatValue(0.1) == "0.1");
  CHECK(FormatValue(1e21) == "1e+21");
  CHECK(FormatValue(std::nan("")) == "NaN");
  CHECK(FormatValue(-std::numeric_limits<double>::infinity()) == "-Inf");
}

uint64_t ZigZag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}

void AddSpan(uint32_t field, int32_t offset, uint32_t length, std::string& out) {
  std::string span;
  protobuf::AppendVarintField(1, ZigZag(offset), span);
  protobuf::AppendVarintField(2, length, span);
  protobuf::AppendBytesField(field, span, out);
}

TEST_CASE("agentctl scrape: an exponential histogram is shown by its buckets") {
  std::string encoded, deltas;
  protobuf::AppendVarintField(1, 9, encoded);
  protobuf::AppendDoubleField(3, 12.5, encoded);
  protobuf::AppendVarintField(4, ZigZag(0), encoded);
  protobuf::AppendDoubleField(5, 0.001, encoded);
  protobuf::AppendVarintField(6, 2, encoded);
  AddSpan(8, 1, 1, encoded);
  protobuf::AppendVarint(ZigZag(1), deltas);
  protobuf::AppendBytesField(9, deltas, encoded);
  AddSpan(11, 0, 2, encoded);
  AddSpan(11, 1, 1, encoded);
  deltas.clear();
  for (int64_t delta : {3, -3, 2}) protobuf::AppendVarint(ZigZag(delta), deltas);
  protobuf::AppendBytesField(12, deltas, encoded);
  CHECK(HistogramText(encoded) ==
        "{count:9, sum:12.5, [-2,-1):1, [-0.001,0.001]:2, (0.5,1]:3, (4,8]:2}");
}

TEST_CASE("agentctl scrape: a float histogram with bounds of its own is shown by its buckets") {
  std::string encoded, numbers;
  protobuf::AppendDoubleField(2, 2.5, encoded);
  protobuf::AppendDoubleField(3, 1, encoded);
  protobuf::AppendVarintField(4, ZigZag(kCustomBucketsSchema), encoded);
  AddSpan(11, 0, 3, encoded);
  const auto add_doubles = [&](uint32_t field, const std::vector<double>& values) {
    numbers.clear();
    for (double value : values) protobuf::AppendDoubleField(1, value, numbers);
    std::string packed;
    for (size_t i = 0; i < numbers.size(); i += 9) packed += numbers.substr(i + 1, 8);
    protobuf::AppendBytesField(field, packed, encoded);
  };
  add_doubles(13, {0.5, 0, 2});
  add_doubles(16, {0.1, 1});
  CHECK(HistogramText(encoded) == "{count:2.5, sum:1, (-Inf,0.1]:0.5, (1,+Inf]:2}");
}

TEST_CASE("agentctl scrape: the bounds at the end of the numbers are those of Prometheus") {
  NativeHistogram histogram;
  histogram.schema = -4;
  histogram.positive_spans = {{64, 2}};
  histogram.positive_deltas = {1, 0};
  CHECK(HistogramText(histogram) == "{count:0, sum:0, (" + FormatValue(std::exp2(1008)) + "," +
                                        FormatValue(std::numeric_limits<double>::max()) + "]:1, (" +
                                        FormatValue(std::numeric_limits<double>::max()) +
                                        ",+Inf]:1}");
}

NativeHistogram RandomHistogram(std::mt19937_64& random) {
  NativeHistogram histogram;
  histogram.is_float = random() % 2 == 0;
  const bool custom = random() % 3 == 0;
  histogram.schema = custom ? kCustomBucketsSchema : static_cast<int32_t>(random() % 13) - 4;
  histogram.zero_threshold = custom ? 0 : static_cast<double>(random() % 3) / 1000;
  histogram.sum = static_cast<double>(random() % 1000) / 7 - 50;
  const auto add_buckets = [&](std::vector<BucketSpan>& spans, std::vector<int64_t>& deltas,
                               std::vector<double>& counts) {
    for (uint64_t i = random() % 3; i > 0; i--) {
      spans.push_back(
          {static_cast<int32_t>(random() % 20) - 10, static_cast<uint32_t>(random() % 4)});
      for (uint32_t bucket = 0; bucket < spans.back().length; bucket++) {
        if (histogram.is_float) {
          counts.push_back(static_cast<double>(random() % 100) / 3);
        } else {
          deltas.push_back(static_cast<int64_t>(random() % 100) - 50);
        }
      }
    }
  };
  add_buckets(histogram.positive_spans, histogram.positive_deltas, histogram.positive_counts);
  if (!custom) {
    add_buckets(histogram.negative_spans, histogram.negative_deltas, histogram.negative_counts);
  }
  for (uint64_t i = custom ? random() % 4 : 0; i > 0; i--) {
    histogram.custom_values.push_back(static_cast<double>(random() % 100));
  }
  if (histogram.is_float) {
    histogram.count_float = static_cast<double>(random() % 1000) / 3;
    histogram.zero_count_float = static_cast<double>(random() % 5);
  } else {
    histogram.count = random() % 100000;
    histogram.zero_count = random() % 5;
  }
  histogram.reset_hint = static_cast<NativeHistogram::ResetHint>(random() % 4);
  return histogram;
}

TEST_CASE("agentctl scrape: random histograms are read back as the agent encoded them") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 2000; round++) {
    const NativeHistogram histogram = RandomHistogram(random);
    std::string encoded;
    EncodeHistogram(histogram, encoded);
    NativeHistogram read;
    REQUIRE(DecodeHistogram(encoded, read));
    REQUIRE(read == histogram);
  }
}

TEST_CASE("agentctl scrape: bytes that are no histogram are said to be none") {
  for (const std::string& bytes :
       {std::string("\x08"), std::string("\x5a\x05\x08"), std::string("\x07\x01")}) {
    CHECK(HistogramText(bytes) == "{not a native histogram}");
  }
}

}  // namespace
}  // namespace tributary
