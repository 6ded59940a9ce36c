// Cuts the bytes of a segment into records as they are read, and steps over what is damaged: a
// record that cannot be read costs itself, not those behind it. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/log/log_format.h"

namespace tributary {

class RecordStream {
 public:
  // `offset`: in the segment, of the first byte that will be pushed.
  explicit RecordStream(uint64_t offset) : offset_(offset) {}

  // The next bytes. `at_end`: nothing will ever follow them.
  void Push(std::string_view bytes, bool at_end);
  // False: there are none before more bytes. The record's views hold until the next Push.
  bool Next(Record& record);

  // Where in the segment what is not yet taken begins, and where the next Push is to begin.
  uint64_t offset() const { return offset_; }
  uint64_t end() const { return offset_ + (bytes_.size() - taken_); }
  // Bytes that were stepped over, and how often.
  uint64_t damaged_bytes() const { return damaged_bytes_; }
  uint64_t damages() const { return damages_; }

 private:
  void Skip(size_t bytes);
  bool FindRecord(Record& record);

  std::string bytes_;
  size_t taken_ = 0;
  uint64_t offset_;
  bool at_end_ = false;
  bool searching_ = false;
  uint64_t damaged_bytes_ = 0;
  uint64_t damages_ = 0;
};

}  // namespace tributary
