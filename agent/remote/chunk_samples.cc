#include "agent/remote/chunk_samples.h"

#include <algorithm>
#include <utility>

namespace tributary {

SampleCounts CountKept(const GroupSamples& samples, const PreparedGroup& prepared, uint32_t chunk) {
  const uint32_t begin = prepared.begin(chunk), end = prepared.end(chunk);
  SampleCounts counts;
  chunk_samples::ForEachWord(begin, end, [&](uint32_t w, uint64_t mask) {
    counts.samples +=
        static_cast<uint64_t>(std::popcount(samples.present[w] & prepared.kept_word(w) & mask));
  });
  for (const OwnSample& own : samples.own) {
    counts.samples += own.index >= begin && own.index < end && prepared.keeps(own.index);
  }
  ForEachIrregular(
      samples, prepared, chunk, [&](const HistogramSample&) { counts.histograms++; },
      [&](const ExemplarSample&) { counts.exemplars++; });
  return counts;
}

uint64_t LargestIrregular(const GroupSamples& samples, const PreparedGroup& prepared,
                          uint32_t chunk) {
  uint64_t largest = 0;
  ForEachIrregular(
      samples, prepared, chunk,
      [&](const HistogramSample& sample) {
        largest = std::max<uint64_t>(largest, sample.encoded.size());
      },
      [&](const ExemplarSample& sample) {
        // Packed labels are shorter than encoded ones by a few bytes a label.
        largest = std::max<uint64_t>(largest, 2 * sample.labels.size());
      });
  return largest;
}

std::shared_ptr<const GroupSamples> KeepOnly(const GroupSamples& samples,
                                             const PreparedGroup& prepared, uint32_t chunk,
                                             EntryRange range, TimestampMs oldest) {
  auto kept = std::make_shared<GroupSamples>();
  kept->group = samples.group;
  kept->timestamp = samples.timestamp;
  kept->present.resize(samples.present.size());
  kept->starts = samples.starts;
  kept->metadata = samples.metadata;
  uint64_t entry = 0;
  auto keeps = [&](TimestampMs timestamp) { return range.Has(entry++) && timestamp >= oldest; };
  uint32_t next = 0;  // values stand in the order of their series
  ForEachFloat(samples, prepared, chunk, [&](uint32_t series, TimestampMs timestamp, double value) {
    if (!keeps(timestamp)) return;
    if (timestamp == samples.timestamp && series >= next) {
      kept->present[series / 64] |= uint64_t{1} << (series % 64);
      kept->values.push_back(value);
      next = series + 1;
    } else {
      kept->own.push_back({series, timestamp, value});
    }
  });
  IrregularSamples irregular;
  ForEachIrregular(
      samples, prepared, chunk,
      [&](const HistogramSample& sample) {
        if (keeps(sample.timestamp)) irregular.histograms.push_back(sample);
      },
      [&](const ExemplarSample& sample) {
        if (keeps(sample.timestamp)) irregular.exemplars.push_back(sample);
      });
  if (!irregular.histograms.empty() || !irregular.exemplars.empty()) {
    kept->irregular = std::make_shared<const IrregularSamples>(std::move(irregular));
  }
  return kept;
}

}  // namespace tributary
