// Limits on series: the real agent, targets that explode, and who is told of it.
#include <atomic>
#include <chrono>
#include <set>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "test/integration/agent_process.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"
#include "test/support/remote_receiver.h"

namespace tributary {
namespace {

std::string Page(const std::string& name, int begin, int end) {
  std::string page;
  for (int i = begin; i < end; i++) {
    page += fmt::format("{}{{request_id=\"{}\",code=\"{}\"}} {}\n", name, i, i % 3, i);
  }
  return page;
}

ScriptedReply TextPage(std::string page) {
  return ScriptedReply::Text(200, std::move(page), {{"Content-Type", "text/plain; version=0.0.4"}});
}

// Waits for what it is a matter of time to be true.
template <typename F>
bool Comes(F condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20) * kSlowdown;
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

TEST_CASE("agent limits: a target that explodes harms nobody, is named, and recovers") {
  std::atomic<int> extra{0};
  const RawServer explodes([&](const ServedRequest&) {
    return TextPage(Page("requests_total", 1000, 1000 + extra) + Page("steady", 0, 100));
  });
  const RawServer healthy([&](const ServedRequest&) { return TextPage(Page("steady", 0, 300)); });
  const auto config = [&](int limit, int port) {
    return fmt::format(
        "global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\n"
        "tributary:\n"
        "  scrape: {{series_limit_per_target: {}}}\n"
        "scrape_configs:\n"
        "  - job_name: explodes\n"
        "    static_configs: [{{targets: ['127.0.0.1:{}']}}]\n"
        "  - job_name: healthy\n"
        "    tributary: {{series_limit: 1000}}\n"
        "    static_configs: [{{targets: ['127.0.0.1:{}']}}]\n"
        "  - job_name: self\n"
        "    tributary: {{series_limit_per_target: 1, series_limit: 1}}\n"
        "    static_configs: [{{targets: ['127.0.0.1:{}']}}]\n",
        limit, explodes.port(), healthy.port(), port);
  };
  AgentProcess agent(config(400, 1), AgentSetup{{"--web.enable-lifecycle"}, {}});
  // Its own address is known now.
  agent.WriteConfig(config(400, agent.port()));
  REQUIRE(agent.Post("/-/reload").status == 200);
  REQUIRE(Comes([&] { return agent.TargetOf("self")["health"] == "up"; }));
  CHECK(agent.Metric("tributary_series_limit{name=\"explodes\",scope=\"target\"}") == 400);
  const auto dropped = [&](const std::string& what) {
    return agent.Metric(fmt::format(
        "tributary_series_limit_dropped_{}_total{{name=\"explodes\",scope=\"target\"}}", what));
  };
  CHECK(dropped("series") == 0);
  extra = 5000;
  REQUIRE(Comes([&] { return dropped("series") >= 4700; }));
  CHECK(dropped("series") == 4700);
  REQUIRE(Comes([&] { return dropped("samples") >= 2 * 4700; }));
  for (const char* job : {"explodes", "healthy", "self"}) {
    INFO(job);
    CHECK(agent.TargetOf(job)["health"] == "up");
  }
  // Of the agent's own and the healthy target's nothing is dropped.
  for (const char* job : {"healthy", "self"}) {
    for (const char* scope : {"job", "target"}) {
      const double series = agent.Metric(fmt::format(
          "tributary_series_limit_dropped_series_total{{name=\"{}\",scope=\"{}\"}}", job, scope));
      INFO(job << " " << scope);
      CHECK(series <= 0);
    }
  }
  CHECK(agent.Metric("tributary_series_limit_active_series{name=\"healthy\",scope=\"job\"}") ==
        300);
  CHECK(agent.Metric("tributary_series_limit_active_series{name=\"self\",scope=\"job\"}") == 0);
  CHECK(agent.Metric(fmt::format("tributary_series_limit_offender{{by=\"source\",name=\"explodes\","
                                 "offender=\"127.0.0.1:{}\",scope=\"target\"}}",
                                 explodes.port())) == 4700);
  // What is wrong is named: not the label that all have, nor the metric that is as it was.
  const auto limits = agent.Api("/api/v1/status/series_limits")["limits"];
  REQUIRE(limits.size() == 5);
  for (const auto& limit : limits) {
    if (limit["name"] != "explodes") continue;
    CHECK(limit["scope"] == "target");
    CHECK(limit["limit"] == 400);
    CHECK(limit["activeSeries"].is_null());
    CHECK(limit["droppedSeries"] == 4700);
    const auto& offenders = limit["offenders"];
    CHECK(offenders["metrics"][0]["name"] == "requests_total");
    CHECK(offenders["labels"][0]["name"] == "request_id");
    CHECK(offenders["labels"][0]["values"].get<int>() > 3500);
    CHECK(offenders["labels"][0]["values"].get<int>() < 6000);
  }
  const ProcessResult status =
      RunProcess({AgentctlProgram(),
                  {"status", fmt::format("--url=http://127.0.0.1:{}", agent.port())},
                  {},
                  ""},
                 seconds(8));
  INFO(status.out << status.err);
  CHECK_THAT(status.out, Catch::Contains("a target of job explodes may have 400: 4700 new series"));
  CHECK_THAT(status.out, Catch::Contains("label request_id: "));

  // A higher limit takes what waits, at the next scrape.
  agent.WriteConfig(config(6000, agent.port()));
  REQUIRE(agent.Post("/-/reload").status == 200);
  const auto samples = dropped("samples");
  REQUIRE(Comes([&] { return agent.Metric("prometheus_agent_active_series") > 5000 + 300; }));
  CHECK(dropped("series") == 4700);
  CHECK(dropped("samples") <= samples + 4700);
  // After the explosion all is as it was.
  extra = 0;
  agent.WriteConfig(config(400, agent.port()));
  REQUIRE(agent.Post("/-/reload").status == 200);
  REQUIRE(Comes([&] { return agent.Metric("prometheus_agent_active_series") < 2000; }));
  extra = 200;
  std::this_thread::sleep_for(std::chrono::seconds(2));
  CHECK(dropped("series") == 4700);
  CHECK(agent.TargetOf("explodes")["health"] == "up");
}

TEST_CASE("agent limits: a sender that explodes has what it had, and is named") {
  std::atomic<int> extra{0};
  const RawServer target([&](const ServedRequest&) {
    return TextPage(Page("steady", 0, 50) + Page("requests_total", 1000, 1000 + extra));
  });
  RemoteReceiver store;
  TemporaryFolder folder;
  // Of the password secret1.
  const std::string users = folder.Write(
      "web.yml",
      "basic_auth_users: {ann: $2y$08$abcdefghijklmnopqrstuuG8NgT8Qjpn0EiI2f1ILYIyjvF9aZ2x6}\n");
  const bool with_users = GENERATE(false, true);
  std::vector<std::string> arguments{"--web.enable-remote-write-receiver"};
  if (with_users) arguments.push_back("--web.config.file=" + users);
  AgentProcess proxy(fmt::format("tributary:\n  receive: {{series_limit_per_sender: 100}}\n"
                                 "remote_write:\n"
                                 "  - url: {}\n"
                                 "    queue_config: {{batch_send_deadline: 100ms}}\n",
                                 store.Url()),
                     {arguments, {}});
  AgentProcess edge(
      fmt::format("global: {{scrape_interval: 300ms}}\n"
                  "scrape_configs:\n"
                  "  - job_name: app\n"
                  "    static_configs: [{{targets: ['127.0.0.1:{}']}}]\n"
                  "remote_write:\n"
                  "  - url: http://127.0.0.1:{}/api/v1/write\n"
                  "    queue_config: {{batch_send_deadline: 100ms}}\n{}",
                  target.port(), proxy.port(),
                  with_users ? "    basic_auth: {username: ann, password: secret1}\n" : ""));
  const std::string instance = fmt::format("127.0.0.1:{}", target.port());
  const Labels up{{"__name__", "up"}, {"instance", instance}, {"job", "app"}};
  const Labels steady{{"__name__", "steady"},
                      {"code", "1"},
                      {"instance", instance},
                      {"job", "app"},
                      {"request_id", "1"}};
  REQUIRE(store.WaitForSample(steady, kSlowdown * seconds(10)));
  extra = 200;
  // The log of the sender's errors is what tells it there.
  REQUIRE(Comes([&] {
    return edge.process().Err().find("series_limit_per_sender exceeded") != std::string::npos;
  }));
  const size_t before_up = store.AcceptedOf(up).size();
  const size_t before_steady = store.AcceptedOf(steady).size();
  CHECK(Comes([&] {
    return store.AcceptedOf(up).size() > before_up + 5 &&
           store.AcceptedOf(steady).size() > before_steady + 5;
  }));
  std::set<Labels> series;
  for (const auto& request : store.received()) {
    for (const auto& sample : request.decoded.samples) {
      if (sample.labels.Has("request_id")) series.insert(sample.labels);
    }
  }
  CHECK(series.size() == 100);
  const std::string url = fmt::format("http://127.0.0.1:{}", proxy.port());
  const auto get = [&](const std::string& path) {
    return RunProcess({"/usr/bin/curl", {"-s", "-u", "ann:secret1", url + path}, {}, ""},
                      seconds(8))
        .out;
  };
  CHECK_THAT(get("/metrics"),
             Catch::Contains("tributary_series_limit_dropped_series_total{name=\"\","
                             "scope=\"sender\"} 150\n"));
  CHECK_THAT(get("/metrics"),
             !Catch::Contains("tributary_receive_refused_total{reason=\"series_limit\"} 0\n"));
  const auto limit =
      nlohmann::json::parse(get("/api/v1/status/series_limits"))["data"]["limits"][0];
  CHECK(limit["scope"] == "sender");
  CHECK(limit["offenders"]["sources"][0]["name"] == (with_users ? "user ann" : "127.0.0.1"));
  CHECK(limit["offenders"]["labels"][0]["name"] == "request_id");
}

TEST_CASE("agent limits: a remote at its limit has what it had, another one has all") {
  std::atomic<int> extra{0};
  const RawServer target([&](const ServedRequest&) {
    return TextPage(Page("steady", 0, 50) + Page("requests_total", 1000, 1000 + extra));
  });
  RemoteReceiver small, large;
  const auto config = [&](int limit) {
    return fmt::format(
        "global: {{scrape_interval: 300ms}}\n"
        "scrape_configs:\n"
        "  - job_name: app\n"
        "    static_configs: [{{targets: ['127.0.0.1:{}']}}]\n"
        "remote_write:\n"
        "  - name: small\n"
        "    url: {}\n"
        "    queue_config: {{batch_send_deadline: 50ms}}\n"
        "    tributary: {{series_limit: {}}}\n"
        "  - name: large\n"
        "    url: {}\n"
        "    queue_config: {{batch_send_deadline: 50ms}}\n",
        target.port(), small.Url(), limit, large.Url());
  };
  AgentProcess agent(config(100), AgentSetup{{"--web.enable-lifecycle", "--workers=2"}, {}});
  const auto series = [](const RemoteReceiver& receiver) {
    std::set<Labels> all;
    for (const auto& request : receiver.received()) {
      for (const auto& sample : request.decoded.samples) all.insert(sample.labels);
    }
    return all.size();
  };
  REQUIRE(Comes([&] { return series(small) == 55 && series(large) == 55; }));
  extra = 100;
  REQUIRE(Comes([&] { return series(large) == 155; }));
  REQUIRE(Comes([&] {
    return agent.Metric(
               "prometheus_remote_storage_samples_dropped_total{reason=\"series_limit\","
               "remote_name=\"small\",url=\"" +
               small.Url() + "\"}") >= 3 * 55;
  }));
  CHECK(series(small) == 100);
  CHECK(agent.Metric("tributary_series_limit_active_series{name=\"small\",scope=\"remote\"}") ==
        100);
  CHECK(agent.Metric(
            "tributary_series_limit_dropped_series_total{name=\"small\",scope=\"remote\"}") == 55);
  agent.WriteConfig(config(1000));
  REQUIRE(agent.Post("/-/reload").status == 200);
  CHECK(Comes([&] { return series(small) == 155; }));
}

}  // namespace
}  // namespace tributary
