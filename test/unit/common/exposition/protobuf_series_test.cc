// What Prometheus makes of a metric, case by case.
#include "common/exposition/protobuf_series.h"

#include <functional>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "common/base/varint.h"
#include "common/histogram/validate.h"
#include "metrics.pb.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

namespace pb = test::metrics;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Each series as "name{labels} value", histograms as "name{labels} histogram".
struct Outcome {
  std::vector<std::string> series;
  std::string error;
};

using Visit = std::function<void(ProtobufSeriesReader&)>;

Outcome ReadFamily(const pb::MetricFamily& family, const ProtobufHistogramRules& rules = {},
                   const Visit& visit = {}) {
  std::string page;
  PutVarint(page, family.ByteSizeLong());
  page += family.SerializeAsString();
  ProtobufPageReader reader;
  ProtobufSeriesReader series(rules);
  Outcome out;
  reader.Push(page);
  for (;;) {
    const auto event = reader.Next();
    if (event == ProtobufPageReader::Event::kError) out.error = reader.error();
    if (event == ProtobufPageReader::Event::kFamily) series.BeginFamily(reader.family());
    if (event == ProtobufPageReader::Event::kNeedsBytes || !out.error.empty()) return out;
    if (event != ProtobufPageReader::Event::kMetric) continue;
    series.BeginMetric(reader.metric());
    auto step = series.Next();
    for (; step == ProtobufSeriesReader::Step::kSample; step = series.Next()) {
      const Result<Labels> labels = series.MakeLabels();
      std::string text = labels ? labels->ToString() : labels.error().message;
      text += series.sample().histogram != nullptr
                  ? " histogram"
                  : " " + std::to_string(series.sample().value).substr(0, 4);
      out.series.push_back(text);
      if (visit) visit(series);
    }
    if (step == ProtobufSeriesReader::Step::kError) out.error = series.error();
  }
}

pb::MetricFamily Family(int type, const std::string& name = "m") {
  pb::MetricFamily family;
  family.set_name(name);
  family.set_type(type);
  return family;
}

void AddBucket(pb::Histogram& h, double bound, uint64_t count) {
  pb::Bucket& bucket = *h.add_bucket();
  bucket.set_upper_bound(bound);
  bucket.set_cumulative_count(count);
}

pb::Histogram& AddClassic(pb::MetricFamily& family) {
  pb::Histogram& h = *family.add_metric()->mutable_histogram();
  h.set_sample_count(3);
  h.set_sample_sum(2.5);
  AddBucket(h, 0.5, 1);
  AddBucket(h, 1, 2);
  return h;
}

pb::Histogram& AddNative(pb::MetricFamily& family) {
  pb::Histogram& h = *family.add_metric()->mutable_histogram();
  h.set_sample_count(3);
  h.set_sample_sum(2.5);
  h.set_schema(3);
  h.add_positive_span()->set_length(2);
  h.add_positive_delta(1);
  h.add_positive_delta(1);
  return h;
}

void AddExemplar(pb::Exemplar& exemplar, double value, int64_t seconds) {
  exemplar.set_value(value);
  if (seconds > 0) exemplar.mutable_timestamp()->set_seconds(seconds);
}

std::vector<double> ExemplarsOf(const pb::MetricFamily& family,
                                const ProtobufHistogramRules& rules = {}) {
  std::vector<double> values;
  ReadFamily(family, rules, [&](ProtobufSeriesReader& series) {
    ProtobufExemplarView exemplar;
    while (series.NextExemplar(exemplar)) values.push_back(exemplar.value);
  });
  return values;
}

TEST_CASE("protobuf series: counters, gauges and untyped values keep the family's name") {
  pb::MetricFamily counter = Family(0, "requests");
  counter.add_metric()->mutable_counter()->set_value(2);
  CHECK(ReadFamily(counter).series == std::vector<std::string>{R"({__name__="requests"} 2.00)"});
  pb::MetricFamily gauge = Family(1);
  gauge.add_metric()->mutable_gauge()->set_value(3);
  gauge.add_metric();  // no value: 0
  CHECK(ReadFamily(gauge).series ==
        std::vector<std::string>{R"({__name__="m"} 3.00)", R"({__name__="m"} 0.00)"});
}

TEST_CASE("protobuf series: an untyped value left out is that of the metric before") {
  pb::MetricFamily family = Family(3);
  family.add_metric()->mutable_untyped()->set_value(7);
  family.add_metric();
  CHECK(ReadFamily(family).series ==
        std::vector<std::string>{R"({__name__="m"} 7.00)", R"({__name__="m"} 7.00)"});
}

TEST_CASE("protobuf series: a summary has count, sum and quantiles") {
  pb::MetricFamily family = Family(2);
  pb::Summary& summary = *family.add_metric()->mutable_summary();
  summary.set_sample_count(4);
  summary.set_sample_sum(8);
  CHECK(ReadFamily(family).series ==
        std::vector<std::string>{R"({__name__="m_count"} 4.00)", R"({__name__="m_sum"} 8.00)"});
  pb::Quantile& quantile = *summary.add_quantile();
  quantile.set_quantile(1);
  quantile.set_value(5);
  CHECK(ReadFamily(family).series.back() == R"({__name__="m", quantile="1.0"} 5.00)");
}

TEST_CASE("protobuf series: a classic histogram ends with the bucket +Inf, made up if need be") {
  pb::MetricFamily family = Family(4);
  pb::Histogram& h = AddClassic(family);
  const std::vector<std::string> series = {
      R"({__name__="m_count"} 3.00)", R"({__name__="m_sum"} 2.50)",
      R"({__name__="m_bucket", le="0.5"} 1.00)", R"({__name__="m_bucket", le="1.0"} 2.00)",
      R"({__name__="m_bucket", le="+Inf"} 3.00)"};
  CHECK(ReadFamily(family).series == series);
  AddBucket(h, kInfinity, 3);
  CHECK(ReadFamily(family).series == series);
  AddBucket(h, 7, 3);  // behind +Inf: not looked at
  CHECK(ReadFamily(family).series == series);
  h.set_sample_count_float(0.25);
  CHECK(ReadFamily(family).series.front() == R"({__name__="m_count"} 0.25)");
}

TEST_CASE("protobuf series: gauge histograms have the same names") {
  pb::MetricFamily family = Family(5);
  AddClassic(family);
  CHECK(ReadFamily(family).series[0] == R"({__name__="m_count"} 3.00)");
  CHECK(ReadFamily(family).series.size() == 5);
}

TEST_CASE("protobuf series: a native histogram replaces the classic one unless that is kept") {
  pb::MetricFamily family = Family(4);
  pb::Histogram& h = AddNative(family);
  AddBucket(h, 1, 2);
  CHECK(ReadFamily(family).series == std::vector<std::string>{R"({__name__="m"} histogram)"});
  ProtobufHistogramRules keep;
  keep.keep_classic = true;
  CHECK(ReadFamily(family, keep).series.size() == 1 + 4);
  ProtobufHistogramRules ignore;
  ignore.ignore_native = true;
  CHECK(ReadFamily(family, ignore).series.size() == 4);
  h.clear_bucket();
  CHECK(ReadFamily(family, keep).series.size() == 1);
}

TEST_CASE("protobuf series: what makes a histogram native") {
  const auto is_native = [](const std::function<void(pb::Histogram&)>& change) {
    pb::MetricFamily family = Family(4);
    change(*family.add_metric()->mutable_histogram());
    return ReadFamily(family).series.size() == 1;
  };
  CHECK_FALSE(is_native([](pb::Histogram& h) { h.set_schema(3); }));
  CHECK_FALSE(is_native([](pb::Histogram& h) { h.set_zero_count_float(3); }));
  CHECK_FALSE(is_native([](pb::Histogram& h) { h.set_zero_threshold(-1); }));
  CHECK(is_native([](pb::Histogram& h) { h.set_zero_threshold(0.1); }));
  CHECK(is_native([](pb::Histogram& h) { h.set_zero_count(1); }));
  CHECK(is_native([](pb::Histogram& h) { h.add_negative_span(); }));
  CHECK(is_native([](pb::Histogram& h) { h.add_positive_span(); }));
}

TEST_CASE("protobuf series: integers and floats, gauges and counters are told apart") {
  const auto histogram_of = [](const pb::MetricFamily& family) {
    NativeHistogram out;
    ReadFamily(family, {}, [&](ProtobufSeriesReader& series) { out = *series.sample().histogram; });
    return out;
  };
  pb::MetricFamily family = Family(4);
  pb::Histogram& h = AddNative(family);
  NativeHistogram expected;
  expected.schema = 3;
  expected.count = 3;
  expected.sum = 2.5;
  expected.positive_spans = {{0, 2}};
  expected.positive_deltas = {1, 1};
  CHECK(histogram_of(family) == expected);
  family.set_type(5);
  expected.reset_hint = NativeHistogram::ResetHint::kGauge;
  CHECK(histogram_of(family) == expected);
  h.add_positive_count(1.5);
  h.add_positive_count(0);
  expected.is_float = true;
  expected.count = 0;
  expected.positive_deltas.clear();
  expected.positive_counts = {1.5};
  expected.positive_spans = {{0, 1}};
  CHECK(histogram_of(family) == expected);  // the count of floats is 0, whatever that of integers
}

TEST_CASE("protobuf series: spans that do not fit are an error, but not right after a histogram") {
  pb::MetricFamily family = Family(4);
  AddNative(family).add_positive_delta(5);
  CHECK(ReadFamily(family).error ==
        "family \"m\": the positive spans cover 2 buckets, but there are 3");
  family.clear_metric();
  AddNative(family);
  AddNative(family).add_positive_delta(5);
  std::vector<bool> valid;
  const Outcome outcome = ReadFamily(family, {}, [&](ProtobufSeriesReader& series) {
    valid.push_back(ValidateHistogram(*series.sample().histogram).has_value());
  });
  CHECK(outcome.error == "");
  CHECK(valid == std::vector<bool>{true, false});
}

TEST_CASE("protobuf series: a classic histogram is converted to custom buckets") {
  pb::MetricFamily family = Family(5);
  AddClassic(family);
  AddClassic(family);
  ProtobufHistogramRules rules;
  rules.convert_classic = true;
  NativeHistogram histogram;
  const Visit keep = [&](ProtobufSeriesReader& series) {
    if (series.sample().histogram != nullptr) histogram = *series.sample().histogram;
  };
  CHECK(ReadFamily(family, rules, keep).series ==
        std::vector<std::string>(2, R"({__name__="m"} histogram)"));
  CHECK(histogram.schema == kCustomBucketsSchema);
  CHECK(histogram.custom_values == std::vector<double>{0.5, 1});
  CHECK(histogram.positive_deltas == std::vector<int64_t>{1, 0, 0});
  CHECK(histogram.reset_hint == NativeHistogram::ResetHint::kGauge);
  rules.keep_classic = true;
  const Outcome both = ReadFamily(family, rules, keep);
  REQUIRE(both.series.size() == 12);
  CHECK(both.series[5] == R"({__name__="m"} histogram)");
}

TEST_CASE("protobuf series: a histogram that cannot be converted fails the page") {
  pb::MetricFamily family = Family(4);
  AddBucket(AddClassic(family), kInfinity, 7);
  ProtobufHistogramRules rules;
  rules.convert_classic = true;
  rules.keep_classic = true;
  const Outcome outcome = ReadFamily(family, rules);
  CHECK(outcome.series.size() == 5);
  CHECK(outcome.error ==
        "family \"m\": classic histogram: its count is 3, its bucket of le=+Inf has 7");
}

TEST_CASE("protobuf series: exemplars of floats stand at counters and buckets") {
  pb::MetricFamily counter = Family(0);
  AddExemplar(*counter.add_metric()->mutable_counter()->mutable_exemplar(), 1.5, 0);
  CHECK(ExemplarsOf(counter) == std::vector<double>{1.5});
  pb::MetricFamily histogram = Family(4);
  pb::Histogram& h = AddClassic(histogram);
  AddExemplar(*h.mutable_bucket(1)->mutable_exemplar(), 2.5, 0);
  AddExemplar(*h.add_exemplars(), 3.5, 1);  // a native histogram's
  CHECK(ExemplarsOf(histogram) == std::vector<double>{2.5});
}

TEST_CASE(
    "protobuf series: exemplars of native histograms need a time; buckets' are second choice") {
  pb::MetricFamily family = Family(4);
  pb::Histogram& h = AddNative(family);
  AddBucket(h, 1, 2);
  AddExemplar(*h.mutable_bucket(0)->mutable_exemplar(), 1, 5);
  CHECK(ExemplarsOf(family) == std::vector<double>{1});
  AddExemplar(*h.add_exemplars(), 2, 0);
  CHECK(ExemplarsOf(family).empty());
  AddExemplar(*h.add_exemplars(), 3, 6);
  AddExemplar(*h.add_exemplars(), 4, 7);
  CHECK(ExemplarsOf(family) == std::vector<double>{3, 4});
}

TEST_CASE("protobuf series: of a histogram right after another as many exemplars are skipped") {
  pb::MetricFamily family = Family(4);
  for (int metric = 0; metric < 3; ++metric) {
    pb::Histogram& h = AddNative(family);
    for (int i = 0; i < 2 + metric; ++i) AddExemplar(*h.add_exemplars(), metric * 10 + i, 5);
  }
  CHECK(ExemplarsOf(family) == std::vector<double>{0, 1, 12, 23});
  // Those of one that relabeling dropped were not read.
  std::vector<double> values;
  int number = 0;
  ReadFamily(family, {}, [&](ProtobufSeriesReader& series) {
    ProtobufExemplarView exemplar;
    if (number++ == 1) return;
    while (series.NextExemplar(exemplar)) values.push_back(exemplar.value);
  });
  CHECK(values == std::vector<double>{0, 1, 22, 23});
}

TEST_CASE("protobuf series: timestamps, start times and exemplars are in milliseconds") {
  pb::MetricFamily family = Family(0);
  pb::Metric& metric = *family.add_metric();
  metric.set_timestamp_ms(1234);
  metric.mutable_counter()->mutable_start_timestamp()->set_seconds(5);
  metric.mutable_counter()->mutable_start_timestamp()->set_nanos(6'999'999);
  pb::Exemplar& exemplar = *metric.mutable_counter()->mutable_exemplar();
  AddExemplar(exemplar, 1, 2);
  exemplar.add_label()->set_name("trace");
  family.add_metric()->mutable_counter();
  int number = 0;
  ReadFamily(family, {}, [&](ProtobufSeriesReader& series) {
    ProtobufExemplarView view;
    if (number++ > 0) {
      CHECK_FALSE(series.timestamp().has_value());
      CHECK_FALSE(series.start_timestamp().has_value());
      CHECK_FALSE(series.NextExemplar(view));
      return;
    }
    CHECK(series.timestamp() == 1234);
    CHECK(series.start_timestamp() == 5006);
    REQUIRE(series.NextExemplar(view));
    CHECK(view.timestamp == 2000);
    REQUIRE(view.labels.size() == 1);
    CHECK(view.labels[0] == ProtobufLabel{"trace", ""});
    CHECK_FALSE(series.NextExemplar(view));
  });
}

TEST_CASE("protobuf series: labels are checked and made once, with what is empty left out") {
  pb::MetricFamily family = Family(1);
  pb::Metric& metric = *family.add_metric();
  const auto add = [&](const std::string& name, const std::string& value) {
    metric.add_label()->set_name(name);
    metric.mutable_label()->rbegin()->set_value(value);
  };
  add("b", "1");
  add("a", "");
  add("a", "2");
  std::vector<std::string> emptied;
  ReadFamily(family, {}, [&](ProtobufSeriesReader& series) {
    REQUIRE(series.CheckLabels().has_value());
    CHECK(series.MakeLabels(&emptied)->ToString() == R"({__name__="m", b="1"})");
  });
  CHECK(emptied == std::vector<std::string>{"a"});

  add("b", "2");
  ReadFamily(family, {}, [&](ProtobufSeriesReader& series) {
    CHECK(series.CheckLabels().has_value());
    CHECK(series.MakeLabels().error().message == "the label name \"b\" is not unique: m");
  });
  add("", "3");
  ReadFamily(family, {}, [&](ProtobufSeriesReader& series) {
    CHECK(series.CheckLabels().error().message == "family \"m\": a label's name is empty");
  });
  metric.mutable_label()->rbegin()->clear_name();  // left to the checks after relabeling
  ReadFamily(family, {},
             [&](ProtobufSeriesReader& series) { CHECK(series.CheckLabels().has_value()); });
  metric.mutable_label()->rbegin()->set_name("\xff");
  ReadFamily(family, {}, [&](ProtobufSeriesReader& series) {
    CHECK(series.CheckLabels().error().message == "family \"m\": a label's name is not UTF-8");
  });
  metric.mutable_label()->rbegin()->set_name("c");
  metric.mutable_label()->rbegin()->set_value("\xff");
  ReadFamily(family, {}, [&](ProtobufSeriesReader& series) {
    CHECK(series.CheckLabels().error().message == "family \"m\": a label's value is not UTF-8");
  });
}

TEST_CASE("protobuf series: hashes tell series apart and stay the same from page to page") {
  pb::MetricFamily family = Family(4);
  AddClassic(family);
  AddClassic(family);
  family.mutable_metric(1)->add_label()->set_name("a");
  family.mutable_metric(1)->mutable_label(0)->set_value("1");
  const HashKey key = HashKey::FromSeed(1);
  const auto hashes_of = [&] {
    std::vector<uint64_t> hashes;
    ReadFamily(family, {},
               [&](ProtobufSeriesReader& series) { hashes.push_back(series.Hash(key)); });
    return hashes;
  };
  const std::vector<uint64_t> hashes = hashes_of();
  CHECK(std::set<uint64_t>(hashes.begin(), hashes.end()).size() == 10);
  family.mutable_metric(0)->mutable_histogram()->set_sample_sum(99);
  CHECK(hashes_of() == hashes);
  family.set_name("n");
  CHECK(hashes_of() != hashes);
}

TEST_CASE("protobuf series: a value left out has the hash of an empty one, where it is asked for") {
  const HashKey key = HashKey::FromSeed(1);
  pb::MetricFamily family = Family(1);
  family.add_metric()->mutable_gauge()->set_value(1);
  family.mutable_metric(0)->add_label()->set_name("a");
  uint64_t left_out = 0, empty = 0;
  ReadFamily(family, {}, [&](ProtobufSeriesReader& series) {
    left_out = series.Hash(key);
    CHECK(series.HashCanonical(key));
    CHECK(series.Hash(key) != left_out);
    left_out = series.Hash(key);
    CHECK_FALSE(series.HashCanonical(key));
  });
  family.mutable_metric(0)->mutable_label(0)->set_value("");
  ReadFamily(family, {}, [&](ProtobufSeriesReader& series) {
    empty = series.Hash(key);
    CHECK_FALSE(series.HashCanonical(key));
  });
  CHECK(left_out == empty);
}

TEST_CASE("protobuf series: a label's name and value are checked each time they come") {
  const auto error_of = [](const std::string& pair) {
    std::vector<ProtobufLabel> labels;
    std::string field = "\x0a";
    PutVarint(field, pair.size());
    field += pair;
    const Status decoded = DecodeProtobufLabels(field, labels);
    return decoded ? std::string(labels[0].name) + "=" + std::string(labels[0].value)
                   : decoded.error().message;
  };
  CHECK(error_of("\x0a\x01x\x0a\x01y\x12\x01u\x12\x01v") == "y=v");
  CHECK(error_of("\x0a\x01\xff\x0a\x01y") == "a label's name is not UTF-8");
  CHECK(error_of("\x12\x01\xff\x12\x01v") == "a label's value is not UTF-8");
  CHECK(error_of("\x08\x01") == "a field has the wrong wire type");
  CHECK(error_of("\x18\x01\x0a\x01x") == "x=");
}

TEST_CASE("protobuf series: labels have one identity, however they are encoded") {
  const auto field = [](const std::string& pair, const std::string& tag = "\x0a") {
    std::string bytes = tag;
    PutVarint(bytes, pair.size());
    return bytes + pair;
  };
  const auto canonical = [](const std::string& label_bytes) {
    std::string scratch;
    return std::string(CanonicalLabelBytes(label_bytes, scratch));
  };
  const std::string plain =
      field(field("a") + field("1", "\x12")) + field(field("b") + field("", "\x12"));
  CHECK(canonical(plain) == plain);
  const std::string a = field(field("a") + field("1", "\x12"));
  // Left out; in another order; twice; with an unknown field; with a longer length or tag.
  CHECK(canonical(a + field(field("b"))) == plain);
  CHECK(canonical(a + field(field("", "\x12") + field("b"))) == plain);
  CHECK(canonical(a + field(field("x") + field("b"))) == plain);
  CHECK(canonical(a + field(field("b") + "\x18\x01")) == plain);
  CHECK(canonical(a + field(std::string("\x0a\x81\x00"
                                        "b",
                                        4))) == plain);
  CHECK(canonical(a + field(field("b"), std::string("\x8a\x00", 2))) == plain);
  for (const size_t size : {127, 128, 129, 16383, 16384, 70000}) {
    CAPTURE(size);
    const std::string text(size, 'v');
    const std::string big = field(field(text) + field(text, "\x12"));
    CHECK(canonical(big) == big);
    CHECK(canonical(field(field(text, "\x12") + field(text))) == big);
  }
  // What cannot be decoded stays, and is refused where labels are made.
  for (const std::string& broken :
       {plain.substr(0, plain.size() - 1), a + "\x0a", field("\x08\x01")}) {
    CHECK(canonical(broken) == broken);
  }
  CHECK(canonical("").empty());
}

TEST_CASE("protobuf series: label pairs that are scattered are the same labels") {
  // A label, the gauge, and another label.
  const std::string metric(
      "\x0a\x06\x0a\x01"
      "a"
      "\x12\x01"
      "1"
      "\x12\x00"
      "\x0a\x06\x0a\x01"
      "b"
      "\x12\x01"
      "2",
      18);
  ProtobufMetric decoded;
  REQUIRE(DecodeProtobufMetric(metric, decoded).has_value());
  std::vector<ProtobufLabel> labels;
  REQUIRE(DecodeProtobufLabels(decoded.label_bytes, labels).has_value());
  CHECK(labels == std::vector<ProtobufLabel>{{"a", "1"}, {"b", "2"}});
}

}  // namespace
}  // namespace tributary
