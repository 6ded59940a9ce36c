#include "agent/latest/latest_snapshot.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace tributary {

namespace {

// Field 3 of prompb.Histogram. A marker that a series has ended has nothing before it that is
// longer than a varint or a double.
bool HasStaleSum(std::string_view encoded) {
  constexpr char kSumTag = 3 << 3 | 1;
  constexpr char kCountFloatTag = 2 << 3 | 1;
  size_t at = 0;
  if (at < encoded.size() && encoded[at] == kCountFloatTag) {
    at += 9;
  } else if (at < encoded.size() && encoded[at] == 1 << 3) {
    at++;
    while (at < encoded.size() && (static_cast<unsigned char>(encoded[at]) & 0x80) != 0) at++;
    at++;
  }
  if (at + 9 > encoded.size() || encoded[at] != kSumTag) return false;
  uint64_t bits = 0;
  std::memcpy(&bits, encoded.data() + at + 1, sizeof(bits));
  return bits == kStaleNanBits;
}

void Offer(LatestSample& kept, TimestampMs now, const LatestSample& sample) {
  if (sample.timestamp > now || (kept.found && sample.timestamp < kept.timestamp)) return;
  kept = sample;
}

}  // namespace

bool LatestSample::stale() const {
  return histogram != nullptr ? HasStaleSum(histogram->encoded) : IsStaleNan(value);
}

TimestampMs LatestOfGroup::newest() const {
  TimestampMs newest = std::numeric_limits<TimestampMs>::min();
  if (earlier != nullptr) {
    for (const EarlierSample& sample : *earlier) newest = std::max(newest, sample.timestamp);
  }
  if (!record->values.empty()) newest = std::max(newest, record->timestamp);
  for (const OwnSample& sample : record->own) newest = std::max(newest, sample.timestamp);
  if (record->irregular == nullptr) return newest;
  for (const HistogramSample& sample : record->irregular->histograms) {
    newest = std::max(newest, sample.timestamp);
  }
  return newest;
}

void FillLatest(const LatestOfGroup& group, TimestampMs now, std::vector<LatestSample>& samples) {
  samples.assign(group.group->series(), {});
  if (group.earlier != nullptr) {
    for (const EarlierSample& sample : *group.earlier) {
      Offer(samples[sample.index], now,
            {true, sample.timestamp, sample.value, sample.histogram.get()});
    }
  }
  const GroupSamples& record = *group.record;
  // As remotes send them: own times before that of the scrape.
  for (const OwnSample& sample : record.own) {
    Offer(samples[sample.index], now, {true, sample.timestamp, sample.value, nullptr});
  }
  const double* value = record.values.data();
  for (size_t w = 0; w < record.present.size(); w++) {
    for (uint64_t bits = record.present[w]; bits != 0; bits &= bits - 1) {
      const size_t index = w * 64 + static_cast<size_t>(std::countr_zero(bits));
      Offer(samples[index], now, {true, record.timestamp, *value++, nullptr});
    }
  }
  if (record.irregular == nullptr) return;
  for (const HistogramSample& sample : record.irregular->histograms) {
    Offer(samples[sample.index], now, {true, sample.timestamp, 0, &sample});
  }
}

}  // namespace tributary
