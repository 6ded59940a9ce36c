// kill -9, again and again, at random moments, with receivers that fail in every way in between and
// one that is away for a part of the time: in the end both have every sample that was accepted, and
// none that is older than what they had of its series came late.
//
// Real processes, sockets and files. The test waits for what happens, never for time, but for the
// random moment of a kill. What is owed is known for sure: scrapes after which the same process has
// asked for the next, and after which it said that nothing is left to be written to disk. What any
// receiver has of a scrape was accepted too. A scrape that took the agent too long, on a machine
// that has other things to do, it counts as failed itself (`up` is 0).
//
//   TRIBUTARY_KILL_ROUNDS=1000  so many kills; 15 unless said otherwise
//   TRIBUTARY_KILL_SEED=7       the same choices again; they meet other moments
#include <array>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "test/integration/agent_process.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"
#include "test/support/say_written.h"
#include "test/support/write_request.h"

namespace tributary {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kTargets = 5;
constexpr uint32_t kSeriesMax = 40;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// Numbers its scrapes, from 1: the value of each of its series is the scrape's.
class Target {
 public:
  explicit Target(uint32_t series) : series_(series) {}

  uint16_t port() const { return server_.port(); }
  std::string instance() const { return fmt::format("127.0.0.1:{}", port()); }
  uint64_t all_series() const { return (uint64_t{1} << series_) - 1; }
  // That this process has asked for.
  std::vector<uint32_t> ScrapesOf(uint64_t process) const {
    const std::lock_guard lock(mutex_);
    auto it = scrapes_.find(process);
    return it == scrapes_.end() ? std::vector<uint32_t>() : it->second;
  }
  uint32_t scrapes() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }

 private:
  ScriptedReply Serve(const ServedRequest& request) {
    const std::lock_guard lock(mutex_);
    scrapes_[std::strtoull(request.Header("X-Process").c_str(), nullptr, 10)].push_back(++last_);
    std::string page = "# TYPE kill_value gauge\n";
    for (uint32_t i = 0; i < series_; i++) {
      page += fmt::format("kill_value{{series=\"{}\"}} {}\n", i, last_);
    }
    return ScriptedReply::Text(200, page, {{"Content-Type", "text/plain; version=0.0.4"}});
  }

  const uint32_t series_;
  mutable std::mutex mutex_;
  uint32_t last_ = 0;
  std::map<uint64_t, std::vector<uint32_t>> scrapes_;  // by process
  RawServer server_{[this](const ServedRequest& request) { return Serve(request); }};
};

enum class Mood : uint8_t {
  kWell,
  kSlow,
  kUnavailable,
  kStoreThenFail,
  kStoreThenReset,
  kReset,  // as one that is away
};
constexpr std::array kMoods = {Mood::kSlow, Mood::kUnavailable, Mood::kStoreThenFail,
                               Mood::kStoreThenReset, Mood::kReset};

// A scrape: target and number.
using Scrape = std::pair<size_t, uint32_t>;

class Receiver {
 public:
  explicit Receiver(const std::vector<std::unique_ptr<Target>>& targets) {
    for (size_t i = 0; i < targets.size(); i++) by_instance_[targets[i]->instance()] = i;
  }

  std::string Url() const { return server_.Url() + "/api/v1/write"; }
  void Be(Mood mood) {
    const std::lock_guard lock(mutex_);
    mood_ = mood;
  }
  // The series that have come of each scrape, a bit for each.
  std::map<Scrape, uint64_t> arrived() const {
    const std::lock_guard lock(mutex_);
    return arrived_;
  }
  uint64_t Arrived(const Scrape& scrape) const {
    const std::lock_guard lock(mutex_);
    auto it = arrived_.find(scrape);
    return it == arrived_.end() ? 0 : it->second;
  }
  // Scrapes that the agent says have failed.
  size_t Refused(size_t target) const {
    const std::lock_guard lock(mutex_);
    auto it = refused_.find(target);
    return it == refused_.end() ? 0 : it->second.size();
  }
  std::map<Scrape, TimestampMs> times() const {
    const std::lock_guard lock(mutex_);
    return times_;
  }
  std::vector<std::string> problems() const {
    const std::lock_guard lock(mutex_);
    return problems_;
  }
  uint64_t stored() const {
    const std::lock_guard lock(mutex_);
    return stored_;
  }
  uint64_t repeated() const {
    const std::lock_guard lock(mutex_);
    return repeated_;
  }

 private:
  ScriptedReply Serve(const ServedRequest& request) {
    const DecodedRequest decoded = DecodeWriteRequest(request.body, request.Header("Content-Type"));
    const std::lock_guard lock(mutex_);
    if (!decoded.error.empty()) Problem(decoded.error);
    if (mood_ == Mood::kReset) return ScriptedReply::Broken(ScriptedReply::End::kReset);
    if (mood_ == Mood::kUnavailable) return ScriptedReply::Text(503, "away");
    for (const DecodedSample& sample : decoded.samples) Store(sample);
    if (mood_ == Mood::kStoreThenFail) return ScriptedReply::Text(500, "stored, but");
    if (mood_ == Mood::kStoreThenReset) return ScriptedReply::Broken(ScriptedReply::End::kReset);
    ScriptedReply reply = ScriptedReply::Text(200, "");
    if (mood_ == Mood::kSlow) reply.before_head = milliseconds(150);
    SayWritten(decoded, reply);
    return reply;
  }

  void Store(const DecodedSample& sample) {
    const auto target = by_instance_.find(std::string(sample.labels.Get("instance")));
    if (target == by_instance_.end()) return Problem("a sample of no target of ours");
    if (sample.name() == "up" && sample.value == 0) {
      refused_[target->second].insert(sample.timestamp);
    }
    if (sample.name() != "kill_value" || std::isnan(sample.value)) return;
    const auto series = static_cast<uint32_t>(
        std::strtoul(std::string(sample.labels.Get("series")).c_str(), nullptr, 10));
    const Scrape scrape = {target->second, static_cast<uint32_t>(sample.value)};
    const auto [time, is_new] = times_.try_emplace(scrape, sample.timestamp);
    if (!is_new && time->second != sample.timestamp) Problem("another time for the same scrape");
    uint64_t& arrived = arrived_[scrape];
    if ((arrived >> series) & 1) {
      repeated_++;
      return;
    }
    arrived |= uint64_t{1} << series;
    stored_++;
    uint32_t& latest = latest_[{target->second, series}];
    if (scrape.second < latest) {
      Problem(fmt::format("target {}, series {}: scrape {} comes after {}", target->second, series,
                          scrape.second, latest));
    }
    latest = std::max(latest, scrape.second);
  }

  void Problem(const std::string& text) {
    if (problems_.size() < 20) problems_.push_back(text);
  }

  mutable std::mutex mutex_;
  Mood mood_ = Mood::kWell;
  std::map<std::string, size_t> by_instance_;
  std::map<Scrape, uint64_t> arrived_;
  std::map<Scrape, TimestampMs> times_;
  std::map<std::pair<size_t, uint32_t>, uint32_t> latest_;  // of a target's series
  std::map<size_t, std::set<TimestampMs>> refused_;
  std::vector<std::string> problems_;
  uint64_t stored_ = 0, repeated_ = 0;
  RawServer server_{[this](const ServedRequest& request) { return Serve(request); }};
};

class KillWorld {
 public:
  explicit KillWorld(uint64_t seed) : random_(seed) {
    for (size_t i = 0; i < kTargets; i++) {
      targets_.push_back(std::make_unique<Target>(1 + Below(kSeriesMax)));
    }
    for (auto& receiver : receivers_) receiver = std::make_unique<Receiver>(targets_);
  }

  uint64_t Below(uint64_t n) { return random_() % n; }

  // The next process. What it asks for names it, so that a request of the one before that is only
  // now read is not taken for one of its own.
  void Start(bool wait) {
    process_++;
    const AgentSetup setup{{fmt::format("--workers={}", 1 + Below(3))}, {}};
    if (agent_ == nullptr) {
      agent_ = std::make_unique<AgentProcess>(Config(), setup);
      return;
    }
    agent_->WriteConfig(Config());
    wait ? agent_->Start(setup) : agent_->Launch(setup);
  }

  // Until each target was asked so often by this process.
  bool WaitForScrapes(size_t scrapes) {
    return Eventually(kPatience, [&] {
      return std::all_of(targets_.begin(), targets_.end(), [&](const auto& target) {
        return target->ScrapesOf(process_).size() >= scrapes;
      });
    });
  }

  // What was accepted by now is on disk.
  bool NoteOwed() {
    std::vector<Scrape> done;
    for (size_t i = 0; i < targets_.size(); i++) {
      const std::vector<uint32_t> scrapes = targets_[i]->ScrapesOf(process_);
      for (size_t n = 0; n + 1 < scrapes.size(); n++) done.emplace_back(i, scrapes[n]);
    }
    const bool written = Eventually(
        kPatience, [&] { return agent_->Metric("tributary_log_unwritten_records") == 0; });
    owed_.insert(done.begin(), done.end());
    return written;
  }

  // A kill tears ends of files, and never what is before them.
  bool NothingDamaged() const {
    return Eventually(kPatience,
                      [&] { return agent_->Metric("tributary_log_damaged_bytes_total") == 0; });
  }

  AgentProcess& agent() { return *agent_; }
  Receiver& receiver(size_t i) { return *receivers_[i]; }
  size_t owed() const { return owed_.size(); }

  // What is not there yet, as text; "" if nothing is missing.
  std::string Missing() const {
    const std::array arrived = {receivers_[0]->arrived(), receivers_[1]->arrived()};
    for (size_t r = 0; r < 2; r++) {
      for (const auto& [scrape, series] : arrived[r]) {
        if (series != targets_[scrape.first]->all_series()) {
          return fmt::format("receiver {} has a part of scrape {} of target {}", r, scrape.second,
                             scrape.first);
        }
        if (!arrived[1 - r].contains(scrape)) {
          return fmt::format("receiver {} has nothing of scrape {} of target {}, the other all",
                             1 - r, scrape.second, scrape.first);
        }
      }
    }
    std::map<size_t, size_t> missing;
    for (const Scrape& scrape : owed_) missing[scrape.first] += !arrived[0].contains(scrape);
    for (const auto& [target, scrapes] : missing) {
      const size_t refused = receivers_[0]->Refused(target);
      if (scrapes > refused) {
        return fmt::format("{} scrapes of target {} are missing, of which {} failed", scrapes,
                           target, refused);
      }
    }
    return "";
  }

  // Until nothing is missing, or nothing new has come for a long time.
  bool WaitForAll() {
    uint64_t before = 0;
    while (!Missing().empty()) {
      const auto stored = [&] { return receivers_[0]->stored() + receivers_[1]->stored(); };
      before = stored();
      if (!Eventually(kPatience, [&] { return Missing().empty() || stored() > before; })) {
        return false;
      }
    }
    return true;
  }

  void CheckAll() {
    CHECK(Missing() == "");
    for (size_t r = 0; r < 2; r++) {
      for (const std::string& problem : receivers_[r]->problems()) {
        FAIL_CHECK("receiver " << r << ": " << problem);
      }
      for (const auto& [scrape, series] : receivers_[r]->arrived()) {
        CHECK(scrape.second <= targets_[scrape.first]->scrapes());
      }
    }
    CHECK((receivers_[0]->times() == receivers_[1]->times()));
  }

 private:
  static constexpr nanoseconds kPatience = seconds(30) * kSlowdown;

  std::string Config() const {
    std::string targets;
    for (const auto& target : targets_) targets += fmt::format("'{}', ", target->instance());
    return fmt::format(R"(global: {{scrape_interval: 100ms}}
scrape_configs:
- job_name: kill
  http_headers: {{X-Process: {{values: ['{}']}}}}
  static_configs: [{{targets: [{}]}}]
remote_write:
- {{url: '{}', remote_timeout: 2s,
   queue_config: {{max_samples_per_send: 60, capacity: 300, batch_send_deadline: 50ms,
                  min_backoff: 10ms, max_backoff: 100ms}}}}
- {{url: '{}', remote_timeout: 2s, protobuf_message: io.prometheus.write.v2.Request,
   queue_config: {{max_samples_per_send: 60, capacity: 300, batch_send_deadline: 50ms,
                  min_backoff: 10ms, max_backoff: 100ms}}}}
)",
                       process_, targets, receivers_[0]->Url(), receivers_[1]->Url());
  }

  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Target>> targets_;
  std::array<std::unique_ptr<Receiver>, 2> receivers_;
  uint64_t process_ = 0;
  std::unique_ptr<AgentProcess> agent_;
  std::set<Scrape> owed_;
};

TEST_CASE(
    "agent kill: what was accepted arrives everywhere, in order, however often it is killed") {
  const uint64_t rounds = FromEnvironment("TRIBUTARY_KILL_ROUNDS", 15);
  const uint64_t seed = FromEnvironment("TRIBUTARY_KILL_SEED", std::random_device()());
  std::printf("agent kill: TRIBUTARY_KILL_ROUNDS=%llu TRIBUTARY_KILL_SEED=%llu\n",
              static_cast<unsigned long long>(rounds), static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  CAPTURE(rounds, seed);
  KillWorld world(seed);
  world.Start(true);
  for (uint64_t round = 0; round < rounds; round++) {
    CAPTURE(round);
    const bool away = round >= rounds / 4 && round < rounds / 2;
    for (size_t r = 0; r < 2; r++) {
      const bool well = world.Below(3) > 0;
      world.receiver(r).Be(well ? Mood::kWell : kMoods[world.Below(kMoods.size())]);
    }
    if (away) world.receiver(1).Be(Mood::kReset);
    REQUIRE(world.WaitForScrapes(2 + world.Below(6)));
    REQUIRE(world.NoteOwed());
    // The moment of the kill, in what it does at any time.
    std::this_thread::sleep_for(std::chrono::microseconds(world.Below(200'000)));
    world.agent().Kill();
    if (world.Below(4) == 0) {
      // And in the midst of the next start.
      world.Start(false);
      std::this_thread::sleep_for(std::chrono::microseconds(world.Below(60'000)));
      world.agent().Kill();
    }
    world.Start(true);
    REQUIRE(world.NothingDamaged());
  }
  for (size_t r = 0; r < 2; r++) world.receiver(r).Be(Mood::kWell);
  REQUIRE(world.WaitForScrapes(3));
  REQUIRE(world.NoteOwed());
  CHECK(world.WaitForAll());
  CHECK(world.agent().Stop(seconds(20) * kSlowdown) == 0);
  world.CheckAll();
  std::printf(
      "agent kill: %zu scrapes owed; %llu and %llu samples stored, %llu and %llu again; "
      "%zu scrapes failed\n",
      world.owed(), static_cast<unsigned long long>(world.receiver(0).stored()),
      static_cast<unsigned long long>(world.receiver(1).stored()),
      static_cast<unsigned long long>(world.receiver(0).repeated()),
      static_cast<unsigned long long>(world.receiver(1).repeated()), world.receiver(0).Refused(0));
}

}  // namespace
}  // namespace tributary
