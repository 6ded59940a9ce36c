// The limit on the series of a remote.
#include <map>
#include <random>

#include <fmt/format.h>

#include "agent/remote/remote_queue.h"
#include "test/support/catch.h"
#include "test/unit/agent/remote/remote_world.h"

namespace tributary {
namespace {

struct LimitedWorld : RemoteWorld {
  explicit LimitedWorld(uint64_t limit, bool is_v2 = false) {
    config.queue.max_samples_per_send = 500;
    if (is_v2) config.message = RemoteWriteMessage::kV2;
    queue = MakeQueue(config, {{"cluster", "c"}});
    queue->SetSeriesLimit(limit);
  }
  // One sample of each series of the groups, delivered; how many arrive.
  size_t Deliver(const std::vector<GroupRef>& groups) {
    const size_t before = accepted().size();
    for (const GroupRef& group : groups) Append(group);
    loop.RunFor(seconds(15));
    REQUIRE(queue->pending().total() == 0);
    REQUIRE(Balances(*queue));
    return accepted().size() - before;
  }
  uint64_t dropped(DropReason reason) const { return queue->stats().dropped[reason].samples; }
  SeriesLimitStatus Status() const {
    const auto all = limits.Status();
    REQUIRE(all.size() == 1);
    return all[0];
  }

  RemoteWriteConfig config = RemoteConfig();
  std::unique_ptr<RemoteQueue> queue;
};

TEST_CASE("remote series limit: what is over it is dropped and counted, the others are sent") {
  const bool is_v2 = GENERATE(false, true);
  LimitedWorld world(300, is_v2);
  const GroupRef first = MakeGroup(1, 1, 200, {{"job", "a"}, {"instance", "x"}});
  const GroupRef second = MakeGroup(2, 1, 200, {{"job", "b"}, {"instance", "y"}});
  for (int i = 0; i < 20; i++) CHECK(world.Deliver({first, second}) == 300);
  CHECK(world.dropped(DropReason::kSeriesLimit) == 20 * 100);
  CHECK(world.dropped(DropReason::kSeries) == 0);
  const SeriesLimitStatus status = world.Status();
  CHECK(status.scope == "remote");
  CHECK(status.name == "central");
  CHECK(status.active == 300);
  CHECK(status.dropped_series == 100);
  CHECK(status.dropped_samples == 20 * 100);
  REQUIRE(status.sources.size() == 1);
  CHECK(status.sources[0].name == "b y");
  REQUIRE(!status.labels.empty());
  CHECK(status.labels[0].name == "i");
}

TEST_CASE("remote series limit: groups of another generation have the same series") {
  LimitedWorld world(300);
  const Labels labels{{"job", "a"}};
  std::optional<GroupRef> group = MakeGroup(1, 1, 300, labels);
  CHECK(world.Deliver({*group}) == 300);
  // The earlier one is still known when the next comes.
  for (uint32_t generation = 2; generation < 5; generation++) {
    const GroupRef next = MakeGroup(1, generation, 310, labels);
    CHECK(world.Deliver({*group, next}) == 600);
    group = next;
  }
  CHECK(world.Status().active == 300);
  CHECK(world.Status().dropped_series == 10);
}

TEST_CASE("remote series limit: what is gone leaves its room to what waits") {
  LimitedWorld world(300);
  std::optional<GroupRef> first = MakeGroup(1, 1, 200, {{"job", "a"}});
  const GroupRef second = MakeGroup(2, 1, 200, {{"job", "b"}});
  CHECK(world.Deliver({*first, second}) == 300);
  first.reset();
  // The log lets go of its definition too, and the queue looks now and then.
  world.loop.RunFor(std::chrono::minutes(5));
  CHECK(world.Deliver({second}) == 200);
  CHECK(world.Status().active == 200);
  const std::vector<DecodedSample> accepted = world.accepted();
  CHECK(accepted.back().labels.Get("cluster") == "c");
}

TEST_CASE("remote series limit: a higher one takes what waits, a lower one ends nothing") {
  LimitedWorld world(0);
  const GroupRef group = MakeGroup(1, 1, 100, {{"job", "a"}});
  const GroupRef more = MakeGroup(2, 1, 100, {{"job", "b"}});
  CHECK(world.Deliver({group}) == 100);
  world.queue->SetSeriesLimit(50);
  CHECK(world.Status().active == 100);
  CHECK(world.Deliver({group, more}) == 100);
  world.queue->SetSeriesLimit(120);
  CHECK(world.Deliver({group, more}) == 120);
  world.queue->SetSeriesLimit(0);
  CHECK(world.Deliver({group, more}) == 200);
  world.queue->SetSeriesLimit(150);
  CHECK(world.Status().active == 200);
  CHECK(world.Deliver({group, more}) == 200);
}

TEST_CASE("remote series limit: the agent's own series are sent whatever the limit is") {
  LimitedWorld world(10);
  const GroupRef group = MakeGroup(1, 1, 100, {{"job", "a"}});
  CHECK(world.Deliver({group}) == 10);
  const GroupRef up = MakeGroup(1, 1, 3, {{"__name__", "up"}, {"job", "a"}});
  const GroupRef named = MakeGroup(3, 1, 3, {{"__name__", "tributary_scrapes_total"}});
  const GroupRef own = MakeGroup(4, 1, 3, {{"__name__", "process_open_fds"}});
  world.limits.NoteOwn(4);
  CHECK(world.Deliver({group, up, named, own}) == 10 + 9);
  CHECK(world.Status().active == 19);
}

TEST_CASE("remote series limit: rules drop first, and what they make equal counts once") {
  LimitedWorld world(10);
  RelabelConfig drop;
  drop.source_labels = {"i"};
  drop.regex = "[1-9].";
  drop.action = RelabelAction::kDrop;
  world.config.write_relabel_configs = {drop};
  world.queue->Reconfigure(RemoteWorld::Spec(world.config, {}));
  const GroupRef group = MakeGroup(1, 1, 100, {{"job", "a"}});
  CHECK(world.Deliver({group}) == 10);
  CHECK(world.dropped(DropReason::kSeries) == 90);
  CHECK(world.dropped(DropReason::kSeriesLimit) == 0);
  CHECK(world.Status().active == 10);
}

TEST_CASE("remote series limit: two workers' queues share the room") {
  LimitedWorld world(30), other(0);
  RemoteEnvironment environment = other.environment();
  environment.limits = &world.limits;
  other.queue = std::make_unique<RemoteQueue>(environment, RemoteWorld::Spec(other.config, {}));
  other.queue->SetSeriesLimit(30);
  CHECK(world.Deliver({MakeGroup(1, 1, 20)}) == 20);
  const GroupRef group = MakeGroup(2, 1, 20);
  CHECK(other.Deliver({group}) == 10);
  world.queue.reset();
  CHECK(other.Deliver({group}) == 20);
}

TEST_CASE("remote series limit: a queue that is busy keeps the order of each series") {
  std::mt19937_64 random(Catch::rngSeed());
  LimitedWorld world(150);
  world.config.queue.max_shards = world.config.queue.min_shards = 3;
  world.queue->Reconfigure(RemoteWorld::Spec(world.config, {}));
  world.answer = [&](const RemoteWorld::Received&) {
    ScriptedReply reply = ScriptedReply::Text(random() % 3 == 0 ? 500 : 204, "");
    reply.before_head = milliseconds(random() % 3000);
    return reply;
  };
  std::vector<GroupRef> groups(4);
  uint32_t generation = 0;
  for (int i = 0; i < 300; i++) {
    GroupRef& group = groups[random() % groups.size()];
    if (random() % 5 == 0) {
      group = MakeGroup(1 + static_cast<uint64_t>(&group - groups.data()), ++generation,
                        1 + random() % 90, {{"t", std::to_string(&group - groups.data())}});
    }
    if (group != nullptr) world.Append(group);
    if (random() % 40 == 0) world.queue->SetSeriesLimit(random() % 200);
    world.loop.RunFor(milliseconds(random() % 2000));
    REQUIRE(Balances(*world.queue));
  }
  world.queue->SetSeriesLimit(1000);
  world.loop.RunFor(std::chrono::minutes(5));
  CHECK(world.queue->pending().total() == 0);
  CHECK(Balances(*world.queue));
  std::map<Labels, TimestampMs> last;
  for (const DecodedSample& sample : world.accepted()) {
    TimestampMs& time = last[sample.labels];
    REQUIRE(sample.timestamp > time);
    time = sample.timestamp;
  }
  size_t series = 0;
  for (const GroupRef& group : groups) series += group == nullptr ? 0 : group->series();
  groups.clear();
  world.loop.RunFor(std::chrono::minutes(5));
  CHECK(world.Status().active == 0);
  CHECK(series > 0);
}

}  // namespace
}  // namespace tributary
