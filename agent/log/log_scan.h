// Reads a log on disk from outside, whether or not a process is writing it: for people who look at
// one. Takes no lock and writes nothing. Blocking.
//
// What a process may just be writing is no damage: the end of a segment without a footer that is
// cut or is all zeros, and what no commit has ended yet. Segments may go while they are looked at.
//
// Bounds in memory: the groups that one segment defines, and one record.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/log/cursor_file.h"
#include "agent/log/segment.h"
#include "agent/series/samples.h"
#include "common/base/status.h"
#include "common/file/disk.h"

namespace tributary {

struct LogFolder {
  std::string path;
  uint32_t version = 0, partitions = 0;
};
// `path`: the log's folder, or the agent's with the log in it. An error if there is none, or one of
// another version.
Result<LogFolder> FindLog(Disk& disk, const std::string& path);

struct LogDamage {
  std::string path;
  uint64_t offset = 0, bytes = 0;
  std::string what;
};

// What header and footer say.
struct SegmentFacts {
  Segment segment;     // of one without a footer: header, sizes
  bool empty = false;  // not even the header is whole yet: it is just being made
  std::optional<LogDamage> header_damage;
};
// None if it has gone meanwhile.
Result<std::optional<SegmentFacts>> ReadSegmentFacts(Disk& disk, const std::string& path,
                                                     uint32_t partition, uint64_t sequence);

struct SegmentScan {
  SegmentSummary summary;         // up to the last whole commit
  TimestampMs first_ms = 0;       // the wall clock of the first commit; 0: there is none
  uint64_t committed_end = 0;     // where the last whole commit ends
  uint64_t unfinished_bytes = 0;  // behind it
  uint64_t definitions = 0, commits = 0;
  SampleCounts counts;  // of the samples that could be read
};
struct ScanHandlers {
  // Null: nobody wants to know.
  std::function<void(const LogDamage&)> on_damage;
  // False: enough. The samples are the handler's only while it runs.
  std::function<bool(LogPosition, const GroupSamples&)> on_samples;
  // Reads no further than this; 0: to the end.
  uint64_t end = 0;
};
// Reads through all of it. An error if it has become unreadable.
Result<SegmentScan> ScanSegment(Disk& disk, const SegmentFacts& facts,
                                const ScanHandlers& handlers);

struct CursorFacts {
  std::string path;
  std::optional<CursorState> state;  // none: damaged
};
struct PartitionFacts {
  uint32_t partition = 0;
  std::vector<SegmentFacts> segments;  // by sequence
  std::vector<CursorFacts> cursors;
  std::vector<std::string> foreign;  // files that are none of the log's
};
// An error names what cannot be read.
Result<PartitionFacts> ReadPartitionFacts(Disk& disk, const LogFolder& folder, uint32_t partition);

}  // namespace tributary
