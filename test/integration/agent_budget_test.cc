// What the agent keeps of each series, part by part, held to its budget.
#include <string>

#include <fmt/format.h>

#include "test/integration/agent_process.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"
#include "test/support/remote_receiver.h"

namespace tributary {
namespace {

constexpr int kTargets = 10;
constexpr int kSeries = 2000;   // of a target, that are kept
constexpr int kDropped = 1000;  // and lines that are not

// As cAdvisor has them: of 20 families and many pods, with a value that moves.
std::string Page(int scrape) {
  std::string page;
  for (int i = 0; i < kSeries + kDropped; i++) {
    const bool dropped = i % 3 == 2;
    page += fmt::format(
        "container_{}_{}_total{{container=\"app-{}\",image=\"registry.example/team-{}/"
        "service:1.{}\","
        "namespace=\"team-{}\",pod=\"service-{}-7d9f8b6c{:04x}\"}} {}\n",
        dropped ? "dropped" : "kept", i % 20, i / 20 % 3, i / 20 % 7, i / 20 % 11, i / 20 % 7,
        i / 20 % 13, i / 20 * 2654435761U % 65536, 1000.5 * i + scrape);
  }
  return page;
}

TEST_CASE("agent memory: each part keeps to its budget of bytes a series") {
  const RawServer server([scrape = 0](const ServedRequest&) mutable {
    return ScriptedReply::Text(200, Page(++scrape), {{"Content-Type", "text/plain"}});
  });
  RemoteReceiver receiver;
  std::string targets;
  for (int i = 0; i < kTargets; i++) {
    targets += fmt::format("{}{{targets: ['127.0.0.1:{}'], labels: {{node: n{}}}}}",
                           i == 0 ? "" : ", ", server.port(), i);
  }
  AgentProcess agent(fmt::format(R"(
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: job
    static_configs: [{}]
    metric_relabel_configs:
      - {{source_labels: [__name__], regex: container_dropped_.*, action: drop}}
remote_write: [{{url: '{}', queue_config: {{max_samples_per_send: 500}}}}]
)",
                                 targets, receiver.Url()));
  const double series = kTargets * kSeries;
  const auto bytes = [&](const std::string& part) {
    return agent.Metric(fmt::format("tributary_memory_bytes{{part=\"{}\"}}", part));
  };
  // Frames are compiled after the second scrape, and stand for the labels then. A value and its
  // time alone are 16 bytes.
  REQUIRE(Eventually(seconds(20 * kSlowdown), [&] {
    return bytes("frames") > 16 * series && bytes("queues") <= 4 * series;
  }));
  const double frames = bytes("frames"), layouts = bytes("layouts");
  CAPTURE(frames / series, layouts / series);
  CHECK(frames <= 38 * series);
  // Of a line hash, place and length; of a series its labels, compressed; of a target the rest.
  const double lines = kTargets * (kSeries + kDropped);
  CHECK(layouts > 14 * lines);
  CHECK(layouts <= 14 * lines + 24 * series + 2048 * kTargets);
}

}  // namespace
}  // namespace tributary
