// The agent is killed, again and again, while receivers fail: what its log had accepted arrives at
// each of them, and in order. TRIBUTARY_KILL_ROUNDS: how often (12 by default).
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "test/integration/agent_process.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"
#include "test/support/remote_receiver.h"

namespace tributary {
namespace {

// Counts its scrapes in its one value.
struct Target {
  std::atomic<int> scrapes{0};
  RawServer server{[this](const ServedRequest&) {
    return ScriptedReply::Text(200, fmt::format("scrapes_total {}\n", ++scrapes),
                               {{"Content-Type", "text/plain; version=0.0.4"}});
  }};
  std::string Address() const { return "127.0.0.1:" + std::to_string(server.port()); }
};

class KillWorld {
 public:
  KillWorld(size_t targets, uint64_t seed) : random_(seed) {
    std::string addresses;
    for (size_t i = 0; i < targets; i++) {
      targets_.push_back(std::make_unique<Target>());
      addresses += "'" + targets_.back()->Address() + "', ";
    }
    folder_.Write("agent.yml", fmt::format(R"(global: {{scrape_interval: 100ms}}
scrape_configs: [{{job_name: app, static_configs: [{{targets: [{}]}}]}}]
remote_write:
  - {{url: '{}', name: one, remote_timeout: 1s, queue_config: &queue {{batch_send_deadline: 50ms, max_samples_per_send: 20, min_backoff: 20ms, max_backoff: 100ms}}}}
  - {{url: '{}', name: two, remote_timeout: 1s, protobuf_message: io.prometheus.write.v2.Request, queue_config: *queue}}
)",
                                           addresses, receivers_[0].Url(), receivers_[1].Url()));
    owed_.resize(targets);
  }

  uint64_t Random(uint64_t below) { return random_() % below; }
  RemoteReceiver& receiver(size_t i) { return receivers_[i]; }

  void Start() {
    // Each time another number of workers.
    process_ = std::make_unique<Process>(ProcessOptions{
        AgentProgram(),
        {"--config.file=" + folder_ / "agent.yml", "--storage.path=" + folder_ / "data",
         "--web.listen-address=127.0.0.1:0", fmt::format("--workers={}", 1 + Random(3))},
        {},
        folder_.path()});
    at_start_ = Scrapes();
  }
  // Each target was scraped so often since the start.
  bool WaitForScrapes(int count) {
    return Eventually(seconds(20) * kSlowdown, [&] {
      for (size_t i = 0; i < targets_.size(); i++) {
        if (targets_[i]->scrapes < at_start_[i] + count) return false;
      }
      return true;
    });
  }
  void Kill() {
    const std::vector<int> before = Scrapes();
    process_->Signal(SIGKILL);
    REQUIRE(process_->Wait(seconds(10)));
    // What it had sent arrives before what the next one sends.
    for (RemoteReceiver& receiver : receivers_) receiver.CloseIdle();
    const std::vector<int> after = Scrapes();
    for (size_t i = 0; i < targets_.size(); i++) {
      // The log had a scrape for certain if two more had begun.
      for (int n = at_start_[i] + 1; n <= before[i] - 2; n++) owed_[i].insert(n);
    }
  }
  void Stop() {
    process_->Signal(SIGTERM);
    const auto status = process_->Wait(seconds(30) * kSlowdown);
    INFO(process_->Err());
    REQUIRE(status == 0);
    const std::vector<int> now = Scrapes();
    for (size_t i = 0; i < targets_.size(); i++) {
      for (int n = at_start_[i] + 1; n < now[i]; n++) owed_[i].insert(n);
    }
  }
  // All that is owed to it has arrived in order; gives what has.
  std::vector<std::set<int>> Judge(const RemoteReceiver& receiver) const {
    std::map<std::string, std::vector<DecodedSample>> by_instance;
    std::map<std::string, std::set<TimestampMs>> down;  // `up` is 0: the scrape was refused
    for (DecodedSample& sample : receiver.accepted()) {
      const std::string instance(sample.labels.Get("instance"));
      if (sample.name() == "up" && sample.value == 0) down[instance].insert(sample.timestamp);
      if (sample.name() != "scrapes_total" || std::isnan(sample.value)) continue;
      by_instance[instance].push_back(std::move(sample));
    }
    std::vector<std::set<int>> arrived(targets_.size());
    for (size_t i = 0; i < targets_.size(); i++) {
      const std::string instance = targets_[i]->Address();
      std::map<int, TimestampMs> times;
      TimestampMs latest = 0;
      for (const DecodedSample& sample : by_instance[instance]) {
        const int number = static_cast<int>(sample.value);
        INFO(instance << ", scrape " << number << " at " << sample.timestamp);
        if (times.emplace(number, sample.timestamp).second) CHECK(sample.timestamp > latest);
        latest = std::max(latest, sample.timestamp);
        arrived[i].insert(number);
      }
      CheckOwed(owed_[i], times, down[instance], instance);
    }
    return arrived;
  }

 private:
  // Between two scrapes that arrived no more are missing than the agent says it could not take.
  static void CheckOwed(const std::set<int>& owed, const std::map<int, TimestampMs>& times,
                        const std::set<TimestampMs>& down, const std::string& instance) {
    std::map<std::pair<TimestampMs, TimestampMs>, int64_t> missing;
    for (const int n : owed) {
      if (times.contains(n)) continue;
      const auto after = times.upper_bound(n);
      const TimestampMs from = after == times.begin() ? 0 : std::prev(after)->second;
      const TimestampMs to =
          after == times.end() ? std::numeric_limits<TimestampMs>::max() : after->second;
      missing[{from, to}]++;
    }
    for (const auto& [gap, count] : missing) {
      INFO(instance << ": " << count << " scrapes are missing from " << gap.first << " to "
                    << gap.second);
      CHECK(count <= std::distance(down.upper_bound(gap.first), down.lower_bound(gap.second)));
    }
  }
  std::vector<int> Scrapes() const {
    std::vector<int> scrapes;
    for (const auto& target : targets_) scrapes.push_back(target->scrapes);
    return scrapes;
  }

  std::mt19937_64 random_;
  TemporaryFolder folder_;
  std::vector<std::unique_ptr<Target>> targets_;
  RemoteReceiver receivers_[2];
  std::unique_ptr<Process> process_;
  std::vector<int> at_start_;
  std::vector<std::set<int>> owed_;  // by target
};

TEST_CASE("agent: killed again and again, it loses nothing, and keeps the order") {
  const char* rounds_text = std::getenv("TRIBUTARY_KILL_ROUNDS");
  const int rounds = rounds_text == nullptr ? 12 : std::atoi(rounds_text);
  const char* seed_text = std::getenv("TRIBUTARY_KILL_SEED");
  const uint64_t seed =
      seed_text == nullptr ? std::random_device{}() : std::strtoull(seed_text, nullptr, 10);
  INFO("TRIBUTARY_KILL_SEED=" << seed);
  KillWorld world(5, seed);
  for (int round = 0; round < rounds; round++) {
    // One is away for several rounds, the other comes and goes.
    world.receiver(0).Answer(round % 6 >= 2 && round % 6 < 5 ? 503 : 200);
    world.receiver(1).Answer(world.Random(3) == 0 ? 500 : 200);
    world.Start();
    REQUIRE(world.WaitForScrapes(1 + static_cast<int>(world.Random(6))));
    // Anywhere between two scrapes.
    std::this_thread::sleep_for(std::chrono::microseconds(world.Random(100'000)));
    world.Kill();
  }
  world.receiver(0).Answer(200);
  world.receiver(1).Answer(200);
  world.Start();
  REQUIRE(world.WaitForScrapes(3));
  world.Stop();  // delivers what is left
  // What was sent had been accepted: it is owed to the other too.
  CHECK(world.Judge(world.receiver(0)) == world.Judge(world.receiver(1)));
}

}  // namespace
}  // namespace tributary
