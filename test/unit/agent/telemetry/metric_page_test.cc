#include "agent/telemetry/metric_page.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>
#include <sstream>

#include "test/support/catch.h"

namespace tributary {
namespace {

std::string ValueText(double value) {
  MetricPage page;
  page.AddGauge("g", "", {}, value);
  const std::string text = page.Text();
  const size_t at = text.rfind(' ');
  return text.substr(at + 1, text.size() - at - 2);
}

TEST_CASE("metric page: families and series are sorted, whatever the order they were written in") {
  MetricPage page;
  page.AddGauge("b", "second", {{"l", "2"}}, 2);
  page.AddGauge("b", "second", {{"l", "1"}}, 1);
  page.AddCounter("a_total", "first", {}, 3);
  CHECK(page.Text() ==
        "# HELP a_total first\n# TYPE a_total counter\na_total 3\n"
        "# HELP b second\n# TYPE b gauge\nb{l=\"1\"} 1\nb{l=\"2\"} 2\n");
}

TEST_CASE("metric page: counters and gauges of equal labels are added up, in any order of labels") {
  MetricPage page;
  page.AddCounter("c_total", "h", {{"a", "1"}, {"b", "2"}}, 3);
  page.AddCounter("c_total", "another help is not taken", {{"b", "2"}, {"a", "1"}}, 4);
  page.AddCounter("c_total", "h", {{"a", "1"}}, 5);
  CHECK(page.Text() ==
        "# HELP c_total h\n# TYPE c_total counter\n"
        "c_total{a=\"1\"} 5\nc_total{a=\"1\",b=\"2\"} 7\n");
}

TEST_CASE("metric page: histograms are added bucket by bucket and written cumulatively") {
  Histogram one({0.125, 1});
  Histogram two({0.125, 1});
  one.Observe(0.0625);
  one.Observe(0.5);
  two.Observe(0.125);  // a bound belongs to its bucket
  two.Observe(7);
  MetricPage page;
  page.AddHistogram("h", "x", {{"w", "0"}}, one);
  page.AddHistogram("h", "x", {{"w", "0"}}, two);
  const std::string text = page.Text();
  for (const char* line : {"# TYPE h histogram\n", "h_bucket{w=\"0\",le=\"0.125\"} 2\n",
                           "h_bucket{w=\"0\",le=\"1\"} 3\n", "h_bucket{w=\"0\",le=\"+Inf\"} 4\n",
                           "h_count{w=\"0\"} 4\n", "h_sum{w=\"0\"} 7.6875\n"}) {
    INFO(line);
    CHECK(text.find(line) != std::string::npos);
  }
}

TEST_CASE("metric page: summaries are added up and have no quantiles") {
  MetricPage page;
  page.AddSummary("s", "x", {{"w", "0"}}, 2, 0.5);
  page.AddSummary("s", "x", {{"w", "0"}}, 1, 0.25);
  CHECK(page.Text() == "# HELP s x\n# TYPE s summary\ns_count{w=\"0\"} 3\ns_sum{w=\"0\"} 0.75\n");
}

TEST_CASE("metric page: a line break, quote or backslash cannot break out of its line") {
  MetricPage page;
  page.AddGauge("g", "a\\b\nevil 1", {{"l", "x\"y\\z\n# evil"}}, 1);
  CHECK(page.Text() ==
        "# HELP g a\\\\b\\nevil 1\n# TYPE g gauge\ng{l=\"x\\\"y\\\\z\\n# evil\"} 1\n");
}

TEST_CASE("metric page: numbers read as people write them") {
  CHECK(ValueText(0) == "0");
  CHECK(ValueText(100000) == "100000");
  CHECK(ValueText(1762000000.123) == "1762000000.123");
  CHECK(ValueText(0.1 + 0.2) == "0.30000000000000004");
  CHECK(ValueText(9007199254740991.0) == "9007199254740991");
  CHECK(ValueText(-1.5) == "-1.5");
  CHECK(ValueText(1e21) == "1e+21");
  CHECK(ValueText(1e-7) == "1e-07");
  CHECK(ValueText(std::numeric_limits<double>::infinity()) == "+Inf");
  CHECK(ValueText(-std::numeric_limits<double>::infinity()) == "-Inf");
}

TEST_CASE("metric page: every double reads back as itself") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 2000; i++) {
    double value = std::bit_cast<double>(random());
    if (i % 2 == 1) value = static_cast<double>(random() % 1'000'000'000'000) / 1e6;
    if (!std::isfinite(value)) continue;
    const std::string text = ValueText(value);
    double back = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), back);
    INFO(text);
    CHECK(end.ptr == text.data() + text.size());
    CHECK(std::bit_cast<uint64_t>(back) == std::bit_cast<uint64_t>(value));
  }
}

TEST_CASE("metric page: of gauges that are no sums the greatest counts") {
  MetricPage page;
  for (const double value : {-3, -1, -2}) page.AddGreatest("g", "", {{"l", "1"}}, value);
  page.AddGreatest("g", "", {{"l", "2"}}, 5);
  CHECK(page.Text().find("g{l=\"1\"} -1\ng{l=\"2\"} 5\n") != std::string::npos);
}

TEST_CASE("metric page: nothing written is an empty page") { CHECK(MetricPage().Text().empty()); }

double Value(const std::string& text, const std::string& name) {
  const size_t at = text.find("\n" + name + " ");
  if (at == std::string::npos) return -1;
  return std::strtod(text.c_str() + at + name.size() + 2, nullptr);
}

TEST_CASE("process metrics: names and plausible values of this very process") {
  MetricPage page;
  CollectProcess(page);
  const std::string text = page.Text();
  CHECK(Value(text, "process_cpu_seconds_total") >= 0);
  CHECK(Value(text, "process_resident_memory_bytes") > 500'000);
  CHECK(Value(text, "process_virtual_memory_bytes") > Value(text, "process_resident_memory_bytes"));
  CHECK(Value(text, "process_open_fds") >= 3);
  CHECK(Value(text, "process_max_fds") >= Value(text, "process_open_fds"));
  CHECK(Value(text, "process_threads") >= 1);
  CHECK(Value(text, "process_start_time_seconds") > 1.6e9);
  CHECK(text.find("\ntributary_build_info{compiler=") != std::string::npos);
  CHECK(text.find("\nprometheus_build_info{") != std::string::npos);
}

}  // namespace
}  // namespace tributary
