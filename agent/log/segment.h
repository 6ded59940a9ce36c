// Segments of a partition, as they are known in memory.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "agent/log/log_format.h"

namespace tributary {

struct Segment {
  SegmentHeader header;
  SegmentSummary summary;
  std::string path;
  uint64_t bytes = 0;       // that may be read
  uint64_t file_bytes = 0;  // of the file
  bool closed = false;      // nothing will be appended to it
  // Where the samples after a position begin, every mebibyte or so; in the order of both. Empty for
  // a segment of another process.
  std::vector<std::pair<LogPosition, uint64_t>> index;

  // The order in which they were written. Sequences alone are not: after a loss of power one that
  // was removed may be there again.
  std::pair<LogPosition, uint64_t> age() const { return {summary.first, header.sequence}; }
};

// "00000000000000000012.seg"; what has another name is none.
std::string SegmentName(uint64_t sequence);
bool ParseSegmentName(const std::string& name, uint64_t& sequence);

}  // namespace tributary
