#include "agent/federate/family_writer.h"

#include "metrics.pb.h"
#include "test/support/catch.h"
#include "test/unit/agent/federate/federate_world.h"

namespace tributary {
namespace {

std::string PageOf(const std::vector<PageSample>& samples, FederateForm form,
                   const Labels& external) {
  SeriesSorter sorter({MakeLatest(samples)}, SelectAll(),
                      {.now = kPageNow, .look_back_ms = 300'000});
  FamilyWriter writer(form, external);
  std::string page;
  for (auto batch = sorter.Next(); !batch.empty(); batch = sorter.Next()) {
    for (const SortedSeries& series : batch) writer.Write(series, page);
  }
  writer.Finish(page);
  return page;
}

std::string Text(const std::vector<PageSample>& samples, const Labels& external = {},
                 NameEscaping escaping = NameEscaping::kNone) {
  return PageOf(samples, {FederateFormat::kText, escaping}, external);
}

std::vector<test::metrics::MetricFamily> Families(const std::string& page) {
  std::vector<test::metrics::MetricFamily> families;
  for (size_t at = 0; at < page.size();) {
    uint64_t size = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(page.at(at++));
      size |= static_cast<uint64_t>(byte & 127) << shift;
      if (byte < 128) break;
    }
    REQUIRE(families.emplace_back().ParseFromString(page.substr(at, size)));
    at += size;
  }
  return families;
}

std::vector<test::metrics::MetricFamily> Protobuf(const std::vector<PageSample>& samples,
                                                  const Labels& external = {}) {
  return Families(PageOf(samples, {FederateFormat::kProtobuf, NameEscaping::kNone}, external));
}

std::string LabelsOf(const test::metrics::Metric& metric) {
  std::string text;
  for (const auto& label : metric.label()) text += label.name() + "=" + label.value() + ";";
  return text;
}

NativeHistogram Exponential() {
  NativeHistogram h;
  h.schema = 2;
  h.count = 9;
  h.sum = 12.5;
  h.zero_threshold = 0.001;
  h.zero_count = 1;
  h.positive_spans = {{-3, 2}, {5, 1}};
  h.positive_deltas = {3, -1, 1};
  h.negative_spans = {{0, 1}};
  h.negative_deltas = {1};
  return h;
}

NativeHistogram CustomBuckets() {
  NativeHistogram h;
  h.schema = kCustomBucketsSchema;
  h.count = 10;
  h.sum = 3.5;
  h.custom_values = {0.1, 1, 2.5};
  h.positive_spans = {{0, 1}, {1, 2}};
  h.positive_deltas = {4, -2, 2};
  return h;
}

TEST_CASE("writer: one family for each name, samples with their times") {
  CHECK(Text({{Labels{{"__name__", "b"}, {"instance", "i"}, {"k", "2"}}, 1.5},
              {Labels{{"__name__", "b"}, {"instance", "i"}, {"k", "1"}}, 1e6, kPageNow - 2500},
              {Labels{{"__name__", "a"}, {"instance", "i"}}, -0.0}}) ==
        "# TYPE a untyped\n"
        "a{instance=\"i\"} 0 1700000000000\n"
        "# TYPE b untyped\n"
        "b{instance=\"i\",k=\"1\"} 1e+06 1699999997500\n"
        "b{instance=\"i\",k=\"2\"} 1.5 1700000000000\n");
}

TEST_CASE("writer: external labels go behind the series' own, unless it has them") {
  const Labels external{{"cluster", "west"}, {"job", "outer"}, {"zone", "z1"}};
  CHECK(Text({{Labels{{"__name__", "m"}, {"job", "app"}, {"zz", "1"}}, 1}}, external) ==
        "# TYPE m untyped\n"
        "m{job=\"app\",zz=\"1\",cluster=\"west\",instance=\"\",zone=\"z1\"} 1 1700000000000\n");
  CHECK(Text({{Labels{{"__name__", "m"}}, 1}}) ==
        "# TYPE m untyped\nm{instance=\"\"} 1 1700000000000\n");
  CHECK(Text({{Labels{{"__name__", "m"}}, 1}}, Labels{{"instance", "x"}}) ==
        "# TYPE m untyped\nm{instance=\"x\"} 1 1700000000000\n");
}

TEST_CASE("writer: names that are no classic ones are quoted, or escaped") {
  const std::vector<PageSample> samples{
      {Labels{{"__name__", "http.\"x\""}, {"instance", ""}, {"l.x", "a\\b\"c\nd"}}, 1}};
  CHECK(Text(samples) ==
        "# TYPE \"http.\\\"x\\\"\" untyped\n"
        "{\"http.\\\"x\\\"\",\"l.x\"=\"a\\\\b\\\"c\\nd\",instance=\"\"} 1 1700000000000\n");
  CHECK(Text(samples, {}, NameEscaping::kUnderscores) ==
        "# TYPE http__x_ untyped\n"
        "http__x_{l_x=\"a\\\\b\\\"c\\nd\",instance=\"\"} 1 1700000000000\n");
}

TEST_CASE("writer: native histograms are told in protobuf only, those with custom buckets always") {
  const NativeHistogram exponential = Exponential(), custom = CustomBuckets();
  const std::vector<PageSample> samples{
      {Labels{{"__name__", "a"}}, 0, kPageNow, &exponential},
      {Labels{{"__name__", "b"}, {"k", "1"}}, 0, kPageNow, &custom},
      {Labels{{"__name__", "b"}, {"k", "2"}}, 7},
      {Labels{{"__name__", "b"}, {"k", "3"}}, 8}};
  CHECK(Text(samples) ==
        "# TYPE b histogram\n"
        "b_bucket{k=\"1\",instance=\"\",le=\"0.1\"} 4 1700000000000\n"
        "b_bucket{k=\"1\",instance=\"\",le=\"1\"} 4 1700000000000\n"
        "b_bucket{k=\"1\",instance=\"\",le=\"2.5\"} 6 1700000000000\n"
        "b_bucket{k=\"1\",instance=\"\",le=\"+Inf\"} 10 1700000000000\n"
        "b_sum{k=\"1\",instance=\"\"} 3.5 1700000000000\n"
        "b_count{k=\"1\",instance=\"\"} 10 1700000000000\n"
        "# TYPE b untyped\n"
        "b{k=\"2\",instance=\"\"} 7 1700000000000\n"
        "b{k=\"3\",instance=\"\"} 8 1700000000000\n");
  const auto families = Protobuf(samples, Labels{{"c", "w"}});
  REQUIRE(families.size() == 3);
  CHECK((families[0].name() == "a" && families[0].type() == 4));
  const auto& h = families[0].metric(0).histogram();
  CHECK((h.sample_count_float() == 9 && h.sample_sum() == 12.5 && h.schema() == 2));
  CHECK((h.zero_threshold() == 0.001 && h.zero_count_float() == 1));
  REQUIRE(h.positive_span_size() == 2);
  CHECK((h.positive_span(0).offset() == -3 && h.positive_span(1).length() == 1));
  CHECK(std::vector<double>(h.positive_count().begin(), h.positive_count().end()) ==
        std::vector<double>{3, 2, 3});
  CHECK(std::vector<double>(h.negative_count().begin(), h.negative_count().end()) ==
        std::vector<double>{1});
  const auto& classic = families[1].metric(0).histogram();
  REQUIRE(classic.bucket_size() == 3);
  CHECK(
      (classic.bucket(2).upper_bound() == 2.5 && classic.bucket(2).cumulative_count_float() == 6));
  CHECK_FALSE(classic.has_schema());
  CHECK((families[2].name() == "b" && families[2].type() == 3 && families[2].metric_size() == 2));
}

TEST_CASE("writer: gauge histograms are a family of their own") {
  NativeHistogram gauge = Exponential();
  const NativeHistogram counter = gauge;
  gauge.reset_hint = NativeHistogram::ResetHint::kGauge;
  const auto families = Protobuf({{Labels{{"__name__", "a"}, {"k", "1"}}, 0, kPageNow, &counter},
                                  {Labels{{"__name__", "a"}, {"k", "2"}}, 0, kPageNow, &gauge}});
  REQUIRE(families.size() == 2);
  CHECK((families[0].type() == 4 && families[1].type() == 5));
}

TEST_CASE("writer: protobuf says what text says") {
  const auto families = Protobuf({{Labels{{"__name__", "m"}, {"job", "app"}}, 0},
                                  {Labels{{"__name__", "m"}, {"job", "b"}}, 2, kPageNow - 5}},
                                 Labels{{"cluster", "west"}});
  REQUIRE(families.size() == 1);
  REQUIRE(families[0].metric_size() == 2);
  CHECK((families[0].name() == "m" && families[0].type() == 3));
  CHECK(LabelsOf(families[0].metric(0)) == "job=app;cluster=west;instance=;");
  CHECK(families[0].metric(0).untyped().has_value());
  CHECK(families[0].metric(1).untyped().value() == 2);
  CHECK(families[0].metric(1).timestamp_ms() == kPageNow - 5);
}

TEST_CASE("writer: a large family of a protobuf page is cut into messages of a MiB or so") {
  FamilyWriter writer({FederateFormat::kProtobuf, NameEscaping::kNone}, {});
  std::string page;
  size_t most = 0;
  std::vector<PageSample> samples;
  for (int i = 0; i < 500; i++) {
    samples.push_back(
        {Labels{{"__name__", "m"}, {"a", std::string(9000, 'x') + std::to_string(i)}}, 1});
  }
  for (const auto& family : Protobuf(samples)) {
    CHECK(family.name() == "m");
    most = std::max(most, family.ByteSizeLong());
  }
  CHECK(most < (1 << 20) + 10'000);
}

}  // namespace
}  // namespace tributary
