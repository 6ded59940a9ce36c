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
constexpr double kAllSeries = kTargets * kSeries;

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

// Scrapes kTargets of kSeries and sends them to `remotes`, entries of remote_write.
class Budget {
 public:
  explicit Budget(const std::string& remotes)
      : server_([scrape = 0](const ServedRequest&) mutable {
          return ScriptedReply::Text(200, Page(++scrape), {{"Content-Type", "text/plain"}});
        }),
        agent_(fmt::format(R"(
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: job
    static_configs: [{}]
    metric_relabel_configs:
      - {{source_labels: [__name__], regex: container_dropped_.*, action: drop}}
remote_write: [{}]
)",
                           Targets(server_.port()), remotes)) {}

  // Frames are compiled after the second scrape, and stand for the labels then. A value has two
  // bytes, and its labels some more.
  bool AwaitFrames(int remotes) {
    return Eventually(seconds(20 * kSlowdown), [&] {
      return Bytes("frames") > 8 * kAllSeries && Bytes("queues") <= 4 * remotes * kAllSeries;
    });
  }
  double Bytes(const std::string& part) {
    return agent_.Metric(fmt::format("tributary_memory_bytes{{part=\"{}\"}}", part));
  }

 private:
  static std::string Targets(int port) {
    std::string targets;
    for (int i = 0; i < kTargets; i++) {
      targets += fmt::format("{}{{targets: ['127.0.0.1:{}'], labels: {{node: n{}}}}}",
                             i == 0 ? "" : ", ", port, i);
    }
    return targets;
  }

  const RawServer server_;
  AgentProcess agent_;
};

std::string Remote(const RemoteReceiver& receiver, const std::string& name,
                   const std::string& more = "") {
  return fmt::format("{{url: '{}', name: {}, queue_config: {{max_samples_per_send: 500}}{}}}",
                     receiver.Url(), name, more);
}

TEST_CASE("agent memory: each part keeps to its budget of bytes a series") {
  RemoteReceiver receiver;
  Budget agent(Remote(receiver, "one"));
  REQUIRE(agent.AwaitFrames(1));
  const double frames = agent.Bytes("frames"), layouts = agent.Bytes("layouts");
  CAPTURE(frames / kAllSeries, layouts / kAllSeries);
  CHECK(frames <= 30 * kAllSeries);
  // Of a line hash, place and length; of a series its labels, compressed; of a target the rest.
  const double lines = kTargets * (kSeries + kDropped);
  CHECK(layouts > 14 * lines);
  CHECK(layouts <= 14 * lines + 14 * kAllSeries + 2048 * kTargets);
}

TEST_CASE("agent memory: remotes with the same rules have their frames once") {
  RemoteReceiver receiver;
  double one = 0, likes = 0, others = 0;
  {
    Budget agent(Remote(receiver, "one"));
    REQUIRE(agent.AwaitFrames(1));
    one = agent.Bytes("frames");
  }
  {
    Budget agent(Remote(receiver, "one") + ", " + Remote(receiver, "two"));
    REQUIRE(agent.AwaitFrames(2));
    likes = agent.Bytes("frames");
  }
  {
    Budget agent(Remote(receiver, "one") + ", " +
                 Remote(receiver, "other",
                        ", write_relabel_configs: [{target_label: region, replacement: r}]"));
    REQUIRE(agent.AwaitFrames(2));
    others = agent.Bytes("frames");
  }
  CAPTURE(one, likes, others);
  CHECK(likes < 1.1 * one);
  CHECK(others > 1.9 * one);
}

}  // namespace
}  // namespace tributary
