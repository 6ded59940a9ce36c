// --memory.limit, and the limit of a control group: the real agent with targets that outgrow it.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
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

// A control group with a memory limit, below the one of this process; removed in the end. Only a
// process that starts while this one is inside it gets into it.
class LimitedGroup {
 public:
  explicit LimitedGroup(uint64_t limit) {
    std::ifstream lines("/proc/self/cgroup");
    for (std::string line; std::getline(lines, line);) {
      const size_t second = line.find(':', line.find(':') + 1);
      const std::string controllers = line.substr(line.find(':') + 1, second - line.find(':') - 1);
      const std::string group = line.substr(second + 1);
      if (controllers == "memory" &&
          Make("/sys/fs/cgroup/memory" + group, "memory.limit_in_bytes", limit))
        return;
      if (controllers.empty() && Make("/sys/fs/cgroup" + group, "memory.max", limit)) return;
    }
  }
  ~LimitedGroup() {
    if (folder_.empty()) return;
    // The kernel lets go of the last process a little after it has ended.
    for (int i = 0; i < 100 && rmdir(folder_.c_str()) != 0; i++) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  LimitedGroup(const LimitedGroup&) = delete;
  LimitedGroup& operator=(const LimitedGroup&) = delete;

  bool made() const { return !folder_.empty(); }
  const std::string& why() const { return why_; }
  bool Enter() const { return Write(folder_ + "/cgroup.procs", "0"); }
  bool Leave() const { return Write(parent_ + "/cgroup.procs", "0"); }
  // How many of its processes the kernel has killed for want of memory.
  int Killed() const {
    for (const char* name : {"/memory.events", "/memory.oom_control"}) {
      std::ifstream lines(folder_ + name);
      for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("oom_kill ")) return std::stoi(line.substr(9));
      }
    }
    return -1;
  }

 private:
  bool Make(const std::string& parent, const char* file, uint64_t limit) {
    const std::string folder =
        parent + (parent.ends_with('/') ? "" : "/") + fmt::format("tributary-test-{}", getpid());
    std::error_code failed;
    if (!std::filesystem::create_directory(folder, failed)) {
      why_ += fmt::format("{}: {}; ", folder, failed.message());
      return false;
    }
    if (!Write(fmt::format("{}/{}", folder, file), std::to_string(limit))) {
      why_ += fmt::format("{}/{}: {}; ", folder, file, std::strerror(errno));
      rmdir(folder.c_str());
      return false;
    }
    // What could be swapped would not be killed.
    Write(folder + "/memory.swap.max", "0");
    folder_ = folder;
    parent_ = parent;
    return true;
  }
  static bool Write(const std::string& path, const std::string& text) {
    const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    const int error = errno;
    close(fd);
    errno = error;
    return written;
  }

  std::string folder_, parent_, why_;
};

// The agent in a group of 64 MiB, with a target that grows to more than fits, for ten seconds of
// scrapes at most. What is told of it is what it came to.
struct InGroup {
  double limit = 0, shed = 0, resident = 0;
  int killed = 0;
  bool alive = false;
  std::string grows_error, healthy;
};

constexpr uint64_t kGroupLimit = 64 << 20;

std::optional<InGroup> RunInGroup(const std::vector<std::string>& arguments) {
  const LimitedGroup group(kGroupLimit);
  if (!group.made()) {
    WARN("SKIPPED: no control group with a memory limit can be made here: " << group.why());
    return {};
  }
  const std::string small = Page(2000), large = Page(600'000);
  std::atomic<bool> grown{false};
  const RawServer target([&](const ServedRequest&) {
    return ScriptedReply::Text(200, grown ? large : small,
                               {{"Content-Type", "text/plain; version=0.0.4"}});
  });
  const RawServer healthy([&](const ServedRequest&) {
    return ScriptedReply::Text(200, "m 1\n", {{"Content-Type", "text/plain; version=0.0.4"}});
  });
  REQUIRE(group.Enter());
  std::optional<AgentProcess> agent;
  agent.emplace(fmt::format("global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n"
                            "scrape_configs:\n"
                            "  - job_name: grows\n"
                            "    scrape_timeout: 2s\n"
                            "    scrape_interval: 2s\n"
                            "    static_configs: [{{targets: ['127.0.0.1:{}']}}]\n"
                            "  - job_name: healthy\n"
                            "    static_configs: [{{targets: ['127.0.0.1:{}']}}]\n",
                            target.port(), healthy.port()),
                AgentSetup{arguments, {}});
  REQUIRE(group.Leave());
  REQUIRE(agent->WaitForMetric("prometheus_agent_active_series", 2000, seconds(20)));
  InGroup found;
  found.limit = agent->Metric("tributary_memory_limit_bytes");
  grown = true;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < end && group.Killed() == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  found.killed = group.Killed();
  found.alive = found.killed == 0 && agent->Get("/-/healthy").status == 200;
  if (found.alive) {
    found.shed = agent->Metric("tributary_memory_shed_total{what=\"page\"}");
    found.resident = agent->Metric("process_resident_memory_bytes");
    found.grows_error = agent->TargetOf("grows")["lastError"].get<std::string>();
    found.healthy = agent->TargetOf("healthy")["health"].get<std::string>();
    CHECK(agent->Stop() == 0);
  } else {
    agent->Kill();
  }
  agent.reset();
  return found;
}

TEST_CASE("agent memory: in a control group it finds the limit itself, sheds, and is not killed",
          "[cgroup]") {
  const std::optional<InGroup> found = RunInGroup({});
  if (!found) return;
  CHECK(found->limit == kGroupLimit);
  CHECK(found->killed == 0);
  CHECK(found->alive);
  CHECK(found->shed >= 2);
  CHECK(found->resident < kGroupLimit);
  CHECK_THAT(found->grows_error, Catch::Contains("near its memory limit"));
  CHECK(found->healthy == "up");
}

// Else the test above would not show anything.
TEST_CASE("agent memory: the kernel kills an agent in the same group that is told of no limit",
          "[cgroup]") {
  const std::optional<InGroup> found = RunInGroup({"--memory.limit=0"});
  if (!found) return;
  CHECK(found->killed == 1);
  CHECK_FALSE(found->alive);
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
