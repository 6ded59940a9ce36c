// Appends commits to the segments of one partition.
//
// Commits are encoded on the loop, into a write that is done on the I/O thread and whose outcome
// comes back to the loop: only then are they a part of the segment. After a failure the segment is
// left behind and the next write begins another, so that nothing ever lies behind a torn record.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "agent/log/group_registry.h"
#include "agent/log/recovery.h"
#include "agent/log/segment.h"
#include "common/file/disk.h"

namespace tributary {

// What one turn of the I/O thread does for a partition.
struct PartitionWrite {
  uint32_t partition = 0;
  // The segment before, if it is full: its footer.
  std::shared_ptr<File> closing;
  uint64_t closing_at = 0;
  std::string footer;
  // "": into `file`. Else the segment to be made.
  std::string create;
  std::string folder;
  std::shared_ptr<File> file;
  uint64_t offset = 0;
  std::string bytes;
  bool sync = false;  // before it counts as written
  Status status;      // the outcome

  // On the I/O thread.
  void Run(Disk& disk);
};

// A commit as it is to be written: records that are gone from memory are left out.
struct CommitView {
  struct Item {
    LogPosition position;
    const std::shared_ptr<const GroupSamples>* samples;
  };
  std::vector<Item> items;
  CommitMark mark;
  SampleCounts before;  // in the partition
};

class PartitionWriter {
 public:
  // `registry` must outlive it.
  PartitionWriter(std::string folder, uint32_t partition, uint64_t epoch, uint64_t segment_bytes,
                  RecoveredPartition&& recovered, GroupRegistry& registry);

  // Nothing of it may be under way. Encodes into the next write.
  void Add(const CommitView& commit);
  // The next write; null if nothing was added. Finish, with its outcome, comes before the next Add.
  std::shared_ptr<PartitionWrite> Take(bool sync);
  void Finish(const PartitionWrite& write);
  // The next commit begins a new segment.
  void Roll() { roll_ = true; }

  const std::deque<Segment>& segments() const { return segments_; }
  // Of the segment that is being written; null: there is none.
  const std::shared_ptr<File>& file() const { return file_; }
  // When the first commit of that segment was written.
  TimestampMs begun_ms() const { return begun_ms_; }
  void DropOldest() { segments_.pop_front(); }
  const std::string& folder() const { return folder_; }

 private:
  struct Written {
    std::weak_ptr<const SeriesMetadata> metadata;
    std::weak_ptr<const StartTimes> starts;
  };
  void Begin(const SampleCounts& before, TimestampMs wall_ms);
  void Describe(const GroupSamples& samples);

  const std::string folder_;
  const uint32_t partition_;
  const uint64_t epoch_;
  const uint64_t segment_bytes_;
  GroupRegistry& registry_;
  std::deque<Segment> segments_;  // the last may be open
  uint64_t next_sequence_;
  bool roll_ = false;
  std::shared_ptr<File> file_;
  TimestampMs begun_ms_ = 0;
  // Of the open segment: the groups that it defines, and what it last said of them.
  boost::unordered_flat_map<uint64_t, Written> defined_;
  uint64_t definition_bytes_ = 0;

  // What the open segment will be once the next write is done.
  std::shared_ptr<PartitionWrite> next_;
  Segment after_;
};

}  // namespace tributary
