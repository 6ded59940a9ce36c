// Opening a partition's folder: which segments there are, and where their good part ends.
//
// A closed segment costs the reading of its header and footer. One that was being written when its
// process ended is read through: what stands behind its last whole commit goes, and it is closed.
// Files that are not ours are left alone; nothing of ours is removed but empty segments and those
// of which another has all. Blocking.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "agent/log/segment.h"
#include "common/base/status.h"
#include "common/file/disk.h"

namespace tributary {

struct RecoveredPartition {
  std::deque<Segment> segments;  // by age
  uint64_t next_sequence = 1;
  uint64_t epoch = 0;  // the highest
  // What is worth a line in the agent's log.
  std::vector<std::string> warnings;
  uint64_t damaged_bytes = 0;     // of records that could not be read
  uint64_t unfinished_bytes = 0;  // of a commit that had not ended, or a record that was cut
  uint64_t foreign_files = 0;
  uint64_t unreadable_segments = 0;  // they stay, but are not among `segments`
  uint64_t repeated_segments = 0;    // of which another has all; left out, and removed
};

// `folder` exists. An error only if it cannot be used at all: it cannot be listed, or was written
// by a newer version.
Result<RecoveredPartition> RecoverPartition(Disk& disk, const std::string& folder,
                                            uint32_t partition);

}  // namespace tributary
