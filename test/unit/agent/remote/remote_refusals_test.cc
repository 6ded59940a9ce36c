// What becomes of requests that a receiver refuses: split_rejected, quarantine_refused, the
// dead-letter file.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "agent/remote/remote_queue.h"
#include "test/support/catch.h"
#include "test/support/sim/sim_disk.h"
#include "test/support/sim/sim_work_queue.h"
#include "test/unit/agent/remote/remote_world.h"

namespace tributary {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

constexpr char kDeadLetters[] = "/data/dead-letter/central.jsonl";

std::string KeyOf(const Labels& labels) {
  return fmt::format("{}/{}", labels.Get("g"), labels.Get("i"));
}

std::set<std::string> KeysOf(const DecodedRequest& request) {
  std::set<std::string> keys;
  for (const auto& sample : request.samples) keys.insert(KeyOf(sample.labels));
  for (const auto& sample : request.histograms) keys.insert(KeyOf(sample.labels));
  for (const auto& sample : request.exemplars) keys.insert(KeyOf(sample.labels));
  return keys;
}

// A receiver that answers 400 to whatever has a series of `bad` in it, and takes nothing of it.
struct RefusingWorld : RemoteWorld {
  RefusingWorld() {
    dead_letters = {&disk, &work, "/data/dead-letter"};
    config.errors = {};
    config.queue.max_samples_per_send = 100;
    config.queue.capacity = 10'000;
    answer = [this](const Received& request) {
      for (const std::string& key : KeysOf(request.decoded)) {
        if (bad.count(key) > 0) {
          return ScriptedReply::Text(status, "out of order sample of " + key);
        }
      }
      return ScriptedReply::Text(204, "");
    };
  }

  GroupRef Group(uint64_t number, size_t series, uint32_t generation = 1) {
    return MakeGroup(number, generation, series, Labels{{"g", std::to_string(number)}});
  }
  std::vector<nlohmann::json> DeadLetters() {
    std::vector<nlohmann::json> lines;
    const std::string* content = disk.Content(kDeadLetters);
    std::istringstream text(content == nullptr ? "" : *content);
    for (std::string line; std::getline(text, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
  }
  std::multiset<std::string> DeadKeys() {
    std::multiset<std::string> keys;
    for (const auto& line : DeadLetters()) {
      const auto& labels = line["labels"];
      keys.insert(labels["g"].get<std::string>() + "/" + labels["i"].get<std::string>());
    }
    return keys;
  }

  SimDisk disk;
  SimWorkQueue work{loop};
  RemoteWriteConfig config = RemoteConfig();
  std::set<std::string> bad;
  int status = 400;
};

TEST_CASE("refusals: of any number of series, the one that is refused is found and named") {
  const int status = GENERATE(400, 413);
  const size_t groups = GENERATE(1, 4);
  const size_t series = GENERATE(1, 2, 25, 499);
  RefusingWorld world;
  world.status = status;
  world.config.queue.max_samples_per_send = 2000;
  const std::string bad = fmt::format("{}/{}", groups, series / 3);
  CAPTURE(status, groups, series);
  world.bad = {bad};
  const auto queue = world.MakeQueue(world.config);
  std::vector<GroupSamples> commit;
  for (uint64_t g = 1; g <= groups; g++) {
    commit.push_back(world.SamplesOf(world.Group(g, series), world.loop.WallMs()));
  }
  world.Append(std::move(commit));
  world.loop.RunFor(seconds(10));
  CHECK(world.received.size() <= 1 + 32);
  CHECK(world.accepted().size() == groups * series - 1);
  CHECK(queue->stats().failed.samples == 1);
  CHECK(queue->stats().sent.samples == groups * series - 1);
  CHECK(queue->pending().samples == 0);
  CHECK(Balances(*queue));
  CHECK(queue->stats().split_requests == world.received.size() - 1);
  REQUIRE(world.DeadKeys() == std::multiset<std::string>{bad});
  const auto line = world.DeadLetters()[0];
  CHECK(line["status"] == status);
  CHECK(line["error"].get<std::string>().find("out of order sample of " + bad) !=
        std::string::npos);
  CHECK(line["samples"].size() == 1);
  CHECK(queue->stats().dead_letters.written == 1);
  CHECK(world.log.stats().records == 0);
}

TEST_CASE("refusals: with the options off, a refused request is dropped whole, as in Prometheus") {
  RefusingWorld world;
  world.config.errors = RemoteErrorsConfig::Off();
  world.bad = {"1/7"};
  const auto queue = world.MakeQueue(world.config);
  world.Append(world.Group(1, 100));
  world.loop.RunFor(seconds(10));
  CHECK(world.received.size() == 1);
  CHECK(queue->stats().failed.samples == 100);
  CHECK(world.disk.Paths().empty());
  CHECK(Balances(*queue));
}

TEST_CASE("refusals: without split_rejected, the whole request is in the dead-letter file") {
  RefusingWorld world;
  world.config.errors.split_rejected = false;
  world.bad = {"1/7"};
  const auto queue = world.MakeQueue(world.config);
  for (int i = 0; i < 4; i++) {
    world.Append(world.Group(1, 100));
    world.loop.RunFor(seconds(10));
  }
  CHECK(world.received.size() == 4);
  CHECK(queue->stats().failed.samples == 400);
  CHECK(world.DeadLetters().size() == 400);
  CHECK(queue->stats().splits == 0);
}

TEST_CASE("refusals: without a place for it there is no file, and all else is the same") {
  RefusingWorld world;
  world.dead_letters = {};
  world.bad = {"1/7"};
  const auto queue = world.MakeQueue(world.config);
  world.Append(world.Group(1, 100));
  world.loop.RunFor(seconds(10));
  CHECK(queue->stats().failed.samples == 1);
  CHECK(world.accepted().size() == 99);
  CHECK(world.disk.Paths().empty());
}

TEST_CASE(
    "refusals: a receiver that refuses everything is not asked more than 33 times a request") {
  RefusingWorld world;
  for (int i = 0; i < 100; i++) world.bad.insert(fmt::format("1/{}", i));
  const auto queue = world.MakeQueue(world.config);
  world.Append(world.Group(1, 100));
  world.loop.RunFor(seconds(10));
  CHECK(world.received.size() <= 33);
  CHECK(queue->stats().failed.samples == 100);
  CHECK(world.DeadKeys().size() == 100);
  CHECK(Balances(*queue));
  SECTION("and far less in the next minute") {
    world.received.clear();
    for (int i = 0; i < 4; i++) {
      world.Append(world.Group(1, 100));
      world.loop.RunFor(seconds(10));
    }
    CHECK(world.received.size() == 4 * 3);
  }
  SECTION("and no series is left out for it") {
    for (int i = 0; i < 10; i++) {
      world.Append(world.Group(1, 100));
      world.loop.RunFor(minutes(2));
    }
    CHECK(queue->stats().dropped[DropReason::kRefused].samples == 0);
    world.bad.clear();
    world.Append(world.Group(1, 100));
    world.loop.RunFor(seconds(10));
    CHECK(world.accepted().size() == 100);
  }
}

TEST_CASE("refusals: what is too large is sent in parts that are small enough") {
  RefusingWorld world;
  world.answer = [](const RemoteWorld::Received& request) {
    return ScriptedReply::Text(request.decoded.samples.size() > 13 ? 413 : 204, "too large");
  };
  const auto queue = world.MakeQueue(world.config);
  world.Append(world.Group(1, 100));
  world.loop.RunFor(seconds(10));
  CHECK(world.accepted().size() == 100);
  CHECK(queue->stats().failed.samples == 0);
}

TEST_CASE("refusals: in remote write 2.0 too, unless the receiver has taken what was good") {
  RefusingWorld world;
  world.config.message = RemoteWriteMessage::kV2;
  const auto queue = world.MakeQueue(world.config);
  SECTION("nothing was written") {
    world.bad = {"1/7"};
    world.Append(world.Group(1, 100));
    world.loop.RunFor(seconds(10));
    CHECK(world.accepted().size() == 99);
    CHECK(queue->stats().failed.samples == 1);
    CHECK(queue->stats().sent.samples == 99);
  }
  SECTION("a part was written") {
    world.Answer(400, {{"X-Prometheus-Remote-Write-Samples-Written", "98"}}, "two are bad");
    world.Append(world.Group(1, 100));
    world.loop.RunFor(seconds(10));
    CHECK(world.received.size() == 1);
    CHECK(queue->stats().failed.samples == 2);
    CHECK(queue->stats().sent.samples == 98);
  }
  CHECK(Balances(*queue));
}

TEST_CASE("refusals: other lanes go on during a split, and its own wait") {
  RefusingWorld world;
  world.config.queue.min_shards = world.config.queue.max_shards = 2;
  world.bad = {"1/7"};
  const auto slow = world.answer;
  world.answer = [&, slow](const RemoteWorld::Received& request) {
    ScriptedReply reply = slow(request);
    if (KeysOf(request.decoded).begin()->starts_with("1/")) reply.before_head = seconds(2);
    return reply;
  };
  const auto queue = world.MakeQueue(world.config);
  const GroupRef one = world.Group(1, 100), two = world.Group(2, 100);
  for (int i = 0; i < 3; i++) {
    world.Append(one);
    world.Append(two);
    world.loop.RunFor(milliseconds(2100));
  }
  CHECK(queue->stats().splits == 1);
  std::map<std::string, int> of_group;
  for (const DecodedSample& sample : world.accepted())
    of_group[std::string(sample.labels.Get("g"))]++;
  CHECK(of_group["2"] == 300);
  CHECK(of_group["1"] < 100);
  CHECK(Balances(*queue));
  world.loop.RunFor(minutes(5));
  CHECK(queue->stats().failed.samples == 3);
  CHECK(world.accepted().size() == 300 + 3 * 99);
  std::map<std::string, double> last;
  for (const DecodedSample& sample : world.accepted()) {
    CHECK(sample.value > last[KeyOf(sample.labels)]);
    last[KeyOf(sample.labels)] = sample.value;
  }
}

TEST_CASE("refusals: one split at a time; others wait for their turn and are counted") {
  RefusingWorld world;
  world.config.queue.min_shards = world.config.queue.max_shards = 3;
  world.bad = {"1/7", "2/3", "3/99"};
  const auto answer = world.answer;
  world.answer = [&, answer](const RemoteWorld::Received& request) {
    ScriptedReply reply = answer(request);
    reply.before_head = milliseconds(100);
    return reply;
  };
  const auto queue = world.MakeQueue(world.config);
  for (int g = 1; g <= 3; g++) world.Append(world.Group(static_cast<uint64_t>(g), 100));
  world.loop.RunFor(minutes(2));
  CHECK(queue->stats().splits == 3);
  CHECK(queue->stats().split_waits == 2);
  CHECK(world.accepted().size() == 297);
  CHECK(world.DeadKeys() == std::multiset<std::string>{"1/7", "2/3", "3/99"});
  CHECK(Balances(*queue));
  // Of three groups, the parts do not mix: first all of one, then all of the next.
  std::vector<std::string> turns;
  for (size_t i = 3; i < world.received.size(); i++) {
    const std::string group(world.received[i].decoded.samples[0].labels.Get("g"));
    if (turns.empty() || turns.back() != group) turns.push_back(group);
  }
  CHECK(turns.size() == 3);
}

TEST_CASE(
    "refusals: a part that fails by the network is repeated, and the ledger holds all along") {
  RefusingWorld world;
  world.bad = {"1/50"};
  const auto answer = world.answer;
  int count = 0;
  world.answer = [&, answer](const RemoteWorld::Received& request) {
    if (++count % 2 == 0) return ScriptedReply::Text(503, "busy");
    return answer(request);
  };
  const auto queue = world.MakeQueue(world.config);
  world.Append(world.Group(1, 100));
  for (int i = 0; i < 600; i++) {
    world.loop.RunFor(milliseconds(100));
    REQUIRE(Balances(*queue));
  }
  CHECK(world.accepted().size() == 99);
  CHECK(queue->stats().failed.samples == 1);
  CHECK(queue->stats().split_requests <= 32);
}

TEST_CASE("refusals: histograms and exemplars of a series go with it") {
  RefusingWorld world;
  world.config.send_exemplars = world.config.send_native_histograms = true;
  world.bad = {"1/2"};
  const auto queue = world.MakeQueue(world.config);
  GroupSamples samples = world.SamplesOf(world.Group(1, 4), world.loop.WallMs());
  IrregularSamples irregular;
  for (uint32_t i : {1u, 2u}) {
    irregular.histograms.push_back(RemoteWorld::HistogramOf(i, samples.timestamp + 1, 3));
    irregular.exemplars.push_back(RemoteWorld::ExemplarOf(i, samples.timestamp, i));
  }
  samples.irregular = std::make_shared<const IrregularSamples>(irregular);
  world.Append({samples});
  world.loop.RunFor(seconds(10));
  CHECK(world.accepted().size() == 3);
  CHECK(world.accepted_histograms().size() == 1);
  CHECK(world.accepted_exemplars().size() == 1);
  CHECK(queue->stats().failed == SampleCounts{1, 1, 1});
  CHECK(Balances(*queue));
  CHECK(world.DeadKeys().count("1/2") == world.DeadLetters().size());
  CHECK(queue->stats().dead_letters.written == 3);
}

TEST_CASE("refusals: a series refused three times is left out, and tried alone once an hour") {
  RefusingWorld world;
  world.bad = {"1/7"};
  const auto queue = world.MakeQueue(world.config);
  const GroupRef group = world.Group(1, 50);
  auto scrape = [&](int times) {
    for (int i = 0; i < times; i++) {
      world.Append(group);
      world.loop.RunFor(minutes(1));
      REQUIRE(Balances(*queue));
    }
  };
  scrape(3);
  CHECK(queue->stats().failed.samples == 3);
  world.received.clear();
  scrape(59);
  // It is nowhere in what is sent, and nothing is refused.
  CHECK(world.received.size() == 59);
  for (const auto& request : world.received) CHECK(KeysOf(request.decoded).count("1/7") == 0);
  CHECK(queue->stats().dropped[DropReason::kRefused].samples == 59);
  CHECK(queue->stats().failed.samples == 3);
  // What it was refused for stays to be read.
  CHECK(world.DeadKeys().count("1/7") == 62);
  world.received.clear();
  scrape(2);
  size_t alone = 0;
  for (const auto& request : world.received) {
    const std::set<std::string> keys = KeysOf(request.decoded);
    if (keys.count("1/7") == 0) continue;
    CHECK(keys.size() == 1);
    alone++;
  }
  CHECK(alone == 1);
  CHECK(queue->stats().probes == 1);
  CHECK(queue->stats().failed.samples == 4);
  SECTION("until it is accepted") {
    world.bad.clear();
    scrape(61);
    CHECK(queue->stats().probes == 2);
    const uint64_t refused = queue->stats().dropped[DropReason::kRefused].samples;
    world.received.clear();
    scrape(5);
    CHECK(queue->stats().dropped[DropReason::kRefused].samples == refused);
    for (const auto& request : world.received) CHECK(KeysOf(request.decoded).count("1/7") == 1);
  }
  SECTION("also when its target's series are grouped anew") {
    world.received.clear();
    const GroupRef anew = world.Group(1, 60, 2);
    world.Append(anew);
    world.loop.RunFor(minutes(1));
    REQUIRE(world.received.size() == 1);
    CHECK(KeysOf(world.received[0].decoded).size() == 59);
  }
  SECTION("or the remote is configured anew") {
    world.config.headers = {{"X-New", "1"}};
    queue->Reconfigure(RemoteWorld::Spec(world.config));
    world.received.clear();
    scrape(1);
    CHECK(world.received.size() > 1);
    CHECK(queue->stats().failed.samples == 5);
  }
}

TEST_CASE("refusals: 'three times' is in a row") {
  RefusingWorld world;
  const auto queue = world.MakeQueue(world.config);
  const GroupRef group = world.Group(1, 50);
  for (int i = 0; i < 20; i++) {
    world.bad.clear();
    if (i % 2 == 0) world.bad = {"1/7"};
    world.Append(group);
    world.loop.RunFor(minutes(1));
  }
  CHECK(queue->stats().failed.samples == 10);
  CHECK(queue->stats().dropped[DropReason::kRefused].samples == 0);
}

TEST_CASE("refusals: many refused series are found bit by bit, until the rest goes undisturbed") {
  RefusingWorld world;
  for (int i = 0; i < 100; i += 5) world.bad.insert(fmt::format("1/{}", i));
  const auto queue = world.MakeQueue(world.config);
  const GroupRef group = world.Group(1, 100);
  for (int i = 0; i < 30; i++) {
    world.Append(group);
    world.loop.RunFor(seconds(15));
    REQUIRE(Balances(*queue));
  }
  world.received.clear();
  world.Append(group);
  world.loop.RunFor(seconds(15));
  CHECK(world.received.size() == 1);
  CHECK(world.accepted().size() == 80);
}

TEST_CASE("refusals: with quarantine_refused off, a series is refused again and again") {
  RefusingWorld world;
  world.config.errors.quarantine_refused = false;
  world.bad = {"1/7"};
  const auto queue = world.MakeQueue(world.config);
  for (int i = 0; i < 6; i++) {
    world.Append(world.Group(1, 50));
    world.loop.RunFor(minutes(1));
  }
  CHECK(queue->stats().failed.samples == 6);
  // It is known: apart from the first, a split costs two requests.
  CHECK(queue->stats().split_requests <= 32 + 5 * 2);
}

TEST_CASE("refusals: Drain during a split ends when all of it is delivered or refused") {
  RefusingWorld world;
  world.bad = {"1/7"};
  const auto answer = world.answer;
  world.answer = [&, answer](const RemoteWorld::Received& request) {
    ScriptedReply reply = answer(request);
    reply.before_head = seconds(1);
    return reply;
  };
  const auto queue = world.MakeQueue(world.config);
  world.Append(world.Group(1, 100));
  world.loop.RunFor(milliseconds(2500));
  CHECK(queue->stats().splits == 1);
  bool drained = false;
  queue->Drain([&] { drained = true; });
  CHECK(queue->pending().samples > 0);
  REQUIRE(world.loop.RunUntil([&] { return drained; }, minutes(2)));
  CHECK(world.accepted().size() == 99);
  CHECK(queue->stats().failed.samples == 1);
}

TEST_CASE("refusals: a reload during a split loses nothing and sends nothing twice") {
  RefusingWorld world;
  world.bad = {"1/20", "1/80"};
  const auto answer = world.answer;
  world.answer = [&, answer](const RemoteWorld::Received& request) {
    ScriptedReply reply = answer(request);
    reply.before_head = seconds(1);
    return reply;
  };
  const auto queue = world.MakeQueue(world.config);
  world.Append(world.Group(1, 100));
  const milliseconds when(GENERATE(1500, 2500, 3500, 5500, 8500, 12500));
  world.loop.RunFor(when);
  world.config.headers = {{"X-New", "1"}};
  queue->Reconfigure(RemoteWorld::Spec(world.config));
  for (int i = 0; i < 120; i++) {
    world.loop.RunFor(seconds(1));
    REQUIRE(Balances(*queue));
  }
  CHECK(queue->stats().failed.samples == 2);
  CHECK(queue->stats().sent.samples == 98);
  std::multiset<double> values;
  for (const DecodedSample& sample : world.accepted()) values.insert(sample.value);
  CHECK(values.size() == 98);
  CHECK(std::set<double>(values.begin(), values.end()).size() == 98);
  CHECK(world.log.stats().records == 0);
}

TEST_CASE("refusals: what grows too old during a split is dropped and counted once") {
  RefusingWorld world;
  world.config.queue.sample_age_limit = seconds(20);
  world.config.queue.max_backoff = seconds(1);
  world.bad = {"1/7"};
  const auto answer = world.answer;
  int parts = 0;
  bool down = false;
  world.answer = [&, answer](const RemoteWorld::Received& request) {
    if (++parts > 3) down = true;
    return down ? ScriptedReply::Text(503, "") : answer(request);
  };
  const auto queue = world.MakeQueue(world.config);
  GroupSamples samples = world.SamplesOf(world.Group(1, 100), world.loop.WallMs());
  world.Append({samples});
  for (int i = 0; i < 60; i++) {
    world.loop.RunFor(seconds(1));
    REQUIRE(Balances(*queue));
  }
  const RemoteQueueStats& stats = queue->stats();
  CHECK(queue->pending().samples == 0);
  CHECK(stats.dropped[DropReason::kTooOld].samples > 0);
  CHECK(stats.sent.samples == world.accepted().size());
  CHECK(stats.sent.samples + stats.failed.samples + stats.dropped[DropReason::kTooOld].samples ==
        100);
  // The next request goes out.
  down = false;
  parts = -1000;
  world.bad.clear();
  world.Append(world.Group(1, 100));
  world.loop.RunFor(seconds(5));
  CHECK(queue->stats().sent.samples == stats.sent.samples);
  CHECK(queue->pending().samples == 0);
}

// Any series are bad, and at any time others; faults; reloads. What is good arrives once and in
// order, what is bad is in the dead-letter file.
TEST_CASE("refusals: random receivers") {
  const auto seed = GENERATE(range(1u, 61u));
  CAPTURE(seed);
  std::mt19937 random(seed);
  auto below = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  RefusingWorld world;
  world.config.errors.dead_letter_size = 64 << 20;
  world.config.errors.quarantine_refused = below(2) == 0;
  world.config.queue.max_samples_per_send = 5 + below(60);
  world.config.queue.min_shards = world.config.queue.max_shards = 1 + below(4);
  world.config.queue.max_backoff = milliseconds(200);
  // So few that 32 requests always find them: log2 of a request's series, twice.
  world.bad = {fmt::format("{}/{}", below(3), below(40))};
  if (below(2) == 0) world.bad.insert(fmt::format("{}/{}", below(3), below(40)));
  const auto answer = world.answer;
  world.answer = [&, answer](const RemoteWorld::Received& request) {
    ScriptedReply reply = below(5) == 0 ? ScriptedReply::Text(503, "") : answer(request);
    reply.before_head = milliseconds(below(300));
    return reply;
  };
  const auto queue = world.MakeQueue(world.config);
  std::vector<GroupRef> groups;
  for (uint64_t g = 0; g < 3; g++) groups.push_back(world.Group(g, 40));
  std::map<std::string, int> appended;
  for (int i = 0; i < 40; i++) {
    const uint32_t g = below(3);
    world.Append(groups[g]);
    for (int s = 0; s < 40; s++) appended[fmt::format("{}/{}", g, s)]++;
    world.loop.RunFor(milliseconds(below(4000)));
    REQUIRE(Balances(*queue));
    if (below(12) == 0) {
      world.config.headers = {{"X-New", std::to_string(i)}};
      queue->Reconfigure(RemoteWorld::Spec(world.config));
    }
  }
  bool drained = false;
  queue->Drain([&] { drained = true; });
  REQUIRE(world.loop.RunUntil([&] { return drained; }, hours(1)));
  world.loop.RunFor(seconds(1));
  CHECK(Balances(*queue));
  std::map<std::string, int> delivered;
  std::map<std::string, double> last;
  for (const DecodedSample& sample : world.accepted()) {
    const std::string key = KeyOf(sample.labels);
    delivered[key]++;
    CHECK(sample.value > last[key]);
    last[key] = sample.value;
  }
  std::map<std::string, int> dead;
  for (const auto& line : world.DeadLetters()) {
    const auto& labels = line["labels"];
    dead[labels["g"].get<std::string>() + "/" + labels["i"].get<std::string>()] +=
        static_cast<int>(line["samples"].size());
  }
  uint64_t refused = 0;
  for (const auto& [key, count] : appended) {
    CAPTURE(key);
    const bool is_bad = world.bad.count(key) > 0;
    CHECK(delivered[key] == (is_bad ? 0 : count));
    CHECK(dead[key] == (is_bad ? count : 0));
    if (is_bad) refused += static_cast<uint64_t>(count);
  }
  CHECK(queue->stats().failed.samples + queue->stats().dropped[DropReason::kRefused].samples ==
        refused);
  CHECK(queue->stats().dead_letters.written == refused);
}

}  // namespace
}  // namespace tributary
