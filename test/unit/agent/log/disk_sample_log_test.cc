// The sample log on a simulated disk: what is accepted is read, whatever becomes of the process and
// the disk.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <fmt/format.h>

#include "agent/log/sample_log.h"
#include "test/support/catch.h"
#include "test/support/sim/sim_disk.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_work_queue.h"
#include "test/unit/agent/log/log_samples.h"

namespace tributary {
namespace {

constexpr const char* kPath = "/data/log";
constexpr TimestampMs kFirstMs = 1'600'000'000'000;

std::string Text(const SampleCounts& counts) {
  return fmt::format("{}+{}+{}", counts.samples, counts.histograms, counts.exemplars);
}

// A process with a log. Destroying it is a kill.
struct Process {
  Process(SimLoop& world, SimDisk& disk, const SampleLogOptions& options,
          const DiskLogOptions& disk_options)
      : loop(world), io(loop) {
    auto opened = DiskLog::Open({loop, disk, io, logger}, disk_options);
    REQUIRE(opened);
    log = std::make_unique<SampleLog>(loop, options, std::move(*opened));
  }
  Logger logger = Logger::Silent();
  SimProcess loop;
  SimWorkQueue io;
  std::unique_ptr<SampleLog> log;
};

struct Options {
  SampleLogOptions memory{.memory_bytes = 64 << 20, .window_bytes = 4 << 20};
  DiskLogOptions disk{.path = kPath};
};

class World {
 public:
  explicit World(uint64_t seed, const Options& chosen = {})
      : options(chosen), random(seed), disk(seed) {
    Start();
  }

  void Start() {
    process = std::make_unique<Process>(time, disk, options.memory, options.disk);
    for (auto& [name, reader] : readers) Attach(name, reader);
  }

  // Nothing is written any more. What is not on disk is gone.
  void Kill() {
    for (auto& [name, reader] : readers) reader.Detach();
    // A record is in doubt until it is on disk, or was handed to somebody.
    const uint64_t unwritten = process->log->stats().unwritten_records;
    for (auto it = records.rbegin(); it != records.rend() && doubt_.size() < unwritten; ++it) {
      doubt_.insert(it->first);
    }
    in_doubt.insert(doubt_.begin(), doubt_.end());
    doubt_.clear();
    process.reset();
  }

  void Restart() {
    Kill();
    Start();
  }

  void StopAndStart() {
    bool flushed = false;
    process->log->Flush([&] { flushed = true; });
    Run(seconds(2));
    REQUIRE(flushed);
    REQUIRE(process->log->stats().unwritten_records == 0);
    Restart();
  }

  void Run(nanoseconds duration) { time.RunFor(duration); }

  void Append(uint64_t target) {
    Commit commit;
    commit.target_key = target;
    auto& groups = groups_[target];
    while (groups.size() < 2) {
      groups.push_back(RandomGroup(random, target, 1 + random() % 40));
    }
    if (random() % 40 == 0) groups.erase(groups.begin());
    for (const GroupRef& group : groups) {
      GroupSamples samples = RandomSamples(random, group, kFirstMs + static_cast<int64_t>(next_id_));
      const uint64_t id = next_id_++;
      records[id] = {target, TextOf(samples), samples.counts()};
      ids_[samples.timestamp] = id;
      commit.groups.push_back(std::move(samples));
    }
    process->log->Append(std::move(commit));
  }

  struct Reader {
    SampleLog::ReaderId id = 0;
    uint64_t first = 0;  // the first record that it is to get
    bool reading = false;
    std::vector<std::pair<uint64_t, uint64_t>> held;  // ticket, record
    std::map<uint64_t, int> got;
    std::set<uint64_t> done;
    std::map<uint64_t, uint64_t> latest;  // by target, of those that were new to it
    SampleCounts start, appended_before;  // when it was attached
    SampleCounts read, lost, damaged;     // since
    SampleCounts lost_in_all, damaged_in_all;
    void Detach() {
      reading = false;
      held.clear();
    }
  };

  void AddReader(const std::string& name) {
    Reader& reader = readers[name];
    reader.first = next_id_;
    Attach(name, reader);
  }

  void Read(Reader& reader, uint64_t samples_max) {
    if (std::exchange(reader.reading, true)) return;
    process->log->Read(reader.id, samples_max, [this, &reader](SampleLog::Batch batch) {
      reader.reading = false;
      reader.lost += batch.lost;
      reader.damaged += batch.damaged;
      reader.lost_in_all += batch.lost;
      reader.damaged_in_all += batch.damaged;
      for (const LogRecord& record : batch.records) {
        REQUIRE(ids_.contains(record.samples->timestamp));
        const uint64_t id = ids_.at(record.samples->timestamp);
        // What it says of metadata and start times may be damaged where the samples are not.
        if (!damaged) REQUIRE(TextOf(*record.samples) == records.at(id).text);
        REQUIRE(id >= reader.first);
        reader.read += record.samples->counts();
        if (reader.got[id]++ == 0) {
          uint64_t& latest = reader.latest[records.at(id).target];
          REQUIRE(id > latest);
          latest = id;
        }
        reader.held.emplace_back(record.ticket, id);
      }
      at_end = batch.at_end;
      Check(reader);
    });
  }

  void FinishSome(Reader& reader) {
    for (uint64_t n = random() % 20; n > 0 && !reader.held.empty(); n--) {
      // Mostly the oldest.
      const size_t i = random() % 3 == 0 ? random() % reader.held.size() : 0;
      process->log->Done(reader.id, reader.held[i].first);
      reader.done.insert(reader.held[i].second);
      reader.held.erase(reader.held.begin() + static_cast<ptrdiff_t>(i));
    }
    Check(reader);
  }

  void FinishAll(Reader& reader) {
    for (const auto& [ticket, id] : reader.held) {
      process->log->Done(reader.id, ticket);
      reader.done.insert(id);
    }
    reader.held.clear();
  }

  // What was there at its start and came since is read, lost or still to be read.
  void Check(const Reader& reader) {
    const SampleCounts appended = process->log->stats().appended - reader.appended_before;
    const SampleCounts unread = process->log->Unread(reader.id);
    INFO(fmt::format("{} at its start, {} since; {} read, {} lost, {} damaged, {} to be read",
                     Text(reader.start), Text(appended), Text(reader.read), Text(reader.lost),
                     Text(reader.damaged), Text(unread)));
    REQUIRE(reader.start + appended == reader.read + reader.lost + reader.damaged + unread);
  }

  // Reads everything.
  void ReadAll() {
    for (int round = 0; round < 4000; round++) {
      bool all = true;
      for (auto& [name, reader] : readers) {
        Read(reader, 500);
        Run(milliseconds(5));
        FinishAll(reader);
        all = all && !reader.reading && process->log->Unread(reader.id).total() == 0;
      }
      if (all) return;
    }
    for (auto& [name, reader] : readers) {
      UNSCOPED_INFO(fmt::format("{}: reading {}, {} to be read, {} in hand", name, reader.reading,
                                process->log->Unread(reader.id).total(), reader.held.size()));
    }
    UNSCOPED_INFO(fmt::format("{} failures of reading", process->log->disk()->stats().read_failures));
    FAIL("it is never read to the end");
  }

  // Each reader has every record that it was to get, but those in doubt.
  void CheckComplete() {
    for (const auto& [name, reader] : readers) {
      CAPTURE(name);
      SampleCounts missing;
      for (const auto& [id, record] : records) {
        if (id < reader.first || reader.got.contains(id) || in_doubt.contains(id)) continue;
        missing += record.counts;
      }
      const SampleCounts told = reader.lost_in_all + reader.damaged_in_all;
      CHECK(missing.total() <= told.total());
    }
  }

  struct Known {
    uint64_t target;
    std::string text;
    SampleCounts counts;
  };
  const Options options;
  std::mt19937_64 random;
  SimLoop time;
  SimDisk disk;
  std::unique_ptr<Process> process;
  std::map<uint64_t, Known> records;
  std::set<uint64_t> in_doubt;
  std::map<std::string, Reader> readers;
  bool at_end = false;
  bool damaged = false;

 private:
  void Attach(const std::string& name, Reader& reader) {
    reader.id = process->log->AddReader(name, [] {});
    reader.start = process->log->Unread(reader.id);
    reader.appended_before = process->log->stats().appended;
    reader.read = reader.lost = reader.damaged = {};
  }

  uint64_t next_id_ = 1;
  std::map<uint64_t, std::vector<GroupRef>> groups_;
  std::map<TimestampMs, uint64_t> ids_;
  std::set<uint64_t> doubt_;
};

Options Tiny(std::mt19937_64& random) {
  Options options;
  options.memory.window_bytes = 1000 + random() % 20'000;
  options.disk.segment_bytes = 2000 + random() % 30'000;
  return options;
}

TEST_CASE("disk sample log: accepted records are read by all, in order, over kills and restarts") {
  const auto seed = GENERATE(range(1u, 151u));
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
  const auto seed = GENERATE(range(1u, 101u));
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

TEST_CASE("disk sample log: a disk that fails, fills up or stalls costs nothing while memory holds") {
  const auto seed = GENERATE(range(1u, 101u));
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
  for (uint64_t n = 1; n < 400; n++) {
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

TEST_CASE("disk sample log: damage on disk is counted, and the rest is read") {
  const auto seed = GENERATE(range(1u, 101u));
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
