// Reloads: whole or not at all, and nothing that did not change notices.
#include <algorithm>

#include <fmt/format.h>

#include "test/sim/sim_oracle.h"
#include "test/sim/sim_world.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

std::string Jobs(const std::string& interval_of_b, const std::string& more_of_b = "") {
  return "scrape_configs:\n" + FileSdJob("a", "/sd/a.yml", "5s", "2s") +
         FileSdJob("b", "/sd/b.yml", interval_of_b, "2s") + more_of_b;
}
const std::string kStore = "remote_write:\n- url: http://store/api/v1/write\n";

std::string Remote(const std::string& host, const std::string& name, const std::string& label) {
  return fmt::format(
      "- url: http://{}/api/v1/write\n  name: {}\n  queue_config: {{max_samples_per_send: 20}}\n"
      "  write_relabel_configs: [{{target_label: extra, replacement: {}}}]\n",
      host, name, label);
}

struct ReloadWorld {
  explicit ReloadWorld(uint64_t seed) : world({seed, 2, {}}), store(world.AddRemote("store")) {
    for (uint32_t id = 1; id <= 6; id++) world.AddTarget(id).SetSeries({1, 2, 3, 4});
    world.WriteTargets("/sd/a.yml", {1, 2, 3});
    world.WriteTargets("/sd/b.yml", {4, 5, 6});
  }
  void CheckNoProblems() {
    INFO(world.Report());
    CHECK(world.problems().empty());
  }
  std::vector<TargetLife> Lives(std::initializer_list<uint32_t> ids, const std::string& job) {
    std::vector<TargetLife> lives;
    for (uint32_t id : ids) lives.push_back({id, job, seconds(5), {}});
    return lives;
  }

  World world;
  SimRemote& store;
};

TEST_CASE("reload: jobs that did not change are scraped as if nothing had been") {
  ReloadWorld sim(1);
  REQUIRE(sim.world.Start(Jobs("5s") + kStore));
  sim.world.Run(seconds(31));
  for (const char* change : {"  sample_limit: 1000\n", "  metrics_path: /other\n",
                             "  metric_relabel_configs: [{action: labeldrop, regex: x}]\n", ""}) {
    REQUIRE(sim.world.Reload(Jobs("5s", change) + kStore));
    sim.world.Run(seconds(13));
  }
  REQUIRE(sim.world.Reload("scrape_configs:\n" + FileSdJob("a", "/sd/a.yml", "5s", "2s") + kStore));
  sim.world.Run(seconds(33));
  CHECK(sim.world.Shutdown(seconds(10)).drained);
  Oracle oracle(sim.world, sim.Lives({1, 2, 3}, "a"));
  oracle.CheckSchedule();
  for (uint32_t id : {1, 2, 3}) {
    const std::string key = fmt::format("a|10.0.0.{}:9100|sim_value_1|1", id);
    CHECK(sim.store.Find(key)->samples.size() == sim.world.Scrapes(id).size());
  }
  // Those of the job that is gone were marked as ended.
  CHECK(std::isnan(sim.store.Find("b|10.0.0.4:9100|up|")->samples.rbegin()->second.value));
  sim.CheckNoProblems();
}

TEST_CASE("reload: a job whose options changed keeps its times if its interval is the same") {
  ReloadWorld sim(2);
  REQUIRE(sim.world.Start(Jobs("5s") + kStore));
  sim.world.Run(seconds(31));
  REQUIRE(sim.world.Reload(Jobs("5s", "  sample_limit: 1000\n") + kStore));
  sim.world.Run(seconds(31));
  CHECK(sim.world.Shutdown(seconds(10)).drained);
  Oracle oracle(sim.world, sim.Lives({4, 5, 6}, "b"));
  oracle.CheckSchedule();
  sim.CheckNoProblems();
}

TEST_CASE("reload: a file with an error changes nothing") {
  ReloadWorld sim(3);
  REQUIRE(sim.world.Start(Jobs("5s") + kStore));
  sim.world.Run(seconds(31));
  const auto before = sim.world.agent().config();
  // The first job is gone and the second is new: neither may be applied, as a third is wrong.
  CHECK_FALSE(sim.world.Reload("scrape_configs:\n" + FileSdJob("c", "/sd/a.yml", "1s", "1s") +
                               FileSdJob("b", "/sd/b.yml", "7s", "2s") +
                               "- job_name: wrong\n  scrape_intervall: 5s\n" + kStore));
  CHECK(sim.world.agent().config() == before);
  CHECK_FALSE(sim.world.agent().last_reload_succeeded());
  CHECK(sim.world.agent().ready());
  sim.world.Run(seconds(31));
  CHECK(sim.world.Shutdown(seconds(10)).drained);
  Oracle a(sim.world, sim.Lives({1, 2, 3}, "a"));
  a.CheckSchedule();
  Oracle b(sim.world, sim.Lives({4, 5, 6}, "b"));
  b.CheckSchedule();
  CHECK(sim.store.acknowledged_samples() == sim.world.appended_samples());
  sim.CheckNoProblems();
}

TEST_CASE("reload: a remote that is renamed keeps its backlog, which follows the new rules") {
  ReloadWorld sim(4);
  SimRemote& down = sim.world.AddRemote("down");
  down.server().refusing = true;
  REQUIRE(sim.world.Start(Jobs("5s") + kStore + Remote("down", "first", "x")));
  sim.world.Run(seconds(60));
  REQUIRE(sim.world.Reload(Jobs("5s") + kStore + Remote("down", "second", "y")));
  sim.world.Run(seconds(10));
  down.KeepRequests();
  down.server().refusing = false;
  sim.world.Run(seconds(20));
  CHECK(sim.world.Shutdown(seconds(10)).drained);
  CHECK(down.acknowledged_samples() == sim.world.appended_samples());
  for (const SimRemote::Request& request : down.requests()) {
    for (const DecodedSample& sample : request.decoded.samples)
      CHECK(sample.labels.Get("extra") == "y");
  }
  sim.CheckNoProblems();
}

TEST_CASE(
    "reload: a remote that moved, was renamed and has a request under way keeps its backlog") {
  ReloadWorld sim(5);
  SimRemote& old = sim.world.AddRemote("old");
  SimRemote& moved = sim.world.AddRemote("moved");
  old.Always(RemoteAct::kHang);
  REQUIRE(sim.world.Start(Jobs("5s") + kStore + Remote("old", "first", "x")));
  sim.world.Run(seconds(20));
  // By its name, then by its URL; the request to the old place still hangs.
  REQUIRE(sim.world.Reload(Jobs("5s") + kStore + Remote("moved", "first", "x")));
  REQUIRE(sim.world.Reload(Jobs("5s") + kStore + Remote("moved", "second", "x")));
  sim.world.Run(seconds(60));
  CHECK(sim.world.Shutdown(seconds(10)).drained);
  CHECK(moved.acknowledged_samples() == sim.world.appended_samples());
  sim.CheckNoProblems();
}

TEST_CASE(
    "reload: a new remote begins with the present, and one that is gone keeps nothing in the log") {
  ReloadWorld sim(6);
  SimRemote& down = sim.world.AddRemote("down");
  SimRemote& late = sim.world.AddRemote("late");
  down.server().refusing = true;
  REQUIRE(sim.world.Start(Jobs("5s") + kStore + Remote("down", "down", "x")));
  sim.world.Run(seconds(600));
  CHECK(sim.world.Totals(down).pending > 0);
  const TimestampMs now = sim.world.time().WallMs();
  const uint64_t before = sim.world.appended_samples();
  REQUIRE(sim.world.Reload(Jobs("5s") + kStore + Remote("late", "late", "x")));
  sim.world.Run(seconds(60));
  CHECK(sim.world.Shutdown(seconds(10)).drained);
  CHECK(sim.world.AllSent());
  CHECK(late.acknowledged_samples() == sim.world.appended_samples() - before);
  for (const auto& [key, series] : late.series())
    CHECK(series.samples.begin()->first >= now - 5000);
  sim.CheckNoProblems();
}

}  // namespace
}  // namespace tributary
