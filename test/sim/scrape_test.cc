// When targets are scraped, what becomes of their series, and that none of them delays another.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "agent/series/samples.h"
#include "agent/target/target.h"
#include "common/config/loader.h"
#include "test/sim/sim_oracle.h"
#include "test/sim/sim_world.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

constexpr const char* kRemote = "remote_write:\n- url: http://store/api/v1/write\n";
const std::vector<std::string> kReports = {
    "up", "scrape_duration_seconds", "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling", "scrape_series_added"};

std::string Config(const std::string& interval, const std::string& timeout) {
  return "global: {external_labels: {cluster: c}}\nscrape_configs:\n" +
         FileSdJob("a", "/sd/a.yml", interval, timeout) + kRemote;
}

struct ScrapeWorld {
  ScrapeWorld(uint64_t seed, size_t workers, uint32_t targets)
      : world({seed, workers, {}}), store(world.AddRemote("store")) {
    std::vector<uint32_t> ids;
    for (uint32_t id = 1; id <= targets; id++) {
      world.AddTarget(id).SetSeries({1, 2, 3, 4});
      ids.push_back(id);
    }
    world.WriteTargets("/sd/a.yml", ids);
  }
  void CheckNoProblems() {
    INFO(world.Report());
    CHECK(world.problems().empty());
  }
  std::vector<TargetLife> Lives(nanoseconds interval) {
    std::vector<TargetLife> lives;
    for (const auto& target : world.targets()) lives.push_back({target->id(), "a", interval, {}});
    return lives;
  }
  // With the value, of one series; stale markers if `stale`.
  std::vector<TimestampMs> Times(const std::string& key, bool stale) {
    std::vector<TimestampMs> times;
    const StoredSeries* series = store.Find(key);
    if (series == nullptr) return times;
    for (const auto& [timestamp, sample] : series->samples) {
      if (IsStaleNan(sample.value) == stale) times.push_back(timestamp);
    }
    return times;
  }

  World world;
  SimRemote& store;
};

TEST_CASE("scrapes: each target at its own offset in the interval, with the time that it was due") {
  ScrapeWorld sim(1, 2, 20);
  const std::string config = Config("10s", "5s");
  const int64_t start_wall = sim.world.time().WallNs();
  REQUIRE(sim.world.Start(config));
  sim.world.Run(seconds(100));

  const auto loaded = LoadConfig(sim.world.files(), World::kConfigFile).config;
  REQUIRE(loaded != nullptr);
  TargetGroup group;
  for (const auto& target : sim.world.targets()) group.targets.push_back(target->address());
  const ScrapeConfig& job = loaded->scrape_configs[0];
  const BuiltTargets built = BuildTargets(
      job, {group}, RelabelRules(job.relabel_configs, job.metric_name_validation_scheme));
  REQUIRE(built.active.size() == 20);
  const uint64_t seed = OffsetSeed("sim", loaded->global.external_labels);
  std::set<int64_t> offsets;
  for (uint32_t id = 1; id <= 20; id++) {
    const nanoseconds offset =
        ScrapeOffset(built.active[id - 1]->key, seed, seconds(10), start_wall);
    offsets.insert(offset.count());
    std::vector<TimestampMs> expected;
    int64_t due = start_wall + offset.count();
    for (const ScrapeTrace& trace : sim.world.Scrapes(id)) {
      CHECK(sim.world.WallNsAt(trace.started) == due);
      expected.push_back(due / 1'000'000);
      due += nanoseconds(seconds(10)).count();
    }
    CHECK(expected.size() >= 9);
    const std::vector<TimestampMs> times =
        sim.Times(fmt::format("a|{}|up|", sim.world.Target(id)->address()), false);
    REQUIRE(times.size() + 1 >= expected.size());  // the last may be on its way
    CHECK(std::equal(times.begin(), times.end(), expected.begin()));
  }
  CHECK(offsets.size() == 20);
  sim.CheckNoProblems();
}

TEST_CASE(
    "scrapes: a target that hangs for its whole interval is still reported down each interval") {
  ScrapeWorld sim(2, 1, 1);
  sim.world.Target(1)->SetMood(TargetMood::kHang);
  REQUIRE(sim.world.Start(Config("5s", "5s")));
  sim.world.Run(seconds(104));
  const std::vector<TimestampMs> times = sim.Times("a|10.0.0.1:9100|up|", false);
  REQUIRE(times.size() >= 17);
  for (size_t i = 1; i < times.size(); i++) CHECK(times[i] - times[i - 1] == 5000);
  CHECK(sim.store.Find("a|10.0.0.1:9100|up|")->samples.begin()->second.value == 0);
  CHECK(sim.world.scrape_stats().skipped_ticks == 0);
  sim.CheckNoProblems();
}

TEST_CASE("scrapes: targets that hang, crawl or are gone delay no other") {
  ScrapeWorld sim(3, 1, 20);
  for (uint32_t id = 1; id <= 11; id++) {
    sim.world.Target(id)->SetMood(static_cast<TargetMood>(id - 1));
  }
  sim.store.on_stored = [&](const StoredSeries& series, const StoredSeries::Sample& sample) {
    const PageValue value = PageValue::Decode(sample.value);
    if (value.scrape == 0 || series.target <= 11) return;
    const SimTarget& target = *sim.world.Target(series.target);
    // The default batch_send_deadline is 5 s.
    CHECK(sample.stored - target.scrapes()[value.scrape - 1].arrived <=
          seconds(5) + milliseconds(10));
  };
  REQUIRE(sim.world.Start(Config("5s", "5s")));
  sim.world.Run(seconds(120));
  const World::End end = sim.world.Shutdown(seconds(10));
  CHECK(end.drained);
  Oracle oracle(sim.world, sim.Lives(seconds(5)));
  oracle.CheckSchedule();
  oracle.CheckWitness(sim.store);
  for (uint32_t id = 12; id <= 20; id++) CHECK(sim.world.Scrapes(id).size() >= 23);
  sim.CheckNoProblems();
}

TEST_CASE("stale markers: a target that is gone has each of its series marked once") {
  ScrapeWorld sim(4, 1, 2);
  REQUIRE(sim.world.Start(Config("10s", "5s")));
  sim.world.Run(seconds(45));
  sim.world.WriteTargets("/sd/a.yml", {2});
  const TimestampMs last = sim.world.Scrapes(1).back().due_ms;
  // Told after 2 s, then the next scrape's time and 1.1 intervals more.
  sim.world.Run(seconds(60));
  std::vector<std::string> keys;
  for (int s = 1; s <= 4; s++)
    keys.push_back(fmt::format("a|10.0.0.1:9100|sim_value_{}|{}", s % 3, s));
  for (const std::string& report : kReports) keys.push_back("a|10.0.0.1:9100|" + report + "|");
  for (const std::string& key : keys) {
    INFO(key);
    const std::vector<TimestampMs> marks = sim.Times(key, true);
    REQUIRE(marks.size() == 1);
    const TimestampMs after = sim.Times(key, false).back();
    CHECK(after >= last);
    CHECK(marks[0] == after + 10'000);
  }
  CHECK(sim.Times("a|10.0.0.2:9100|up|", true).empty());
  sim.CheckNoProblems();
}

TEST_CASE("stale markers: a target that is back before two intervals have passed has none") {
  ScrapeWorld sim(5, 1, 1);
  REQUIRE(sim.world.Start(Config("10s", "5s")));
  sim.world.Run(seconds(45));
  sim.world.WriteTargets("/sd/a.yml", {});
  sim.world.Run(seconds(9));
  sim.world.WriteTargets("/sd/a.yml", {1});
  sim.world.Run(seconds(60));
  CHECK(sim.Times("a|10.0.0.1:9100|up|", true).empty());
  CHECK(sim.Times("a|10.0.0.1:9100|sim_value_1|1", true).empty());
  CHECK(sim.world.Scrapes(1).size() >= 8);
  sim.CheckNoProblems();
}

TEST_CASE("stale markers: a target that moves to another URL goes on with its series") {
  ScrapeWorld sim(8, 2, 1);
  REQUIRE(sim.world.Start(Config("10s", "5s")));
  sim.world.Run(seconds(45));
  std::string moved = Config("10s", "5s");
  moved.insert(moved.find("  file_sd_configs"), "  metrics_path: /other\n");
  REQUIRE(sim.world.Reload(moved));
  sim.world.Target(1)->SetSeries({1, 2, 3, 7});
  sim.world.Run(seconds(60));
  for (int s = 1; s <= 3; s++) {
    CHECK(sim.Times(fmt::format("a|10.0.0.1:9100|sim_value_{}|{}", s % 3, s), true).empty());
  }
  CHECK(sim.Times("a|10.0.0.1:9100|up|", true).empty());
  CHECK(sim.Times("a|10.0.0.1:9100|sim_value_1|4", true).size() == 1);
  CHECK(sim.Times("a|10.0.0.1:9100|sim_value_1|7", false).size() >= 5);
  CHECK(sim.world.Shutdown(seconds(10)).drained);
  sim.CheckNoProblems();
}

TEST_CASE("stale markers: none at the end of the process") {
  ScrapeWorld sim(6, 1, 3);
  REQUIRE(sim.world.Start(Config("10s", "5s")));
  sim.world.Run(seconds(45));
  CHECK(sim.world.Shutdown(seconds(10)).drained);
  for (const auto& [key, series] : sim.store.series()) CHECK(sim.Times(key, true).empty());
  sim.CheckNoProblems();
}

TEST_CASE("the clock: a step moves the times of samples, not the scrapes") {
  ScrapeWorld sim(7, 1, 1);
  REQUIRE(sim.world.Start(Config("10s", "5s")));
  sim.world.Run(seconds(60));
  sim.world.StepWall(seconds(3600));
  sim.world.Run(seconds(60));
  Oracle oracle(sim.world, sim.Lives(seconds(10)));
  oracle.CheckSchedule();
  CHECK(sim.world.scrape_stats().skipped_clock == 0);
  // Back: until the clock shows later times than the last scrape's, no scrape is made.
  sim.world.StepWall(-seconds(35));
  sim.world.Run(seconds(120));
  CHECK(sim.world.scrape_stats().skipped_clock == 3);
  CHECK(sim.world.Shutdown(seconds(10)).drained);
  const std::vector<TimestampMs> times = sim.Times("a|10.0.0.1:9100|up|", false);
  CHECK(std::adjacent_find(times.begin(), times.end(), std::greater_equal<>()) == times.end());
  for (size_t i = 1; i < times.size(); i++) CHECK(times[i] - times[i - 1] >= 5000);
  CHECK(times.size() == sim.world.Scrapes(1).size());
  sim.CheckNoProblems();
}

}  // namespace
}  // namespace tributary
