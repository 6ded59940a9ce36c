// A sample log on a simulated disk, its process, its readers, and a memory of all that was
// appended: what tests of durability do things to.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "agent/log/sample_log.h"
#include "test/support/catch.h"
#include "test/support/sim/sim_disk.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_work_queue.h"
#include "test/unit/agent/log/log_samples.h"

namespace tributary {

inline constexpr const char* kPath = "/data/log";
inline constexpr TimestampMs kFirstMs = 1'600'000'000'000;

inline std::string Text(const SampleCounts& counts) {
  return fmt::format("{}+{}+{}", counts.samples, counts.histograms, counts.exemplars);
}

// A process with a log. Destroying it is a kill.
struct LogProcess {
  LogProcess(SimLoop& world, SimDisk& disk, const SampleLogOptions& options,
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

struct DiskLogWorldOptions {
  SampleLogOptions memory{.memory_bytes = 64 << 20, .window_bytes = 4 << 20};
  DiskLogOptions disk{.path = kPath};
};

class DiskLogWorld {
 public:
  explicit DiskLogWorld(uint64_t seed, const DiskLogWorldOptions& chosen = {})
      : options(chosen), random(seed), disk(seed) {
    Start();
  }

  void Start() {
    process = std::make_unique<LogProcess>(time, disk, options.memory, options.disk);
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
      GroupSamples samples =
          RandomSamples(random, group, kFirstMs + static_cast<int64_t>(next_id_));
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
    UNSCOPED_INFO(
        fmt::format("{} failures of reading", process->log->disk()->stats().read_failures));
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
  const DiskLogWorldOptions options;
  std::mt19937_64 random;
  SimLoop time;
  SimDisk disk;
  std::unique_ptr<LogProcess> process;
  std::map<uint64_t, Known> records;
  std::set<uint64_t> in_doubt;
  std::map<std::string, Reader> readers;
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

inline DiskLogWorldOptions Tiny(std::mt19937_64& random) {
  DiskLogWorldOptions options;
  options.memory.window_bytes = 1000 + random() % 20'000;
  options.disk.segment_bytes = 2000 + random() % 30'000;
  return options;
}

}  // namespace tributary
