#include "tools/agentctl/log_report.h"

#include <random>

#include "agent/log/sample_log.h"
#include "agent/logging/logger.h"
#include "common/wire/histogram.h"
#include "test/support/catch.h"
#include "test/support/sim/sim_disk.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_work_queue.h"
#include "tools/agentctl/label_input.h"

namespace tributary {
namespace {

// An agent's log on a disk of the simulator.
struct LogWorld {
  explicit LogWorld(uint64_t segment_bytes = 700) {
    auto opened = DiskLog::Open({loop, disk, io, logger},
                                {.path = "/data/log", .segment_bytes = segment_bytes});
    REQUIRE(opened);
    log.emplace(loop, SampleLogOptions{}, std::move(*opened));
    reader = log->AddReader("name central", [] {});
  }
  // `target` has the series m{i="0"} ... m{i="4"}, and a histogram and an exemplar of the second.
  void Append(uint64_t target) {
    static std::map<uint64_t, GroupRef> groups;
    GroupRef& group = groups[target];
    if (group == nullptr) {
      std::vector<std::string> packed(5);
      for (size_t i = 0; i < packed.size(); i++) {
        PackLabels(
            Labels{{"__name__", "m"}, {"i", std::to_string(i)}, {"t", std::to_string(target)}},
            packed[i]);
      }
      group = std::make_shared<const GroupDefinition>(
          target, 1, std::vector<std::string_view>(packed.begin(), packed.end()));
    }
    GroupSamples samples;
    samples.group = group;
    samples.timestamp = loop.WallMs();
    samples.present = {0b1101};
    samples.values = {1.5, 2, StaleNan()};
    samples.own = {{4, samples.timestamp - 7, 9}};
    IrregularSamples irregular;
    NativeHistogram histogram;
    histogram.count = 3;
    histogram.sum = 4;
    HistogramSample sample{1, samples.timestamp, 0, false, ""};
    EncodeHistogram(histogram, sample.encoded);
    irregular.histograms = {sample};
    ExemplarSample exemplar{1, samples.timestamp, 0.5, ""};
    PackLabels(Labels{{"trace_id", "x"}}, exemplar.labels);
    irregular.exemplars = {exemplar};
    samples.irregular = std::make_shared<const IrregularSamples>(std::move(irregular));
    Commit commit;
    commit.target_key = target;
    commit.groups.push_back(std::move(samples));
    log->Append(std::move(commit));
    loop.RunFor(milliseconds(100));
  }
  std::vector<std::string> Segments() const {
    std::vector<std::string> paths;
    for (const std::string& path : disk.Paths()) {
      if (path.ends_with(".seg")) paths.push_back(path);
    }
    return paths;
  }
  LogFolder folder() {
    auto found = FindLog(disk, "/data");
    REQUIRE(found);
    return *found;
  }
  VerifyTotals Verify() {
    lines.clear();
    auto totals = VerifyLog(disk, folder(), {}, Sink());
    REQUIRE(totals);
    return *totals;
  }
  std::string Dump(const LogQuery& query) {
    lines.clear();
    REQUIRE(DumpLog(disk, folder(), query, Sink(), [](const LogDamage&) {}));
    return lines;
  }
  LineSink Sink() {
    return [this](std::string_view more) {
      lines += more;
      return true;
    };
  }

  SimLoop loop;
  SimDisk disk{1};
  SimWorkQueue io{loop};
  Logger logger = Logger::Silent();
  std::optional<SampleLog> log;
  SampleLog::ReaderId reader = 0;
  std::string lines;
};

TEST_CASE("log report: the log is found in its own folder and in the agent's, and nowhere else") {
  LogWorld world;
  CHECK(FindLog(world.disk, "/data")->path == "/data/log");
  CHECK(FindLog(world.disk, "/data/log")->path == "/data/log");
  CHECK(FindLog(world.disk, "/data/log")->partitions == kLogPartitions);
  CHECK_FALSE(FindLog(world.disk, "/data/log/p0"));
  CHECK_FALSE(FindLog(world.disk, "/nowhere"));
  world.disk.Write("/data/log/format", "tributary sample log\nversion 2\npartitions 8\n");
  CHECK_FALSE(FindLog(world.disk, "/data"));
}

TEST_CASE("log report: a dump has every sample, stale marker, histogram and exemplar as a line") {
  LogWorld world;
  const TimestampMs now = world.loop.WallMs();
  world.Append(3);
  const std::string time = " " + std::to_string(now) + "\n";
  CHECK(world.Dump({}) == "m{i=\"0\",t=\"3\"} 1.5" + time +        //
                              "m{i=\"2\",t=\"3\"} 2" + time +      //
                              "m{i=\"3\",t=\"3\"} stale" + time +  //
                              "m{i=\"4\",t=\"3\"} 9 " + std::to_string(now - 7) + "\n" +
                              "m{i=\"1\",t=\"3\"} {count:3, sum:4}" + time +
                              "m{i=\"1\",t=\"3\"} # {trace_id=\"x\"} 0.5" + time);
}

TEST_CASE("log report: a dump is filtered by labels, partition and time") {
  LogWorld world;
  const TimestampMs first = world.loop.WallMs();
  world.Append(1);
  world.Append(2);
  const TimestampMs third = world.loop.WallMs();
  world.Append(1);
  const auto count = [&](const LogQuery& query) {
    const std::string text = world.Dump(query);
    return std::count(text.begin(), text.end(), '\n');
  };
  CHECK(count({}) == 18);
  CHECK(count({.labels = {{"t", "1"}}}) == 12);
  CHECK(count({.labels = {{"t", "1"}, {"i", "0"}}}) == 2);
  CHECK(count({.labels = {{"__name__", "other"}}}) == 0);
  CHECK(count({.labels = {{"zone", ""}}}) == 18);
  CHECK(count({.partition = 2}) == 6);
  CHECK(count({.from = third}) == 5);
  CHECK(count({.from = first, .to = first}) == 5);
}

TEST_CASE("log report: a dump ends when nobody reads on") {
  LogWorld world;
  for (int i = 0; i < 50; i++) world.Append(1);
  size_t calls = 0;
  const auto refuse = [&](std::string_view) { return ++calls < 3; };
  REQUIRE(DumpLog(world.disk, world.folder(), {}, refuse, [](const LogDamage&) {}));
  CHECK(calls == 3);
}

TEST_CASE("log report: a good log verifies, written or at rest, and inspect adds up") {
  LogWorld world;
  for (int i = 0; i < 60; i++) {
    world.Append(1 + i % 3);
    const VerifyTotals totals = world.Verify();
    CHECK(totals.damages == 0);
    CHECK(totals.records == static_cast<uint64_t>(i) + 1);
    CHECK(totals.counts == world.log->stats().appended);
    CHECK(totals.unfinished_bytes == 0);
  }
  REQUIRE(world.Segments().size() > 6);
  world.loop.RunFor(seconds(3));
  world.lines.clear();
  REQUIRE(InspectLog(world.disk, world.folder(), {}, world.Sink()));
  CHECK(world.lines.find("version 1 in 8 partitions") != std::string::npos);
  CHECK(world.lines.find("segment 1: ") != std::string::npos);
  CHECK(world.lines.find(" (open): ") != std::string::npos);
  CHECK(world.lines.find("remote name central: done with all before 1, backlog 80 samples, 20 "
                         "histograms, 20 exemplars") != std::string::npos);
  CHECK(world.lines.find("\npartition 0: 0 segments, 1 remotes\n") != std::string::npos);
}

TEST_CASE("log report: an end that is just being written is no damage") {
  LogWorld world(1 << 20);
  for (int i = 0; i < 5; i++) world.Append(1);
  REQUIRE(world.Segments().size() == 1);
  const std::string path = world.Segments()[0];
  const std::string whole = *world.disk.Content(path);
  const uint64_t records = world.Verify().records;
  for (size_t size = 0; size <= whole.size(); size++) {
    world.disk.Write(path, whole.substr(0, size));
    const VerifyTotals totals = world.Verify();
    INFO(size << ": " << world.lines);
    REQUIRE(totals.damages == 0);
    REQUIRE((totals.records < records || size == whole.size()));
    // What no commit has ended is not shown.
    const std::string text = world.Dump({});
    REQUIRE(static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n')) ==
            6 * totals.records);
  }
  world.disk.Write(path, whole + std::string(5000, '\0'));
  CHECK(world.Verify().damages == 0);
  CHECK(world.Verify().unfinished_bytes == 5000);
}

TEST_CASE("log report: any byte that is not what it was in closed segments is found") {
  LogWorld world;
  for (int i = 0; i < 20; i++) world.Append(1);
  const std::vector<std::string> segments = world.Segments();
  REQUIRE(segments.size() >= 3);
  std::mt19937_64 random(7);
  for (size_t s = 0; s + 1 < segments.size(); s++) {
    const std::string whole = *world.disk.Content(segments[s]);
    for (size_t at = 0; at < whole.size(); at++) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1u << random() % 8));
      world.disk.Write(segments[s], damaged);
      auto totals = VerifyLog(world.disk, world.folder(), {}, world.Sink());
      INFO(segments[s] << " at " << at << " of " << whole.size());
      // One whose version is higher is refused as a whole.
      if (at < 12 && !totals) continue;
      REQUIRE(totals);
      REQUIRE(totals->damages > 0);
    }
    world.disk.Write(segments[s], whole);
  }
  CHECK(world.Verify().damages == 0);
}

TEST_CASE(
    "log report: damage is told with its file and place, and costs a dump no more than itself") {
  LogWorld world(1 << 20);
  for (int i = 0; i < 5; i++) world.Append(1);
  const std::string path = world.Segments()[0];
  std::string* content = world.disk.Content(path);
  // In the middle: some samples of one record.
  const size_t at = content->size() / 2;
  (*content)[at] ^= 0x10;
  const VerifyTotals totals = world.Verify();
  CHECK(totals.damages >= 1);
  CHECK(world.lines.find(path + ": at ") != std::string::npos);
  const std::string text = world.Dump({});
  CHECK(std::count(text.begin(), text.end(), '\n') >= 24);
  // A position file of which nothing can be read.
  world.loop.RunFor(seconds(3));
  for (const std::string& file : world.disk.Paths()) {
    if (file.ends_with(".pos")) *world.disk.Content(file) = "garbage";
  }
  CHECK(world.Verify().damages >= 8);
}

TEST_CASE("log report: what cannot be read is reported, and the rest is read") {
  LogWorld world;
  world.Append(1);
  world.disk.Fail(SimDisk::kRead, "I/O error");
  CHECK_FALSE(VerifyLog(world.disk, {"/data/log", 1, 8}, {}, world.Sink()));
  CHECK_FALSE(FindLog(world.disk, "/data"));
}

}  // namespace
}  // namespace tributary
