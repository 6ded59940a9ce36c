#include "agent/remote/metadata_sender.h"

#include "test/support/catch.h"
#include "test/unit/agent/remote/remote_world.h"

namespace tributary {
namespace {

struct MetadataWorld : RemoteWorld {
  RemoteWriteConfig config = RemoteConfig();
  MetadataSenderStats stats;
  std::vector<FamilyRef> families;
  std::unique_ptr<RemoteClient> client;

  MetadataWorld() {
    config.metadata = {true, seconds(60), 2};
    config.queue.min_backoff = milliseconds(100);
    config.queue.max_backoff = milliseconds(400);
    for (int i = 0; i < 5; i++) {
      families.push_back(metadata.Intern(
          {"family_" + std::to_string(i), MetricType::kCounter, "Help " + std::to_string(i), "u"}));
    }
  }
  std::unique_ptr<MetadataSender> Start() {
    const auto shared = std::make_shared<const RemoteWriteConfig>(config);
    client = std::make_unique<RemoteClient>(loop, transport, files, shared);
    return std::make_unique<MetadataSender>(loop, *client, metadata, shared, stats);
  }
  std::vector<std::string> FamiliesOf(size_t begin) const {
    std::vector<std::string> names;
    for (size_t i = begin; i < received.size(); i++) {
      for (const DecodedMetadata& entry : received[i].decoded.metadata)
        names.push_back(entry.family);
    }
    return names;
  }
};

const std::vector<std::string> kAll = {"family_0", "family_1", "family_2", "family_3", "family_4"};

TEST_CASE("metadata: goes out every interval, in requests of so many entries, in order") {
  MetadataWorld world;
  const auto sender = world.Start();
  world.loop.RunFor(seconds(59));
  CHECK(world.received.empty());
  world.loop.RunFor(seconds(2));
  REQUIRE(world.received.size() == 3);
  CHECK(world.received[0].decoded.metadata.size() == 2);
  CHECK(world.received[2].decoded.metadata.size() == 1);
  CHECK(world.FamiliesOf(0) == kAll);
  const DecodedMetadata& entry = world.received[2].decoded.metadata[0];
  CHECK(entry.type == static_cast<int>(MetricType::kCounter));
  CHECK(entry.help == "Help 4");
  CHECK(entry.unit == "u");
  CHECK(world.stats.sent == 5);
  CHECK(world.stats.pending == 0);
  world.families.pop_back();  // no target says so any more
  world.loop.RunFor(seconds(60));
  CHECK(world.FamiliesOf(3) == std::vector<std::string>(kAll.begin(), kAll.end() - 1));
}

TEST_CASE("metadata: is retried with growing pauses, each entry delivered once") {
  MetadataWorld world;
  int failures = 5;
  world.answer = [&](const RemoteWorld::Received&) {
    return ScriptedReply::Text(failures-- > 0 ? 503 : 200, "");
  };
  const auto sender = world.Start();
  world.loop.RunFor(seconds(70));
  REQUIRE(world.received.size() == 5 + 3);
  std::vector<int64_t> gaps;
  for (size_t i = 1; i < 6; i++) {
    gaps.push_back((world.received[i].time - world.received[i - 1].time) / milliseconds(50) * 50);
  }
  CHECK(gaps == std::vector<int64_t>{100, 200, 400, 400, 400});
  CHECK(world.received[1].served.Header("Retry-Attempt") == "1");
  CHECK(world.received[5].served.Header("Retry-Attempt") == "5");
  CHECK(world.received[6].served.Header("Retry-Attempt") == "");
  CHECK(world.FamiliesOf(5) == kAll);
  CHECK(world.stats.retried == 10);
  CHECK(world.stats.sent == 5);
}

TEST_CASE("metadata: Retry-After 0 does not make it ask without a pause") {
  MetadataWorld world;
  world.Answer(503, {{"Retry-After", "0"}});
  const auto sender = world.Start();
  world.loop.RunFor(seconds(70));
  CHECK(world.received.size() > 10);
  CHECK(world.received.size() < 120);
}

TEST_CASE("metadata: what is refused is counted, and the rest goes on") {
  MetadataWorld world;
  world.answer = [&](const RemoteWorld::Received&) {
    return ScriptedReply::Text(world.received.size() == 1 ? 400 : 200, "");
  };
  const auto sender = world.Start();
  world.loop.RunFor(seconds(61));
  CHECK(world.received.size() == 3);
  CHECK(world.stats.failed == 2);
  CHECK(world.stats.sent == 3);
  CHECK(world.stats.pending == 0);
}

TEST_CASE("metadata: does not pile up while the receiver is away") {
  MetadataWorld world;
  world.server->refusing = true;
  const auto sender = world.Start();
  world.loop.RunFor(std::chrono::minutes(10));
  CHECK(world.stats.pending == 5);
  world.server->refusing = false;
  world.loop.RunFor(seconds(1));
  CHECK(world.FamiliesOf(0) == kAll);
}

TEST_CASE("metadata: nothing is sent after Stop, nor where it is off") {
  MetadataWorld world;
  const auto sender = world.Start();
  SECTION("stopped before") { sender->Stop(); }
  SECTION("stopped while a request is under way") {
    REQUIRE(world.loop.RunUntil([&] { return world.received.size() == 1; }, seconds(70)));
    world.received.clear();
    sender->Stop();
  }
  SECTION("stopped in a backoff") {
    world.Answer(500);
    REQUIRE(world.loop.RunUntil([&] { return world.stats.retried > 0; }, seconds(70)));
    world.received.clear();
    sender->Stop();
  }
  world.loop.RunFor(seconds(300));
  CHECK(world.received.empty());
  CHECK(world.stats.pending == 0);

  MetadataWorld off;
  off.config.metadata.send = false;
  const auto silent = off.Start();
  off.loop.RunFor(seconds(300));
  CHECK(off.received.empty());
}

}  // namespace
}  // namespace tributary
