#include "agent/remote/chunk_samples.h"

namespace tributary {

uint64_t CountKept(const GroupSamples& samples, const PreparedGroup& prepared, uint32_t chunk) {
  const uint32_t begin = prepared.begin(chunk), end = prepared.end(chunk);
  uint64_t count = 0;
  chunk_samples::ForEachWord(begin, end, [&](uint32_t w, uint64_t mask) {
    count +=
        static_cast<uint64_t>(std::popcount(samples.present[w] & prepared.kept_word(w) & mask));
  });
  for (const OwnSample& own : samples.own) {
    count += own.index >= begin && own.index < end && prepared.keeps(own.index);
  }
  return count;
}

std::shared_ptr<const GroupSamples> KeepOnly(const GroupSamples& samples,
                                             const PreparedGroup& prepared, uint32_t chunk,
                                             uint64_t skip, uint64_t count, TimestampMs oldest) {
  auto kept = std::make_shared<GroupSamples>();
  kept->group = samples.group;
  kept->timestamp = samples.timestamp;
  kept->present.resize(samples.present.size());
  uint64_t index = 0;
  uint32_t next = 0;  // values stand in the order of their series
  ForEachKept(samples, prepared, chunk, [&](uint32_t series, TimestampMs timestamp, double value) {
    const uint64_t i = index++;
    if (i < skip || i >= skip + count || timestamp < oldest) return;
    if (timestamp == samples.timestamp && series >= next) {
      kept->present[series / 64] |= uint64_t{1} << (series % 64);
      kept->values.push_back(value);
      next = series + 1;
    } else {
      kept->own.push_back({series, timestamp, value});
    }
  });
  return kept;
}

}  // namespace tributary
