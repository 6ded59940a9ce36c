// Where readers of the log are, for people.
#include <algorithm>
#include <iterator>

#include "agent/log/sample_log.h"

namespace tributary {

SampleLog::Place SampleLog::PlaceOf(ReaderId id) const {
  const Reader& reader = readers_.at(id);
  Place place;
  place.read = reader.next - 1;
  place.done = LowOf(reader) - 1;
  if (disk_ != nullptr) place.disk_bytes = DiskBytesFrom(LowOf(reader));
  if (reader.next < next_) place.unread_since = OldestMs(reader.next);
  return place;
}

uint64_t SampleLog::DiskBytesFrom(LogPosition position) const {
  uint64_t bytes = 0;
  for (uint32_t p = 0; p < kLogPartitions; p++) {
    for (const Segment& segment : disk_->segments(p)) {
      if (segment.summary.last < position) continue;
      auto after = std::upper_bound(
          segment.index.begin(), segment.index.end(), position,
          [](LogPosition sought, const auto& entry) { return sought < entry.first; });
      const uint64_t before = after == segment.index.begin() ? 0 : std::prev(after)->second;
      bytes += segment.bytes - std::min(segment.bytes, before);
    }
  }
  return bytes;
}

// What lies on disk is as old as the end of the segment that comes before, or younger; that of the
// first one is not known, and its own end has to do.
TimestampMs SampleLog::OldestMs(LogPosition position) const {
  if (position >= first_in_memory())
    return window_[position - first_in_memory()].samples->timestamp;
  TimestampMs oldest = 0;
  for (uint32_t p = 0; p < kLogPartitions; p++) {
    TimestampMs before = 0;
    for (const Segment& segment : disk_->segments(p)) {
      if (segment.summary.last >= position) {
        const TimestampMs since = before > 0 ? before : segment.summary.last_ms;
        if (oldest == 0 || since < oldest) oldest = since;
        break;
      }
      before = segment.summary.last_ms;
    }
  }
  return oldest;
}

}  // namespace tributary
