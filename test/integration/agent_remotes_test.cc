// Remotes of every bad kind: what the agent has accepted arrives all the same, once and in order.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <set>

#include <fmt/format.h>

#include "test/integration/agent_process.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"
#include "test/support/remote_receiver.h"
#include "test/support/write_request.h"

namespace tributary {
namespace {

using End = ScriptedReply::End;

// A target that counts its scrapes in its one value.
struct CountingTarget {
  std::atomic<int> scrapes{0};
  RawServer server{[this](const ServedRequest&) {
    return ScriptedReply::Text(200, fmt::format("scrapes_total {}\n", ++scrapes),
                               {{"Content-Type", "text/plain; version=0.0.4"}});
  }};
};

std::string ConfigOf(const CountingTarget& target, const std::string& url,
                     const std::string& queue = "", const std::string& options = "") {
  return fmt::format(R"(global: {{scrape_interval: 100ms}}
scrape_configs: [{{job_name: app, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]
remote_write:
  - url: '{}'
    name: central
    remote_timeout: 1s
    queue_config: {{batch_send_deadline: 100ms, min_backoff: 20ms, max_backoff: 100ms{}}}
    {}
)",
                     target.server.port(), url, queue, options);
}

std::string RemoteMetric(const std::string& name, const std::string& url,
                         const std::string& reason = "") {
  return fmt::format("prometheus_remote_storage_{}{{{}remote_name=\"central\",url=\"{}\"}}", name,
                     reason.empty() ? "" : "reason=\"" + reason + "\",", url);
}

// Scrape n is the n-th value; none is missing, none comes twice, none too early.
void CheckAllInOrder(const RemoteReceiver& receiver, size_t at_least) {
  const auto samples = receiver.AcceptedOf({{"__name__", "scrapes_total"}});
  CHECK(samples.size() >= at_least);
  for (size_t i = 0; i < samples.size(); i++) {
    CAPTURE(i);
    REQUIRE(samples[i].value == static_cast<double>(i + 1));
    if (i > 0) REQUIRE(samples[i].timestamp > samples[i - 1].timestamp);
  }
  CHECK(receiver.error() == "");
}

TEST_CASE("agent remotes: what was scraped while the receiver was away is delivered, in order") {
  CountingTarget target;
  const uint16_t port = UnusedPort();
  AgentProcess agent(ConfigOf(target, fmt::format("http://127.0.0.1:{}/write", port)));
  REQUIRE(Eventually(seconds(8), [&] { return target.scrapes >= 20; }));
  RemoteReceiver receiver(port);
  CHECK(Eventually(seconds(8), [&] {
    return receiver.AcceptedOf({{"__name__", "scrapes_total"}}).size() >= 25;
  }));
  CheckAllInOrder(receiver, 25);
  CHECK(agent.process().Err().find("sending failed, trying again") != std::string::npos);
  CHECK(agent.Metric(RemoteMetric("samples_failed_total",
                                  fmt::format("http://127.0.0.1:{}/write", port))) == 0);
}

TEST_CASE("agent remotes: remote write 2.0 is delivered, and counted by what the receiver says") {
  CountingTarget target;
  RemoteReceiver receiver;
  AgentProcess agent(
      ConfigOf(target, receiver.Url(), "", "protobuf_message: io.prometheus.write.v2.Request"));
  CHECK(Eventually(seconds(8), [&] {
    return receiver.AcceptedOf({{"__name__", "scrapes_total"}}).size() >= 10;
  }));
  CheckAllInOrder(receiver, 10);
  for (const RemoteReceiver::Received& request : receiver.received()) {
    CHECK(request.decoded.is_v2);
    CHECK(request.served.Header("X-Prometheus-Remote-Write-Version") == "2.0.0");
  }
  CHECK(agent.Metric(RemoteMetric("samples_failed_total", receiver.Url())) == 0);
  // It takes the next as it did the others, but writes no more of it.
  receiver.Answer([](const ServedRequest&) {
    return ScriptedReply::Text(200, "", {{"X-Prometheus-Remote-Write-Samples-Written", "0"}});
  });
  CHECK(Eventually(seconds(8), [&] {
    return agent.Metric(RemoteMetric("samples_failed_total", receiver.Url())) > 0;
  }));
}

TEST_CASE("agent remotes: a receiver that goes and comes back again loses nothing") {
  CountingTarget target;
  auto receiver = std::make_unique<RemoteReceiver>();
  const uint16_t port = receiver->port();
  AgentProcess agent(ConfigOf(target, receiver->Url()));
  REQUIRE(Eventually(seconds(8), [&] { return target.scrapes >= 5; }));
  REQUIRE(receiver->WaitForSample({{"__name__", "scrapes_total"}}, seconds(8)));
  receiver->Answer([](const ServedRequest&) { return ScriptedReply::Broken(End::kReset); });
  const auto before = receiver->AcceptedOf({{"__name__", "scrapes_total"}});
  receiver.reset();
  const int at = target.scrapes;
  REQUIRE(Eventually(seconds(8), [&] { return target.scrapes >= at + 10; }));
  RemoteReceiver back(port);
  REQUIRE(Eventually(seconds(8), [&] {
    return back.AcceptedOf({{"__name__", "scrapes_total"}}).size() >= 15;
  }));
  const auto after = back.AcceptedOf({{"__name__", "scrapes_total"}});
  CHECK(after[0].value == before.back().value + 1);
  for (size_t i = 1; i < after.size(); i++) REQUIRE(after[i].value == after[i - 1].value + 1);
}

TEST_CASE("agent remotes: storms of errors are ridden out") {
  CountingTarget target;
  RemoteReceiver receiver;
  std::atomic<int> asked{0};
  auto two_of_three = [&asked](ScriptedReply broken) {
    return [&asked, broken = std::move(broken)](const ServedRequest&) {
      return ++asked % 3 == 0 ? ScriptedReply::Text(200, "") : broken;
    };
  };
  std::string queue;
  SECTION("500") { receiver.Answer(two_of_three(ScriptedReply::Text(500, "out of order\n"))); }
  SECTION("503 with Retry-After") {
    receiver.Answer(two_of_three(ScriptedReply::Text(503, "", {{"Retry-After", "0"}})));
  }
  SECTION("429, to be retried") {
    queue = ", retry_on_http_429: true";
    receiver.Answer(two_of_three(ScriptedReply::Text(429, "slow down\n")));
  }
  SECTION("closed without an answer") {
    receiver.Answer(two_of_three(ScriptedReply::Broken(End::kClose)));
  }
  SECTION("reset") { receiver.Answer(two_of_three(ScriptedReply::Broken(End::kReset))); }
  SECTION("closed in the body of a 500") {
    receiver.Answer(two_of_three(ScriptedReply::Text(500, "long words").Cut(End::kClose, 3)));
  }
  SECTION("no HTTP") {
    ScriptedReply garbage;
    garbage.raw = "220 mail.example.com ESMTP\r\n";
    receiver.Answer(two_of_three(garbage));
  }
  SECTION("redirects in a circle") {
    receiver.Answer(two_of_three(ScriptedReply::Text(307, "", {{"Location", "/api/v1/write"}})));
  }
  AgentProcess agent(ConfigOf(target, receiver.Url(), queue));
  REQUIRE(Eventually(seconds(9), [&] {
    return receiver.AcceptedOf({{"__name__", "scrapes_total"}}).size() >= 8;
  }));
  CHECK(agent.Stop() == 0);
  CheckAllInOrder(receiver, static_cast<size_t>(target.scrapes) - 1);
  CHECK(asked > 5);
}

TEST_CASE("agent remotes: an answer of 200 that is cut off is one") {
  CountingTarget target;
  RemoteReceiver receiver;
  receiver.Answer([](const ServedRequest&) {
    return ScriptedReply::Text(200, "a long answer").Cut(End::kClose, 3);
  });
  AgentProcess agent(ConfigOf(target, receiver.Url()));
  REQUIRE(Eventually(seconds(8), [&] { return target.scrapes >= 15; }));
  CHECK(agent.Stop() == 0);
  CheckAllInOrder(receiver, 14);
}

TEST_CASE(
    "agent remotes: what is refused is counted, told without secrets, and does not hold up the "
    "rest") {
  CountingTarget target;
  RemoteReceiver receiver;
  std::atomic<int> refusals{0};
  int status = 0;
  SECTION("400") { status = 400; }
  SECTION("429, not to be retried") { status = 429; }
  SECTION("a redirect that is not followed") { status = 308; }
  receiver.Answer([&, status](const ServedRequest&) {
    if (++refusals <= 3) {
      return ScriptedReply::Text(status, "no such tenant\n", {{"Location", "/elsewhere"}});
    }
    return ScriptedReply::Text(200, "");
  });
  AgentProcess agent(ConfigOf(target, receiver.Url(), "",
                              "follow_redirects: false\n"
                              "    tributary: {split_rejected: false, quarantine_refused: false}\n"
                              "    authorization: {credentials: hidden1}\n"
                              "    headers: {X-Token: hidden2}"));
  REQUIRE(receiver.WaitForSample({{"__name__", "scrapes_total"}}, seconds(8)));
  CHECK(agent.Metric(RemoteMetric("samples_failed_total", receiver.Url())) >= 3);
  const auto line = agent.process().WaitForLine({"level=error", "refused"}, seconds(5));
  REQUIRE(line);
  CHECK(line->find(std::to_string(status)) != std::string::npos);
  CHECK(line->find("no such tenant") != std::string::npos);
  CHECK(agent.process().Err().find("hidden") == std::string::npos);
  CHECK(agent.Get("/metrics").body.find("hidden") == std::string::npos);
}

TEST_CASE("agent remotes: one series that is refused costs no other, and is told of") {
  CountingTarget target;
  RemoteReceiver receiver;
  receiver.Answer([](const ServedRequest& request) {
    const auto samples = DecodeWriteRequest(request.body, request.Header("Content-Type")).samples;
    const bool bad = std::any_of(samples.begin(), samples.end(), [](const auto& sample) {
      return sample.labels.Get("__name__") == "scrape_duration_seconds";
    });
    return ScriptedReply::Text(bad ? 400 : 200, bad ? "no durations here\n" : "");
  });
  AgentProcess agent(ConfigOf(target, receiver.Url()));
  const auto quarantined = [&] {
    return agent.Metric(
        fmt::format("tributary_remote_quarantined_series{{remote_name=\"central\",url=\"{}\"}}",
                    receiver.Url()));
  };
  REQUIRE(Eventually(seconds(8), [&] { return quarantined() == 1; }));
  REQUIRE(Eventually(seconds(8), [&] {
    return agent.Metric(RemoteMetric("samples_dropped_total", receiver.Url(), "refused")) >= 3;
  }));
  CHECK(agent.process().WaitForLine({"level=warn", "refused three times"}, seconds(5)));
  const auto remote = agent.Api("/api/v1/status/remote_write")["remotes"][0];
  CHECK(remote["lastError"]["text"].get<std::string>().find("no durations here") !=
        std::string::npos);
  CHECK(agent.Stop() == 0);
  CheckAllInOrder(receiver, 5);
  std::ifstream dead_letters(agent.folder().path() + "/data/dead-letter/central.jsonl");
  std::string line;
  REQUIRE(std::getline(dead_letters, line));
  const auto letter = nlohmann::json::parse(line);
  CHECK(letter["status"] == 400);
  CHECK(letter["labels"]["__name__"] == "scrape_duration_seconds");
  CHECK(letter["error"].get<std::string>().find("no durations here") != std::string::npos);
}

TEST_CASE("agent remotes: a redirect is followed with its body") {
  CountingTarget target;
  RemoteReceiver receiver;
  const RawServer door([&](const ServedRequest&) {
    return ScriptedReply::Text(307, "", {{"Location", receiver.Url()}});
  });
  AgentProcess agent(ConfigOf(target, door.Url() + "/write"));
  REQUIRE(Eventually(seconds(8), [&] { return target.scrapes >= 10; }));
  CHECK(agent.Stop() == 0);
  CheckAllInOrder(receiver, 9);
}

TEST_CASE("agent remotes: sigv4 signs with a role that the container's keys may assume") {
  CountingTarget target;
  RemoteReceiver receiver;
  std::atomic<bool> down{true};
  const RawServer container([&](const ServedRequest& request) {
    const bool known = request.Header("Authorization") == "container-token";
    if (down || !known) return ScriptedReply::Text(503, "");
    return ScriptedReply::Text(
        200, R"({"AccessKeyId":"CONTAINER","SecretAccessKey":"s1","Token":"t1"})");
  });
  const RawServer sts([&](const ServedRequest& request) {
    const bool good = request.Header("X-Amz-Security-Token") == "t1" &&
                      request.body.find("RoleArn=arn%3Ar&") != std::string::npos;
    return ScriptedReply::Text(
        good ? 200 : 403,
        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ROLE</AccessKeyId>"
        "<SecretAccessKey>s2</SecretAccessKey><SessionToken>t2</SessionToken>"
        "<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"
        "</AssumeRoleResponse>");
  });
  AgentSetup setup;
  setup.environment = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", container.Url() + "/creds"},
                       {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-token"},
                       {"AWS_ENDPOINT_URL_STS", sts.Url()},
                       {"AWS_SHARED_CREDENTIALS_FILE", "/nonexistent"},
                       {"AWS_CONFIG_FILE", "/nonexistent"}};
  AgentProcess agent(
      ConfigOf(target, receiver.Url(), "", "sigv4: {region: eu-west-1, role_arn: 'arn:r'}"), setup);
  REQUIRE(Eventually(seconds(8), [&] { return target.scrapes >= 5; }));
  CHECK(agent.Metric(fmt::format(
            R"(tributary_remote_credential_failures_total{{remote_name="central",url="{}"}})",
            receiver.Url())) >= 1);
  down = false;
  REQUIRE(Eventually(seconds(8), [&] {
    return receiver.AcceptedOf({{"__name__", "scrapes_total"}}).size() >= 10;
  }));
  CheckAllInOrder(receiver, 10);
  for (const RemoteReceiver::Received& request : receiver.received()) {
    CHECK(request.served.Header("Authorization").find("AWS4-HMAC-SHA256 Credential=ROLE/") == 0);
    CHECK(request.served.Header("Authorization").find("/eu-west-1/aps/aws4_request, ") !=
          std::string::npos);
    CHECK(request.served.Header("X-Amz-Security-Token") == "t2");
  }
  CHECK(agent.process().Err().find("sigv4: the container's credential service answered 503") !=
        std::string::npos);
}

TEST_CASE(
    "agent remotes: a dead one does not hold up the others, and its log line is one a minute") {
  CountingTarget target;
  RemoteReceiver receiver;
  const DeafListener deaf;
  AgentProcess agent(fmt::format(R"(global: {{scrape_interval: 100ms}}
scrape_configs: [{{job_name: app, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]
remote_write:
  - {{url: 'http://127.0.0.1:{}/', name: dead, queue_config: {{batch_send_deadline: 50ms}}}}
  - {{url: '{}', name: deaf, remote_timeout: 200ms, queue_config: {{batch_send_deadline: 50ms}}}}
  - {{url: '{}', name: central, queue_config: {{batch_send_deadline: 50ms}}}}
)",
                                 target.server.port(), UnusedPort(), deaf.Url(), receiver.Url()),
                     {{"--shutdown.deadline=100ms"}, {}});
  REQUIRE(Eventually(seconds(8), [&] { return target.scrapes >= 30; }));
  CheckAllInOrder(receiver, 25);
  CHECK(agent.Stop() == 0);
  size_t warnings = 0;
  for (const std::string& line : LinesOf(agent.process().Err())) {
    warnings += line.find("sending failed") != std::string::npos;
  }
  CHECK(warnings == 2);
}

}  // namespace
}  // namespace tributary
