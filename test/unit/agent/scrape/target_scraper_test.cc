#include "agent/scrape/target_scraper.h"

#include <algorithm>
#include <atomic>

#include "test/support/catch.h"
#include "test/unit/agent/scrape/scrape_world.h"

namespace tributary {
namespace {

using End = ScriptedReply::End;

constexpr char kA[] = "a.test:80";

struct OneTarget : ScrapeWorld {
  ScrapeConfig config = JobConfig("j");
  SimServer* server = &Serve(kA, "m 1\n");
  void Start() { Apply(config, {kA}); }
  void Answer(ScriptedReply reply) {
    network.Listen(kA, [reply](const ServedRequest&) { return reply; });
  }
  TargetStatus StatusNow() const { return Status().at(kA); }
};

TEST_CASE(
    "target scraper: a first scrape within the interval, then at its pace, at the same offset") {
  OneTarget world;
  world.Start();
  CHECK(world.StatusNow().health == TargetStatus::Health::kUnknown);
  world.Run(seconds(100));
  const auto& up = world.Of("up", kA);
  REQUIRE(up.size() == 10);
  const TimestampMs offset = up[0].timestamp % 10'000;
  for (const auto& sample : up) {
    CHECK(sample.value == 1);
    CHECK(sample.timestamp % 10'000 == offset);
  }
  const TargetStatus status = world.StatusNow();
  CHECK(status.health == TargetStatus::Health::kUp);
  CHECK(status.last_scrape_ms == up.back().timestamp);
  CHECK(status.last_error.empty());
  CHECK(world.environment.stats.scrapes == 10);
  CHECK(world.environment.stats.scrapes_failed == 0);
}

TEST_CASE("target scraper: asks with the headers that Prometheus sends") {
  OneTarget world;
  world.config.http.basic_auth = BasicAuth{"u", "", {"p"}, ""};
  std::vector<ServedRequest> requests;
  world.network.Listen(kA, [&](const ServedRequest& request) {
    requests.push_back(request);
    return ScriptedReply::Text(200, "m 1\n");
  });
  world.Start();
  world.Run(seconds(10));
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].method == "GET");
  CHECK(requests[0].target == "/metrics");
  CHECK(requests[0].Header("Accept") == "text/plain;version=0.0.4;q=0.7,*/*;q=0.6");
  CHECK(requests[0].Header("Accept-Encoding") == "gzip");
  CHECK(requests[0].Header("X-Prometheus-Scrape-Timeout-Seconds") == "5");
  CHECK(requests[0].Header("Authorization") == "Basic dTpw");
}

TEST_CASE("target scraper: targets on this machine are asked for identity where that is on") {
  struct Case {
    bool on;
    const char* address;
    bool compression;
    const char* asked;
  };
  const Case sent = GENERATE(
      Case{true, "127.0.0.1:80", true, "identity"}, Case{true, "localhost:80", true, "identity"},
      Case{true, "10.0.0.7:80", true, "identity"}, Case{true, "10.0.0.8:80", true, "gzip"},
      Case{true, kA, true, "gzip"}, Case{true, kA, false, "identity"},
      Case{false, "127.0.0.1:80", true, "gzip"}, Case{false, "10.0.0.7:80", true, "gzip"},
      Case{false, "127.0.0.1:80", false, "identity"});
  CAPTURE(sent.on, sent.address, sent.compression);
  ScrapeWorld world;
  ScrapeConfig config = ScrapeWorld::JobConfig("j");
  config.enable_compression = sent.compression;
  std::vector<std::string> asked;
  world.network.Listen(sent.address, [&](const ServedRequest& request) {
    asked.emplace_back(request.Header("Accept-Encoding"));
    return ScriptedReply::Text(200, "m 1\n");
  });
  auto job = std::make_shared<ScrapeJob>(config, milliseconds(0));
  if (sent.on) {
    job->identity_hosts = std::make_shared<const LocalHosts>(std::vector<std::string>{"10.0.0.7"});
  }
  world.manager.Apply(job, ScrapeWorld::Targets(config, {sent.address}));
  world.Run(seconds(10));
  CHECK(asked == std::vector<std::string>{sent.asked});
}

TEST_CASE("target scraper: a failed scrape is up 0, says why, and ends the page's series") {
  OneTarget world;
  world.Start();
  world.Run(seconds(30));
  struct Case {
    ScriptedReply reply;
    const char* error;
  };
  ScriptedReply slow = ScriptedReply::Text(200, "m 1\n");
  slow.before_head = seconds(20);
  const Case failure =
      GENERATE_COPY(Case{ScriptedReply::Text(500, "m 1\n"), "server returned HTTP status 500"},
                    Case{ScriptedReply::Text(204, ""), "server returned HTTP status 204"},
                    Case{ScriptedReply::Broken(End::kReset), "reset"}, Case{slow, "timed out"},
                    Case{ScriptedReply::Text(200, "broken\nm 1\n"), "expected a value"},
                    Case{ScriptedReply::Text(200, "m 1\nn 2\n").Cut(End::kClose, 4), "closed"});
  world.Answer(failure.reply);
  world.Run(seconds(20));
  const TargetStatus status = world.StatusNow();
  CAPTURE(status.last_error, failure.error);
  CHECK(status.health == TargetStatus::Health::kDown);
  CHECK_FALSE(status.last_error.empty());
  CHECK(status.last_error.find(failure.error) != std::string::npos);
  CHECK(world.Of("up", kA).back().value == 0);
  CHECK(world.Of("scrape_samples_scraped", kA).back().value == 0);
  CHECK(EndsStale(world.Of("m", kA)));
  CHECK(world.StaleMarkers() == 1);
  world.Serve(kA, "m 1\n");
  world.Run(seconds(10));
  CHECK(world.StatusNow().last_error.empty());
  CHECK(world.Of("m", kA).back().value == 1);
}

TEST_CASE("target scraper: never two scrapes of a target at a time") {
  OneTarget world;
  world.config.scrape_timeout = seconds(10);
  ScriptedReply slow = ScriptedReply::Text(200, "m 1\n");
  slow.before_head = seconds(60);
  world.Answer(slow);
  world.Start();
  size_t most = 0;
  world.loop.RunUntil(
      [&] {
        most = std::max(most, world.transport.in_flight());
        return false;
      },
      seconds(200));
  CHECK(most == 1);
  CHECK(world.Of("up", kA).size() >= 9);
}

TEST_CASE("target scraper: a body over the limit is up 0, and costs no more than the limit") {
  OneTarget world;
  world.config.body_size_limit = 100;
  ScriptedReply endless;
  endless.chunks.assign(100000, "m 1\n");
  world.Answer(endless);
  world.Start();
  world.Run(seconds(10));
  CHECK(world.StatusNow().last_error == "body_size_limit exceeded");
  CHECK(world.environment.stats.over_body_limit == 1);
  CHECK(world.environment.stats.body_bytes <= 104);
}

TEST_CASE("target scraper: of a body that says that it is over the limit nothing is read") {
  OneTarget world;
  world.config.body_size_limit = 100;
  world.Answer(ScriptedReply::Text(200, "m 1\n",
                                   {{"Content-Type", "text/plain"}, {"Content-Length", "100"}}));
  world.Start();
  world.Run(seconds(10));
  CHECK(world.StatusNow().last_error == "body_size_limit exceeded");
  CHECK(world.environment.stats.over_body_limit == 1);
  CHECK(world.environment.stats.body_bytes == 0);
  world.Answer(ScriptedReply::Text(200, "m 1\n",
                                   {{"Content-Type", "text/plain"}, {"Content-Length", "99"}}));
  world.Run(seconds(10));
  CHECK(world.StatusNow().health == TargetStatus::Health::kUp);
}

TEST_CASE("target scraper: a secret that cannot be read is up 0 and names the file") {
  OneTarget world;
  world.config.http.authorization = Authorization{"Bearer", {}, "/secret/token"};
  world.Start();
  world.Run(seconds(10));
  CHECK(world.server->requests == 0);
  CHECK(world.StatusNow().last_error.find("/secret/token") != std::string::npos);
  world.files.WriteFile("/secret/token", "x");
  world.Run(seconds(10));
  CHECK(world.StatusNow().health == TargetStatus::Health::kUp);
}

TEST_CASE("target scraper: a scrape not later than the last one is not made, and counted") {
  OneTarget world;
  world.Start();
  world.Run(seconds(30));
  const size_t before = world.Of("up", kA).size();
  world.loop.StepWall(-seconds(25));
  world.Run(seconds(20));
  CHECK(world.Of("up", kA).size() == before);
  CHECK(world.environment.stats.skipped_clock == 2);
  world.Run(seconds(40));
  CHECK(world.Of("up", kA).size() >= before + 3);
  for (size_t i = 1; i < world.Of("up", kA).size(); i++) {
    CHECK(world.Of("up", kA)[i].timestamp > world.Of("up", kA)[i - 1].timestamp);
  }
}

TEST_CASE("target scraper: a clock that steps ahead changes the times and not the pace") {
  OneTarget world;
  world.Start();
  world.Run(seconds(30));
  world.loop.StepWall(std::chrono::hours(1));
  const uint64_t before = world.server->requests;
  world.Run(seconds(30));
  CHECK(world.server->requests == before + 3);
  const auto& up = world.Of("up", kA);
  CHECK(up.back().timestamp - up.front().timestamp > 3'600'000);
  CHECK(up.back().timestamp - up[up.size() - 2].timestamp == 10'000);
}

TEST_CASE(
    "target scraper: what a scrape began with holds to its end, whatever is reloaded meanwhile") {
  OneTarget world;
  ScriptedReply slow = ScriptedReply::Text(200, "m 1\n");
  slow.before_head = seconds(4);
  world.Answer(slow);
  world.Start();
  world.Run(seconds(30));
  REQUIRE(world.loop.RunUntil([&] { return world.transport.in_flight() == 1; }, seconds(20)));
  RelabelConfig drop;
  drop.source_labels = {"__name__"};
  drop.regex = "m";
  drop.action = RelabelAction::kDrop;
  world.config.metric_relabel_configs = {drop};
  world.Start();
  const size_t before = world.Of("m", kA).size();
  world.Run(seconds(5));
  CHECK(world.Of("m", kA).size() == before + 1);
  CHECK_FALSE(EndsStale(world.Of("m", kA)));
  world.Run(seconds(10));
  CHECK(EndsStale(world.Of("m", kA)));
}

std::string ManySeries(int count) {
  std::string page;
  for (int i = 0; i < count; i++) page += "m" + std::to_string(i) + " 1\n";
  return page;
}

TEST_CASE("target scraper: where memory is short new targets wait, and what is known goes on") {
  std::atomic<ShedStep> step{ShedStep::kNone};
  OneTarget world;
  world.environment.shed = &step;
  world.Start();
  world.Run(seconds(20));
  step = ShedStep::kRefuseNew;
  constexpr char kB[] = "b.test:80";
  world.Serve(kB, "m 1\n");
  world.Apply(world.config, {kA, kB});
  world.Run(seconds(60));
  CHECK(world.StatusNow().health == TargetStatus::Health::kUp);
  const TargetStatus waiting = world.Status().at(kB);
  CHECK(waiting.health == TargetStatus::Health::kDown);
  CHECK(waiting.last_error.find("takes no new targets") != std::string::npos);
  CHECK(world.environment.stats.shed_targets == 6);
  CHECK(world.Of("m", kB).empty());
  step = ShedStep::kGiveBack;
  world.Run(seconds(20));
  CHECK(world.Status().at(kB).health == TargetStatus::Health::kUp);
  CHECK(world.Of("m", kB).size() == 2);
}

TEST_CASE("target scraper: where memory is short a page with many new series fails, with few not") {
  std::atomic<ShedStep> step{ShedStep::kNone};
  OneTarget world;
  world.environment.shed = &step;
  world.Serve(kA, ManySeries(100));
  world.Start();
  world.Run(seconds(20));
  step = ShedStep::kRefuseNew;
  world.Serve(kA, ManySeries(115));
  world.Run(seconds(10));
  CHECK(world.StatusNow().health == TargetStatus::Health::kUp);
  world.Serve(kA, ManySeries(1000));
  world.Run(seconds(30));
  CHECK(world.StatusNow().health == TargetStatus::Health::kDown);
  CHECK(world.StatusNow().last_error.find("the page has more than 20 new series") !=
        std::string::npos);
  CHECK(world.environment.stats.shed_pages == 3);
  CHECK(EndsStale(world.Of("m0", kA)));
  CHECK(world.Of("m900", kA).empty());
  // What it knew is still known: with the old page it goes on, and with the new one once it may.
  world.Serve(kA, ManySeries(100));
  world.Run(seconds(10));
  CHECK(world.StatusNow().health == TargetStatus::Health::kUp);
  step = ShedStep::kNone;
  world.Serve(kA, ManySeries(1000));
  world.Run(seconds(10));
  CHECK(world.Of("m900", kA).size() == 1);
}

TEST_CASE("target scraper: rules that change where memory is short cost no known series") {
  std::atomic<ShedStep> step{ShedStep::kNone};
  OneTarget world;
  world.environment.shed = &step;
  world.Serve(kA, ManySeries(100));
  world.Start();
  world.Run(seconds(20));
  step = ShedStep::kThinOut;
  world.config.honor_labels = !world.config.honor_labels;
  world.Apply(world.config, {kA});
  world.Run(seconds(80));
  CHECK(world.StatusNow().health == TargetStatus::Health::kUp);
  CHECK(world.environment.stats.shed_pages == 0);
}

TEST_CASE("target scraper: at the memory limit three of four scrapes are left out") {
  std::atomic<ShedStep> step{ShedStep::kNone};
  OneTarget world;
  world.environment.shed = &step;
  world.Start();
  world.Run(seconds(20));
  step = ShedStep::kThinOut;
  world.Run(seconds(400));
  CHECK(world.environment.stats.scrapes == 2 + 10);
  CHECK(world.environment.stats.shed_scrapes == 30);
  CHECK(world.StaleMarkers() == 0);
  step = ShedStep::kNone;
  world.Run(seconds(100));
  CHECK(world.environment.stats.scrapes == 2 + 10 + 10);
}

}  // namespace
}  // namespace tributary
