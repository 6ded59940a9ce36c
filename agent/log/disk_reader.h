// Reads what lies on disk, all of the log's partitions together in the order of positions, for one
// reader of the log. Two partitions may have the same position, if they were of two workers. Loop
// thread; bytes are read by the work queue, a piece of each partition at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "agent/log/disk_log.h"
#include "agent/log/record_stream.h"

namespace tributary {

class DiskReader {
 public:
  struct Head {
    uint32_t partition = 0;
    LogPosition position = 0;
    bool recovered = false;  // written by another process
    std::shared_ptr<const GroupSamples> samples;
  };
  enum class Found : uint8_t {
    kRecord,
    kWaiting,  // for the disk: `progress` runs when there is more
    kNone,     // the disk has no more below the position
  };

  // Begins at the first record at or above `from`. `log` must outlive it; `progress` may not
  // destroy it.
  DiskReader(DiskLog& log, LogPosition from, std::function<void()> progress);
  ~DiskReader() { *self_ = nullptr; }
  DiskReader(const DiskReader&) = delete;
  DiskReader& operator=(const DiskReader&) = delete;

  // The next record below `limit`.
  Found Peek(LogPosition limit, Head& head);
  // It is taken.
  void Pop();

 private:
  struct Group {
    GroupRef definition;
    std::shared_ptr<const SeriesMetadata> metadata;
    std::shared_ptr<const StartTimes> starts;
  };
  // Where one partition is read.
  struct Source {
    uint32_t partition = 0;
    uint64_t sequence = 0;  // of the segment; 0: not begun
    uint64_t epoch = 0;
    LogPosition first = 0;
    std::pair<LogPosition, uint64_t> age() const { return {first, sequence}; }
    bool from_start = true;  // its definitions were all seen
    std::shared_ptr<File> file;
    RecordStream stream{0};
    boost::unordered_flat_map<uint64_t, Group> groups;
    std::optional<Head> head;
    bool loading = false;
    bool failed = false;  // loading, again after a while
    uint32_t failures = 0;
    uint64_t load = 0;  // which: what comes of an earlier one is no more wanted
  };

  Found Advance(Source& source, LogPosition limit);
  const Segment* CurrentSegment(const Source& source) const;
  const Segment* NextSegment(const Source& source) const;
  void Begin(Source& source, const Segment& segment, bool from_start);
  void Load(Source& source, const Segment& segment);
  void Loaded(Source& source, const Result<std::string>& bytes);
  void LoadFailed(Source& source, const std::string& error);
  void Retry();
  void Take(Source& source, const Record& record);
  void Define(Source& source, std::string_view payload);
  void Describe(Source& source, const Record& record);
  void TakeSamples(Source& source, std::string_view payload);

  DiskLog& log_;
  LogPosition from_;
  std::function<void()> progress_;
  std::vector<Source> sources_;  // stay where they are: what is loaded knows them
  Timer retry_timer_;
  Source* next_ = nullptr;  // that has the record of the last Peek
  std::shared_ptr<DiskReader*> self_ = std::make_shared<DiskReader*>(this);
};

}  // namespace tributary
