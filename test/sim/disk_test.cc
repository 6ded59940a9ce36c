// Samples outlive what becomes of the process, the disk and the power: each fault by itself. What
// must hold at all times is checked by the world and by SimRemote.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "test/sim/sim_oracle.h"
#include "test/sim/sim_world.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

const std::string kJob = "scrape_configs:\n" + FileSdJob("a", "/sd/a.yml", "5s", "2s");

std::string Remotes(const std::vector<std::string>& hosts) {
  std::string text = "remote_write:\n";
  for (const std::string& host : hosts) {
    text += fmt::format(
        "- url: http://{}/api/v1/write\n  remote_timeout: 10s\n  metadata_config: {{send: false}}\n"
        "  queue_config: {{capacity: 100, max_shards: 3, max_samples_per_send: 50,"
        " batch_send_deadline: 1s}}\n",
        host);
  }
  return text;
}

WorldOptions OnDisk(uint64_t seed, Fsync fsync = Fsync::kInterval) {
  WorldOptions options;
  options.seed = seed;
  options.workers = 2;
  options.log.window_bytes = 20'000;
  options.disk.emplace();
  options.disk->path = "/data/log";
  options.disk->segment_bytes = 32 << 10;
  options.disk->fsync = fsync;
  return options;
}

// Six targets of twenty series, and two remotes.
struct DiskWorld {
  explicit DiskWorld(const WorldOptions& options)
      : world(options), one(world.AddRemote("one")), two(world.AddRemote("two")) {
    std::vector<uint32_t> series(20);
    std::iota(series.begin(), series.end(), 1);
    std::vector<uint32_t> ids;
    for (uint32_t id = 1; id <= 6; id++) {
      world.AddTarget(id).SetSeries(series);
      ids.push_back(id);
      lives.push_back({id, "a", seconds(5), {}});
    }
    world.WriteTargets("/sd/a.yml", ids);
  }
  void Start() { REQUIRE(world.Start(config)); }
  // The longest time from a scrape's arrival at its target to that of its samples at `one`.
  void FollowDelay() {
    one.on_stored = [this](const StoredSeries&, const StoredSeries::Sample& sample) {
      const PageValue value = PageValue::Decode(sample.value);
      if (value.scrape == 0) return;
      const auto& scrapes = world.Target(value.target)->scrapes();
      longest_delay = std::max(longest_delay, sample.stored - scrapes[value.scrape - 1].arrived);
    };
  }
  void Refuse(bool on) { one.server().refusing = two.server().refusing = on; }
  bool CaughtUp() {
    return world.RunUntil(
        [&] {
          return world.Totals(one).unread + world.Totals(two).unread == 0 &&
                 world.Totals(one).pending + world.Totals(two).pending < 1000;
        },
        minutes(10));
  }
  uint64_t Lost(const SimRemote& remote) {
    RemoteQueueStats stats = world.Totals(remote).stats;
    stats += world.PastStats(remote);
    return (stats.dropped[DropReason::kLogFull] + stats.dropped[DropReason::kLogDamaged]).samples;
  }
  // Everything has arrived at both, but what was counted as lost or is in doubt; and nothing stays
  // on disk that is no more needed.
  void Finish() {
    CHECK(CaughtUp());
    world.Run(seconds(3));
    for (size_t i = 0; i < world.workers(); i++) {
      CHECK(world.worker(i).log().disk()->stats().segments <= kLogPartitions);
    }
    CHECK(world.Shutdown(seconds(60)).drained);
    CHECK(world.AllSent());
    Oracle oracle(world, lives);
    oracle.CheckSchedule();
    oracle.CheckWitness(one);
    oracle.CheckWitness(two);
    INFO(world.Report());
    CHECK(world.problems().empty());
  }
  // Samples of the pages' series, each of whose scrapes must have reached its target.
  uint64_t Served() const {
    uint64_t samples = 0;
    for (const auto& target : world.targets()) samples += 20 * target->scrapes().size();
    return samples;
  }
  uint64_t Stored(const SimRemote& remote) const {
    uint64_t samples = 0;
    for (const auto& [key, series] : remote.series()) {
      if (series.sid != 0) samples += series.samples.size();
    }
    return samples;
  }

  World world;
  SimRemote& one;
  SimRemote& two;
  std::vector<TargetLife> lives;
  std::string config = kJob + Remotes({"one", "two"});
  nanoseconds longest_delay{};
};

TEST_CASE("disk: a backlog of ten minutes outlives kills, and is sent once and in order") {
  for (uint64_t seed = 1; seed <= 5; seed++) {
    DiskWorld sim(OnDisk(seed));
    sim.Start();
    sim.world.Run(seconds(30));
    sim.Refuse(true);
    sim.world.Run(minutes(10));
    sim.world.Kill();
    sim.world.Run(seconds(10));
    sim.Start();
    sim.world.Run(seconds(20));
    sim.world.Kill();
    sim.Refuse(false);
    sim.Start();
    CHECK(sim.CaughtUp());
    // Neither had any of it, and what they had before was written down long ago.
    CHECK(sim.one.duplicates() == 0);
    CHECK(sim.two.duplicates() == 0);
    sim.Finish();
    CHECK(sim.Stored(sim.one) == sim.Served());
  }
}

TEST_CASE("disk: each process may have another number of workers") {
  for (uint64_t seed = 1; seed <= 5; seed++) {
    DiskWorld sim(OnDisk(seed));
    sim.Refuse(true);
    for (const size_t workers : {1, 4, 2, 8, 3}) {
      sim.world.SetWorkers(workers);
      sim.Start();
      sim.world.Run(minutes(1));
      // A part of the backlog goes out, by two remotes that are not equally far.
      sim.one.server().refusing = false;
      sim.world.Run(sim.world.random().Between(milliseconds(10), seconds(2)));
      sim.one.server().refusing = true;
      seed % 2 == 0 ? sim.world.Kill() : static_cast<void>(sim.world.Shutdown(seconds(1)));
    }
    sim.Refuse(false);
    sim.world.SetWorkers(1);
    sim.Start();
    CHECK(sim.CaughtUp());
    CHECK(sim.two.duplicates() == 0);
    sim.Finish();
    CHECK(sim.Stored(sim.two) == sim.Served());
  }
}

TEST_CASE("disk: a kill in the midst of sending repeats little of it") {
  for (uint64_t seed = 1; seed <= 10; seed++) {
    DiskWorld sim(OnDisk(seed));
    sim.one.SetLatency(milliseconds(1), milliseconds(400));
    sim.Start();
    for (int i = 0; i < 5; i++) {
      sim.world.Run(sim.world.random().Between(seconds(10), seconds(20)));
      sim.world.Kill();
      sim.Start();
    }
    // Of each remote and kill: what came in the last two seconds.
    const uint64_t a_second = 6 * 25 / 5;
    CHECK(sim.one.duplicates() <= 5 * 2 * 6 * a_second);
    CHECK(sim.two.duplicates() <= 5 * 2 * 6 * a_second);
    sim.Finish();
  }
}

TEST_CASE("disk: a loss of power costs what was not synced") {
  for (const Fsync fsync : {Fsync::kInterval, Fsync::kAlways}) {
    for (uint64_t seed = 1; seed <= 10; seed++) {
      DiskWorld sim(OnDisk(seed, fsync));
      sim.Start();
      sim.world.Run(seconds(30));
      sim.Refuse(true);
      sim.world.Run(minutes(5));
      sim.world.LosePower();
      sim.Refuse(false);
      sim.world.Run(seconds(10));
      sim.Start();
      sim.Finish();
      // Of what was scraped within 3.5 s at most.
      const uint64_t scrapes = fsync == Fsync::kAlways ? 0 : 6;
      CHECK(sim.Stored(sim.one) + 20 * scrapes >= sim.Served());
    }
  }
}

TEST_CASE("disk: what a full disk kept in memory is written once there is room") {
  DiskWorld sim(OnDisk(1));
  sim.Start();
  sim.Refuse(true);
  sim.world.Run(minutes(1));
  sim.world.FillDisk(1000);
  sim.world.Run(minutes(5));
  uint64_t unwritten = 0;
  for (size_t i = 0; i < 2; i++) unwritten += sim.world.worker(i).log().stats().unwritten_records;
  CHECK(unwritten >= 6 * 55);
  CHECK(sim.world.worker(0).log().stats().disk_failing);
  sim.world.HealDisk();
  sim.world.Run(seconds(12));
  for (size_t i = 0; i < 2; i++) {
    CHECK(sim.world.worker(i).log().stats().unwritten_records == 0);
    CHECK_FALSE(sim.world.worker(i).log().stats().disk_failing);
  }
  sim.world.Kill();
  sim.Refuse(false);
  sim.Start();
  sim.Finish();
  CHECK(sim.Stored(sim.one) == sim.Served());
}

TEST_CASE("disk: while it stalls, samples are sent from memory") {
  DiskWorld sim(OnDisk(1));
  sim.Start();
  sim.world.Run(minutes(1));
  sim.FollowDelay();
  sim.world.StallDisk(minutes(3));
  sim.world.Run(minutes(3));
  sim.world.HealDisk();
  // A second until the write is not waited for, another for the batch.
  INFO(sim.longest_delay.count());
  CHECK(sim.longest_delay <= milliseconds(2200));
  sim.Finish();
  CHECK(sim.Stored(sim.one) == sim.Served());
}

TEST_CASE("disk: a remote that is dead for an hour costs the other nothing, and gets all of it") {
  DiskWorld calm(OnDisk(1));  // with both well
  calm.Start();
  calm.world.Run(minutes(1));
  calm.FollowDelay();
  calm.world.Run(hours(1));
  REQUIRE(calm.longest_delay > nanoseconds(0));

  DiskWorld sim(OnDisk(1));
  sim.Start();
  sim.world.Run(minutes(1));
  sim.FollowDelay();
  sim.two.server().refusing = true;
  sim.world.Run(hours(1));
  for (size_t i = 0; i < 2; i++) {
    CHECK(sim.world.worker(i).log().stats().bytes < 50'000);  // the rest is on disk
  }
  CHECK(sim.Stored(sim.two) <= 6 * 20 * 13);  // those of the first minute
  sim.two.server().refusing = false;
  CHECK(sim.CaughtUp());
  // In that hour, and while the other catches up.
  INFO(sim.longest_delay.count() << " ns; " << calm.longest_delay.count() << " with both well");
  CHECK(sim.longest_delay <= calm.longest_delay + milliseconds(10));
  CHECK(calm.longest_delay <= milliseconds(1200));
  CHECK(sim.one.duplicates() + sim.two.duplicates() == 0);
  sim.Finish();
  CHECK(sim.Stored(sim.one) == sim.Served());
  CHECK(sim.Stored(sim.two) == sim.Served());
}

TEST_CASE("disk: a remote that a reload removes is owed nothing when it comes back") {
  DiskWorld sim(OnDisk(1));
  sim.Start();
  sim.two.server().refusing = true;
  sim.world.Run(minutes(5));
  REQUIRE(sim.world.Reload(kJob + Remotes({"one"})));
  sim.world.Run(seconds(5));
  for (size_t i = 0; i < 2; i++) {
    CHECK(sim.world.worker(i).log().disk()->stats().segments <= kLogPartitions);
  }
  sim.two.server().refusing = false;
  const TimestampMs back = sim.world.time().WallMs();
  REQUIRE(sim.world.Reload(sim.config));
  sim.world.Run(milliseconds(1));
  // It is known from then on.
  sim.world.Kill();
  sim.Start();
  sim.world.Run(minutes(1));
  CHECK(sim.CaughtUp());
  const uint64_t scrapes = sim.world.Scrapes(1).size();
  CHECK(sim.one.Find("a|10.0.0.1:9100|sim_value_1|1")->samples.size() == scrapes);
  const auto& samples = sim.two.Find("a|10.0.0.1:9100|sim_value_1|1")->samples;
  CHECK(samples.begin()->first >= back - 5000);
  CHECK(samples.size() >= 11);
  CHECK(sim.world.Shutdown(seconds(60)).drained);
  INFO(sim.world.Report());
  CHECK(sim.world.problems().empty());
}

TEST_CASE("disk: what retention drops is counted to the sample") {
  WorldOptions options = OnDisk(1);
  options.disk->retention_bytes = 400'000;
  options.disk->segment_bytes = 8 << 10;
  DiskWorld sim(options);
  sim.Start();
  sim.world.Run(seconds(30));
  sim.two.server().refusing = true;
  sim.world.Run(hours(1));
  sim.two.server().refusing = false;
  CHECK(sim.CaughtUp());
  const RemoteTotals totals = sim.world.Totals(sim.two);
  CHECK(sim.Lost(sim.two) > 1000);
  CHECK(sim.Lost(sim.one) == 0);
  CHECK(totals.stats.sent.samples == sim.two.acknowledged_samples());
  CHECK(totals.stats.sent.samples + sim.Lost(sim.two) + totals.pending ==
        sim.world.appended_samples());
  CHECK(sim.Stored(sim.one) + 200 >= sim.Served());
  CHECK(sim.Stored(sim.two) + sim.Lost(sim.two) >= sim.Stored(sim.one));
  sim.Finish();
}

TEST_CASE("disk: a damaged segment costs what was damaged, and that is counted") {
  for (uint64_t seed = 1; seed <= 10; seed++) {
    DiskWorld sim(OnDisk(seed));
    sim.Start();
    sim.Refuse(true);
    sim.world.Run(minutes(10));
    sim.world.Kill();
    SimRandom random(seed);
    int damages = 0;
    for (const std::string& path : sim.world.disk().Paths()) {
      std::string& content = *sim.world.disk().Content(path);
      if (!path.ends_with(".seg") || content.size() < 20'000) continue;
      // Behind what defines the groups, in samples.
      const size_t at = 10'000 + random.Below(9000);
      content[at] = static_cast<char>(content[at] ^ (1 << random.Below(8)));
      damages++;
    }
    CHECK(damages > 0);
    sim.Refuse(false);
    sim.Start();
    CHECK(sim.CaughtUp());
    CHECK(sim.Lost(sim.one) > 0);
    CHECK(sim.Lost(sim.one) == sim.Lost(sim.two));
    // A record has the samples of one scrape of one target.
    CHECK(sim.Lost(sim.one) <= static_cast<uint64_t>(damages) * 25);
    CHECK(sim.Stored(sim.one) < sim.Served());
    sim.Finish();
  }
}

TEST_CASE("disk: a clock that goes back while nothing runs loses nothing that is on disk") {
  DiskWorld sim(OnDisk(1));
  sim.Start();
  sim.Refuse(true);
  sim.world.Run(minutes(5));
  const uint64_t served = sim.Served();
  sim.world.Kill();
  sim.world.StepWall(-minutes(2));
  sim.Refuse(false);
  sim.Start();
  CHECK(sim.CaughtUp());
  CHECK(sim.Stored(sim.one) >= served);
  CHECK(sim.Stored(sim.two) >= served);
  CHECK(sim.Lost(sim.one) == 0);
  sim.world.Run(minutes(3));
  sim.Finish();
}

}  // namespace
}  // namespace tributary
