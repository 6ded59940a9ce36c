// How far a remote is in a partition, kept over restarts: a file of two slots that are written in
// turn, so that one is whole at any time. Blocking.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/log/log_format.h"
#include "common/base/status.h"
#include "common/file/disk.h"

namespace tributary {

struct CursorState {
  std::string reader;  // the remote's identity
  // The remote is done with all records before this, and with those in `done`.
  LogPosition low = 0;
  std::vector<std::pair<LogPosition, LogPosition>> done;  // first and last, ascending
  // Records up to this may have been delivered.
  LogPosition handed_out = 0;
  // When the remote was first seen.
  TimestampMs since_ms = 0;
  SampleCounts before_low;  // of the partition
  SampleCounts in_done;
  bool operator==(const CursorState&) const = default;
};

std::string CursorName(const std::string& reader);  // of the file
bool IsCursorName(const std::string& name);

// `state.done` of what is written has at most so many ranges.
inline constexpr size_t kCursorRangesMax = 256;

// Writes one file, on the I/O thread. The slot that was written last with success stays.
class CursorWriter {
 public:
  // `serial`: of what the file holds, if it does.
  CursorWriter(std::string path, uint64_t serial) : path_(std::move(path)), serial_(serial) {}
  enum class Durable : uint8_t { kNo, kWhenMade, kAlways };
  // kWhenMade: a loss of power may take what was written last, but not the file: without one a
  // remote would be new.
  Status Write(Disk& disk, const CursorState& state, Durable durable);
  // Whether the file holds what was to be written last.
  bool saved() const { return saved_; }

 private:
  const std::string path_;
  uint64_t serial_;
  bool saved_ = true;
  bool made_ = false;  // and not yet synced
};

struct ReadCursorResult {
  CursorState state;
  uint64_t serial = 0;
  // A later version has written to the file: nothing else is said here.
  bool newer = false;
};
// An error if it cannot be read; none if both slots are damaged.
Result<std::optional<ReadCursorResult>> ReadCursor(Disk& disk, const std::string& path);

}  // namespace tributary
