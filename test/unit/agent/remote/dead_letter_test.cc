#include "agent/remote/dead_letter.h"

#include <limits>

#include <nlohmann/json.hpp>

#include "common/wire/remote_write.h"
#include "test/support/catch.h"
#include "test/support/sim/sim_disk.h"
#include "test/support/sim/sim_work_queue.h"
#include "test/unit/agent/remote/remote_world.h"

namespace tributary {
namespace {

struct DeadLetterWorld {
  SimLoop loop;
  SimDisk disk;
  SimWorkQueue work{loop};
  Logger logger = Logger::Silent();
  DeadLetterStats stats;
  DeadLetter letter{loop, {&disk, &work, "/data/dead-letter"}, "central", 1000, logger, stats};
  std::string* current() { return disk.Content("/data/dead-letter/central.jsonl"); }
  std::string* older() { return disk.Content("/data/dead-letter/central.jsonl.1"); }
};

TEST_CASE("dead letter: a line has what was refused and why, whatever the bytes") {
  const Labels labels{{"__name__", "m"}, {"path", "\"C:\\\"\n\xff"}};
  GroupSamples samples;
  samples.group = MakeGroup(1, 1, 3);
  samples.timestamp = 2000;
  samples.present = {0b111};
  samples.values = {1, std::numeric_limits<double>::infinity(), 3};
  samples.own = {{1, 1000, 0.5}, {0, 1500, 9}, {1, 3000, StaleNan()}};
  IrregularSamples irregular;
  irregular.histograms.push_back({1, 4000, 0, false, "\x01\xab"});
  irregular.exemplars.push_back(RemoteWorld::ExemplarOf(1, 5000, 7));
  samples.irregular = std::make_shared<const IrregularSamples>(irregular);
  const std::string line =
      DeadLetterLine({42, "central", 400, "bad \xfe label"}, EncodeLabels(labels), samples, 1);
  REQUIRE(line.find('\n') == line.size() - 1);
  const auto json = nlohmann::json::parse(line);
  CHECK(json["time"] == 42);
  CHECK(json["remote"] == "central");
  CHECK(json["status"] == 400);
  CHECK(json["error"] == "bad \xEF\xBF\xBD label");
  CHECK(json["labels"]["__name__"] == "m");
  CHECK(json["labels"]["path"] == "\"C:\\\"\n\xEF\xBF\xBD");
  CHECK(json["samples"].dump() == R"([[1000,"0.5"],[2000,"inf"],[3000,"stale"]])");
  CHECK(json["histograms"].dump() == R"([[4000,"01ab"]])");
  CHECK(json["exemplars"][0][0] == 5000);
  CHECK(json["exemplars"][0][2].contains("trace_id"));
}

TEST_CASE("dead letter: names of files are harmless and differ where the remotes do") {
  CHECK(DeadLetterFileName("prod-1_a.b") == "prod-1_a.b.jsonl");
  CHECK(DeadLetterFileName("../../etc/passwd") == "%2E.%2F..%2Fetc%2Fpasswd.jsonl");
  CHECK(DeadLetterFileName("a b") != DeadLetterFileName("a_b"));
  const std::string one(5000, 'a'), other(5001, 'a');
  CHECK(DeadLetterFileName(one).size() < 240);
  CHECK(DeadLetterFileName(one) != DeadLetterFileName(other));
}

TEST_CASE("dead letter: two files, both together within the bound; whole lines") {
  DeadLetterWorld world;
  for (int i = 0; i < 100; i++) {
    world.letter.Add(std::string(59, static_cast<char>('a' + i % 26)) + "\n", 1);
    if (i % 3 == 0) world.loop.RunFor(seconds(1));
  }
  world.loop.RunFor(seconds(1));
  REQUIRE(world.current() != nullptr);
  REQUIRE(world.older() != nullptr);
  CHECK(world.current()->size() + world.older()->size() <= 1000);
  CHECK(world.current()->size() + world.older()->size() >= 500);
  CHECK(world.current()->size() % 60 == 0);
  CHECK(world.older()->size() % 60 == 0);
  CHECK(world.current()->back() == '\n');
  CHECK(world.stats.written == 100);
  CHECK(world.stats.lost == 0);
  // A line for which there is no room in any file.
  world.letter.Add(std::string(501, 'x'), 5);
  CHECK(world.stats.lost == 5);
}

TEST_CASE("dead letter: goes on where an earlier process has ended") {
  DeadLetterWorld world;
  world.disk.Write("/data/dead-letter/central.jsonl", "earlier\n");
  world.letter.Add("later\n", 1);
  world.loop.RunFor(seconds(1));
  CHECK(*world.current() == "earlier\nlater\n");
}

TEST_CASE("dead letter: what a failing disk does not take is counted, and no half line stays") {
  DeadLetterWorld world;
  world.letter.Add("one\n", 1);
  world.loop.RunFor(seconds(1));
  world.disk.SetTotal(6);
  world.letter.Add("two\n", 2);
  world.loop.RunFor(seconds(1));
  CHECK(*world.current() == "one\n");
  CHECK(world.stats.lost == 2);
  CHECK(world.stats.failures == 1);
  world.disk.SetTotal(0);
  world.letter.Add("three\n", 3);
  world.loop.RunFor(seconds(1));
  CHECK(*world.current() == "one\nthree\n");
  CHECK(world.stats.written == 4);
}

TEST_CASE("dead letter: while the disk stalls no more than a MiB waits") {
  SimLoop loop;
  SimDisk disk;
  SimWorkQueue work(loop);
  Logger logger = Logger::Silent();
  DeadLetterStats stats;
  DeadLetter letter(loop, {&disk, &work, "/d"}, "r", 64 << 20, logger, stats);
  work.set_latency(std::chrono::hours(1));
  for (int i = 0; i < 100; i++) {
    for (int j = 0; j < 100; j++) {
      if (letter.HasRoom()) letter.Add(std::string(999, 'x') + "\n", 1);
    }
    loop.RunFor(seconds(1));
  }
  CHECK(stats.written == 0);
  work.set_latency(milliseconds(1));
  loop.RunFor(std::chrono::hours(3));
  CHECK(stats.written <= 1100 + 100);
  CHECK(stats.written >= 1000);
}

}  // namespace
}  // namespace tributary
