// Discovery by HTTP and DNS in a whole agent: targets stay through failures of whoever names them,
// and go when they are named no more.
#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include <fmt/format.h>

#include "test/sim/sim_oracle.h"
#include "test/sim/sim_world.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

const std::string kStore = "remote_write:\n- url: http://store/api/v1/write\n";

std::string HttpSdJob(const std::string& refresh_interval, const std::string& more = "") {
  return fmt::format(
      "scrape_configs:\n- job_name: j\n  scrape_interval: 5s\n  scrape_timeout: 2s\n{}"
      "  http_sd_configs: [{{url: 'http://sd/list', refresh_interval: {}}}]\n",
      more, refresh_interval);
}

// What the server of the list does when it is asked.
enum class SdMood { kGood, kError, kGarbage, kWrongType, kHang, kCut, kReset, kHuge, kRefuse };
constexpr SdMood kBadMoods[] = {SdMood::kError, SdMood::kGarbage, SdMood::kWrongType,
                                SdMood::kHang,  SdMood::kCut,     SdMood::kReset,
                                SdMood::kHuge,  SdMood::kRefuse};

struct DiscoverySimWorld {
  explicit DiscoverySimWorld(uint64_t seed)
      : world({seed, 2, {}}), store(world.AddRemote("store")) {
    for (uint32_t id = 1; id <= 6; id++) world.AddTarget(id).SetSeries({1, 2, 3});
    server = &world.network().Listen("sd:80", [this](const ServedRequest&) { return Answer(); });
  }

  void SetMood(SdMood mood_now) {
    mood = mood_now;
    server->refusing = mood == SdMood::kRefuse;
  }
  ScriptedReply Answer() const {
    const HttpHeader json = {"Content-Type", "application/json"};
    std::string list = "[";
    for (uint32_t id : listed) {
      list += fmt::format("{}{{\"targets\": [\"{}\"], \"labels\": {{\"group\": \"g\"}}}}",
                          list.size() > 1 ? "," : "", world.targets()[id - 1]->address());
    }
    list += "]";
    switch (mood) {
      case SdMood::kError:
        return ScriptedReply::Text(500, "[]", {json});
      case SdMood::kGarbage:
        return ScriptedReply::Text(200, list.substr(0, list.size() / 2), {json});
      case SdMood::kWrongType:
        return ScriptedReply::Text(200, "[]", {{"Content-Type", "text/html"}});
      case SdMood::kHang:
        return ScriptedReply::Broken(ScriptedReply::End::kHang);
      case SdMood::kCut:
        return ScriptedReply::Text(200, list, {json}).Cut(ScriptedReply::End::kClose, 3);
      case SdMood::kReset:
        return ScriptedReply::Broken(ScriptedReply::End::kReset);
      case SdMood::kHuge:
        return ScriptedReply::Text(200, "[]" + std::string(33 << 20, ' '), {json});
      default:
        return ScriptedReply::Text(200, list, {json});
    }
  }
  std::set<std::string> Scraped() const {
    std::vector<TargetStatus> status;
    for (size_t i = 0; i < world.workers(); i++) world.worker(i).FillStatus(status);
    std::set<std::string> addresses;
    for (const TargetStatus& target : status) {
      addresses.emplace(target.discovered_labels.Get("__address__"));
    }
    return addresses;
  }
  std::set<std::string> Listed() const {
    std::set<std::string> addresses;
    for (uint32_t id : listed) addresses.insert(world.targets()[id - 1]->address());
    return addresses;
  }
  // The end, and all that there was to send has come.
  void Finish() {
    CHECK(world.Shutdown(seconds(10)).drained);
    CHECK(store.acknowledged_samples() == world.appended_samples());
    INFO(world.Report());
    CHECK(world.problems().empty());
  }
  // These were scraped all the time, and no scrape was missed.
  void CheckUninterrupted(const std::vector<uint32_t>& ids) {
    std::vector<TargetLife> lives;
    for (uint32_t id : ids) lives.push_back({id, "j", seconds(5), {}});
    Oracle oracle(world, lives);
    oracle.CheckSchedule();
    for (uint32_t id : ids) CHECK(world.Scrapes(id).size() > 3);
    INFO(world.Report());
    CHECK(world.problems().empty());
  }

  World world;
  SimRemote& store;
  SimServer* server = nullptr;
  SdMood mood = SdMood::kGood;
  std::set<uint32_t> listed = {1, 2, 3};
};

TEST_CASE("discovery: targets stay through every failure of the server that lists them") {
  DiscoverySimWorld sim(1);
  REQUIRE(sim.world.Start(HttpSdJob("5s") + kStore));
  sim.world.Run(seconds(31));
  CHECK(sim.Scraped() == sim.Listed());
  for (const SdMood mood : kBadMoods) {
    sim.SetMood(mood);
    sim.world.Run(seconds(61));
    CHECK(sim.Scraped() == sim.Listed());
    sim.SetMood(SdMood::kGood);
    sim.world.Run(seconds(17));
  }
  sim.Finish();
  sim.CheckUninterrupted({1, 2, 3});
}

TEST_CASE("discovery: a target that is listed no more goes within seconds, with stale markers") {
  DiscoverySimWorld sim(2);
  REQUIRE(sim.world.Start(HttpSdJob("5s") + kStore));
  sim.world.Run(seconds(31));
  sim.listed = {1, 2, 4};
  const MonotonicTime changed = sim.world.time().Now();
  sim.world.Run(seconds(31));
  CHECK(sim.Scraped() == sim.Listed());
  // At most a refresh, the two seconds that a removal waits, and a scrape that was under way.
  CHECK(sim.world.Scrapes(3).back().started < changed + seconds(8));
  const StoredSeries* gone = sim.store.Find("j|10.0.0.3:9100|up|");
  REQUIRE(gone != nullptr);
  CHECK(std::isnan(gone->samples.rbegin()->second.value));
  sim.listed.clear();
  sim.world.Run(seconds(21));
  CHECK(sim.Scraped().empty());
  sim.Finish();
}

TEST_CASE("discovery: a server that fails from the start has its targets scraped once it heals") {
  DiscoverySimWorld sim(3);
  sim.SetMood(SdMood::kHang);
  REQUIRE(sim.world.Start(HttpSdJob("5s") + kStore));
  CHECK(sim.world.agent().ready());
  sim.world.Run(seconds(61));
  CHECK(sim.Scraped().empty());
  sim.SetMood(SdMood::kGood);
  sim.world.Run(seconds(21));
  CHECK(sim.Scraped() == sim.Listed());
  sim.Finish();
}

TEST_CASE("discovery: a reload while the server fails keeps its targets, also of a changed entry") {
  DiscoverySimWorld sim(4);
  REQUIRE(sim.world.Start(HttpSdJob("5s") + kStore));
  sim.world.Run(seconds(31));
  for (const SdMood mood : kBadMoods) {
    sim.SetMood(mood);
    sim.world.Run(seconds(7));
    REQUIRE(sim.world.Reload(HttpSdJob("5s") + kStore));
    sim.world.Run(seconds(17));
    REQUIRE(sim.world.Reload(HttpSdJob("4s", "  sample_limit: 1000\n") + kStore));
    sim.world.Run(seconds(17));
    REQUIRE(sim.world.Reload(HttpSdJob("5s") + kStore));
  }
  CHECK(sim.Scraped() == sim.Listed());
  sim.Finish();
  sim.CheckUninterrupted({1, 2, 3});
}

TEST_CASE("discovery: records of DNS come, stay through failures, and go") {
  DiscoverySimWorld sim(5);
  sim.world.files().WriteFile("/etc/resolv.conf", "nameserver 10.9.9.9\nsearch x.local\n");
  bool failing = false;
  sim.world.dns().Listen("10.9.9.9", [&](const DnsQuestion& question) -> Result<DnsMessage> {
    if (failing) return Fail("no");
    if (question.name != "web.x.local.") return DnsMessage{kDnsNameError, false, {}};
    DnsMessage message;
    for (uint32_t id : sim.listed) {
      message.answers.push_back(
          {static_cast<uint16_t>(DnsType::kA), fmt::format("10.0.0.{}", id), 0});
    }
    std::rotate(message.answers.begin(), message.answers.begin() + 1, message.answers.end());
    return message;
  });
  REQUIRE(sim.world.Start(
      "scrape_configs:\n- job_name: j\n  scrape_interval: 5s\n  scrape_timeout: 2s\n"
      "  dns_sd_configs: [{names: [web], type: A, port: 9100, refresh_interval: 5s}]\n" +
      kStore));
  sim.world.Run(seconds(31));
  CHECK(sim.Scraped() == sim.Listed());
  failing = true;
  sim.listed = {1, 2};
  sim.world.Run(seconds(61));
  CHECK(sim.Scraped().size() == 3);
  failing = false;
  sim.world.Run(seconds(21));
  CHECK(sim.Scraped() == sim.Listed());
  sim.Finish();
  sim.CheckUninterrupted({1, 2});
}

TEST_CASE("discovery: whatever the server and reloads do, who is always listed misses no scrape") {
  const uint64_t first = std::random_device()();
  for (uint64_t seed = first; seed < first + 10; seed++) {
    INFO("seed " << seed);
    DiscoverySimWorld sim(seed);
    SimRandom random(seed);
    REQUIRE(sim.world.Start(HttpSdJob("5s") + kStore));
    sim.world.Run(seconds(7));
    for (int event = 0; event < 60 && sim.world.problems().empty(); event++) {
      sim.world.Run(random.Between(milliseconds(100), seconds(12)));
      switch (random.Below(4)) {
        case 0:
          sim.SetMood(kBadMoods[random.Below(std::size(kBadMoods))]);
          break;
        case 1:
          sim.SetMood(SdMood::kGood);
          break;
        case 2: {
          const auto id = static_cast<uint32_t>(3 + random.Below(4));
          if (sim.listed.erase(id) == 0) sim.listed.insert(id);
          break;
        }
        default:
          REQUIRE(sim.world.Reload(HttpSdJob(random.Chance(0.5) ? "5s" : "3s") + kStore));
      }
    }
    sim.SetMood(SdMood::kGood);
    sim.world.Run(seconds(21));
    CHECK(sim.Scraped() == sim.Listed());
    sim.Finish();
    sim.CheckUninterrupted({1, 2});
  }
}

}  // namespace
}  // namespace tributary
