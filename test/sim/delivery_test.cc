// When and how often requests are sent: retries, deadlines, shards, metadata, a full log.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "test/sim/sim_oracle.h"
#include "test/sim/sim_world.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

using std::chrono::minutes;

constexpr nanoseconds kOnTheWay = 3 * World::kLatency;  // from the sender to a server's script

std::vector<uint32_t> Series(uint32_t count) {
  std::vector<uint32_t> series(count);
  std::iota(series.begin(), series.end(), 1);
  return series;
}

std::string Config(const std::string& interval, const std::string& remotes) {
  return kErrorsAsPrometheus + ("scrape_configs:\n" + FileSdJob("a", "/sd/a.yml", interval, "2s")) +
         "remote_write:\n" + remotes;
}

std::string Remote(const std::string& host, const std::string& queue) {
  return fmt::format(
      "- url: http://{}/api/v1/write\n"
      "  remote_timeout: 10s\n"
      "  metadata_config: {{send: false}}\n"
      "  queue_config: {{{}}}\n",
      host, queue);
}

struct DeliveryWorld {
  DeliveryWorld(uint64_t seed, uint32_t targets, uint32_t series, SampleLogOptions log = {})
      : world({seed, 1, log}), store(world.AddRemote("store")) {
    std::vector<uint32_t> ids;
    for (uint32_t id = 1; id <= targets; id++) {
      world.AddTarget(id).SetSeries(Series(series));
      ids.push_back(id);
    }
    world.WriteTargets("/sd/a.yml", ids);
  }
  void CheckNoProblems() {
    INFO(world.Report());
    CHECK(world.problems().empty());
  }
  // Between the arrivals of one request's attempts.
  std::vector<nanoseconds> Gaps() {
    std::vector<nanoseconds> gaps;
    for (size_t i = 1; i < store.requests().size(); i++) {
      gaps.push_back(store.requests()[i].arrived - store.requests()[i - 1].arrived);
    }
    return gaps;
  }

  World world;
  SimRemote& store;
};

// A tenth of jitter, and the time of the exchange itself.
void CheckPause(nanoseconds gap, nanoseconds backoff) {
  CHECK(gap >= backoff);
  CHECK(gap <= backoff + backoff / 10 + milliseconds(3));
}

TEST_CASE("retries: pauses double from min_backoff to max_backoff, and attempts are numbered") {
  DeliveryWorld sim(1, 1, 10);
  sim.store.Always(RemoteAct::kFail);
  REQUIRE(sim.world.Start(
      Config("60s", Remote("store", "max_shards: 1, min_backoff: 50ms, max_backoff: 3s"))));
  sim.world.Run(minutes(2));
  const std::vector<nanoseconds> gaps = sim.Gaps();
  REQUIRE(gaps.size() >= 12);
  nanoseconds backoff = milliseconds(50);
  for (const nanoseconds gap : gaps) {
    CheckPause(gap, backoff);
    backoff = std::min<nanoseconds>(2 * backoff, seconds(3));
  }
  for (size_t i = 0; i < gaps.size(); i++) {
    CHECK(sim.store.requests()[i].attempt == (i == 0 ? "" : std::to_string(i)));
  }
  CHECK(sim.world.Totals(sim.store).stats.failed.samples == 0);
  sim.CheckNoProblems();
}

TEST_CASE("retries: Retry-After says how long, and the next pause without one starts from it") {
  for (const bool busy : {false, true}) {
    DeliveryWorld sim(2, 1, 10);
    sim.store.Always(busy ? RemoteAct::kBusy : RemoteAct::kFail);
    sim.store.SetRetryAfter(7);
    REQUIRE(sim.world.Start(Config(
        "60s", Remote("store", "max_shards: 1, max_backoff: 20s, retry_on_http_429: true"))));
    REQUIRE(sim.world.RunUntil([&] { return sim.store.requests().size() == 3; }, minutes(3)));
    sim.store.SetRetryAfter(std::nullopt);
    REQUIRE(sim.world.RunUntil([&] { return sim.store.requests().size() == 6; }, minutes(3)));
    const std::vector<nanoseconds> gaps = sim.Gaps();
    for (size_t i = 0; i < 3; i++) {
      CHECK(gaps[i] >= seconds(7));
      CHECK(gaps[i] <= seconds(7) + milliseconds(3));
    }
    CheckPause(gaps[3], seconds(14));
    CheckPause(gaps[4], seconds(20));
    sim.CheckNoProblems();
  }
}

TEST_CASE(
    "rejections: a 400 drops the request and nothing else; a 429 does too unless it may be "
    "retried") {
  for (const RemoteAct act : {RemoteAct::kReject, RemoteAct::kBusy}) {
    DeliveryWorld sim(3, 1, 10);
    sim.store.Ask([&](const SimRemote::Request&) {
      return sim.store.requests().size() == 2 ? act : RemoteAct::kStore;
    });
    REQUIRE(sim.world.Start(Config("10s", Remote("store", "max_shards: 1"))));
    sim.world.Run(seconds(75));
    CHECK(sim.world.Shutdown(seconds(10)).drained);
    const RemoteTotals totals = sim.world.Totals(sim.store);
    CHECK(totals.stats.failed.samples == 15);
    CHECK(totals.stats.retried.samples == 0);
    CHECK(totals.stats.sent.samples == sim.store.acknowledged_samples());
    CHECK(totals.stats.sent.samples + 15 == sim.world.appended_samples());
    for (const auto& [key, series] : sim.store.series()) {
      CHECK(series.samples.size() == sim.world.Scrapes(1).size() - 1);
    }
    sim.CheckNoProblems();
  }
}

TEST_CASE("batches: one that is not full waits for batch_send_deadline, a full one for nothing") {
  DeliveryWorld sim(4, 1, 95);  // 100 samples with the report
  sim.store.KeepRequests();
  const std::string queue = "max_shards: 1, max_samples_per_send: {}, batch_send_deadline: 3s";
  REQUIRE(sim.world.Start(Config("20s", Remote("store", fmt::format(fmt::runtime(queue), 101)))));
  sim.world.Run(seconds(60));
  REQUIRE(sim.store.requests().size() >= 2);
  for (size_t i = 0; i < sim.store.requests().size(); i++) {
    CHECK(sim.store.requests()[i].arrived - sim.world.Scrapes(1)[i].ended ==
          seconds(3) + kOnTheWay);
  }
  const size_t before = sim.store.requests().size();
  REQUIRE(sim.world.Reload(Config("20s", Remote("store", fmt::format(fmt::runtime(queue), 100)))));
  sim.world.Run(seconds(25));
  REQUIRE(sim.store.requests().size() > before);
  CHECK(sim.store.requests()[before].arrived - sim.world.Scrapes(1)[before].ended == kOnTheWay);
  CHECK(sim.store.requests()[before].samples == 100);
  sim.CheckNoProblems();
}

TEST_CASE("shards: grow for a slow remote until it keeps up, and shrink when it is fast again") {
  DeliveryWorld sim(5, 10, 95);
  sim.store.bounds.samples_max = 50;
  sim.store.SetLatency(seconds(2), seconds(2));
  REQUIRE(sim.world.Start(Config(
      "5s", Remote("store", "max_shards: 50, max_samples_per_send: 50, batch_send_deadline: 1s"))));
  CHECK(sim.world.Gauge(sim.store, "prometheus_remote_storage_shards") == 1);
  sim.world.Run(minutes(10));
  // 200 samples a second, 2 s for 50 of them: 8 keep up.
  const double shards = sim.world.Gauge(sim.store, "prometheus_remote_storage_shards");
  CHECK(shards >= 8);
  CHECK(shards <= 16);
  const RemoteTotals totals = sim.world.Totals(sim.store);
  CHECK(totals.stats.read.samples == sim.world.appended_samples());
  CHECK(totals.pending < 200 * 10);
  sim.store.SetLatency(milliseconds(10), milliseconds(10));
  sim.world.Run(minutes(5));
  CHECK(sim.world.Gauge(sim.store, "prometheus_remote_storage_shards") == 1);
  sim.CheckNoProblems();
}

TEST_CASE(
    "capacity: a dead remote has no more read ahead than its capacity, the rest stays in the log") {
  DeliveryWorld sim(6, 5, 95);
  SimRemote& dead = sim.world.AddRemote("dead");
  dead.server().refusing = true;
  REQUIRE(sim.world.Start(Config(
      "5s", Remote("store", "") +
                Remote("dead",
                       "capacity: 300, min_shards: 2, max_shards: 2, max_samples_per_send: 100"))));
  for (int i = 0; i < 300; i++) {
    sim.world.Run(seconds(1));
    CHECK(sim.world.Totals(dead).pending <= 2 * 300 + 100);
    CHECK(sim.world.Totals(sim.store).pending <= 5 * 100 * 2);
  }
  CHECK(sim.world.Totals(dead).pending >= 600);
  dead.server().refusing = false;
  dead.bounds = {100, 2, seconds(10)};
  sim.world.Run(seconds(60));
  CHECK(sim.world.Shutdown(seconds(10)).drained);
  CHECK(dead.acknowledged_samples() == sim.world.appended_samples());
  sim.CheckNoProblems();
}

TEST_CASE("a full log: the oldest samples go, and are counted to the last one") {
  SampleLogOptions log;
  log.memory_bytes = 20'000;
  DeliveryWorld sim(7, 5, 45, log);
  SimRemote& dead = sim.world.AddRemote("dead");
  dead.server().refusing = true;
  REQUIRE(sim.world.Start(
      Config("5s", Remote("store", "") +
                       Remote("dead", "capacity: 100, max_shards: 1, max_samples_per_send: 100"))));
  sim.world.Run(minutes(5));
  CHECK(sim.world.evicted_samples() > 0);
  dead.server().refusing = false;
  sim.world.Run(seconds(60));
  CHECK(sim.world.Shutdown(seconds(10)).drained);
  const RemoteTotals lost = sim.world.Totals(dead);
  CHECK(lost.stats.dropped[DropReason::kLogFull].samples > 0);
  CHECK(lost.stats.dropped[DropReason::kLogFull].samples + dead.acknowledged_samples() ==
        sim.world.appended_samples());
  CHECK(lost.stats.sent.samples == dead.acknowledged_samples());
  // The other remote had taken them in time.
  CHECK(sim.world.Totals(sim.store).stats.dropped[DropReason::kLogFull].samples == 0);
  CHECK(sim.store.acknowledged_samples() == sim.world.appended_samples());
  sim.CheckNoProblems();
}

TEST_CASE("sample_age_limit: a backlog that has become too old is dropped and counted") {
  DeliveryWorld sim(8, 2, 45);
  sim.store.server().refusing = true;
  REQUIRE(sim.world.Start(Config(
      "5s",
      Remote("store",
             "capacity: 100, max_shards: 1, max_samples_per_send: 10, sample_age_limit: 20s"))));
  sim.world.Run(minutes(2));
  sim.store.server().refusing = false;
  sim.world.Run(seconds(30));
  CHECK(sim.world.Shutdown(seconds(10)).drained);
  const RemoteTotals totals = sim.world.Totals(sim.store);
  CHECK(totals.stats.dropped[DropReason::kTooOld].samples > 0);
  CHECK(totals.stats.dropped[DropReason::kTooOld].samples + totals.stats.sent.samples ==
        sim.world.appended_samples());
  CHECK(sim.store.acknowledged_samples() == totals.stats.sent.samples);
  sim.CheckNoProblems();
}

TEST_CASE("metadata: every send_interval, each family once, apart from samples") {
  DeliveryWorld sim(9, 3, 10);
  const MonotonicTime start = sim.world.time().Now();
  REQUIRE(sim.world.Start(
      Config("10s",
             "- url: http://store/api/v1/write\n"
             "  metadata_config: {send_interval: 20s, max_samples_per_send: 2}\n")));
  sim.world.Run(seconds(110));
  std::vector<nanoseconds> times;
  std::vector<size_t> sizes;
  for (const SimRemote::Request& request : sim.store.requests()) {
    if (request.metadata == 0) continue;
    times.push_back(request.arrived - start);
    sizes.push_back(request.metadata);
  }
  CHECK(sizes == std::vector<size_t>{2, 1, 2, 1, 2, 1, 2, 1, 2, 1});
  for (size_t i = 0; i < times.size(); i++) {
    const nanoseconds due = seconds(20) * static_cast<int64_t>(i / 2 + 1);
    CHECK(times[i] >= due);
    CHECK(times[i] <= due + milliseconds(5));
  }
  REQUIRE(sim.store.metadata().size() == 3);
  CHECK(sim.store.metadata().at("sim_value_1").help == "Family 1.");
  CHECK(sim.store.metadata().at("sim_value_1").type == 2);  // a gauge
  sim.CheckNoProblems();
}

TEST_CASE("a dead, a hanging and a slow remote do not delay another") {
  DeliveryWorld sim(10, 5, 45);
  SimRemote& dead = sim.world.AddRemote("dead");
  SimRemote& hanging = sim.world.AddRemote("hanging");
  SimRemote& slow = sim.world.AddRemote("slow");
  dead.server().unreachable = true;
  hanging.Always(RemoteAct::kHang);
  hanging.bounds.timeout = seconds(10);
  slow.SetLatency(seconds(9), seconds(9));
  sim.store.on_stored = [&](const StoredSeries&, const StoredSeries::Sample& sample) {
    const PageValue value = PageValue::Decode(sample.value);
    if (value.scrape == 0) return;
    const SimTarget& target = *sim.world.Target(value.target);
    CHECK(sample.stored - target.scrapes()[value.scrape - 1].arrived <=
          seconds(1) + milliseconds(10));
  };
  std::string remotes;
  for (const char* host : {"dead", "hanging", "slow", "store"}) {
    remotes += Remote(host, "max_samples_per_send: 20, capacity: 50, batch_send_deadline: 1s");
  }
  REQUIRE(sim.world.Start(Config("5s", remotes)));
  sim.world.Run(minutes(5));
  CHECK(sim.store.acknowledged_samples() > 5 * 50 * 55);
  sim.CheckNoProblems();
}

}  // namespace
}  // namespace tributary
