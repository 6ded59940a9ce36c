// tributary.aggregate and tributary.downsample.
#include "common/config/loader.h"
#include "test/support/catch.h"
#include "test/unit/common/config/load_text.h"

namespace tributary {
namespace {

using std::chrono::milliseconds;

TEST_CASE("config: a rule of aggregates is read in full") {
  const auto config = LoadText(R"(tributary:
  aggregate:
    - match: ['http_requests_total{status=~"5.."}', '{job="a"}']
      by: [service, cluster]
      interval: 30s
      window: 5m
      late: 20s
      staleness_interval: 2m
      inputs: drop
      record:
        rate_sum: service:http_errors:rate5m
        count: service:http_errors:count
    - name: buckets
      match: [h_bucket]
      without: []
      outputs: [histogram_quantile]
      quantile: 0.95
  downsample:
    - match: ['{__name__=~"node_.*"}']
      interval: 1m
)")
                          .config;
  REQUIRE(config);
  REQUIRE(config->aggregate.size() == 2);
  AggregateConfig expected;
  expected.name = "service:http_errors:count";
  expected.match = {R"(http_requests_total{status=~"5.."})", R"({job="a"})"};
  expected.labels = {"cluster", "service"};
  expected.interval = milliseconds(30'000);
  expected.window = milliseconds(300'000);
  expected.late = milliseconds(20'000);
  expected.staleness_interval = milliseconds(120'000);
  expected.drop_inputs = true;
  expected.outputs = {{AggregateOutput::kCount, "service:http_errors:count"},
                      {AggregateOutput::kRateSum, "service:http_errors:rate5m"}};
  CHECK(config->aggregate[0] == expected);
  const AggregateConfig& second = config->aggregate[1];
  CHECK(second.name == "buckets");
  CHECK(second.without);
  CHECK(second.labels.empty());
  CHECK(second.interval == milliseconds(60'000));
  CHECK(second.window == second.interval);
  CHECK(second.late == milliseconds(10'000));
  CHECK(second.staleness_interval == milliseconds(300'000));
  CHECK_FALSE(second.drop_inputs);
  CHECK(second.outputs ==
        std::vector<AggregateConfig::Output>{{AggregateOutput::kHistogramQuantile, ""}});
  CHECK(second.quantile == 0.95);
  REQUIRE(config->downsample.size() == 1);
  CHECK(config->downsample[0].interval == milliseconds(60'000));
  // What is printed is the same when it is read again.
  const auto again = LoadText(config->yaml).config;
  REQUIRE(again);
  CHECK(again->aggregate == config->aggregate);
  CHECK(again->downsample == config->downsample);
}

TEST_CASE("config: rules of aggregates that cannot work are refused, at their place") {
  const std::string good = "match: [a], by: [b], interval: 30s, ";
  const auto [rule, where, problem] = GENERATE_REF(table<std::string, std::string, std::string>({
      {"by: [b], outputs: [sum]", "3:7", "'match' is missing"},
      {"match: ['a{'], by: [b], outputs: [sum]", "3:16", "'a{' is no selector: 1:3: parse error"},
      {"match: ['{}'], by: [b], outputs: [sum]", "3:16", "'{}' selects nothing"},
      {"match: [a], outputs: [sum]", "3:7", "'by' or 'without' is missing"},
      {"match: [a], by: [b], without: [c], outputs: [sum]", "3:38", "exclude each other"},
      {"match: [a], by: [__name__], outputs: [sum]", "3:25", "by the metric's name"},
      {"match: [a], by: [b, b], outputs: [sum]", "3:28", "'b' stands there twice"},
      {"match: [a], by: [b]", "3:7", "'outputs' or 'record' is missing"},
      {"match: [a], by: [b], outputs: [sum], record: {sum: x}", "3:53", "exclude each other"},
      {"match: [a], by: [b], outputs: [sums]", "3:39", "'sums' is not a valid 'outputs'"},
      {"match: [a], by: [b], outputs: [sum, sum]", "3:44", "stands there twice"},
      {"match: [a], by: [b], record: {rate: x}", "3:38", "'rate' is not a valid output"},
      {"match: [a], by: [b], record: {sum: ''}", "3:43", "is not a valid metric name"},
      {"match: [a], by: [b], interval: 100ms, outputs: [sum]", "3:39", "at least 1s"},
      {good + "window: 45s, outputs: [increase]", "3:52", "a multiple of the interval (30s)"},
      {good + "window: 1m, outputs: [sum]", "3:52", "'window' is for increase"},
      {good + "window: 1d, outputs: [increase]", "3:52", "more than 1000 intervals"},
      {good + "late: 1h, outputs: [sum]", "3:50", "more than 100 intervals"},
      {good + "staleness_interval: 0s, outputs: [sum]", "3:64", "has to be above 0"},
      {good + "inputs: both, outputs: [sum]", "3:52", "'both' is not a valid 'inputs'"},
      {good + "outputs: [histogram_quantile]", "3:7", "'quantile' is missing"},
      {good + "quantile: 0.5, outputs: [sum]", "3:54", "'quantile' is for histogram_quantile"},
      {good + "quantile: 2, outputs: [histogram_quantile]", "3:54", "from 0 to 1"},
      {good + "quantile: 0.5, outputs: [histogram_quantile, sum]", "3:7", "beside other outputs"},
      {"match: [a], by: [le], quantile: 0.5, outputs: [histogram_quantile]", "3:25",
       "takes the buckets"},
  }));
  const auto loaded = LoadText("tributary:\n  aggregate:\n    - {" + rule + "}\n");
  CAPTURE(rule);
  CHECK(loaded.config == nullptr);
  REQUIRE(!loaded.diagnostics.empty());
  const std::string text = loaded.diagnostics[0].ToString();
  CAPTURE(text);
  CHECK(text.find(problem) != std::string::npos);
  CHECK(text.find(":" + where + ": ") != std::string::npos);
}

TEST_CASE("config: two aggregates cannot have one name") {
  const auto loaded = LoadText(R"(tributary:
  aggregate:
    - {match: [a], by: [b], record: {sum: x, count: y}}
    - {match: [c], by: [d], record: {sum: y}}
)");
  CHECK(loaded.config == nullptr);
  REQUIRE(loaded.diagnostics.size() == 1);
  CHECK(loaded.diagnostics[0].line == 4);
  CHECK(loaded.diagnostics[0].message == "there are two aggregates named 'y'");
  CHECK(loaded.diagnostics[0].hint == "the other one is in line 3");
}

TEST_CASE("config: down-sampling without an interval is refused") {
  const auto loaded = LoadText("tributary:\n  downsample:\n    - {match: [a]}\n");
  CHECK(loaded.config == nullptr);
  REQUIRE(!loaded.diagnostics.empty());
  CHECK(loaded.diagnostics[0].message == "'interval' has to be above 0");
}

}  // namespace
}  // namespace tributary
