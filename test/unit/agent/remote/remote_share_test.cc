// Queues that share the series of one log: whatever changes and fails, each sample gets to as many
// of them as it should, once to each, and in order.
#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "agent/remote/remote_queue.h"
#include "test/support/catch.h"
#include "test/support/say_written.h"
#include "test/unit/agent/remote/remote_world.h"

namespace tributary {
namespace {

struct Member {
  RemoteWriteConfig config;
  std::unique_ptr<RemoteQueue> queue;
  SimServer* server = nullptr;
  int status = 204;
  nanoseconds delay{};
  bool knows_v2 = true;
  std::vector<DecodedSample> accepted;
};

class ShareWorld {
 public:
  explicit ShareWorld(RemoteWriteMessage message = RemoteWriteMessage::kV1) : message_(message) {}

  Member& operator[](const std::string& name) { return members_.at(name); }

  // As a worker does it: all in one turn.
  void Apply(const std::set<std::string>& names, const RemoteShareConfig& settings = {}) {
    std::vector<std::string> identities;
    for (const std::string& name : names) identities.push_back("name " + name);
    replicas_ = settings.replicas;
    for (const std::string& name : names) {
      Member& member = members_[name];
      if (member.server == nullptr) Listen(name, member);
      if (member.queue == nullptr) {
        member.config = RemoteWorld::RemoteConfig();
        member.config.name = name;
        member.config.identity = "name " + name;
        member.config.url = "http://" + name + ".test/write";
        member.config.message = message_;
        member.config.queue.max_samples_per_send = 200;
      }
      member.config.share = settings;
      member.config.share.group = "g";
      member.config.share.members = identities;
      const RemoteSpec spec = RemoteWorld::Spec(member.config);
      if (member.queue == nullptr) {
        member.queue = std::make_unique<RemoteQueue>(world_.environment(), spec);
      } else if (!member.queue->Serves(spec)) {
        member.queue->Reconfigure(spec);
      }
    }
    for (auto& [name, member] : members_) {
      if (names.contains(name) || member.queue == nullptr) continue;
      member.queue->Forget();
      member.queue.reset();
    }
  }

  // Entries have their values for themselves: they are expected at as many members as there are
  // replicas now.
  void Append(const GroupRef& group, TimestampMs timestamp) {
    const double first = world_.next_value;
    world_.Append({world_.SamplesOf(group, timestamp)});
    for (double value = first; value < world_.next_value; value++) expected_[value] = replicas_;
  }
  void Append(const GroupRef& group) { Append(group, world_.loop.WallMs()); }
  void AppendOwnTimes(const GroupRef& group, TimestampMs timestamp) {
    GroupSamples samples = world_.SamplesOf(group, world_.loop.WallMs());
    samples.present.assign(samples.present.size(), 0);
    for (uint32_t i = 0; i < group->series(); i++) {
      expected_[samples.values[i]] = replicas_;
      samples.own.push_back({i, timestamp, samples.values[i]});
    }
    samples.values.clear();
    world_.Append({samples});
  }

  void Run(nanoseconds time) {
    world_.loop.RunFor(time);
    for (const auto& [name, member] : members_) {
      if (member.queue != nullptr) REQUIRE(Balances(*member.queue));
    }
  }

  // That nothing is missing, nothing too much, and each member had each series in order.
  void CheckAll() {
    std::map<double, uint32_t> copies;
    for (const auto& [name, member] : members_) {
      std::map<Labels, TimestampMs> latest;
      std::set<double> values;
      for (const DecodedSample& sample : member.accepted) {
        CAPTURE(name, sample.labels.ToString(), sample.timestamp);
        REQUIRE(values.insert(sample.value).second);
        copies[sample.value]++;
        Labels series = sample.labels;
        series.Remove("rule");
        const auto [at, is_new] = latest.emplace(series, sample.timestamp);
        REQUIRE((is_new || sample.timestamp > at->second));
        at->second = sample.timestamp;
      }
      if (member.queue != nullptr) REQUIRE(member.queue->pending().total() == 0);
    }
    REQUIRE(copies == expected_);
    REQUIRE(world_.log.stats().records == 0);
  }

  bool IsIdle(const std::string& name) {
    const RemoteQueue& queue = *members_.at(name).queue;
    return queue.pending().total() == 0 && queue.unread().total() == 0;
  }
  RemoteWorld& world() { return world_; }
  std::map<std::string, Member>& members() { return members_; }

 private:
  void Listen(const std::string& name, Member& member) {
    member.server =
        &world_.network.Listen(name + ".test:80", [&member](const ServedRequest& served) {
          const DecodedRequest request =
              DecodeWriteRequest(served.body, served.Header("Content-Type"));
          REQUIRE(request.error.empty());
          ScriptedReply reply = ScriptedReply::Text(member.status, "");
          reply.before_head = member.delay;
          if (request.is_v2 && !member.knows_v2) return ScriptedReply::Text(415, "");
          SayWritten(request, reply);
          if (member.status == 204) {
            member.accepted.insert(member.accepted.end(), request.samples.begin(),
                                   request.samples.end());
          }
          return reply;
        });
  }

  const RemoteWriteMessage message_;
  RemoteWorld world_;
  uint32_t replicas_ = 1;
  std::map<double, uint32_t> expected_;
  std::map<std::string, Member> members_;
};

RelabelConfig AddLabel(const std::string& name, const std::string& value) {
  RelabelConfig config;
  config.target_label = name;
  config.replacement = value;
  return config;
}

const auto kBothMessages = {RemoteWriteMessage::kV1, RemoteWriteMessage::kV2};

TEST_CASE("share: each sample goes to as many remotes as it should, the rest is other remotes'") {
  const RemoteWriteMessage message = GENERATE(from_range(kBothMessages));
  ShareWorld world(message);
  RemoteShareConfig settings;
  settings.replicas = GENERATE(1U, 2U, 3U);
  CAPTURE(static_cast<int>(message), settings.replicas);
  world.Apply({"a", "b", "c"}, settings);
  const GroupRef group = MakeGroup(1, 1, 500);
  for (int i = 0; i < 20; i++) {
    world.Append(group);
    world.Run(seconds(1));
  }
  world.Run(seconds(30));
  world.CheckAll();
  uint64_t sent = 0;
  for (const auto& [name, member] : world.members()) {
    const RemoteQueueStats& stats = member.queue->stats();
    CHECK(stats.read.samples == 10'000);
    CHECK(stats.dropped[DropReason::kOtherRemote].samples == 10'000 - stats.sent.samples);
    CHECK(stats.dropped.total() == stats.dropped[DropReason::kOtherRemote]);
    CHECK(stats.framed > stats.sent.samples / 2);
    sent += stats.sent.samples;
  }
  CHECK(sent == 10'000 * settings.replicas);
}

TEST_CASE(
    "share: where a series goes is decided by its labels in the log, whatever a member's rules") {
  ShareWorld world;
  world.Apply({"a", "b"});
  // One's rules make all its series anew, the other drops some of its own.
  world["a"].config.write_relabel_configs = {AddLabel("i", "x")};
  world["a"].config.write_relabel_configs[0].source_labels = {"i"};
  world["a"].config.write_relabel_configs[0].replacement = "x$1";
  world.Apply({"a", "b"});
  world.Append(MakeGroup(1, 1, 200));
  world.Run(seconds(10));
  world.CheckAll();
  for (const DecodedSample& sample : world["a"].accepted) {
    CHECK(sample.labels.Get("i").starts_with("x"));
  }
  CHECK(world["a"].accepted.size() + world["b"].accepted.size() == 200);
}

TEST_CASE("share: a member joins while another is away with a backlog") {
  ShareWorld world(GENERATE(from_range(kBothMessages)));
  world.Apply({"a", "b"});
  const GroupRef group = MakeGroup(1, 1, 300);
  for (int i = 0; i < 10; i++) {
    world.Append(group);
    world.Run(seconds(1));
  }
  SECTION("it answers 503") { world["b"].status = 503; }
  SECTION("it answers 503 late") {
    world["b"].status = 503;
    world["b"].delay = seconds(4);
  }
  SECTION("nothing answers") { world["b"].server->unreachable = true; }
  for (int i = 0; i < 30; i++) {
    world.Append(group);
    world.Run(seconds(1));
  }
  CHECK(world["b"].queue->pending().total() > 0);
  const size_t had_a = world["a"].accepted.size();
  world.Apply({"a", "b", "c"});
  for (int i = 0; i < 30; i++) {
    world.Append(group);
    world.Run(seconds(1));
  }
  // The others went on, each with its new part.
  CHECK(world["a"].accepted.size() > had_a + 20UL * 70);
  CHECK(world["c"].accepted.size() > 20UL * 70);
  world["b"].status = 204;
  world["b"].delay = {};
  world["b"].server->unreachable = false;
  world.Run(seconds(120));
  world.CheckAll();
  for (int i = 0; i < 10; i++) {
    world.Append(group);
    world.Run(seconds(1));
  }
  world.Run(seconds(20));
  world.CheckAll();
  CHECK(world["b"].queue->stats().framed > 0);
}

TEST_CASE("share: what else a reload changes holds for the backlog at once, so that it can go") {
  ShareWorld world;
  world.Apply({"a", "b"});
  world["b"].server->unreachable = true;
  const GroupRef group = MakeGroup(1, 1, 300);
  for (int i = 0; i < 20; i++) {
    world.Append(group);
    world.Run(seconds(1));
  }
  // It has moved, and at the same time another member comes.
  Member& b = world["b"];
  world.world().network.Listen("moved.test:80", b.server->script);
  b.config.url = "http://moved.test/write";
  b.config.write_relabel_configs = {AddLabel("rule", "new")};
  world.Apply({"a", "b", "c"});
  for (int i = 0; i < 20; i++) {
    world.Append(group);
    world.Run(seconds(1));
  }
  world.Run(seconds(60));
  world.CheckAll();
  for (const DecodedSample& sample : b.accepted) CHECK(sample.labels.Get("rule") == "new");
}

TEST_CASE("share: several changes while a member is away") {
  ShareWorld world(GENERATE(from_range(kBothMessages)));
  const GroupRef group = MakeGroup(1, 1, 200);
  RemoteShareConfig two, by_series;
  two.replicas = 2;
  by_series.ignore_labels = {"i"};
  world.Apply({"a", "b", "c"});
  world["b"].status = 503;
  auto go_on = [&] {
    for (int i = 0; i < 5; i++) {
      world.Append(group);
      world.Run(seconds(1));
    }
  };
  go_on();
  world.Apply({"a", "b", "c"}, two);
  go_on();
  world.Apply({"a", "b", "c"}, by_series);
  go_on();
  world.Apply({"a", "b", "c"});
  world.Apply({"a", "b", "c", "d"});
  go_on();
  world["b"].status = 204;
  go_on();
  world.Run(seconds(60));
  world.CheckAll();
}

TEST_CASE("share: a member that falls back to remote write 1.0 keeps its share") {
  ShareWorld world(RemoteWriteMessage::kV2);
  world.Apply({"a", "b"});
  world["b"].config.falls_back_to_v1 = true;
  world["b"].knows_v2 = false;
  world.Apply({"a", "b"});
  const GroupRef group = MakeGroup(1, 1, 100);
  for (int i = 0; i < 10; i++) {
    world.Append(group);
    world.Run(seconds(1));
  }
  world.Run(seconds(10));
  world.CheckAll();
  CHECK(world["b"].queue->stats().fallbacks == 1);
  CHECK(world["b"].accepted.size() > 300);
}

TEST_CASE("share: who joins takes samples with times before that, as nobody else does") {
  ShareWorld world;
  world.Apply({"a", "b"});
  const GroupRef group = MakeGroup(1, 1, 100);
  world.Run(seconds(60));
  world.AppendOwnTimes(group, world.world().loop.WallMs() - 20'000);
  world.Run(seconds(5));
  world.Apply({"a", "b", "c"});
  world.AppendOwnTimes(group, world.world().loop.WallMs() - 20'000);
  world.Run(seconds(30));
  world.CheckAll();
  CHECK(world["c"].queue->stats().dropped[DropReason::kBeforeStart].total() == 0);
  CHECK_FALSE(world["c"].accepted.empty());
}

TEST_CASE("share: a member that leaves the group gets all from then on") {
  ShareWorld world;
  world.Apply({"a", "b"});
  const GroupRef group = MakeGroup(1, 1, 100);
  world["a"].status = world["b"].status = 503;
  world.Append(group);
  world.Run(seconds(5));
  for (const char* name : {"a", "b"}) {
    world[name].config.share = {};
    world[name].queue->Reconfigure(RemoteWorld::Spec(world[name].config));
  }
  world.world().Append(group);
  world["a"].status = world["b"].status = 204;
  world.Run(seconds(30));
  const size_t a = world["a"].accepted.size(), b = world["b"].accepted.size();
  CHECK(a > 100);
  CHECK(b > 100);
  CHECK(a + b == 300);
}

// Members, settings and rules change by chance, receivers fail by chance.
TEST_CASE("share: nothing is lost, doubled or out of order, whatever happens") {
  const uint32_t seed = GENERATE(range(1U, 13U));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  auto below = [&](uint64_t n) { return random() % n; };
  ShareWorld world(seed % 2 == 0 ? RemoteWriteMessage::kV1 : RemoteWriteMessage::kV2);
  std::set<std::string> names = {"a", "b", "c"};
  RemoteShareConfig settings;
  world.Apply(names, settings);
  std::map<uint64_t, std::vector<GroupRef>> groups;
  std::map<uint64_t, uint32_t> generations;
  std::map<uint64_t, TimestampMs> last;
  auto new_generation = [&](uint64_t target) {
    groups[target] = {MakeGroup(target, ++generations[target], 20 + below(200),
                                Labels{{"target", std::to_string(target)}})};
  };
  for (uint64_t target = 0; target < 3; target++) new_generation(target);
  for (int step = 0; step < 150; step++) {
    switch (below(12)) {
      case 0: {  // only who has delivered all may go without a loss
        const std::string name(1, static_cast<char>('a' + below(5)));
        if (!names.contains(name)) {
          names.insert(name);
        } else if (names.size() > 2 && world.IsIdle(name)) {
          names.erase(name);
        }
        settings.replicas = 1 + static_cast<uint32_t>(below(2));
        world.Apply(names, settings);
        break;
      }
      case 1:
        settings.ignore_labels =
            below(2) == 0 ? std::vector<std::string>{} : std::vector<std::string>{"i"};
        for (const std::string& name : names) {
          RemoteWriteConfig& config = world[name].config;
          config.queue.max_samples_per_send = 5 + below(100);
          config.queue.capacity = 50 + below(400);
          config.queue.min_shards = config.queue.max_shards = 1 + below(4);
          config.write_relabel_configs = {AddLabel("rule", std::to_string(below(100)))};
        }
        world.Apply(names, settings);
        break;
      case 2:
      case 3: {
        Member& member = world[*std::next(names.begin(), static_cast<long>(below(names.size())))];
        member.status = below(2) == 0 ? 204 : 503;
        member.delay = below(3) == 0 ? milliseconds(below(3000)) : milliseconds(0);
        member.server->unreachable = below(4) == 0;
        break;
      }
      case 4:
        if (below(2) == 0) new_generation(below(3));
        break;
      default: {
        const uint64_t target = below(3);
        const TimestampMs now = std::max(world.world().loop.WallMs(), last[target] + 1);
        last[target] = now;
        for (const GroupRef& group : groups[target]) world.Append(group, now);
      }
    }
    world.Run(milliseconds(below(1500)));
  }
  for (auto& [name, member] : world.members()) {
    member.status = 204;
    member.delay = {};
    member.server->unreachable = false;
  }
  world.Run(seconds(300));
  world.CheckAll();
}

}  // namespace
}  // namespace tributary
