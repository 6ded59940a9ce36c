// The sample log: what was scraped and not yet taken by every remote. Between scraping and sending it
// is the only buffer.
//
// This log lives in memory; its interface is that of a log on disk: appends and reads are asynchronous
// and complete as events of the loop, positions are numbers that only grow, and a reader says up to
// where it is done. One thread (the loop's).
//
// Bounds: `bytes_max` of samples; above it the oldest go, and each reader that had not read them is told
// how many it lost. Appends under way: `appends_max`; beyond that Append refuses.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "agent/series/samples.h"
#include "common/base/status.h"
#include "common/event/event_loop.h"

namespace tributary {

// Of a record: higher is later. The first is 1.
using LogPosition = uint64_t;

struct LogRecord {
  LogPosition position = 0;
  std::shared_ptr<const GroupSamples> samples;
};

struct SampleLogOptions {
  size_t bytes_max = 256 << 20;
  size_t appends_max = 1024;
};

struct SampleLogStats {
  SampleCounts appended;
  uint64_t appends_refused = 0;
  SampleCounts evicted;  // over bytes_max, whether or not a reader missed them
  size_t records = 0;
  size_t bytes = 0;
};

class SampleLog {
 public:
  using ReaderId = uint64_t;
  struct Batch {
    std::vector<LogRecord> records;
    SampleCounts lost;    // evicted before this reader came to them
    bool at_end = false;  // all that there is has been read
  };

  SampleLog(EventLoop& loop, SampleLogOptions options) : loop_(loop), options_(options) {}
  SampleLog(const SampleLog&) = delete;
  SampleLog& operator=(const SampleLog&) = delete;

  // `done` runs later on the loop, when the commit is in the log. An error at once, and `done` never,
  // if too many appends are under way.
  Status Append(Commit commit, std::function<void()> done);
  // Runs `done` later on the loop, when no append is under way and the readers have been told.
  void AfterAppends(std::function<void()> done);

  // A reader begins at the end of the log. `on_data` runs after appends, on the loop; not for each.
  ReaderId AddReader(std::function<void()> on_data);
  void RemoveReader(ReaderId reader);
  // Reads on from where the reader is, up to about `samples_max` samples, histograms and exemplars (at
  // least one record if there is one). `done` runs later on the loop, unless the reader is removed. One
  // read at a time a reader.
  void Read(ReaderId reader, uint64_t samples_max, std::function<void(Batch)> done);
  // The reader is done with everything up to and including `position`.
  void Release(ReaderId reader, LogPosition position);

  // Position of the last record appended.
  LogPosition end() const { return next_ - 1; }
  const SampleLogStats& stats() const { return stats_; }

 private:
  struct Reader {
    LogPosition next = 0;      // to be read
    LogPosition released = 0;  // done with
    SampleCounts lost;
    bool notified = false;
    std::function<void()> on_data;
  };

  void Trim();
  void PopOldest();
  void NotifyReaders();

  EventLoop& loop_;
  const SampleLogOptions options_;
  std::deque<LogRecord> records_;
  std::map<ReaderId, Reader> readers_;
  ReaderId last_reader_ = 0;
  LogPosition next_ = 1;
  size_t appends_ = 0;
  std::vector<std::function<void()>> after_appends_;
  SampleLogStats stats_;
  // Posted callbacks find out by it whether the log is still there.
  std::shared_ptr<SampleLog*> self_ = std::make_shared<SampleLog*>(this);

 public:
  ~SampleLog() { *self_ = nullptr; }
};

}  // namespace tributary
