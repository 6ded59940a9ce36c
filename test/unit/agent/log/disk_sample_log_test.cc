// The sample log on a simulated disk: what is accepted is read, whatever becomes of the process and
// the disk.
#include <algorithm>
#include <random>
#include <set>

#include "test/support/catch.h"
#include "test/unit/agent/log/disk_log_world.h"

namespace tributary {
namespace {

using World = DiskLogWorld;
using Options = DiskLogWorldOptions;

TEST_CASE("disk sample log: accepted records are read by all, in order, over kills and restarts") {
  const auto seed = GENERATE(range(1u, 61u));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  World world(seed, Tiny(random));
  world.AddReader("a");
  for (int step = 0; step < 500; step++) {
    CAPTURE(step);
    auto any = [&]() -> World::Reader& {
      return std::next(world.readers.begin(), random() % world.readers.size())->second;
    };
    switch (random() % 16) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        world.Append(random() % 12);
        break;
      case 5:
      case 6:
      case 7:
        world.Read(any(), 1 + random() % 500);
        break;
      case 8:
      case 9:
      case 10:
        world.FinishSome(any());
        break;
      case 11:
        world.Run(milliseconds(random() % 3000));
        break;
      case 12:
        if (random() % 4 == 0) world.Restart();
        break;
      case 13:
        if (random() % 4 == 0) world.StopAndStart();
        break;
      case 14:
        if (world.readers.size() < 3 && random() % 4 == 0) {
          world.Run(milliseconds(10));
          world.AddReader(std::string(1, static_cast<char>('a' + world.readers.size())));
        }
        break;
      default:
        world.Run(milliseconds(1));
    }
  }
  world.ReadAll();
  world.CheckComplete();
  for (const auto& [name, reader] : world.readers) {
    CHECK(reader.lost_in_all.total() == 0);
  }
  // Nobody needs anything any more.
  world.Run(seconds(3));
  CHECK(world.process->log->stats().records == 0);
  CHECK(world.process->log->disk()->stats().segments <= kLogPartitions);
}

TEST_CASE("disk sample log: one that has nothing to save does not wake") {
  World world(1);
  world.AddReader("a");
  for (int i = 0; i < 10; i++) world.Append(5);
  world.ReadAll();
  world.Run(seconds(3));
  const uint64_t before = world.time.callbacks_run();
  world.Run(seconds(300));
  CHECK(world.time.callbacks_run() - before <= 3 * 10);  // twice a minute, with what the disk does and tells then
  world.Append(5);
  world.ReadAll();
  world.Run(milliseconds(1100));
  world.Kill();
  world.disk.LosePower();
  world.Start();
  world.ReadAll();
  world.CheckComplete();
}

TEST_CASE("disk sample log: what a reader is done with is not read again after a stop") {
  const auto seed = GENERATE(range(1u, 41u));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  World world(seed, Tiny(random));
  world.AddReader("a");
  for (int round = 0; round < 5; round++) {
    for (int i = 0; i < 40; i++) world.Append(random() % 12);
    World::Reader& reader = world.readers["a"];
    for (int i = 0; i < 10; i++) {
      world.Read(reader, random() % 200);
      world.Run(milliseconds(5));
      world.FinishSome(reader);
    }
    const std::set<uint64_t> done = reader.done;
    const std::map<uint64_t, int> got = reader.got;
    world.StopAndStart();
    world.Read(reader, 1'000'000);
    world.Run(milliseconds(100));
    for (uint64_t id : done) REQUIRE(reader.got.at(id) == got.at(id));
  }
  world.ReadAll();
  world.CheckComplete();
}

TEST_CASE("disk sample log: a loss of power takes what was not synced, and nothing else") {
  const auto seed = GENERATE(range(1u, 41u));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  Options options = Tiny(random);
  options.disk.fsync = Fsync::kAlways;
  World world(seed, options);
  world.AddReader("a");
  world.Run(seconds(2));
  for (int step = 0; step < 200; step++) {
    CAPTURE(step);
    world.Append(random() % 12);
    if (random() % 3 == 0) world.Run(milliseconds(random() % 30));
    if (random() % 4 == 0) world.Read(world.readers["a"], 300);
    if (random() % 3 == 0) world.FinishSome(world.readers["a"]);
    if (random() % 30 == 0) {
      world.Kill();
      world.disk.LosePower();
      world.Start();
    }
  }
  world.ReadAll();
  world.CheckComplete();
  CHECK(world.readers["a"].lost_in_all.total() == 0);
}

TEST_CASE(
    "disk sample log: a disk that fails, fills up or stalls costs nothing while memory holds") {
  const auto seed = GENERATE(range(1u, 41u));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  World world(seed, Tiny(random));
  world.AddReader("a");
  world.Run(seconds(2));
  bool healthy = true;
  for (int step = 0; step < 300; step++) {
    CAPTURE(step);
    world.Append(random() % 12);
    if (random() % 3 == 0) world.Run(milliseconds(random() % 2000));
    if (random() % 3 == 0) world.Read(world.readers["a"], 300);
    if (random() % 3 == 0) world.FinishSome(world.readers["a"]);
    if (random() % 20 == 0) {
      healthy = !healthy;
      world.disk.Fail(0, "");
      world.disk.SetTotal(0);
      world.process->io.set_latency(std::chrono::microseconds(50));
      if (healthy) {
        world.Run(seconds(15));
      } else if (random() % 4 == 0) {
        world.disk.Fail(SimDisk::kWrite | SimDisk::kOpen, "Input/output error");
      } else if (random() % 3 == 0) {
        world.disk.SetTotal(world.disk.used() + random() % 3000);
      } else if (random() % 2 == 0) {
        world.disk.Fail(SimDisk::kSync | SimDisk::kRemove, "Input/output error");
      } else {
        world.process->io.set_latency(seconds(random() % 100));
      }
    }
    if (healthy && random() % 30 == 0) {
      world.Run(seconds(200));
      world.Restart();
    }
  }
  world.disk.Fail(0, "");
  world.disk.SetTotal(0);
  world.process->io.set_latency(std::chrono::microseconds(50));
  world.Run(seconds(300));
  CHECK(world.process->log->stats().unwritten_records == 0);
  CHECK_FALSE(world.process->log->stats().disk_failing);
  world.ReadAll();
  world.CheckComplete();
  CHECK(world.readers["a"].lost_in_all.total() == 0);
  CHECK(world.readers["a"].damaged_in_all.total() == 0);
  CHECK(world.in_doubt.empty());
}

TEST_CASE("disk sample log: every operation of the disk may fail once") {
  for (uint64_t n = 1; n < 250; n++) {
    CAPTURE(n);
    Options options;
    options.memory.window_bytes = 2000;
    options.disk.segment_bytes = 5000;
    World world(5, options);
    world.AddReader("a");
    world.disk.FailNth(n);
    for (int i = 0; i < 60; i++) {
      world.Append(static_cast<uint64_t>(i) % 3);
      if (i % 4 == 0) world.Run(milliseconds(300));
      if (i % 7 == 0) {
        world.Read(world.readers["a"], 100);
        world.Run(milliseconds(10));
        world.FinishSome(world.readers["a"]);
      }
    }
    world.Run(seconds(30));
    world.disk.FailNth(0);
    world.StopAndStart();
    world.ReadAll();
    world.CheckComplete();
    CHECK(world.readers["a"].lost_in_all.total() == 0);
    CHECK(world.readers["a"].damaged_in_all.total() == 0);
  }
}

// Each worker gives positions of its own; the next process may have both partitions in one log.
TEST_CASE("disk sample log: two records of one position are both read, and neither is passed") {
  SimLoop time;
  SimDisk disk(1);
  std::mt19937_64 random(1);
  std::set<std::string> expected, got;
  for (uint32_t worker = 0; worker < 2; worker++) {
    LogProcess process(time, disk, {},
                       DiskLogOptions{.path = kPath, .worker = worker, .workers = 2});
    process.log->AddReader("a", [] {});
    Commit commit;
    commit.target_key = worker;
    commit.groups.push_back(RandomSamples(random, RandomGroup(random, worker, 5), kFirstMs));
    expected.insert(TextOf(commit.groups[0]));
    process.log->Append(std::move(commit));
    time.RunFor(seconds(2));
  }
  const bool kills = GENERATE(false, true);
  auto process =
      std::make_unique<LogProcess>(time, disk, SampleLogOptions{}, DiskLogOptions{.path = kPath});
  SampleLog::ReaderId reader = process->log->AddReader("a", [] {});
  bool at_end = false;
  for (int read = 0; !at_end && read < 10; read++) {
    process->log->Read(reader, 1, [&](SampleLog::Batch batch) {
      CHECK(batch.damaged.total() + batch.lost.total() == 0);
      for (const LogRecord& record : batch.records) {
        CHECK(got.insert(TextOf(*record.samples)).second);
        process->log->Done(reader, record.ticket);
      }
      at_end = batch.at_end;
    });
    time.RunFor(seconds(2));  // it is written down that it is done
    if (!kills) continue;
    process.reset();
    process =
        std::make_unique<LogProcess>(time, disk, SampleLogOptions{}, DiskLogOptions{.path = kPath});
    reader = process->log->AddReader("a", [] {});
  }
  CHECK(got == expected);
  CHECK(process->log->Unread(reader).total() == 0);
}

TEST_CASE("disk sample log: every operation of opening may fail") {
  World world(6);
  world.AddReader("a");
  for (int i = 0; i < 30; i++) world.Append(static_cast<uint64_t>(i) % 3);
  world.Run(seconds(3));
  world.Kill();
  Logger logger = Logger::Silent();
  for (uint64_t n = 1; n < 60; n++) {
    CAPTURE(n);
    SimProcess loop(world.time);
    SimWorkQueue io(loop);
    world.disk.FailNth(n);
    auto opened = DiskLog::Open({loop, world.disk, io, logger}, world.options.disk);
    if (!opened) CHECK_THAT(opened.error().message, Catch::Contains("Input/output error"));
  }
  world.disk.FailNth(0);
  world.Start();
  world.ReadAll();
  world.CheckComplete();
}

TEST_CASE("disk sample log: what cannot be read at a start is there at the next") {
  World world(7);
  world.AddReader("a");
  for (int i = 0; i < 60; i++) world.Append(static_cast<uint64_t>(i) % 8);
  world.Run(seconds(3));
  world.Kill();
  const std::vector<std::string> before = world.disk.Paths();
  for (const std::string& path : before) {
    CAPTURE(path);
    if (!path.ends_with(".seg")) continue;
    world.disk.FailPath(path, "Input/output error");
    world.Start();
    world.Run(seconds(3));
    world.Kill();
    world.disk.FailPath(path, "");
  }
  for (const std::string& path : before) CHECK(world.disk.Content(path) != nullptr);
  world.Start();
  world.ReadAll();
  world.CheckComplete();
  CHECK(world.readers["a"].damaged_in_all.total() == 0);
}

TEST_CASE("disk sample log: damage on disk is counted, and the rest is read") {
  const auto seed = GENERATE(range(1u, 41u));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  World world(seed, Tiny(random));
  world.AddReader("a");
  for (int i = 0; i < 150; i++) {
    world.Append(random() % 12);
    if (i % 10 == 0) world.Run(milliseconds(100));
  }
  world.Run(seconds(2));
  const bool stop = random() % 2 == 0;
  if (stop) {
    world.StopAndStart();
  }
  world.Kill();
  for (const std::string& path : world.disk.Paths()) {
    std::string& content = *world.disk.Content(path);
    if (content.empty() || random() % 3 != 0 || path.ends_with("format")) continue;
    switch (random() % 4) {
      case 0:
        content[random() % content.size()] ^= static_cast<char>(1 << random() % 8);
        break;
      case 1:
        content.resize(random() % content.size());
        break;
      case 2:
        content += std::string(1 + random() % 100, static_cast<char>(random()));
        break;
      default:
        for (size_t i = random() % content.size(), n = 0; i < content.size() && n < 500; i++, n++) {
          content[i] = static_cast<char>(random());
        }
    }
  }
  world.disk.Write(std::string(kPath) + "/p1/00000000000000009999.seg", "something else");
  world.disk.Write(std::string(kPath) + "/p1/README", "a note");
  world.damaged = true;
  world.Start();
  world.ReadAll();
  const uint64_t first_after = world.records.size() + 1;
  for (int i = 0; i < 20; i++) world.Append(random() % 12);
  world.ReadAll();
  const World::Reader& reader = world.readers["a"];
  for (uint64_t id = first_after; id <= world.records.size(); id++) {
    CHECK(reader.got.contains(id));
  }
  CHECK(world.disk.Content(std::string(kPath) + "/p1/README") != nullptr);
  CHECK(world.disk.Content(std::string(kPath) + "/p1/00000000000000009999.seg") != nullptr);
  CHECK(world.process->log->disk()->stats().foreign_files >= 1);
}

TEST_CASE("disk sample log: above its bounds the oldest go, and each reader is told how many") {
  const auto seed = GENERATE(range(1u, 61u));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  Options options = Tiny(random);
  options.disk.retention_bytes = 100'000;
  options.memory.memory_bytes = 60'000;
  World world(seed, options);
  world.AddReader("a");
  world.AddReader("b");
  world.Run(seconds(2));
  for (int step = 0; step < 600; step++) {
    CAPTURE(step);
    world.Append(random() % 12);
    world.Run(milliseconds(random() % 200));
    if (random() % 4 == 0) {
      world.Read(world.readers["a"], 3000);
      world.Run(milliseconds(10));
      world.FinishSome(world.readers["a"]);
    }
    if (random() % 100 == 0) world.Read(world.readers["b"], 100);
    if (random() % 100 == 0) {
      world.disk.Fail(random() % 2 == 0 ? unsigned{SimDisk::kWrite} : 0, "No space left on device");
    }
    REQUIRE(world.process->log->stats().bytes <= options.memory.memory_bytes);
    for (const auto& [name, reader] : world.readers) world.Check(reader);
  }
  world.disk.Fail(0, "");
  world.Run(seconds(30));
  uint64_t bytes = 0;
  for (uint32_t p = 0; p < kLogPartitions; p++) {
    for (const Segment& segment : world.process->log->disk()->segments(p)) {
      if (segment.closed) bytes += segment.file_bytes;
    }
  }
  CHECK(bytes <= options.disk.retention_bytes);
  world.ReadAll();
  // Exactly what is missing was told.
  for (const auto& [name, reader] : world.readers) {
    CAPTURE(name);
    SampleCounts missing;
    for (const auto& [id, record] : world.records) {
      if (id >= reader.first && !reader.got.contains(id)) missing += record.counts;
    }
    CHECK(reader.lost_in_all + reader.damaged_in_all == missing);
  }
}

TEST_CASE("disk sample log: what is older than the retention time goes") {
  Options options;
  options.disk.retention_time = std::chrono::hours(2);
  options.memory.window_bytes = 0;
  World world(9, options);
  world.AddReader("a");
  std::vector<uint64_t> before;  // records before each hour
  for (int hour = 0; hour < 5; hour++) {
    before.push_back(world.records.size());
    for (int i = 0; i < 30; i++) {
      world.Append(1);
      world.Run(std::chrono::minutes(2));
    }
  }
  world.ReadAll();
  const World::Reader& reader = world.readers["a"];
  for (const auto& [id, record] : world.records) {
    CAPTURE(id);
    if (id <= before[2]) CHECK_FALSE(reader.got.contains(id));
    if (id > before[3]) CHECK(reader.got.contains(id));
  }
  CHECK(reader.lost_in_all.total() > 0);
}

TEST_CASE("disk sample log: a reader that is forgotten begins anew, one that is renamed goes on") {
  World world(10);
  world.AddReader("a");
  world.AddReader("b");
  for (int i = 0; i < 10; i++) world.Append(static_cast<uint64_t>(i));
  world.Run(seconds(2));
  world.process->log->ForgetReader(world.readers["a"].id);
  world.process->log->RenameReader(world.readers["b"].id, "c");
  world.Run(seconds(2));
  world.readers.clear();
  world.Kill();
  world.Start();
  SampleLog& log = *world.process->log;
  CHECK(log.Unread(log.AddReader("a", [] {})).total() == 0);
  CHECK(log.Unread(log.AddReader("b", [] {})).total() == 0);
  CHECK(log.Unread(log.AddReader("c", [] {})) == log.stats().recovered);
}

TEST_CASE("disk sample log: readers may take over each other's names") {
  World world(13);
  world.AddReader("a");
  world.AddReader("b");
  for (int i = 0; i < 20; i++) world.Append(static_cast<uint64_t>(i) % 8);
  world.Run(seconds(2));
  // One of them is done with all.
  world.Read(world.readers["a"], 1'000'000);
  world.Run(seconds(2));
  world.FinishAll(world.readers["a"]);
  SampleLog* log = world.process->log.get();
  SECTION("two change names") {
    log->RenameReader(world.readers["a"].id, "b");
    log->RenameReader(world.readers["b"].id, "a");
  }
  SECTION("one takes the name of another, which goes") {
    log->RenameReader(world.readers["b"].id, "a");
    log->ForgetReader(world.readers["a"].id);
  }
  world.Run(seconds(2));
  world.readers.clear();
  world.Restart();
  log = world.process->log.get();
  CHECK(log->stats().recovered.total() > 0);
  CHECK(log->Unread(log->AddReader("a", [] {})) == log->stats().recovered);
  CHECK(log->Unread(log->AddReader("b", [] {})).total() == 0);
}

TEST_CASE("disk sample log: what cannot be written for long does not pile up") {
  Options options;
  options.memory.memory_bytes = 20'000;
  World world(14, options);
  world.AddReader("a");
  world.Run(seconds(2));
  SECTION("a disk that fails") {
    world.disk.Fail(SimDisk::kWrite | SimDisk::kOpen, "Input/output error");
  }
  SECTION("a disk that stalls") { world.process->io.set_latency(std::chrono::hours(10)); }
  size_t most = 0;
  for (int i = 0; i < 2000; i++) {
    world.Append(static_cast<uint64_t>(i) % 8);
    world.Run(milliseconds(100));
    most = std::max(most, world.process->log->stats().unwritten_records);
  }
  // What is in memory, and what the write that does not end has in hand.
  CHECK(most < 400);
  CHECK(world.process->io.waiting() < 200);
  world.Check(world.readers["a"]);
}

TEST_CASE(
    "disk sample log: on a full disk it begins in memory, and goes to disk when there is room") {
  World world(12);
  world.Kill();
  for (const std::string& path : world.disk.Paths()) REQUIRE(world.disk.Remove(path));
  world.disk.SetTotal(1);
  world.Start();
  world.AddReader("a");
  world.Append(1);
  world.Run(seconds(5));
  CHECK(world.process->log->stats().disk_failing);
  world.Read(world.readers["a"], 1000);
  world.Run(seconds(1));
  CHECK(world.readers["a"].got.size() == world.records.size());
  CHECK(world.disk.Content(std::string(kPath) + "/format") == nullptr);
  world.disk.SetTotal(0);
  world.Run(seconds(15));
  CHECK_FALSE(world.process->log->stats().disk_failing);
  CHECK(world.process->log->stats().unwritten_records == 0);
  world.Restart();
  world.ReadAll();
  world.CheckComplete();
}

TEST_CASE("disk sample log: a folder of another version is refused, and says so") {
  World world(11);
  world.AddReader("a");
  world.Append(1);
  world.Run(seconds(2));
  world.Kill();
  SimProcess loop(world.time);
  SimWorkQueue io(loop);
  Logger logger = Logger::Silent();
  const std::string format = std::string(kPath) + "/format";
  const std::string good = *world.disk.Content(format);
  world.disk.Write(format, "tributary sample log\nversion 2\npartitions 8\n");
  auto opened = DiskLog::Open({loop, world.disk, io, logger}, world.options.disk);
  REQUIRE_FALSE(opened);
  CHECK_THAT(opened.error().message, Catch::Contains("--storage.path"));
  world.disk.Write(format, good);
  for (const std::string& path : world.disk.Paths()) {
    if (path.ends_with(".seg")) (*world.disk.Content(path))[8] = 2;
  }
  opened = DiskLog::Open({loop, world.disk, io, logger}, world.options.disk);
  REQUIRE_FALSE(opened);
  CHECK_THAT(opened.error().message, Catch::Contains("newer version"));
}

}  // namespace
}  // namespace tributary
