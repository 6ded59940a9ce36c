#include "agent/scrape/scrape_manager.h"

#include "agent/telemetry/metric_page.h"
#include "test/support/catch.h"
#include "test/unit/agent/scrape/scrape_world.h"

namespace tributary {
namespace {

constexpr char kA[] = "a.test:80";
constexpr char kB[] = "b.test:80";

// Every gap between samples is the interval.
void CheckPace(const std::vector<ScrapeWorld::Sample>& samples, TimestampMs interval_ms) {
  for (size_t i = 1; i < samples.size(); i++) {
    CHECK(samples[i].timestamp - samples[i - 1].timestamp == interval_ms);
  }
}

TEST_CASE("scrape manager: applying the same again changes nothing") {
  ScrapeWorld world;
  SimServer& server = world.Serve(kA, "m 1\n");
  for (int i = 0; i < 30; i++) {
    world.Apply(ScrapeWorld::JobConfig("j"), {kA});
    world.Run(seconds(2));
  }
  CHECK(server.requests == 6);
  CHECK(world.Of("m", kA).size() == 6);
  CheckPace(world.Of("m", kA), 10'000);
  CHECK(world.StaleMarkers() == 0);
}

TEST_CASE(
    "scrape manager: a target that goes has its series marked as ended, after two intervals") {
  ScrapeWorld world;
  SimServer& server = world.Serve(kA, "m 1\n");
  world.Serve(kB, "m 1\n");
  const ScrapeConfig config = ScrapeWorld::JobConfig("j");
  world.Apply(config, {kA, kB});
  world.Run(seconds(35));
  const size_t scrapes = world.Of("m", kA).size();
  const TimestampMs last = world.Of("m", kA).back().timestamp;
  world.Apply(config, {kB});
  CHECK_FALSE(world.Status().contains(kA));
  world.Run(seconds(10));
  CHECK(world.StaleMarkers() == 0);
  world.Run(seconds(15));
  CHECK(server.requests == scrapes);
  for (const char* series : {"m", "up", "scrape_duration_seconds", "scrape_samples_scraped",
                             "scrape_samples_post_metric_relabeling", "scrape_series_added"}) {
    CAPTURE(series);
    const auto& samples = world.Of(series, kA);
    CHECK(samples.size() == scrapes + 1);
    CHECK(EndsStale(samples));
    // The time of the scrape that would have been next.
    CHECK(samples.back().timestamp == last + 10'000);
  }
  CHECK(world.StaleMarkers() == 6);
  world.Run(seconds(100));
  CHECK(world.StaleMarkers() == 6);
  CHECK(world.Of("m", kB).size() >= 14);
}

TEST_CASE("scrape manager: a target that was never scraped leaves without a trace") {
  ScrapeWorld world;
  const ScrapeConfig config = ScrapeWorld::JobConfig("j");
  world.Apply(config, {kA});
  world.Apply(config, {});
  world.Run(seconds(60));
  CHECK(world.logged.empty());
}

TEST_CASE("scrape manager: a target that comes back in time has lost nothing") {
  ScrapeWorld world;
  world.Serve(kA, "m 1\n");
  const ScrapeConfig config = ScrapeWorld::JobConfig("j");
  world.Apply(config, {kA});
  world.Run(seconds(35));
  for (const int away : {0, 1, 5, 9, 10}) {
    world.Apply(config, {});
    world.Run(seconds(away));
    world.Apply(config, {kA});
    world.Run(seconds(12));
  }
  CHECK(world.StaleMarkers() == 0);
  for (size_t i = 1; i < world.Of("m", kA).size(); i++) {
    CHECK(world.Of("m", kA)[i].timestamp > world.Of("m", kA)[i - 1].timestamp);
  }
  CHECK(world.Status().at(kA).health == TargetStatus::Health::kUp);
}

TEST_CASE("scrape manager: a target that comes back late begins anew after its markers") {
  ScrapeWorld world;
  world.Serve(kA, "m 1\n");
  const ScrapeConfig config = ScrapeWorld::JobConfig("j");
  world.Apply(config, {kA});
  world.Run(seconds(35));
  world.Apply(config, {});
  world.Run(seconds(40));
  world.Apply(config, {kA});
  world.Run(seconds(35));
  size_t markers = 0;
  for (const auto& sample : world.Of("m", kA)) markers += IsStaleNan(sample.value);
  CHECK(markers == 1);
  CHECK_FALSE(EndsStale(world.Of("m", kA)));
  for (size_t i = 1; i < world.Of("m", kA).size(); i++) {
    CHECK(world.Of("m", kA)[i].timestamp > world.Of("m", kA)[i - 1].timestamp);
  }
}

// A job whose targets all get the labels {instance="same", job="j"}: their URLs alone tell them
// apart.
ScrapeConfig SameLabels() {
  ScrapeConfig config = ScrapeWorld::JobConfig("j");
  RelabelConfig same;
  same.target_label = "instance";
  same.replacement = "same";
  config.relabel_configs = {same};
  return config;
}

TEST_CASE("scrape manager: a target that only moved gives no false end to its series") {
  ScrapeWorld world;
  world.Serve(kA, "m 1\nonly_a 1\n");
  world.Serve(kB, "m 2\nonly_b 1\n");
  const ScrapeConfig config = SameLabels();
  world.Apply(config, {kA});
  world.Run(seconds(35));
  world.Apply(config, {kB});
  world.Run(seconds(60));
  for (const char* series : {"m", "up", "scrape_duration_seconds", "only_b"}) {
    CAPTURE(series);
    for (const auto& sample : world.Of(series, "same")) CHECK_FALSE(IsStaleNan(sample.value));
  }
  CHECK(EndsStale(world.Of("only_a", "same")));
  CHECK(world.StaleMarkers() == 1);
}

TEST_CASE("scrape manager: a target that moved to another job gives no false end either") {
  ScrapeWorld world;
  world.Serve(kA, "m 1\n");
  ScrapeConfig first = SameLabels(), second = SameLabels();
  RelabelConfig job;
  job.target_label = "job";
  job.replacement = "j";
  first.relabel_configs.push_back(job);
  second.relabel_configs.push_back(job);
  first.job_name = "first";
  second.job_name = "second";
  world.Apply(first, {kA});
  world.Run(seconds(35));
  world.manager.Remove("first");
  world.Apply(second, {kA});
  world.Run(seconds(60));
  CHECK(world.StaleMarkers() == 0);
  CHECK(world.Of("m", "same").size() > 7);
}

TEST_CASE("scrape manager: a job that goes takes its targets with it") {
  ScrapeWorld world;
  world.Serve(kA, "m 1\n");
  world.Serve(kB, "m 1\n");
  world.Apply(ScrapeWorld::JobConfig("j"), {kA, kB});
  world.Run(seconds(35));
  world.manager.Remove("j");
  world.manager.Remove("no-such-job");
  CHECK(world.Status().empty());
  world.Run(seconds(60));
  CHECK(world.StaleMarkers() == 12);
  CHECK(world.loop.pending() == 0);
  MetricPage page;
  world.manager.Collect(page);
  CHECK(page.Text().find("scrape_job=\"j\"") == std::string::npos);
}

TEST_CASE("scrape manager: a job that comes back while it ends takes its targets back") {
  ScrapeWorld world;
  world.Serve(kA, "m 1\n");
  world.Serve(kB, "m 1\n");
  world.Apply(ScrapeWorld::JobConfig("j"), {kA, kB});
  world.Run(seconds(35));
  world.manager.Remove("j");
  world.Run(seconds(5));
  world.Apply(ScrapeWorld::JobConfig("j"), {kB});
  world.Run(seconds(60));
  CHECK(EndsStale(world.Of("m", kA)));
  CHECK_FALSE(EndsStale(world.Of("m", kB)));
  CHECK(world.StaleMarkers() == 6);
}

TEST_CASE("scrape manager: Stop leaves no markers and nothing under way") {
  ScrapeWorld world;
  world.Serve(kA, "m 1\n").faults.latency_min = seconds(4);
  world.network.Find(kA)->faults.latency_max = seconds(4);
  world.Apply(ScrapeWorld::JobConfig("j"), {kA});
  world.Run(seconds(35));
  REQUIRE(world.loop.RunUntil([&] { return world.transport.in_flight() == 1; }, seconds(20)));
  world.manager.Stop();
  CHECK(world.transport.in_flight() == 0);
  world.Run(seconds(100));
  CHECK(world.StaleMarkers() == 0);
  CHECK(world.Status().empty());
}

TEST_CASE("scrape manager: another interval holds from then on, the series go on") {
  ScrapeWorld world;
  SimServer& server = world.Serve(kA, "m 1\n");
  ScrapeConfig config = ScrapeWorld::JobConfig("j");
  world.Apply(config, {kA});
  world.Run(seconds(30));
  config.scrape_interval = seconds(2);
  config.scrape_timeout = seconds(1);
  world.Apply(config, {kA});
  const uint64_t before = server.requests;
  world.Run(seconds(30));
  CHECK(server.requests - before == 15);
  CHECK(world.StaleMarkers() == 0);
  CHECK(world.Status().at(kA).scrape_interval == "2s");
}

TEST_CASE(
    "scrape manager: new metric rules apply to all lines, what they drop is marked as ended") {
  ScrapeWorld world;
  world.Serve(kA, "m 1\nn 2\n");
  ScrapeConfig config = ScrapeWorld::JobConfig("j");
  world.Apply(config, {kA});
  world.Run(seconds(35));
  RelabelConfig drop;
  drop.source_labels = {"__name__"};
  drop.regex = "n";
  drop.action = RelabelAction::kDrop;
  config.metric_relabel_configs = {drop};
  world.Apply(config, {kA});
  world.Run(seconds(35));
  CHECK(EndsStale(world.Of("n", kA)));
  CHECK_FALSE(EndsStale(world.Of("m", kA)));
  CHECK(world.StaleMarkers() == 1);
  config.metric_relabel_configs.clear();
  world.Apply(config, {kA});
  world.Run(seconds(35));
  CHECK_FALSE(EndsStale(world.Of("n", kA)));
}

TEST_CASE(
    "scrape manager: a job over its target limit reports that for each target, and asks none") {
  ScrapeWorld world;
  SimServer& server = world.Serve(kA, "m 1\n");
  world.Serve(kB, "m 1\n");
  const ScrapeConfig config = ScrapeWorld::JobConfig("j");
  auto job = std::make_shared<ScrapeJob>(config, milliseconds(0));
  job->forced_error = "target_limit exceeded (number of targets: 2, limit: 1)";
  world.manager.Apply(job, ScrapeWorld::Targets(config, {kA, kB}));
  world.Run(seconds(35));
  CHECK(server.requests == 0);
  REQUIRE_FALSE(world.Of("up", kA).empty());
  for (const auto& sample : world.Of("up", kA)) CHECK(sample.value == 0);
  CHECK(world.Status().at(kB).last_error == job->forced_error);
  // Within its limit again, it works again.
  world.Apply(config, {kA});
  world.Run(seconds(35));
  CHECK(world.Of("up", kA).back().value == 1);
}

}  // namespace
}  // namespace tributary
