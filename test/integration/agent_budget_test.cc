// What the agent keeps of each series, part by part, and how often a sidecar wakes, held to their
// budgets.
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>

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

// How often each thread of the process has gone to sleep, by its number.
std::map<std::string, uint64_t> Sleeps(pid_t pid) {
  std::map<std::string, uint64_t> sleeps;
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid))) {
    std::ifstream lines(task.path() / "status");
    constexpr std::string_view kField = "voluntary_ctxt_switches:";
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with(kField)) continue;
      sleeps[task.path().filename()] = std::stoull(line.substr(kField.size()));
    }
  }
  return sleeps;
}

TEST_CASE("agent wake-ups: a sidecar's threads wake a few times a scrape, and not in between") {
  if (kSlowdown != 1) return;  // a sanitizer's own threads wake too
  constexpr uint64_t kScrapes = 2;
  RemoteReceiver receiver;
  const RawServer target([scrape = 0](const ServedRequest&) mutable {
    std::string page;
    for (int i = 0; i < 1300; i++) page += fmt::format("m_{}{{n=\"{}\"}} {}\n", i % 50, i, scrape);
    scrape++;
    return ScriptedReply::Text(200, page, {{"Content-Type", "text/plain"}});
  });
  AgentProcess agent(
      fmt::format("global: {{scrape_interval: 15s}}\n"
                  "scrape_configs:\n"
                  "- job_name: app\n"
                  "  static_configs: [{{targets: ['127.0.0.1:{}']}}]\n"
                  "remote_write: [{{url: '{}'}}]\n",
                  target.port(), receiver.Url()));
  REQUIRE(Eventually(seconds(60), [&] { return receiver.requests() > 0; }));
  std::this_thread::sleep_for(std::chrono::seconds(15));  // what only a start needs is let go
  const auto before = Sleeps(agent.process().pid());
  std::this_thread::sleep_for(std::chrono::seconds(15 * kScrapes));
  uint64_t in_all = 0, most = 0;
  for (const auto& [thread, sleeps] : Sleeps(agent.process().pid())) {
    const auto earlier = before.find(thread);
    const uint64_t since = sleeps - (earlier == before.end() ? 0 : earlier->second);
    in_all += since;
    most = std::max(most, since);
  }
  CAPTURE(in_all, most);
  CHECK(most >= 5 * kScrapes);
  CHECK(most <= 12 * kScrapes);
  CHECK(in_all <= 20 * kScrapes);  // with what waits for the disk
}

}  // namespace
}  // namespace tributary
