// The log of test/golden/log: what is in it, and the same written by the code of today.
//
// One segment for each thing that a segment may hold, a cursor that was written twice, and the file
// that says what the folder is. Everything comes from constants: groups are numbered in the order
// of their making, so this must be the first that a program makes groups by. Their labels are not
// compressed (they are snappy of literals only), as what snappy makes of them may differ from
// version to version: the files depend on nothing but the format.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/log/cursor_file.h"
#include "agent/series/samples.h"
#include "test/support/sim/sim_disk.h"

namespace tributary {

inline constexpr const char* kGoldenPath = "/data/log";
// Of all that is in it.
inline constexpr uint32_t kGoldenPartition = 3;

struct GoldenCommit {
  LogPosition first = 0;  // of its samples; those behind follow without gaps
  TimestampMs wall_ms = 0;
  std::vector<std::shared_ptr<const GroupSamples>> samples;
};
struct GoldenSegment {
  std::string what;
  std::vector<GoldenCommit> commits;
};

struct GoldenLog {
  std::vector<GoldenSegment> segments;  // the first has sequence 1; the last is open
  GoldenCommit torn;                    // begun behind the last, and not ended
  size_t torn_bytes = 0;                // of it, in the file
  CursorState before, cursor;           // of the cursor's slots
  // As written now, by their paths below the log's folder.
  std::map<std::string, std::string> files;
};
const GoldenLog& Golden();

// "p3/00000000000000000001.seg"
std::string GoldenSegmentFile(uint64_t sequence);
std::string GoldenCursorFile();

// Files by their paths below the log's folder, as a disk.
void PutFiles(const std::map<std::string, std::string>& files, SimDisk& disk);

}  // namespace tributary
