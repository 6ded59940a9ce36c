// Two tiers, with kills and outages at every hop: 20 agents on nodes and two replicas of a real
// Prometheus agent send to one agent, the proxy, and that to two central Prometheus servers.
//
// What is owed is known for sure: a scrape after which the same process has asked for the next.
// What the replicas have accepted they may lose themselves when they are killed; of them both
// servers must have the same, from one at a time.
//
//   TRIBUTARY_TIERS_SEED=7   the same disruptions again; they meet other moments
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iterator>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "test/integration/agent_process.h"
#include "test/integration/peer_prometheus.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"

namespace tributary {
namespace {

using nlohmann::json;

constexpr uint32_t kNodes = 20, kSeries = 20;
constexpr int kFailoverSeconds = 3;

// Serves each path, `/NAME?process=N`, its number of scrapes so far.
class Pages {
 public:
  uint16_t port() const { return server_.port(); }
  // The scrapes of a name that the process asking has followed by another one.
  std::set<uint64_t> OwedOf(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    std::set<uint64_t> owed;
    auto it = pages_.find(name);
    if (it == pages_.end()) return owed;
    const auto& scrapes = it->second;
    for (size_t i = 0; i + 1 < scrapes.size(); i++) {
      if (scrapes[i] == scrapes[i + 1]) owed.insert(i + 1);
    }
    return owed;
  }

 private:
  ScriptedReply Serve(const ServedRequest& request) {
    const size_t question = request.target.find('?');
    const std::string name = request.target.substr(1, question - 1);
    const std::lock_guard lock(mutex_);
    std::vector<std::string>& scrapes = pages_[name];
    scrapes.push_back(request.target.substr(question + 1));
    std::string page = "# TYPE scrape_number gauge\n";
    for (uint32_t i = 0; i < kSeries; i++) {
      page += fmt::format("scrape_number{{series=\"{}\"}} {}\n", i, scrapes.size());
    }
    return ScriptedReply::Text(200, page, {{"Content-Type", "text/plain; version=0.0.4"}});
  }

  mutable std::mutex mutex_;
  std::map<std::string, std::vector<std::string>> pages_;  // the process of each scrape
  const RawServer server_{[this](const ServedRequest& request) { return Serve(request); }};
};

// Scrapes `name` every second as the process with that number, and sends to the proxy.
std::string EdgeConfig(const Pages& pages, const std::string& name, int process,
                       const std::string& instance, const std::string& external_labels,
                       uint16_t proxy_port) {
  return fmt::format(
      "global: {{scrape_interval: 1s, scrape_timeout: 1s, external_labels: {}}}\n"
      "scrape_configs:\n"
      "  - job_name: edge\n"
      "    metrics_path: /{}\n"
      "    params: {{process: ['{}']}}\n"
      "    static_configs: [{{targets: ['127.0.0.1:{}']}}]\n"
      "    relabel_configs: [{{target_label: instance, replacement: {}}}]\n"
      "remote_write:\n"
      "  - url: http://127.0.0.1:{}/api/v1/write\n"
      "    queue_config: {{batch_send_deadline: 200ms, min_backoff: 30ms, max_backoff: 300ms}}\n",
      external_labels, name, process, pages.port(), instance, proxy_port);
}

// An agent of ours that may be killed and started again, with others to come by its number.
class Node {
 public:
  Node(const Pages& pages, uint32_t number, uint16_t proxy_port)
      : pages_(pages), name_(fmt::format("n{}", number)), proxy_port_(proxy_port) {
    agent_ = std::make_unique<AgentProcess>(Config());
  }
  const std::string& name() const { return name_; }
  AgentProcess& agent() { return *agent_; }
  void Restart() {
    agent_->Kill();
    process_++;
    agent_->WriteConfig(Config());
    agent_->Start();
  }

 private:
  std::string Config() const {
    return EdgeConfig(pages_, name_, process_, name_, "{edge: node}", proxy_port_);
  }

  const Pages& pages_;
  const std::string name_;
  const uint16_t proxy_port_;
  int process_ = 1;
  std::unique_ptr<AgentProcess> agent_;
};

struct Point {
  double time = 0;
  uint64_t value = 0;
};

// The samples that a server has, of each series that the selector means.
std::vector<std::pair<json, std::vector<Point>>> PointsOf(const PeerPrometheus& server,
                                                          const std::string& selector) {
  std::vector<std::pair<json, std::vector<Point>>> all;
  for (const json& series : server.Query(selector + "[1h]")) {
    std::vector<Point> points;
    for (const json& point : series.at("values")) {
      const auto value = std::stoull(point.at(1).get<std::string>());
      points.push_back({point.at(0).get<double>(), value});
    }
    all.emplace_back(series.at("metric"), std::move(points));
  }
  return all;
}

// All that an agent says it has dropped, or not been able to deliver, but for what a process before
// it may have delivered already.
std::string LossesOf(const AgentProcess& agent) {
  std::string losses;
  for (const std::string& line : LinesOf(agent.Get("/metrics").body)) {
    const bool is_loss = line.starts_with("prometheus_remote_storage_samples_failed_total{") ||
                         line.starts_with("prometheus_remote_storage_samples_dropped_total{");
    if (is_loss && line.find("maybe_duplicate") == std::string::npos && !line.ends_with(" 0"))
      losses += line + "\n";
  }
  return losses;
}

TEST_CASE("two tiers: with kills and outages at every hop nothing is lost, late or twice",
          "[peer]") {
  const auto program = PeerProgram();
  if (!program) return;
  const char* fixed_seed = std::getenv("TRIBUTARY_TIERS_SEED");
  const uint64_t seed =
      fixed_seed != nullptr ? std::strtoull(fixed_seed, nullptr, 10) : std::random_device{}();
  std::mt19937_64 random(seed);
  INFO("TRIBUTARY_TIERS_SEED=" << seed);

  const Pages pages;
  std::vector<std::unique_ptr<PeerPrometheus>> servers;
  std::string proxy_config = fmt::format(
      "tributary: {{receive: {{failover_timeout: {}s}}}}\nremote_write:\n", kFailoverSeconds);
  for (int i = 0; i < 2; i++) {
    servers.push_back(std::make_unique<PeerPrometheus>(
        *program, "global: {}\n",
        PeerPrometheus::Options{.arguments = {"--web.enable-remote-write-receiver"}}));
    proxy_config += fmt::format(
        "  - url: http://127.0.0.1:{}/api/v1/write\n    name: central-{}\n"
        "    queue_config: {{batch_send_deadline: 200ms, min_backoff: 30ms, max_backoff: 500ms}}\n",
        servers.back()->port(), i);
  }
  const AgentSetup proxy_setup{{"--web.enable-remote-write-receiver"}, {}, UnusedPort()};
  AgentProcess proxy(proxy_config, proxy_setup);
  std::vector<std::unique_ptr<Node>> nodes;
  for (uint32_t i = 0; i < kNodes; i++) {
    nodes.push_back(std::make_unique<Node>(pages, i, proxy.port()));
  }
  std::vector<std::unique_ptr<PeerPrometheus>> replicas;
  for (const char* replica : {"a", "b"}) {
    replicas.push_back(std::make_unique<PeerPrometheus>(
        *program,
        EdgeConfig(pages, fmt::format("ha-{}", replica), 1, "ha",
                   fmt::format("{{cluster: west, __replica__: {}}}", replica), proxy.port()),
        PeerPrometheus::Options{.mode = PeerPrometheus::Mode::kAgent}));
  }

  std::string losses;
  int replica_kills = 0;
  const auto pause = [&](int min_ms, int max_ms) {
    std::this_thread::sleep_for(
        milliseconds(min_ms + static_cast<int>(random() % static_cast<uint64_t>(max_ms - min_ms))));
  };
  const auto stop_for_a_while = [&](Process& process) {
    process.Signal(SIGSTOP);
    pause(500, 2500);
    process.Signal(SIGCONT);
  };
  const std::vector<std::function<void()>> disruptions{
      [&] { nodes[random() % kNodes]->Restart(); },
      [&] {
        for (int i = 0; i < 3; i++) nodes[random() % kNodes]->Restart();
      },
      [&] { stop_for_a_while(nodes[random() % kNodes]->agent().process()); },
      [&] {
        losses += LossesOf(proxy);
        proxy.Kill();
        pause(1, 2000);
        proxy.Start(proxy_setup);
      },
      [&] {
        losses += LossesOf(proxy);
        proxy.Kill();
        proxy.Start(proxy_setup);
      },
      [&] { stop_for_a_while(proxy.process()); },
      [&] {
        PeerPrometheus& server = *servers[random() % 2];
        server.Kill();
        pause(1, 3000);
        server.Start();
      },
      [&] { stop_for_a_while(servers[random() % 2]->process()); },
      [&] {
        for (auto& server : servers) server->Kill();
        pause(500, 2000);
        for (auto& server : servers) server->Start();
      },
      // Whichever is elected.
      [&] {
        for (auto& replica : replicas) {
          replica_kills++;
          replica->Kill();
          pause(1000 * kFailoverSeconds, 1000 * kFailoverSeconds + 3000);
          replica->Start();
        }
      },
  };
  std::vector<size_t> order;
  for (size_t i = 0; i < 2 * disruptions.size(); i++) order.push_back(i % disruptions.size());
  std::shuffle(order.begin(), order.end(), random);
  for (const size_t i : order) {
    pause(100, 1500);
    disruptions[i]();
  }
  // Each has asked for something once more.
  std::this_thread::sleep_for(seconds(3));
  losses += LossesOf(proxy);
  for (auto& node : nodes) losses += LossesOf(node->agent());
  CHECK(losses == "");

  // A scrape that took the agent too long, on a machine that has other things to do, it counts as
  // failed itself.
  const auto missing_on = [&](const PeerPrometheus& server) -> std::string {
    std::map<std::string, uint64_t> failed;
    for (const auto& [labels, points] : PointsOf(server, "up{edge=\"node\"}")) {
      for (const Point& point : points) failed[labels.at("instance")] += point.value == 0;
    }
    std::map<std::string, std::map<std::string, std::set<uint64_t>>> found;
    for (const auto& [labels, points] : PointsOf(server, "scrape_number{edge=\"node\"}")) {
      auto& values = found[labels.at("instance")][labels.at("series")];
      for (const Point& point : points) values.insert(point.value);
    }
    std::string missing;
    for (const auto& node : nodes) {
      const std::set<uint64_t> owed = pages.OwedOf(node->name());
      for (uint32_t series = 0; series < kSeries; series++) {
        const auto& values = found[node->name()][std::to_string(series)];
        std::vector<uint64_t> lost;
        std::set_difference(owed.begin(), owed.end(), values.begin(), values.end(),
                            std::back_inserter(lost));
        if (lost.size() > failed[node->name()]) {
          missing += fmt::format("{} series {}: {} of {}\n", node->name(), series,
                                 fmt::join(lost, " "), *owed.rbegin());
        }
      }
    }
    return missing;
  };
  const auto settled = [](auto predicate) {
    bool holds = false;
    const auto end = std::chrono::steady_clock::now() + kSlowdown * seconds(60);
    while (!(holds = predicate()) && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(milliseconds(300));
    }
    return holds;
  };
  for (const auto& server : servers) {
    settled([&] { return missing_on(*server).empty(); });
    CHECK(missing_on(*server) == "");
    CHECK(pages.OwedOf("n0").size() > 20);
    for (const auto& [labels, points] : PointsOf(*server, "scrape_number{edge=\"node\"}")) {
      CAPTURE(labels.dump());
      const bool rises = std::is_sorted(points.begin(), points.end(), [](Point a, Point b) {
        return a.time < b.time && a.value < b.value;
      });
      CHECK(rises);
    }
    const json refused = server->Query("prometheus_tsdb_out_of_order_samples_total > 0");
    CHECK(refused.empty());
  }

  // Of the replicas, both servers have the same, of one at a time.
  for (auto& replica : replicas) {
    replica->process().Signal(SIGTERM);
    replica->process().Wait(seconds(20));
  }
  const auto of_replicas = [](const PeerPrometheus& server) {
    std::map<std::string, std::vector<std::pair<double, uint64_t>>> found;
    for (const auto& [labels, points] : PointsOf(server, "scrape_number{instance=\"ha\"}")) {
      CHECK_FALSE(labels.contains("__replica__"));
      for (const Point& point : points) {
        found[labels.dump()].emplace_back(point.time, point.value);
      }
    }
    return found;
  };
  const auto has_delivered_all = [&] {
    for (size_t i = 0; i < servers.size(); i++) {
      const std::string pending = fmt::format(
          "prometheus_remote_storage_samples_pending{{remote_name=\"central-{}\","
          "url=\"http://127.0.0.1:{}/api/v1/write\"}}",
          i, servers[i]->port());
      if (proxy.Metric(pending) != 0) return false;
    }
    return true;
  };
  CHECK(settled(
      [&] { return has_delivered_all() && of_replicas(*servers[0]) == of_replicas(*servers[1]); }));
  const auto found = of_replicas(*servers[0]);
  CHECK(found.size() == kSeries);
  for (const auto& [labels, points] : found) {
    CHECK(points.size() > 10);
    int close = 0;
    for (size_t i = 1; i < points.size(); i++) close += points[i].first - points[i - 1].first < 0.6;
    CAPTURE(labels, points.size());
    // Only where another one was elected, or the same came back.
    CHECK(close <= 2 * replica_kills);
  }
  for (auto& node : nodes) CHECK(node->agent().Stop(seconds(20)) == 0);
  CHECK(proxy.Stop(seconds(20)) == 0);
}

}  // namespace
}  // namespace tributary
