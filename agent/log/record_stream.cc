#include "agent/log/record_stream.h"

namespace tributary {

namespace {

// While it is not known where records begin, a longer one is not looked for: whatever stands there
// may look like the size of one, and to find out means to read it.
constexpr size_t kSearchedMax = 1 << 20;

}  // namespace

void RecordStream::Push(std::string_view bytes, bool at_end) {
  bytes_.erase(0, taken_);
  taken_ = 0;
  bytes_ += bytes;
  at_end_ = at_end;
}

void RecordStream::Skip(size_t bytes) {
  taken_ += bytes;
  offset_ += bytes;
}

bool RecordStream::Next(Record& record) {
  if (searching_) return FindRecord(record);
  const std::string_view rest = std::string_view(bytes_).substr(taken_);
  switch (ReadRecord(rest, record)) {
    case RecordOutcome::kRead:
      Skip(record.bytes);
      return true;
    case RecordOutcome::kCut:
      // One that is cut at the end may be one with a damaged size.
      if (!at_end_ || rest.empty()) return false;
      break;
    case RecordOutcome::kDamaged:
      break;
  }
  searching_ = true;
  damages_++;
  Skip(1);
  damaged_bytes_++;
  return FindRecord(record);
}

bool RecordStream::FindRecord(Record& record) {
  while (taken_ < bytes_.size()) {
    const std::string_view rest = std::string_view(bytes_).substr(taken_);
    const std::string_view seen = rest.substr(0, kSearchedMax + kRecordHeaderBytes);
    const RecordOutcome outcome = ReadRecord(seen, record);
    if (outcome == RecordOutcome::kRead) {
      searching_ = false;
      Skip(record.bytes);
      return true;
    }
    if (outcome == RecordOutcome::kCut && seen.size() == rest.size() && !at_end_) return false;
    Skip(1);
    damaged_bytes_++;
  }
  return false;
}

}  // namespace tributary
