// The end of the agent: what is unsent is delivered, within the deadline and not a moment longer.
#include <signal.h>

#include <atomic>
#include <cmath>
#include <thread>

#include <fmt/format.h>

#include "test/integration/agent_process.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"
#include "test/support/remote_receiver.h"

namespace tributary {
namespace {

using Clock = std::chrono::steady_clock;

ScriptedReply Page(std::string text) {
  return ScriptedReply::Text(200, std::move(text), {{"Content-Type", "text/plain; version=0.0.4"}});
}

std::string ConfigOf(const RawServer& target, const std::string& remote,
                     const std::string& batch_send_deadline = "100ms") {
  return fmt::format(R"(global: {{scrape_interval: 100ms}}
scrape_configs: [{{job_name: app, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]
remote_write: [{{url: '{}', queue_config: {{batch_send_deadline: {}, max_backoff: 100ms}}}}]
)",
                     target.port(), remote, batch_send_deadline);
}

double MillisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// A target that counts its scrapes in its one value.
struct CountingTarget {
  std::atomic<int> scrapes{0};
  RawServer server{
      [this](const ServedRequest&) { return Page(fmt::format("scrapes_total {}\n", ++scrapes)); }};
};

TEST_CASE("agent stop: SIGTERM delivers what was scraped, and exits with 0") {
  CountingTarget target;
  RemoteReceiver receiver;
  // Nothing would be sent for an hour.
  AgentProcess agent(ConfigOf(target.server, receiver.Url(), "1h"));
  REQUIRE(Eventually(seconds(8), [&] { return target.scrapes >= 10; }));
  REQUIRE(receiver.requests() == 0);
  const auto start = Clock::now();
  SECTION("SIGTERM") { agent.process().Signal(SIGTERM); }
  SECTION("SIGINT") { agent.process().Signal(SIGINT); }
  SECTION("with a receiver that fails at first") {
    receiver.Answer(503);
    agent.process().Signal(SIGTERM);
    CHECK(Eventually(seconds(5), [&] { return receiver.requests() > 3; }));
    receiver.Answer(200);
  }
  SECTION("with a receiver that takes its time") {
    receiver.Answer([](const ServedRequest&) {
      ScriptedReply reply = ScriptedReply::Text(200, "");
      reply.before_head = milliseconds(1500);
      return reply;
    });
    agent.process().Signal(SIGTERM);
  }
  CHECK(agent.process().Wait(seconds(8)) == 0);
  CHECK(MillisecondsSince(start) < 5000 * kSlowdown);
  // Every scrape that was committed; one may have been under way, and is abandoned.
  const auto samples = receiver.AcceptedOf({{"__name__", "scrapes_total"}});
  REQUIRE(samples.size() >= 9);
  CHECK(static_cast<int>(samples.size()) >= target.scrapes - 1);
  for (size_t i = 0; i < samples.size(); i++) CHECK(samples[i].value == static_cast<double>(i + 1));
  // No series is marked as ended only because the agent has.
  for (const DecodedSample& sample : receiver.accepted()) CHECK_FALSE(std::isnan(sample.value));
  CHECK(agent.process().Err().find("all samples are delivered or dropped") != std::string::npos);
}

TEST_CASE("agent stop: POST /-/quit ends it in the same way") {
  CountingTarget target;
  RemoteReceiver receiver;
  AgentProcess agent(ConfigOf(target.server, receiver.Url(), "1h"),
                     {{"--web.enable-lifecycle"}, {}});
  REQUIRE(Eventually(seconds(8), [&] { return target.scrapes >= 5; }));
  CHECK(agent.Get("/-/quit").status == 405);
  CHECK(agent.Post("/-/quit").status == 200);
  CHECK(agent.process().Wait(seconds(8)) == 0);
  CHECK(receiver.AcceptedOf({{"__name__", "scrapes_total"}}).size() >= 4);
}

TEST_CASE("agent stop: with a remote that is away it ends at the deadline") {
  CountingTarget target;
  const DeafListener deaf;
  std::string remote;
  SECTION("nobody listens") { remote = fmt::format("http://127.0.0.1:{}/", UnusedPort()); }
  SECTION("nobody answers") { remote = deaf.Url(); }
  SECTION("its name is looked up for ever") { remote = "http://slow-30000.test/"; }
  AgentSetup setup{{"--shutdown.deadline=1s"}, WithSlowNames()};
  AgentProcess agent(ConfigOf(target.server, remote), setup);
  REQUIRE(Eventually(seconds(8), [&] { return target.scrapes >= 5; }));
  const auto start = Clock::now();
  CHECK(agent.Stop() == 0);
  CHECK(MillisecondsSince(start) > 900);
  CHECK(MillisecondsSince(start) < 2500 * kSlowdown);
  CHECK(agent.process().Err().find("the deadline has passed") != std::string::npos);
}

TEST_CASE("agent stop: a second SIGTERM ends it at once") {
  CountingTarget target;
  const DeafListener deaf;
  AgentProcess agent(ConfigOf(target.server, deaf.Url()), {{"--shutdown.deadline=1h"}, {}});
  REQUIRE(Eventually(seconds(8), [&] { return target.scrapes >= 5; }));
  agent.process().Signal(SIGTERM);
  CHECK(agent.process().WaitForLine({"msg=\"stopping"}, seconds(5)));
  CHECK_FALSE(agent.process().Wait(milliseconds(300)));
  const auto start = Clock::now();
  agent.process().Signal(SIGTERM);
  CHECK(agent.process().Wait(seconds(8)) == 0);
  CHECK(MillisecondsSince(start) < 1500 * kSlowdown);
}

TEST_CASE("agent stop: while it stops it answers, and takes no new configuration") {
  CountingTarget target;
  const DeafListener deaf;
  AgentProcess agent(ConfigOf(target.server, deaf.Url()),
                     {{"--shutdown.deadline=2s", "--web.enable-lifecycle"}, {}});
  REQUIRE(Eventually(seconds(8), [&] { return target.scrapes >= 5; }));
  agent.process().Signal(SIGTERM);
  REQUIRE(agent.process().WaitForLine({"msg=\"stopping"}, seconds(5)));
  CHECK(agent.Get("/-/healthy").status == 200);
  CHECK(agent.Get("/-/ready").status == 503);
  CHECK(agent.Get("/metrics").status == 200);
  CHECK(agent.Get("/api/v1/targets").status == 200);
  const int scrapes = target.scrapes;
  const HttpReply reload = agent.Post("/-/reload");
  CHECK(reload.status == 500);
  CHECK(reload.body.find("stopping") != std::string::npos);
  agent.process().Signal(SIGHUP);
  CHECK(agent.process().Wait(seconds(8)) == 0);
  CHECK(target.scrapes == scrapes);
}

TEST_CASE("agent stop: requests to its API do not hold it up") {
  CountingTarget target;
  RemoteReceiver receiver;
  AgentProcess agent(ConfigOf(target.server, receiver.Url()));
  std::atomic<bool> over{false};
  std::vector<std::thread> askers;
  for (int i = 0; i < 4; i++) {
    askers.emplace_back([&, i] {
      while (!over) HttpAsk(agent.port(), "GET", i % 2 == 0 ? "/metrics" : "/api/v1/targets");
    });
  }
  REQUIRE(Eventually(seconds(8), [&] { return target.scrapes >= 5; }));
  const auto start = Clock::now();
  agent.process().Signal(SIGTERM);
  CHECK(agent.process().Wait(seconds(8)) == 0);
  CHECK(MillisecondsSince(start) < 1500 * kSlowdown);
  over = true;
  for (std::thread& asker : askers) asker.join();
}

}  // namespace
}  // namespace tributary
