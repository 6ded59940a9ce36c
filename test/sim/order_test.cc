// That every series arrives in its order, whatever becomes of its target and of the remotes. The
// order itself is checked by SimRemote for each sample that it stores. The witness is sent remote
// write 1.0, the other remote 2.0.
#include <fmt/format.h>

#include "test/sim/sim_oracle.h"
#include "test/sim/sim_world.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

std::vector<uint32_t> Range(uint32_t begin, uint32_t end) {
  std::vector<uint32_t> numbers;
  for (uint32_t i = begin; i < end; i++) numbers.push_back(i);
  return numbers;
}

std::string Config(const std::string& queue) {
  return "scrape_configs:\n" + FileSdJob("a", "/sd/a.yml", "5s", "2s") +
         "remote_write:\n"
         "- url: http://witness/api/v1/write\n"
         "- url: http://remote/api/v1/write\n"
         "  name: remote\n"
         "  protobuf_message: io.prometheus.write.v2.Request\n"
         "  queue_config: {" +
         queue + "}\n";
}

struct TwoRemotes {
  explicit TwoRemotes(uint64_t seed)
      : world({seed, 1, {}}),
        witness(world.AddRemote("witness")),
        remote(world.AddRemote("remote")) {
    remote.SetLatency(milliseconds(1), milliseconds(300));
  }
  // All goes well from now on; what the remote lacks is a problem.
  void FinishAndCompare() {
    remote.server().refusing = false;
    remote.Always(RemoteAct::kStore);
    world.Run(seconds(60));
    const World::End end = world.Shutdown(seconds(60));
    CHECK(end.drained);
    Oracle oracle(world, {});
    oracle.CheckAgainstWitness(witness, remote, [](const auto&, const auto&) { return false; });
    INFO(world.Report());
    CHECK(world.problems().empty());
  }

  World world;
  SimRemote& witness;
  SimRemote& remote;
};

TEST_CASE("order: a target that went and came back in an outage is sent in its order") {
  for (uint64_t seed = 1; seed <= 20; seed++) {
    TwoRemotes two(seed);
    SimTarget& target = two.world.AddTarget(1);
    target.SetSeries(Range(1, 30));
    two.world.WriteTargets("/sd/a.yml", {1});
    REQUIRE(two.world.Start(
        Config("capacity: 100, max_shards: 5, min_shards: 5, max_samples_per_send: 7")));
    two.world.Run(seconds(20));
    two.remote.server().refusing = true;
    two.world.Run(seconds(20));
    two.world.WriteTargets("/sd/a.yml", {});
    two.world.Run(seconds(30));  // gone for good: its series are marked as ended
    CHECK(two.witness.Find("a|10.0.0.1:9100|up|")->samples.rbegin()->second.value != 1);
    two.world.WriteTargets("/sd/a.yml", {1});
    two.world.Run(seconds(30));
    two.FinishAndCompare();
  }
}

TEST_CASE("order: generations of a target wait for one another") {
  for (uint64_t seed = 1; seed <= 20; seed++) {
    TwoRemotes two(seed);
    SimTarget& target = two.world.AddTarget(1);
    two.world.WriteTargets("/sd/a.yml", {1});
    REQUIRE(two.world.Start(
        Config("capacity: 100, max_shards: 5, min_shards: 5, max_samples_per_send: 7")));
    two.remote.server().refusing = true;
    // A few new series at each scrape: groups grow many and small, and are merged again and again.
    for (uint32_t i = 1; i < 40; i++) {
      target.SetSeries(Range(1, 3 * i));
      two.world.Run(seconds(5));
    }
    two.remote.server().refusing = false;
    two.remote.OneOf({RemoteAct::kStore, RemoteAct::kFail, RemoteAct::kStoreThenReset});
    two.world.Run(seconds(60));
    two.FinishAndCompare();
    CHECK(two.remote.duplicates() > 0);
  }
}

TEST_CASE("order: generations do not add up their waiting for batch_send_deadline") {
  TwoRemotes two(3);
  SimTarget& target = two.world.AddTarget(1);
  two.world.WriteTargets("/sd/a.yml", {1});
  std::string config = Config("batch_send_deadline: 5s");
  config.replace(config.find("scrape_interval: 5s"), 19, "scrape_interval: 1s");
  config.replace(config.find("scrape_timeout: 2s"), 18, "scrape_timeout: 1s");
  REQUIRE(two.world.Start(config));
  nanoseconds longest{};
  two.remote.on_stored = [&](const StoredSeries&, const StoredSeries::Sample& sample) {
    const PageValue value = PageValue::Decode(sample.value);
    if (value.scrape == 0) return;
    longest = std::max(longest, sample.stored - target.scrapes()[value.scrape - 1].arrived);
  };
  for (uint32_t i = 1; i < 200; i++) {
    target.SetSeries(Range(i, i + 20));
    two.world.Run(seconds(1));
  }
  // What waited for the generation before has waited for the deadline too.
  INFO(longest.count());
  CHECK(longest <= seconds(7));
  two.FinishAndCompare();
}

TEST_CASE("order: a target whose URL changes but not its labels is sent in its order") {
  for (uint64_t seed = 1; seed <= 20; seed++) {
    TwoRemotes two(seed);
    two.world.AddTarget(1).SetSeries(Range(1, 30));
    two.world.WriteTargets("/sd/a.yml", {1});
    const std::string config =
        Config("capacity: 100, max_shards: 5, min_shards: 5, max_samples_per_send: 7");
    REQUIRE(two.world.Start(config));
    two.world.Run(seconds(20));
    two.remote.server().refusing = seed % 2 == 0;
    for (int i = 0; i < 4; i++) {
      std::string changed = config;
      changed.insert(changed.find("  file_sd_configs"), fmt::format("  metrics_path: /{}\n", i));
      REQUIRE(two.world.Reload(changed));
      two.world.Run(seconds(9));
    }
    two.FinishAndCompare();
  }
}

TEST_CASE("order: reloads in the middle of a backlog keep it") {
  for (uint64_t seed = 1; seed <= 20; seed++) {
    TwoRemotes two(seed);
    for (uint32_t id : {1, 2, 3}) {
      two.world.AddTarget(id).SetSeries(Range(1, 40));
      two.world.Target(id)->set_churn(1);
    }
    two.world.WriteTargets("/sd/a.yml", {1, 2, 3});
    REQUIRE(two.world.Start(Config("capacity: 50, max_shards: 3, max_samples_per_send: 5")));
    two.remote.OneOf({RemoteAct::kStore, RemoteAct::kFail, RemoteAct::kHang,
                      RemoteAct::kStoreThenHang, RemoteAct::kStoreThenReset});
    for (int i = 0; i < 12; i++) {
      two.world.Run(seconds(7));
      // As many shards as before: a greater number than before bounds what was under way too.
      REQUIRE(two.world.Reload(Config(
          fmt::format("capacity: 50, max_shards: 3, max_samples_per_send: {}", 1 + i * 37 % 100))));
    }
    two.FinishAndCompare();
  }
}

}  // namespace
}  // namespace tributary
