#include "agent/aggregate/aggregates.h"

#include <cmath>
#include <limits>
#include <random>

#include "test/support/catch.h"
#include "test/unit/agent/aggregate/aggregate_rig.h"

namespace tributary {
namespace {

using Samples = std::vector<std::pair<TimestampMs, double>>;

constexpr TimestampMs kMinute = 60'000;
constexpr TimestampMs kStart = 28'333'334 * kMinute;
constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();

TEST_CASE("aggregates: without rules commits are not looked at and nothing is told") {
  SimLoop loop(kStart);
  AggregateRig rig(loop);
  rig.Apply({});
  const GroupRef group = MakeGroup(1, {"a"});
  rig.Append(group, rig.now(), {1});
  loop.RunFor(seconds(600));
  CHECK(rig.outputs.empty());
  CHECK(rig.logged["a"].size() == 1);
  CHECK(rig.Metric("tributary_aggregate_taken_samples_total{rule=\"r\"}") == -1);
  CHECK(loop.pending() == 0);
}

TEST_CASE("aggregates: series of several metrics and targets become one by their labels") {
  SimLoop loop(kStart);
  AggregateRig rig(loop);
  rig.Apply({RuleOf({"a{x!=\"2\"}", "b"}, {"z"},
                    {{AggregateOutput::kSum, "z:ab:sum"},
                     {AggregateOutput::kAvg, "z:ab:avg"},
                     {AggregateOutput::kMin, "z:ab:min"},
                     {AggregateOutput::kMax, "z:ab:max"},
                     {AggregateOutput::kCount, "z:ab:count"}})});
  const GroupRef one = MakeGroup(1, {"a{x=\"1\",z=\"p\"}", "a{x=\"2\",z=\"p\"}", "c{z=\"p\"}"});
  const GroupRef two = MakeGroup(2, {"b{z=\"p\"}", "a{x=\"3\",z=\"q\"}", "a{x=\"4\"}"});
  rig.Append(one, rig.now() + 1000, {10, 50, 70});
  rig.Append(two, rig.now() + 2000, {4, 7, 9});
  loop.RunFor(seconds(69));
  CHECK(rig.outputs.empty());
  loop.RunFor(seconds(1));
  const TimestampMs end = kStart + kMinute;
  CHECK(rig.outputs == Logged{{"z:ab:sum{z=\"p\"}", {{end, 14}}},
                              {"z:ab:avg{z=\"p\"}", {{end, 7}}},
                              {"z:ab:min{z=\"p\"}", {{end, 4}}},
                              {"z:ab:max{z=\"p\"}", {{end, 10}}},
                              {"z:ab:count{z=\"p\"}", {{end, 2}}},
                              {"z:ab:sum{z=\"q\"}", {{end, 7}}},
                              {"z:ab:avg{z=\"q\"}", {{end, 7}}},
                              {"z:ab:min{z=\"q\"}", {{end, 7}}},
                              {"z:ab:max{z=\"q\"}", {{end, 7}}},
                              {"z:ab:count{z=\"q\"}", {{end, 1}}},
                              {"z:ab:sum", {{end, 9}}},
                              {"z:ab:avg", {{end, 9}}},
                              {"z:ab:min", {{end, 9}}},
                              {"z:ab:max", {{end, 9}}},
                              {"z:ab:count", {{end, 1}}}});
  // Inputs are kept.
  CHECK(rig.logged.size() == 6);
  CHECK(rig.Metric("tributary_aggregate_taken_samples_total{rule=\"r\"}") == 4);
  CHECK(rig.Metric("tributary_aggregate_inputs{rule=\"r\"}") == 4);
  CHECK(rig.Metric("tributary_aggregate_aggregates{rule=\"r\"}") == 3);
  CHECK(rig.Metric("tributary_aggregate_output_series") == 15);
  CHECK(rig.Metric("tributary_aggregate_output_samples_total{rule=\"r\"}") == 15);
}

TEST_CASE("aggregates: names are made of the inputs', each metric apart") {
  SimLoop loop(kStart);
  AggregateRig rig(loop);
  AggregateConfig by = RuleOf({"{__name__=~\"a|b\"}"}, {"y", "z"}, {{AggregateOutput::kSum, ""}});
  AggregateConfig without = RuleOf({"a"}, {"y"}, {{AggregateOutput::kCount, ""}});
  without.without = true;
  without.interval = milliseconds(30'000);
  AggregateConfig each = RuleOf({"b"}, {}, {{AggregateOutput::kLast, ""}});
  each.without = true;
  AggregateConfig all = RuleOf({"b"}, {}, {{AggregateOutput::kMax, ""}});
  rig.Apply({by, without, each, all});
  const GroupRef group = MakeGroup(1, {"a{x=\"1\",y=\"2\",z=\"3\"}", "b{x=\"1\",y=\"2\",z=\"3\"}",
                                       "b{x=\"2\",y=\"2\",z=\"3\"}"});
  rig.Append(group, rig.now() + 1000, {1, 2, 3});
  loop.RunFor(seconds(71));
  const TimestampMs end = kStart + kMinute, half = end - 30'000;
  CHECK(rig.outputs == Logged{{"a:1m_by_y_z_sum{y=\"2\",z=\"3\"}", {{end, 1}}},
                              {"b:1m_by_y_z_sum{y=\"2\",z=\"3\"}", {{end, 5}}},
                              {"a:30s_without_y_count{x=\"1\",z=\"3\"}", {{half, 1}, {end, 1}}},
                              {"b:1m_last{x=\"1\",y=\"2\",z=\"3\"}", {{end, 2}}},
                              {"b:1m_last{x=\"2\",y=\"2\",z=\"3\"}", {{end, 3}}},
                              {"b:1m_max", {{end, 3}}}});
}

TEST_CASE("aggregates: inputs that are dropped are cut out, whatever kind their samples are") {
  SimLoop loop(kStart);
  AggregateRig rig(loop);
  AggregateConfig rule = RuleOf({"a"}, {}, {{AggregateOutput::kSum, "sum"}});
  rule.drop_inputs = true;
  rig.Apply({rule});
  std::vector<std::string> names;
  for (int i = 0; i < 130; i++) {
    names.push_back((i % 3 == 1 ? "a{i=\"" : "b{i=\"") + std::to_string(i) + "\"}");
  }
  const GroupRef group = MakeGroup(1, names);
  std::vector<double> values(130);
  for (int i = 0; i < 130; i++) values[i] = i % 5 == 4 ? kAbsent : i;
  rig.Append(group, rig.now() + 1000, values);
  double sum = 0;
  size_t dropped = 0;
  for (int i = 0; i < 130; i++) {
    const bool present = i % 5 != 4, is_a = i % 3 == 1;
    if (present && is_a) sum += i, dropped++;
    CAPTURE(i);
    const Samples expected =
        present && !is_a ? Samples{{kStart + 1000, static_cast<double>(i)}} : Samples{};
    CHECK(rig.logged[names[i]] == expected);
  }
  CHECK(rig.Metric("tributary_aggregate_dropped_samples_total") == dropped);

  GroupSamples record;
  record.group = group;
  record.timestamp = rig.now() + 3000;
  record.present.resize(3);
  record.own = {{1, rig.now() + 2000, 100}, {0, rig.now() + 2000, 200}};
  auto irregular = std::make_shared<IrregularSamples>();
  irregular->exemplars = {{1, rig.now(), 1, ""}, {3, rig.now(), 1, ""}};
  record.irregular = irregular;
  std::shared_ptr<const GroupSamples> got;
  rig.workers[0]->log.set_on_append([&](const auto& taken) { got = taken; });
  rig.Append(record);
  REQUIRE(got != nullptr);
  CHECK(got->own.size() == 1);
  CHECK(got->own[0].index == 0);
  REQUIRE(got->irregular != nullptr);
  CHECK(got->irregular->exemplars.size() == 1);
  CHECK(got->irregular->exemplars[0].index == 3);
  // One of which nothing is left is none.
  got = nullptr;
  record.own = {{1, rig.now() + 2500, 99}};
  record.irregular = nullptr;
  rig.Append(record);
  CHECK(got == nullptr);
}

TEST_CASE("aggregates: a sum over rates, with a window, a reset, and an end") {
  SimLoop loop(kStart);
  AggregateRig rig(loop);
  AggregateConfig rule =
      RuleOf({"c"}, {}, {{AggregateOutput::kIncrease, "inc"}, {AggregateOutput::kRateSum, "rate"}});
  rule.window = milliseconds(120'000);
  rig.Apply({rule});
  const GroupRef group = MakeGroup(1, {"c{i=\"1\"}", "c{i=\"2\"}"});
  const auto scrape = [&](double a, double b) {
    loop.RunFor(seconds(30));
    rig.Append(group, rig.now(), {a, b});
  };
  scrape(1000, 1000);
  scrape(1006, 1000);  // end of the 1st minute
  scrape(1012, 1030);
  scrape(1018, 60);  // of the 2nd; b was reset
  scrape(1024, StaleNan());
  scrape(StaleNan(), kAbsent);  // of the 3rd
  loop.RunFor(seconds(190));
  const auto at = [](int minute) { return kStart + minute * kMinute; };
  const Samples& increases = rig.outputs["inc"];
  REQUIRE(increases.size() == 5);
  CHECK(increases[0] == std::pair{at(1), 6.0});
  CHECK(increases[1] == std::pair{at(2), 6.0 + 12 + 30 + 60});
  CHECK(increases[2] == std::pair{at(3), 12.0 + 90 + 6});
  CHECK(increases[3] == std::pair{at(4), 6.0});
  CHECK(increases[4].first == at(5));
  CHECK(IsStaleNan(increases[4].second));
  const Samples& rates = rig.outputs["rate"];
  REQUIRE(rates.size() == 5);
  CHECK(rates[1].second == Approx(108.0 / 120));
  CHECK(IsStaleNan(rates[4].second));
}

TEST_CASE("aggregates: an aggregate that comes and goes") {
  SimLoop loop(kStart);
  AggregateRig rig(loop);
  rig.Apply({RuleOf({"a"}, {"z"}, {{AggregateOutput::kSum, "sum"}})});
  const auto at = [](int minute) { return kStart + minute * kMinute; };
  {
    const GroupRef group = MakeGroup(1, {"a{z=\"1\"}"});
    rig.Append(group, at(0) + 1000, {1});
    loop.RunFor(seconds(60));
    rig.Append(group, at(1) + 1000, {StaleNan()});
  }
  loop.RunFor(seconds(600));
  const GroupRef again = MakeGroup(1, {"a{z=\"1\"}"});
  rig.Append(again, rig.now() + 1000, {5});
  loop.RunFor(seconds(70));
  const Samples& sums = rig.outputs["sum{z=\"1\"}"];
  REQUIRE(sums.size() == 3);
  CHECK(sums[0] == std::pair{at(1), 1.0});
  CHECK(sums[1].first == at(2));
  CHECK(IsStaleNan(sums[1].second));
  CHECK(sums[2] == std::pair{at(12), 5.0});
}

TEST_CASE("aggregates: a series goes on as the same input in another group") {
  SimLoop loop(kStart);
  AggregateRig rig(loop);
  rig.Apply(
      {RuleOf({"c"}, {}, {{AggregateOutput::kSum, "sum"}, {AggregateOutput::kIncrease, "inc"}})});
  GroupRef group = MakeGroup(1, {"c{i=\"1\"}"});
  rig.Append(group, rig.now() + 1000, {10});
  loop.RunFor(seconds(60));
  rig.Append(group, rig.now(), {20});
  group = MakeGroup(1, {"c{i=\"0\"}", "c{i=\"1\"}"});  // regrouped
  loop.RunFor(seconds(60));
  rig.Append(group, rig.now(), {1000, 26});
  loop.RunFor(seconds(10));
  CHECK(rig.outputs["sum"] == Samples{{kStart + kMinute, 20}, {kStart + 2 * kMinute, 1026}});
  CHECK(rig.outputs["inc"] == Samples{{kStart + kMinute, 10}, {kStart + 2 * kMinute, 6}});
  CHECK(rig.Metric("tributary_aggregate_inputs{rule=\"r\"}") == 2);
}

TEST_CASE("aggregates: what is too late, ahead or out of order is counted, and kept in the log") {
  SimLoop loop(kStart + 30'000);
  AggregateRig rig(loop);
  rig.Apply({RuleOf({"a"}, {}, {{AggregateOutput::kSum, "sum"}})});
  const GroupRef group = MakeGroup(1, {"a"});
  rig.Append(group, kStart - kMinute, {1});
  rig.Append(group, kStart + 90'001, {2});
  rig.Append(group, kStart + 20'000, {3});
  rig.Append(group, kStart + 10'000, {4});
  CHECK(rig.Metric("tributary_aggregate_refused_samples_total{reason=\"late\",rule=\"r\"}") == 1);
  CHECK(rig.Metric("tributary_aggregate_refused_samples_total{reason=\"ahead\",rule=\"r\"}") == 1);
  CHECK(rig.Metric(
            "tributary_aggregate_refused_samples_total{reason=\"out_of_order\",rule=\"r\"}") == 1);
  CHECK(rig.Metric("tributary_aggregate_taken_samples_total{rule=\"r\"}") == 1);
  CHECK(rig.logged["a"].size() == 4);
}

TEST_CASE("aggregates: a reload keeps what rules know that are still there") {
  SimLoop loop(kStart);
  AggregateRig rig(loop);
  const AggregateConfig stays = RuleOf({"c"}, {}, {{AggregateOutput::kIncrease, "inc"}});
  const AggregateConfig goes = RuleOf({"c"}, {}, {{AggregateOutput::kSum, "sum"}});
  rig.Apply({goes, stays});
  const GroupRef group = MakeGroup(1, {"c{i=\"1\"}"});
  rig.Append(group, rig.now() + 1000, {10});
  loop.RunFor(seconds(80));
  rig.Append(group, rig.now(), {15});
  REQUIRE(rig.outputs["sum"].size() == 1);
  rig.Apply({stays, RuleOf({"c"}, {}, {{AggregateOutput::kMax, "max"}})});
  // The one that is gone ends its series.
  REQUIRE(rig.outputs["sum"].size() == 2);
  CHECK(IsStaleNan(rig.outputs["sum"][1].second));
  loop.RunFor(seconds(20));
  rig.Append(group, rig.now(), {18});
  loop.RunFor(seconds(31));
  CHECK(rig.outputs["inc"] == Samples{{kStart + 2 * kMinute, 8}});
  CHECK(rig.outputs["max"].empty());  // it has not seen the whole interval
  loop.RunFor(seconds(60));
  CHECK(rig.outputs["max"] == Samples{{kStart + 3 * kMinute, 18}});
  CHECK(rig.outputs["sum"].size() == 2);
  CHECK(rig.Metric("tributary_aggregate_taken_samples_total{rule=\"r\"}") == 3 + 1);
}

TEST_CASE("aggregates: classic buckets become a quantile") {
  SimLoop loop(kStart);
  AggregateRig rig(loop);
  AggregateConfig rule = RuleOf({"h_bucket"}, {"s"}, {{AggregateOutput::kHistogramQuantile, "p"}});
  rule.quantile = 0.5;
  rig.Apply({rule});
  const GroupRef group =
      MakeGroup(1, {"h_bucket{i=\"1\",le=\"1\",s=\"x\"}", "h_bucket{i=\"1\",le=\"2.0\",s=\"x\"}",
                    "h_bucket{i=\"1\",le=\"+Inf\",s=\"x\"}", "h_bucket{i=\"2\",le=\"1.0\",s=\"x\"}",
                    "h_bucket{i=\"2\",le=\"2\",s=\"x\"}", "h_bucket{i=\"2\",le=\"+Inf\",s=\"x\"}",
                    "h_bucket{le=\"+Inf\",s=\"y\"}"});
  rig.Append(group, rig.now() + 1000, {1, 1, 1, 5, 6, 7, 0});
  rig.Append(group, rig.now() + 2000, {2, 3, 5, 7, 12, 15, 1});
  loop.RunFor(seconds(70));
  // 3 up to 1, 8 up to 2, 12 in all: the 6th is 3 of 5 between 1 and 2.
  REQUIRE(rig.outputs["p{s=\"x\"}"].size() == 1);
  CHECK(rig.outputs["p{s=\"x\"}"][0].second == Approx(1.6));
  REQUIRE(rig.outputs["p{s=\"y\"}"].size() == 1);
  CHECK(std::isnan(rig.outputs["p{s=\"y\"}"][0].second));
  CHECK(rig.outputs.size() == 2);
}

TEST_CASE("aggregates: two rules whose series have the same labels do not mix them") {
  SimLoop loop(kStart);
  AggregateRig rig(loop);
  AggregateConfig one = RuleOf({"a{i=\"1\"}"}, {}, {{AggregateOutput::kSum, ""}});
  AggregateConfig other = RuleOf({"a{i=\"2\"}"}, {}, {{AggregateOutput::kSum, ""}});
  rig.Apply({one, other});
  const GroupRef group = MakeGroup(1, {"a{i=\"1\"}", "a{i=\"2\"}"});
  rig.Append(group, rig.now() + 1000, {1, 2});
  loop.RunFor(seconds(70));
  CHECK(rig.outputs["a:1m_sum"] == Samples{{kStart + kMinute, 1}});
  CHECK(rig.Metric("tributary_aggregate_conflicts_total{rule=\"r\"}") == 1);
}

TEST_CASE("aggregates: down-sampling keeps the first of each interval, and markers") {
  SimLoop loop(kStart);
  AggregateRig rig(loop);
  rig.Apply({RuleOf({"a"}, {}, {{AggregateOutput::kLast, "last"}})},
            {{{"a{i=\"1\"}"}, milliseconds(60'000)}, {{"a"}, milliseconds(20'000)}});
  const GroupRef group = MakeGroup(1, {"a{i=\"1\"}", "a{i=\"2\"}", "b"});
  for (int i = 1; i <= 8; i++) {
    rig.Append(group, kStart + i * 10'000, {i == 5 ? StaleNan() : i, 10.0 * i, 100.0 * i});
  }
  const Samples& first = rig.logged["a{i=\"1\"}"];
  REQUIRE(first.size() == 3);
  CHECK(first[0] == std::pair{kStart + 10'000, 1.0});
  CHECK(IsStaleNan(first[1].second));
  CHECK(first[2] == std::pair{kStart + 70'000, 7.0});
  CHECK(rig.logged["a{i=\"2\"}"] == Samples{{kStart + 10'000, 10},
                                            {kStart + 30'000, 30},
                                            {kStart + 50'000, 50},
                                            {kStart + 70'000, 70}});
  CHECK(rig.logged["b"].size() == 8);
  CHECK(rig.Metric("tributary_aggregate_downsampled_samples_total") == 5 + 4);
  // Aggregates are made of all.
  loop.RunFor(seconds(70));
  CHECK(rig.outputs["last"] == Samples{{kStart + kMinute, 60}});
  // Samples with times of their own as well.
  GroupSamples record;
  record.group = group;
  record.timestamp = kStart + 200'000;
  record.present.resize(1);
  record.own = {{1, kStart + 100'000, 1}, {1, kStart + 101'000, 2}, {1, kStart + 119'000, 3}};
  rig.logged.clear();
  rig.Append(record);
  CHECK(rig.logged["a{i=\"2\"}"] == Samples{{kStart + 100'000, 1}, {kStart + 101'000, 2}});
}

TEST_CASE("aggregates: several workers give what one does") {
  const auto run = [](size_t workers, uint32_t seed) {
    std::mt19937 random(seed);
    SimLoop loop(kStart);
    AggregateRig rig(loop, workers);
    AggregateConfig rises = RuleOf({"c"}, {"z"}, {{AggregateOutput::kIncrease, "inc"}});
    rises.window = milliseconds(180'000);
    AggregateConfig all = RuleOf({"c"}, {}, {{AggregateOutput::kMax, ""}});
    all.drop_inputs = true;
    rig.Apply(
        {RuleOf({"c"}, {"z"}, {{AggregateOutput::kSum, "sum"}, {AggregateOutput::kLast, "last"}}),
         rises, all});
    std::vector<GroupRef> groups;
    for (uint64_t key = 0; key < 12; key++) {
      std::vector<std::string> series;
      for (int i = 0; i < 6; i++) {
        series.push_back("c{k=\"" + std::to_string(key) + "\",z=\"" + std::to_string(i) + "\"}");
      }
      groups.push_back(MakeGroup(100 + key, series));
    }
    for (int step = 0; step < 60; step++) {
      loop.RunFor(seconds(7));
      for (const GroupRef& group : groups) {
        std::vector<double> values;
        for (int i = 0; i < 6; i++) {
          const uint32_t choice = random() % 20;
          values.push_back(choice == 0   ? kAbsent
                           : choice == 1 ? StaleNan()
                                         : static_cast<double>(random() % 1000));
        }
        if (random() % 10 != 0) rig.Append(group, rig.now() - random() % 3000, values);
      }
    }
    loop.RunFor(seconds(600));
    CHECK(rig.logged.empty());
    // Markers are no numbers that compare.
    for (auto& [name, samples] : rig.outputs) {
      for (auto& [time, value] : samples) value = IsStaleNan(value) ? -1e9 : value;
    }
    return rig.outputs;
  };
  const auto seed = static_cast<uint32_t>(Catch::rngSeed());  // --rng-seed
  CAPTURE(seed);
  const Logged one = run(1, seed);
  CHECK(one.size() == 6 * 3 + 1);
  CHECK(one.at("c:1m_max").size() > 7);
  CHECK(run(2, seed) == one);
  CHECK(run(3, seed) == one);
  CHECK(run(8, seed) == one);
}

}  // namespace
}  // namespace tributary
