// What a restart, or kill -9, does to aggregates.
#include <cmath>
#include <random>
#include <utility>

#include "agent/aggregate/saved_state.h"
#include "test/support/catch.h"
#include "test/unit/agent/aggregate/aggregate_rig.h"

namespace tributary {
namespace {

using Samples = std::vector<std::pair<TimestampMs, double>>;

constexpr TimestampMs kMinute = 60'000;
constexpr TimestampMs kStart = 28'333'334 * kMinute;

TimestampMs At(double minute) { return kStart + static_cast<TimestampMs>(minute * kMinute); }

// An increase with a window, and the sum of the same series.
std::vector<AggregateConfig> Rules() {
  AggregateConfig rises = RuleOf({"c"}, {"z"}, {{AggregateOutput::kIncrease, "inc"}});
  rises.window = milliseconds(180'000);
  return {RuleOf({"c"}, {"z"}, {{AggregateOutput::kSum, "sum"}}), rises};
}

TEST_CASE("restart: a counter goes on, and nothing is invented") {
  const bool killed = GENERATE(false, true);
  CAPTURE(killed);
  SimLoop loop(kStart);
  AggregateRig rig(loop);
  rig.Apply(Rules());
  const GroupRef group = MakeGroup(1, {"c{i=\"1\",z=\"p\"}", "c{i=\"2\",z=\"p\"}"});
  rig.Append(group, At(0.2), {1'000'000, 5});
  loop.RunFor(seconds(60));
  rig.Append(group, rig.now(), {1'000'010, 6});
  loop.RunFor(seconds(15));  // closed and saved
  rig.Append(group, rig.now(), {1'000'012, 6});
  REQUIRE(rig.outputs["inc{z=\"p\"}"] == Samples{{At(1), 11}});
  if (killed) {
    rig.Kill();
  } else {
    rig.Stop();
  }
  loop.RunFor(seconds(20));
  rig.Start();
  loop.RunFor(seconds(25));
  // Of the 2nd minute only this one series has come, the other counts as it was.
  rig.Append(group, rig.now(), {1'000'020, std::nan("")});
  loop.RunFor(seconds(10));
  CHECK(rig.outputs["sum{z=\"p\"}"] == Samples{{At(1), 1'000'016}, {At(2), 1'000'026}});
  CHECK(rig.outputs["inc{z=\"p\"}"] == Samples{{At(1), 11}, {At(2), 11 + 10}});
  // One was reset meanwhile.
  rig.Append(group, rig.now(), {30, 9});
  loop.RunFor(seconds(60));
  CHECK(rig.outputs["inc{z=\"p\"}"].back() == std::pair{At(3), 11.0 + 10 + 33});
  CHECK(rig.outputs["sum{z=\"p\"}"].back() == std::pair{At(3), 39.0});
}

TEST_CASE("restart: what was gained meanwhile is in the first interval after it") {
  SimLoop loop(kStart);
  AggregateRig rig(loop);
  AggregateConfig rule = RuleOf({"c"}, {}, {{AggregateOutput::kIncrease, "inc"}});
  rig.Apply({rule});
  const GroupRef group = MakeGroup(1, {"c"});
  rig.Append(group, At(0.2), {100});
  loop.RunFor(seconds(80));
  rig.Append(group, At(1.2), {107});
  rig.Stop();
  loop.RunFor(seconds(120));
  rig.Start();
  rig.Append(group, At(3.5), {120});
  loop.RunFor(seconds(120));
  // Nothing can be said of the minutes without a process.
  REQUIRE(rig.outputs["inc"].size() == 2);
  CHECK(rig.outputs["inc"][0] == std::pair{At(4), 20.0});
  CHECK(rig.outputs["inc"][1].first == At(5));
  CHECK(IsStaleNan(rig.outputs["inc"][1].second));
}

TEST_CASE("restart: after a longer time than an input counts all begins anew") {
  SimLoop loop(kStart);
  AggregateRig rig(loop);
  rig.Apply(Rules());
  const GroupRef group = MakeGroup(1, {"c{z=\"p\"}"});
  rig.Append(group, At(0.2), {100});
  loop.RunFor(seconds(75));
  rig.Stop();
  loop.RunFor(seconds(400));
  rig.Start();
  rig.outputs.clear();
  rig.Append(group, rig.now() + 1000, {500});
  const TimestampMs began = rig.now();
  loop.RunFor(seconds(65));
  rig.Append(group, rig.now(), {501});
  loop.RunFor(seconds(120));
  const Samples& sums = rig.outputs["sum{z=\"p\"}"];
  REQUIRE(!sums.empty());
  CHECK(sums[0].first > began + kMinute / 2);
  for (const auto& [time, value] : rig.outputs["inc{z=\"p\"}"]) {
    CHECK((IsStaleNan(value) || value == 1));
  }
}

TEST_CASE("restart: an aggregate whose inputs have gone meanwhile is marked as ended") {
  SimLoop loop(kStart);
  AggregateRig rig(loop);
  rig.Apply(Rules());
  const GroupRef group = MakeGroup(1, {"c{z=\"p\"}"});
  rig.Append(group, At(0.2), {100});
  loop.RunFor(seconds(75));
  rig.Kill();
  rig.Start();
  loop.RunFor(seconds(600));
  const Samples& sums = rig.outputs["sum{z=\"p\"}"];
  REQUIRE(sums.size() == 6);
  CHECK(sums[4] == std::pair{At(5), 100.0});  // it was seen at 0.2, and counts for 5 minutes
  CHECK(IsStaleNan(sums[5].second));
}

TEST_CASE("restart: a file that is damaged is left out, and said") {
  SimLoop loop(kStart);
  AggregateRig rig(loop);
  rig.Apply(Rules());
  const GroupRef group = MakeGroup(1, {"c{z=\"p\"}"});
  rig.Append(group, At(0.2), {100});
  loop.RunFor(seconds(75));
  rig.Stop();
  const std::string path = StatePath("/data/aggregates", 0);
  std::string* const content = rig.disk.Content(path);
  REQUIRE(content != nullptr);
  const std::string whole = *content;
  REQUIRE(DecodeState(whole).has_value());
  for (size_t i = 0; i < whole.size(); i++) {
    REQUIRE_FALSE(DecodeState(std::string_view(whole).substr(0, i)).has_value());
  }
  rig.disk.FlipBit(path, whole.size() / 2);
  rig.Start();
  REQUIRE(rig.problems.size() == 1);
  CHECK(rig.problems[0] == path + ": its checksum is wrong");
  rig.Append(group, rig.now() + 1000, {200});
  loop.RunFor(seconds(200));
  CHECK(rig.outputs["sum{z=\"p\"}"].back().second == 200);
  CHECK(rig.outputs["inc{z=\"p\"}"].empty());
}

TEST_CASE("restart: a disk that stalls or fails holds up no aggregate for long") {
  SimLoop loop(kStart);
  AggregateRig rig(loop);
  rig.Apply(Rules());
  const GroupRef group = MakeGroup(1, {"c{z=\"p\"}"});
  rig.Append(group, At(0.2), {100});
  loop.RunFor(seconds(60));
  rig.workers[0]->work.StallUntil(loop.Now() + seconds(90));
  loop.RunFor(seconds(11));
  CHECK(rig.outputs["sum{z=\"p\"}"].empty());
  loop.RunFor(seconds(6));
  CHECK(rig.outputs["sum{z=\"p\"}"].size() == 1);
  loop.RunFor(seconds(60));
  CHECK(rig.outputs["sum{z=\"p\"}"].size() == 2);
  CHECK(rig.Metric("tributary_aggregate_save_failures_total") == 1);
  loop.RunFor(seconds(30));  // the disk is back
  rig.disk.Fail(SimDisk::kWrite, "No space left on device");
  loop.RunFor(seconds(60));
  CHECK(rig.outputs["sum{z=\"p\"}"].size() == 3);
  CHECK(rig.Metric("tributary_aggregate_save_failures_total") == 2);
}

// Whatever happens: of each series every sample comes once, in order, and what all intervals'
// increases add up to is at most what the counters have gained, and all of it where processes end
// in good order.
TEST_CASE("restart: again and again, with another number of workers each time") {
  const auto seed = static_cast<uint32_t>(Catch::rngSeed());  // --rng-seed
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (const bool kills : {false, true}) {
    SimLoop loop(kStart);
    AggregateRig rig(loop, 2);
    AggregateConfig rule = RuleOf(
        {"c"}, {"z"}, {{AggregateOutput::kIncrease, "inc"}, {AggregateOutput::kCount, "count"}});
    rule.interval = rule.window = milliseconds(10'000);
    rule.late = milliseconds(2'000);
    rig.Apply({rule});
    std::vector<GroupRef> groups;
    for (uint64_t key = 0; key < 9; key++) {
      const std::string k = std::to_string(key);
      groups.push_back(
          MakeGroup(key, {"c{k=\"" + k + "\",z=\"p\"}", "c{k=\"" + k + "\",z=\"q\"}"}));
    }
    double count = 1'000, gained = 0;
    bool first = true;
    const auto scrape = [&] {
      const double step = random() % 100;
      if (!std::exchange(first, false)) gained += step * 18;
      count += step;
      for (const GroupRef& group : groups) rig.Append(group, rig.now(), {count, count});
    };
    loop.RunFor(seconds(12));
    for (int step = 0; step < 400; step++) {
      scrape();
      loop.RunFor(seconds(1 + random() % 4));
      if (random() % 10 != 0) continue;
      if (kills) {
        loop.RunFor(milliseconds(random() % 1000));
        loop.RunDue();
        rig.Kill();
      } else {
        rig.Stop();
      }
      loop.RunFor(seconds(random() % 8));
      rig.Start(1 + random() % 8);
    }
    loop.RunFor(seconds(100));
    double given = 0;
    for (const auto& [name, samples] : rig.outputs) {
      TimestampMs last = 0;
      for (const auto& [time, value] : samples) {
        CAPTURE(name, time);
        REQUIRE(time > last);
        last = time;
        if (IsStaleNan(value)) continue;
        if (name.starts_with("inc")) given += value;
        // All of its inputs, at all times.
        if (name.starts_with("count")) REQUIRE(value == 9);
      }
    }
    CAPTURE(kills);
    CHECK(rig.outputs.size() == 4);
    CHECK(given <= gained);
    if (kills) {
      CHECK(given > 0.5 * gained);
    } else {
      CHECK(given == gained);
    }
  }
}

}  // namespace
}  // namespace tributary
