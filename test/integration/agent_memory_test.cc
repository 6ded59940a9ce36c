// --memory.limit: the real agent with targets that outgrow it.
#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

#include <fmt/format.h>

#include "test/integration/agent_process.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"

namespace tributary {
namespace {

std::string Page(int series) {
  std::string page;
  for (int i = 0; i < series; i++) {
    page += fmt::format("series_{}{{a_label=\"of some length {}\",another=\"one_{}\"}} {}\n",
                        i % 50, i * 7919 % 1000003, i, i);
  }
  return page;
}

// Of /proc/PID/status, in bytes.
uint64_t AnonymousBytes(pid_t pid) {
  std::ifstream lines(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("RssAnon:")) return std::stoull(line.substr(8)) * 1024;
  }
  return 0;
}

TEST_CASE("agent memory: targets that outgrow the limit do not kill it, and it recovers") {
  constexpr uint64_t kLimit = 64 << 20;
  const std::string small = Page(2000), large = Page(400'000);
  std::atomic<bool> grown{false};
  const RawServer target([&](const ServedRequest&) {
    return ScriptedReply::Text(200, grown ? large : small,
                               {{"Content-Type", "text/plain; version=0.0.4"}});
  });
  const RawServer healthy([&](const ServedRequest&) {
    return ScriptedReply::Text(200, "m 1\n", {{"Content-Type", "text/plain; version=0.0.4"}});
  });
  AgentProcess agent(fmt::format("global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n"
                                 "scrape_configs:\n"
                                 "  - job_name: grows\n"
                                 "    scrape_timeout: 10s\n"
                                 "    scrape_interval: 10s\n"
                                 "    static_configs: [{{targets: ['127.0.0.1:{}']}}]\n"
                                 "  - job_name: healthy\n"
                                 "    static_configs: [{{targets: ['127.0.0.1:{}']}}]\n",
                                 target.port(), healthy.port()),
                     AgentSetup{{fmt::format("--memory.limit={}", kLimit)}, {}});
  REQUIRE(agent.WaitForMetric("prometheus_agent_active_series", 2000, seconds(20)));
  CHECK(agent.Metric("tributary_memory_limit_bytes") == kLimit);
  CHECK(agent.Metric("tributary_memory_shed_step") == 0);
  grown = true;
  std::atomic<uint64_t> most{0};
  std::atomic<bool> watching{true};
  std::thread watcher([&, pid = agent.process().pid()] {
    while (watching) {
      most = std::max<uint64_t>(most, AnonymousBytes(pid));
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  });
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(25);
  while (std::chrono::steady_clock::now() < end) {
    const auto begin = std::chrono::steady_clock::now();
    CHECK(agent.Get("/-/healthy").status == 200);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(1) * kSlowdown);
    if (agent.Metric("tributary_memory_shed_total{what=\"page\"}") >= 1) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  watching = false;
  watcher.join();
  CHECK(agent.Metric("tributary_memory_shed_total{what=\"page\"}") >= 1);
  INFO(agent.process().Err());
  CHECK_THAT(agent.TargetOf("grows")["lastError"].get<std::string>(),
             Catch::Contains("near its memory limit"));
  CHECK(agent.TargetOf("healthy")["health"] == "up");
  if (kSlowdown == 1) CHECK(most < kLimit);
  grown = false;
  // What a sanitizer keeps of freed memory does not go.
  const auto is_calm = [&] {
    return kSlowdown > 1 || agent.Metric("tributary_memory_shed_step") == 0;
  };
  const auto recovered = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < recovered &&
         (agent.TargetOf("grows")["health"] != "up" || !is_calm())) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  CHECK(agent.TargetOf("grows")["health"] == "up");
  CHECK(is_calm());
}

TEST_CASE("agent memory: a limit that is none, or too low for anything, is refused") {
  for (const char* limit : {"1MiB", "much", "-1", "1000"}) {
    INFO(limit);
    const ProcessResult agent = RunAgent({std::string("--memory.limit=") + limit});
    CHECK(agent.status == 2);
    CHECK_THAT(agent.err, Catch::Contains("--memory.limit"));
  }
}

}  // namespace
}  // namespace tributary
