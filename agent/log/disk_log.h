// The part of the sample log that lies on disk: partitions of segments, and the files that say how
// far each remote is.
//
//   PATH/format                    version and number of partitions
//   PATH/p0 ... p7/                a target's records lie in partition key mod 8, for ever
//     00000000000000000001.seg     segments (log_format.h)
//     0123456789abcdef.pos         cursors (cursor_file.h)
//
// One process at a time: its owner holds the lock. Its workers have a log each, of some partitions.
// Open blocks; all else that touches a disk is done by two work queues, one piece of each kind at a
// time: appends and reads do not wait for what is slow. Loop thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/log/cursor_file.h"
#include "agent/log/group_registry.h"
#include "agent/log/partition_writer.h"
#include "agent/logging/logger.h"
#include "agent/series/metadata_pool.h"
#include "common/event/event_loop.h"
#include "common/event/work_queue.h"
#include "common/file/disk.h"

namespace tributary {

enum class Fsync : uint8_t { kAlways, kInterval, kNever };

struct DiskLogOptions {
  std::string path;
  // Workers share the partitions: those with number mod workers = worker are this log's.
  uint32_t worker = 0, workers = 1;
  uint64_t segment_bytes = 16 << 20;
  uint64_t retention_bytes = uint64_t{2} << 30;  // of all segments of this log
  milliseconds retention_time = std::chrono::hours(24);
  // Of the file system: below it nothing is written.
  double free_min = 0.05;
  Fsync fsync = Fsync::kInterval;
  nanoseconds fsync_interval = seconds(1);
};

// What opening found, and what became of the disk since.
struct DiskLogStats {
  uint64_t damaged_bytes = 0, unfinished_bytes = 0, foreign_files = 0;
  uint64_t unreadable_segments = 0;  // left out of this process
  uint64_t repeated_segments = 0;    // of which another had all
  uint64_t write_failures = 0, sync_failures = 0, read_failures = 0;
  uint64_t cursor_failures = 0, remove_failures = 0;
  uint64_t segments = 0, bytes = 0;
  uint64_t segments_removed = 0;  // which everybody was done with
  uint64_t segments_dropped = 0;  // at a limit
};

struct DiskLogEnvironment {
  EventLoop& loop;
  Disk& disk;
  WorkQueue& io;
  Logger& logger;
  // For what may take long while nothing waits for it: syncs, cursors, removals. Null: `io`.
  WorkQueue* slow_io = nullptr;
};

class DiskLog {
 public:
  // Makes the folder if it is not there. The error is for people.
  static Result<std::unique_ptr<DiskLog>> Open(const DiskLogEnvironment& environment,
                                               const DiskLogOptions& options);
  ~DiskLog() { *self_ = nullptr; }
  DiskLog(const DiskLog&) = delete;
  DiskLog& operator=(const DiskLog&) = delete;

  // Those that are this log's.
  const std::vector<uint32_t>& partitions() const { return partitions_; }
  // What there was when it was opened.
  SampleCounts end(uint32_t partition) const { return ends_[partition]; }
  // Above all positions ever given out.
  LogPosition next_position() const { return next_position_; }
  uint64_t epoch() const { return epoch_; }
  // By the names of readers.
  const std::map<std::string, CursorState>& cursors(uint32_t partition) const {
    return cursors_[partition];
  }

  // Writing: Add any number of commits, then Write, and `done` with the outcome of each partition
  // that had some. One at a time.
  bool writing() const { return writing_; }
  // The disk is full or failing: no use to try now.
  bool suspended() const { return suspended_ || below_free_min_; }
  const std::string& last_error() const { return last_error_; }
  const std::string& path() const { return options_.path; }
  void Add(const CommitView& commit, uint32_t partition) { writers_[partition]->Add(commit); }
  using WriteOutcome = std::array<Status, kLogPartitions>;
  void Write(std::function<void(const WriteOutcome&)> done);
  // Runs when suspended() has ended.
  void set_on_resume(std::function<void()> on_resume) { on_resume_ = std::move(on_resume); }

  const std::deque<Segment>& segments(uint32_t partition) const {
    return writers_[partition]->segments();
  }
  // The oldest closed segment of all partitions; null: there is none.
  const Segment* Oldest() const;
  bool OverRetention(const Segment& oldest) const;
  uint64_t retention_bytes() const { return options_.retention_bytes; }
  // `done_with`: no reader needs it.
  void DropOldest(uint32_t partition, bool done_with);
  // Looks at the clock and at the free space: once a second, and twice a minute while nothing is
  // written.
  void Tick();

  void SaveCursor(uint32_t partition, const CursorState& state);
  // Runs when something that was begun has failed, and is to be tried again by a Tick.
  void set_on_failure(std::function<void()> on_failure) { on_failure_ = std::move(on_failure); }
  // Some that are to be saved are not yet.
  bool saving() const { return saves_ > 0; }
  // Saving of all cursors has begun, and syncing of all that is to be synced by interval.
  bool settled() const;
  // Whether saving has failed since this was last asked.
  bool TakeUnsaved(uint32_t partition, const std::string& reader) {
    return unsaved_[partition].erase(reader) > 0;
  }
  void RemoveCursor(const std::string& reader);
  // Runs `done` once all that was handed in before is done.
  void Flush(std::function<void()> done);

  const DiskLogStats& stats() const { return stats_; }
  void NoteReadFailure(const std::string& error);
  // For readers.
  const DiskLogEnvironment& environment() const { return env_; }
  GroupRegistry& registry() { return registry_; }
  MetadataPool& metadata() { return metadata_; }

 private:
  DiskLog(const DiskLogEnvironment& environment, const DiskLogOptions& options);
  Status CheckFormat();
  Status OpenPartition(uint32_t partition, RecoveredPartition& recovered);
  Status ReadCursors(uint32_t partition, const std::string& folder);
  void Suspend(const std::string& error);
  void Resume();
  void CheckSpace();
  WorkQueue& slow_io() { return env_.slow_io != nullptr ? *env_.slow_io : env_.io; }
  // Keeps in mind what it leaves to be synced.
  void NoteUnsynced(const PartitionWrite& write);
  void Sync();
  void Recount();
  std::string Folder(uint32_t partition) const;

  DiskLogEnvironment env_;
  const DiskLogOptions options_;
  GroupRegistry registry_;
  MetadataPool metadata_;
  std::vector<uint32_t> partitions_;
  std::array<std::unique_ptr<PartitionWriter>, kLogPartitions> writers_;  // null: another log's
  std::array<SampleCounts, kLogPartitions> ends_{};
  std::array<std::map<std::string, CursorState>, kLogPartitions> cursors_;
  // By reader; used by what slow_io() runs.
  std::array<std::map<std::string, std::shared_ptr<CursorWriter>>, kLogPartitions> cursor_writers_;
  std::array<std::set<std::string>, kLogPartitions> unsaved_;
  size_t saves_ = 0;  // under way
  LogPosition next_position_ = 1;
  uint64_t epoch_ = 1;
  // The file that says what the folder is. Once the log is open, of the I/O thread.
  std::shared_ptr<bool> format_missing_ = std::make_shared<bool>(false);
  bool writing_ = false;
  bool syncing_ = false;
  bool checking_space_ = false;
  bool suspended_ = false;
  bool below_free_min_ = false;
  nanoseconds retry_wait_{};
  Timer retry_timer_;
  // To be synced: what is being written, closed segments, and folders that have a new one.
  std::array<bool, kLogPartitions> unsynced_{}, unsynced_folders_{};
  std::vector<std::shared_ptr<File>> unsynced_closed_;
  MonotonicTime last_sync_{};
  std::function<void()> on_resume_, on_failure_;
  std::string last_error_;
  LogLimiter failure_log_{seconds(60)};
  LogLimiter read_failure_log_{seconds(60)};
  DiskLogStats stats_;
  // What is done on the I/O thread finds out by it whether the log is still there.
  std::shared_ptr<DiskLog*> self_ = std::make_shared<DiskLog*>(this);
};

}  // namespace tributary
