// The sample log: what was scraped and not yet taken by every remote. Between scraping and sending
// it is the only buffer.
//
// What was appended last is in memory (the window); with a folder it is on disk too, and what has
// left the window is read from there. Appends and reads complete as events of the loop. Positions
// are numbers that only grow. A reader says of each record when it is done with it, in any order;
// how far it is outlives the process. One thread (the loop's).
//
// A commit is readable once it is on disk. While the disk is full, fails or stalls, it is readable
// from memory, and written later; a crash then loses it.
//
// Bounds: `memory_bytes` of samples in memory, and on disk DiskLogOptions. Above them the oldest
// go, and each reader that had not read them is told how many it lost.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/log/disk_log.h"
#include "agent/log/disk_reader.h"
#include "agent/series/samples.h"
#include "common/event/event_loop.h"

namespace tributary {

struct LogRecord {
  // Higher for a reader's later records, with gaps.
  LogPosition position = 0;
  // By which the reader is done with it.
  uint64_t ticket = 0;
  // It was written by an earlier process, which may have delivered it.
  bool maybe_delivered = false;
  std::shared_ptr<const GroupSamples> samples;
};

struct SampleLogOptions {
  // With a folder: only while the disk does not take them.
  size_t memory_bytes = 256 << 20;
  // Kept in memory of what is on disk.
  size_t window_bytes = 4 << 20;
};

struct SampleLogStats {
  SampleCounts appended;
  TimestampMs highest_ms = 0;  // of the records appended
  SampleCounts recovered;      // that were there at the start
  SampleCounts evicted;        // gone at a bound, whether or not a reader missed them
  size_t records = 0;          // in memory
  size_t bytes = 0;            // of samples in memory
  size_t unwritten_records = 0;
  bool disk_failing = false;
};

class SampleLog {
 public:
  using ReaderId = uint64_t;
  struct Batch {
    std::vector<LogRecord> records;
    SampleCounts lost;     // gone at a bound before this reader came to them
    SampleCounts damaged;  // that could not be read from disk
    bool at_end = false;   // all that there is has been read
  };

  // `disk`: null to keep samples in memory only.
  SampleLog(EventLoop& loop, const SampleLogOptions& options, std::unique_ptr<DiskLog> disk = {});
  ~SampleLog();
  SampleLog(const SampleLog&) = delete;
  SampleLog& operator=(const SampleLog&) = delete;

  // Takes a commit; it is readable a little later.
  void Append(Commit commit);
  // Called with each commit before it is taken; it may change and empty it, and must not call the
  // log. Null: nothing is called.
  void set_before_append(std::function<void(Commit& commit)> before_append) {
    before_append_ = std::move(before_append);
  }
  // Called with each record of a commit as it is taken; it must not call the log.
  void set_on_append(std::function<void(const std::shared_ptr<const GroupSamples>&)> on_append) {
    on_append_ = std::move(on_append);
  }
  // Runs `done` later on the loop, when all that has been appended by now is readable and the
  // readers were told.
  void AfterAppends(std::function<void()> done);
  // Whether all up to this position is where it outlives the process; in memory mode, whether it is
  // readable.
  bool IsKept(LogPosition position) const {
    return position <= readable_ && (unwritten_.empty() || position < unwritten_.front().first);
  }
  // Above nine tenths of a bound, where the oldest samples will have to go soon.
  bool NearlyFull() const;
  // Runs `done` when all is on disk, how far readers are included, or cannot be put there now.
  void Flush(std::function<void()> done);

  // `name` is the remote's, for as long as the folder exists. A reader that is known goes on where
  // it was; a new one begins at the end. `on_data` runs after appends, on the loop; not for each.
  ReaderId AddReader(const std::string& name, std::function<void()> on_data);
  void RenameReader(ReaderId reader, const std::string& name);
  // It may come back, in another process.
  void RemoveReader(ReaderId reader);
  // It will not.
  void ForgetReader(ReaderId reader);
  // When it was first added.
  TimestampMs SinceMs(ReaderId reader) const { return readers_.at(reader).since_ms; }
  // Reads on, up to about `samples_max` samples, histograms and exemplars (at least one record if
  // there is one). `done` runs later on the loop, unless the reader is removed. One read at a time.
  void Read(ReaderId reader, uint64_t samples_max, std::function<void(Batch)> done);
  // The reader is done with that record.
  void Done(ReaderId reader, uint64_t ticket);
  // What the reader has not read yet.
  SampleCounts Unread(ReaderId reader) const;
  // What an earlier process left for it: at first as its cursor has it, which may count on records
  // that were in memory only; exactly when that has been read.
  const SampleCounts& Recovered(ReaderId reader) const { return readers_.at(reader).found; }
  // Where a reader is; for people, it walks over segments.
  struct Place {
    LogPosition read = 0;          // the last record that was read
    LogPosition done = 0;          // it is done with all up to this one
    uint64_t disk_bytes = 0;       // of what it is not done with, at most
    TimestampMs unread_since = 0;  // of the oldest that is not read, about; 0: there is none
  };
  Place PlaceOf(ReaderId reader) const;
  // Position of the last record appended.
  LogPosition end() const { return next_ - 1; }

  const SampleLogStats& stats() const { return stats_; }
  // Null: there is none.
  const DiskLog* disk() const { return disk_.get(); }

 private:
  using PartitionCounts = std::array<SampleCounts, kLogPartitions>;
  using PartitionPositions = std::array<LogPosition, kLogPartitions>;
  struct Entry {
    std::shared_ptr<const GroupSamples> samples;
    uint8_t partition = 0;
    bool on_disk = false;
    bool dropped = false;  // and gone from there
  };
  // A commit that is not on disk yet.
  struct Unwritten {
    uint32_t partition = 0;
    LogPosition first = 0;
    uint32_t records = 0;
    SampleCounts before, end;  // in the partition
    uint64_t target_key = 0;
    TimestampMs wall_ms = 0;
    bool written = false;
    bool in_write = false;
  };
  // Stands for samples that are not any more where they were.
  static constexpr LogPosition kNowhere = 0;
  struct Handed {
    LogPosition position = 0;
    SampleCounts counts;
    uint8_t partition = 0;
    bool done = false;
  };
  struct PendingRead {
    uint64_t samples_max = 0;
    std::function<void(Batch)> done;
  };
  struct Reader {
    std::string name;
    TimestampMs since_ms = 0;
    std::function<void()> on_data;
    bool notified = false;
    LogPosition next = 0;          // to be read
    PartitionCounts read{};        // what lies before it, in each partition
    PartitionPositions seen{};     // above what was read of a partition
    std::deque<Handed> handed;     // read, and not yet done up to there
    uint64_t first_ticket = 1;     // of the first of them
    PartitionCounts before_low{};  // what lies before that
    PartitionPositions passed{};   // above what before_low counts
    SampleCounts lost, damaged;    // to be told
    SampleCounts shed;             // to be found missing, once the disk has been read
    std::optional<PendingRead> pending;
    bool serving = false;
    std::unique_ptr<DiskReader> disk;
    std::array<CursorState, kLogPartitions> recovered;  // less what was passed
    SampleCounts found;                                 // of an earlier process, and not done
    std::array<bool, kLogPartitions> dirty{};
  };

  LogPosition first_in_memory() const { return next_ - window_.size(); }
  Entry& At(LogPosition position) { return window_[position - first_in_memory()]; }
  uint64_t DiskBytesFrom(LogPosition position) const;
  TimestampMs OldestMs(LogPosition position) const;
  // All before it was read and done, or never the reader's.
  LogPosition LowOf(const Reader& reader) const;
  LogPosition Low() const;

  void Pump();
  void AddToWrite(Unwritten& commit);
  void Written(const DiskLog::WriteOutcome& outcome);
  void MakeReadable(LogPosition up_to);
  void RunWaiting();
  void Trim();
  void PopOldest();
  void ShedOldest();
  void ForgetShed();
  void TrimDisk();
  void DropSegment(const Segment& segment);
  void NotifyReaders();

  bool HasReader(const std::string& name) const;
  // Puts the reader where an earlier process left it; false: it is not known.
  bool Recover(Reader& reader);
  void PostServe(ReaderId reader);
  void Serve(Reader& reader, ReaderId id);
  enum class Step : uint8_t { kTaken, kAtEnd, kWaiting };
  Step ReadOne(Reader& reader, ReaderId id, Batch& batch, uint64_t& samples);
  Step ReadOneFromDisk(Reader& reader, ReaderId id, Batch& batch, uint64_t& samples);
  void HandOut(Reader& reader, LogPosition position, uint32_t partition, bool maybe_delivered,
               std::shared_ptr<const GroupSamples> samples, Batch& batch, uint64_t& samples_read);
  void Note(Reader& reader, LogPosition position, uint32_t partition, const SampleCounts& counts,
            bool done);
  bool SkipRecovered(Reader& reader, const DiskReader::Head& head);
  void EndDisk(Reader& reader, LogPosition limit);
  void Advance(Reader& reader);

  void MarkDirty(Reader& reader, uint32_t partition);
  // There is something to save: within a second.
  void Touch();
  void Tick();
  // There is nothing that a tick would do.
  bool idle() const;
  void SaveCursors(bool all);
  CursorState StateOf(const Reader& reader, uint32_t partition) const;

  EventLoop& loop_;
  const SampleLogOptions options_;
  std::function<void(Commit&)> before_append_;                                 // may be empty
  std::function<void(const std::shared_ptr<const GroupSamples>&)> on_append_;  // may be empty
  std::unique_ptr<DiskLog> disk_;
  std::deque<Entry> window_;
  PartitionCounts before_window_{};  // in each partition
  PartitionCounts end_{};
  LogPosition next_ = 1;
  LogPosition readable_ = 0;
  std::deque<Unwritten> unwritten_;
  bool pump_posted_ = false;
  bool stalled_ = false;                      // a write takes too long
  std::optional<MonotonicTime> write_begun_;  // of the last write
  Timer gap_timer_;                           // to the next
  Timer stall_timer_;
  Timer tick_timer_;
  bool touched_ = false;  // since the last tick began
  std::map<ReaderId, Reader> readers_;
  ReaderId last_reader_ = 0;
  struct WaitingFor {
    LogPosition position = 0;
    std::function<void()> done;
  };
  std::deque<WaitingFor> after_appends_;  // by position
  std::vector<std::function<void()>> flushes_;
  SampleLogStats stats_;
  // Posted callbacks find out by it whether the log is still there.
  std::shared_ptr<SampleLog*> self_ = std::make_shared<SampleLog*>(this);
};

}  // namespace tributary
