// Targets that a real web server lists to the real agent, and Kubernetes' API.
#include <csignal>

#include <atomic>

#include <fmt/format.h>

#include "test/integration/agent_process.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"

namespace tributary {
namespace {

using nlohmann::json;

TEST_CASE("agent: targets of http_sd come, stay while the server fails, and go") {
  RawServer target([](const ServedRequest&) {
    return ScriptedReply::Text(200, "m 1\n", {{"Content-Type", "text/plain"}});
  });
  enum { kLists, kFails, kListsNothing };
  std::atomic<int> state{kLists};
  RawServer sd([&](const ServedRequest& request) {
    const std::string list = fmt::format(
        R"([{{"targets": ["127.0.0.1:{}"], "labels": {{"rack": "a", "__meta_x": "y"}}}}])",
        target.port());
    // "me:geheim"
    if (request.Header("Authorization") != "Basic bWU6Z2VoZWlt")
      return ScriptedReply::Text(401, "");
    if (state == kFails) return ScriptedReply::Text(503, "down");
    return ScriptedReply::Text(200, state == kLists ? list : "[]",
                               {{"Content-Type", "application/json; charset=utf-8"}});
  });
  const std::string config = fmt::format(
      "global: {{scrape_interval: 1s}}\n"
      "scrape_configs:\n- job_name: j\n"
      "  http_sd_configs:\n"
      "  - {{url: '{}/list', refresh_interval: 200ms, basic_auth: {{username: me, password: "
      "geheim}}}}\n"
      "  relabel_configs: [{{source_labels: [__meta_x], target_label: x}}]\n",
      sd.Url());
  AgentProcess agent(config);
  const auto found = [&] { return !agent.TargetOf("j").is_null(); };
  REQUIRE(Eventually(seconds(5) * kSlowdown, found));
  const json labels = agent.TargetOf("j")["labels"];
  CHECK(labels["rack"] == "a");
  CHECK(labels["x"] == "y");
  CHECK(agent.TargetOf("j")["discoveredLabels"]["__meta_url"] == sd.Url() + "/list");
  CHECK(agent.WaitForMetric("prometheus_sd_discovered_targets{config=\"j\",name=\"scrape\"}", 1,
                            seconds(2) * kSlowdown));

  state = kFails;
  const std::string failures = "prometheus_sd_http_failures_total";
  CHECK(agent.WaitForMetric(failures, 10, seconds(10) * kSlowdown));
  CHECK(agent.WaitForMetric("prometheus_sd_refresh_failures_total{config=\"j\",mechanism=\"http\"}",
                            10, seconds(2)));
  CHECK(found());
  CHECK(agent.process().WaitForLine(
      {"http_sd: " + sd.Url() + "/list: ", "status 503", "its last good targets are kept"},
      seconds(2)));
  agent.WriteConfig(config + "  sample_limit: 10\n");
  agent.process().Signal(SIGHUP);
  REQUIRE(agent.process().WaitForLine({"the new configuration is in force"}, seconds(5)));
  CHECK(found());

  state = kListsNothing;
  CHECK(Eventually(seconds(8) * kSlowdown, [&] { return !found(); }));
  CHECK(agent.process().Err().find("geheim") == std::string::npos);
  CHECK(agent.Stop() == 0);
}

// A pod at 127.0.0.1:`port`.
std::string Pod(const std::string& name, uint16_t port, int version) {
  return fmt::format(
      R"({{"metadata": {{"namespace": "a", "name": "{}", "resourceVersion": "{}"}},
           "spec": {{"containers": [{{"name": "c", "ports": [{{"containerPort": {}}}]}}]}},
           "status": {{"podIP": "127.0.0.1"}}}})",
      name, version, port);
}

TEST_CASE("agent: pods of kubernetes_sd come by list and by watch, and go") {
  RawServer target([](const ServedRequest&) {
    return ScriptedReply::Text(200, "m 1\n", {{"Content-Type", "text/plain"}});
  });
  // The list has p1; the first watch brings p2 piece by piece, and breaks off; the next takes p1.
  std::atomic<int> watches{0};
  RawServer api([&](const ServedRequest& request) {
    if (request.Header("Authorization") != "Bearer geheim") return ScriptedReply::Text(401, "{}");
    if (request.target.find("watch=true") == std::string::npos) {
      return ScriptedReply::Text(200, R"({"metadata": {"resourceVersion": "5"}, "items": [)" +
                                          Pod("p1", target.port(), 4) + "]}");
    }
    ScriptedReply reply;
    reply.before_chunk = milliseconds(100);
    const bool first = watches++ == 0;
    const std::string event =
        first ? R"({"type": "ADDED", "object": )" : R"({"type": "DELETED", "object": )";
    const std::string text = event + Pod(first ? "p2" : "p1", target.port(), first ? 6 : 7) + "}\n";
    reply.chunks = {text.substr(0, 50), text.substr(50), "{\"type\":"};
    if (!first && request.target.find("resourceVersion=6&") == std::string::npos) {
      return ScriptedReply::Text(500, "{}");
    }
    return reply.Cut(first ? ScriptedReply::End::kReset : ScriptedReply::End::kHang, text.size());
  });
  AgentProcess agent(fmt::format(
      "global: {{scrape_interval: 1s}}\n"
      "scrape_configs:\n- job_name: j\n"
      "  kubernetes_sd_configs:\n"
      "  - {{role: pod, api_server: '{}', authorization: {{credentials: geheim}}}}\n"
      "  relabel_configs: [{{source_labels: [__meta_kubernetes_pod_name], target_label: pod}}]\n",
      api.Url()));
  REQUIRE(Eventually(seconds(5) * kSlowdown, [&] { return !agent.TargetOf("j").is_null(); }));
  const std::string event = "prometheus_sd_kubernetes_events_total{event=\"";
  CHECK(agent.WaitForMetric(event + "add\",role=\"pod\"}", 2, seconds(5) * kSlowdown));
  CHECK(agent.WaitForMetric(event + "delete\",role=\"pod\"}", 1, seconds(10) * kSlowdown));
  CHECK(Eventually(seconds(8) * kSlowdown, [&] {
    const json found = agent.TargetOf("j");
    return !found.is_null() && found["labels"]["pod"] == "p2";
  }));
  CHECK(agent.WaitForMetric("tributary_sd_kubernetes_broken_watches_total", 1, seconds(2)));
  CHECK(agent.process().Err().find("geheim") == std::string::npos);
  CHECK(agent.Stop() == 0);
}

}  // namespace
}  // namespace tributary
