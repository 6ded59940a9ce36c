// The end of the process: what was scraped is delivered if it can be, and the deadline is kept.
#include <fmt/format.h>

#include "test/sim/sim_oracle.h"
#include "test/sim/sim_world.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

std::string Remote(const std::string& host, const std::string& queue = "") {
  return fmt::format("- url: http://{}/api/v1/write\n  queue_config: {{{}}}\n", host, queue);
}

std::string Config(const std::string& remotes) {
  return "scrape_configs:\n" + FileSdJob("a", "/sd/a.yml", "5s", "2s") + "remote_write:\n" +
         remotes;
}

struct DrainWorld {
  explicit DrainWorld(uint64_t seed, size_t workers = 1)
      : world({seed, workers, {}}), store(world.AddRemote("store")) {
    for (uint32_t id = 1; id <= 5; id++) {
      world.AddTarget(id).SetSeries({1, 2, 3, 4, 5, 6, 7, 8, 9});
      ids.push_back(id);
    }
    world.WriteTargets("/sd/a.yml", ids);
  }
  void CheckNoProblems() {
    INFO(world.Report());
    CHECK(world.problems().empty());
  }

  World world;
  SimRemote& store;
  std::vector<uint32_t> ids;
};

TEST_CASE("drain: with a healthy remote all is delivered, at once") {
  for (uint64_t seed = 1; seed <= 10; seed++) {
    DrainWorld sim(seed, 1 + seed % 3);
    REQUIRE(sim.world.Start(Config(Remote("store"))));
    sim.world.Run(seconds(32) + milliseconds(137) * static_cast<int64_t>(seed));
    const World::End end = sim.world.Shutdown(seconds(30));
    CHECK(end.drained);
    CHECK(end.took < seconds(1));
    CHECK(sim.store.acknowledged_samples() == sim.world.appended_samples());
    CHECK(sim.store.acknowledged_samples() > 0);
    // Nothing goes on after the end.
    const uint64_t exchanges = sim.world.network().exchanges_total();
    sim.world.Run(seconds(60));
    CHECK(sim.world.network().exchanges_total() == exchanges);
    sim.CheckNoProblems();
  }
}

TEST_CASE(
    "drain: with a dead remote it ends at the deadline, not before, and the others have all") {
  for (const bool hangs : {false, true}) {
    DrainWorld sim(2);
    SimRemote& dead = sim.world.AddRemote("dead");
    dead.server().refusing = !hangs;
    dead.server().unreachable = hangs;
    REQUIRE(sim.world.Start(Config(Remote("dead") + Remote("store"))));
    sim.world.Run(seconds(30));
    const World::End end = sim.world.Shutdown(seconds(7));
    CHECK(end.done);
    CHECK_FALSE(end.drained);
    CHECK(end.took == seconds(7));
    CHECK(sim.store.acknowledged_samples() == sim.world.appended_samples());
    sim.CheckNoProblems();
  }
}

TEST_CASE("drain: waits for a remote that comes back before the deadline") {
  DrainWorld sim(3);
  sim.store.server().refusing = true;
  REQUIRE(sim.world.Start(Config(Remote("store"))));
  sim.world.Run(seconds(60));
  sim.world.time().AddTimerAfter(seconds(8), [&] { sim.store.server().refusing = false; });
  const World::End end = sim.world.Shutdown(seconds(30));
  CHECK(end.drained);
  CHECK(end.took >= seconds(8));
  CHECK(end.took <= seconds(14));  // max_backoff is 5 s
  CHECK(sim.store.acknowledged_samples() == sim.world.appended_samples());
  sim.CheckNoProblems();
}

TEST_CASE("drain: at whatever moment it begins, what was accepted is delivered") {
  // Through every callback around the end of a scrape. Nothing else is waiting to be sent.
  uint64_t with_all = 0;
  for (uint64_t callbacks = 0; callbacks < 60; callbacks++) {
    DrainWorld sim(4);
    REQUIRE(sim.world.Start(Config(Remote("store", "batch_send_deadline: 10ms"))));
    sim.world.Run(seconds(20));
    const size_t scrapes = sim.world.Target(1)->scrapes().size();
    SimLoop& time = sim.world.time();
    REQUIRE(
        time.RunUntil([&] { return sim.world.Target(1)->scrapes().size() > scrapes; }, seconds(6)));
    const uint64_t stop = time.callbacks_run() + callbacks;
    REQUIRE(time.RunUntil([&] { return time.callbacks_run() >= stop; }, seconds(60)));
    const World::End end = sim.world.Shutdown(seconds(30));
    CHECK(end.drained);
    const uint64_t acknowledged = sim.store.acknowledged_samples();
    sim.world.Run(seconds(1));
    INFO("after " << callbacks << " callbacks");
    CHECK(acknowledged == sim.world.scrape_stats().appended.samples);
    with_all += sim.world.Scrapes(1).back().up;
    sim.CheckNoProblems();
  }
  CHECK(with_all > 0);   // the scrape had ended
  CHECK(with_all < 60);  // or not
}

TEST_CASE("drain: a backlog that has become too old to be sent is no reason to wait") {
  DrainWorld sim(5);
  sim.store.server().refusing = true;
  REQUIRE(sim.world.Start(Config(Remote(
      "store", "capacity: 50, max_shards: 1, max_samples_per_send: 10, sample_age_limit: 3s"))));
  sim.world.Run(seconds(60));
  // No scrape is as young as that.
  sim.world.StepWall(seconds(3600));
  const World::End end = sim.world.Shutdown(seconds(30));
  CHECK(end.drained);
  CHECK(end.took <= seconds(6));
  const RemoteTotals totals = sim.world.Totals(sim.store);
  CHECK(totals.stats.dropped[DropReason::kTooOld].samples == sim.world.appended_samples());
  sim.CheckNoProblems();
}

TEST_CASE("drain: an agent without remotes is done at once") {
  DrainWorld sim(6);
  REQUIRE(sim.world.Start("scrape_configs:\n" + FileSdJob("a", "/sd/a.yml", "5s", "2s")));
  sim.world.Run(seconds(20));
  const World::End end = sim.world.Shutdown(seconds(30));
  CHECK(end.drained);
  CHECK(end.took == seconds(0));
  sim.CheckNoProblems();
}

TEST_CASE("drain: a reload that comes too late is refused and changes nothing") {
  DrainWorld sim(7);
  SimRemote& dead = sim.world.AddRemote("dead");
  dead.server().refusing = true;
  REQUIRE(sim.world.Start(Config(Remote("dead") + Remote("store"))));
  sim.world.Run(seconds(20));
  World::End end;
  sim.world.agent().Shutdown(seconds(10), [&](bool drained) { end = {true, drained, {}}; });
  sim.world.Run(seconds(2));
  CHECK_FALSE(sim.world.Reload(Config(Remote("store"))));
  CHECK_FALSE(sim.world.agent().ready());
  sim.world.Run(seconds(20));
  CHECK(end.done);
  CHECK_FALSE(end.drained);
  CHECK(sim.world.Totals(dead).queues == 1);
  sim.CheckNoProblems();
}

}  // namespace
}  // namespace tributary
