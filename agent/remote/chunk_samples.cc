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

SampleCounts CountIn(const GroupSamples& samples, const std::vector<uint64_t>& series) {
  SampleCounts counts;
  if (series.empty()) return counts;
  auto has = [&](uint32_t index) { return (series[index / 64] >> (index % 64)) & 1; };
  for (size_t w = 0; w < samples.present.size(); w++) {
    counts.samples += static_cast<uint64_t>(std::popcount(samples.present[w] & series[w]));
  }
  for (const OwnSample& own : samples.own) counts.samples += has(own.index);
  if (samples.irregular == nullptr) return counts;
  for (const auto& sample : samples.irregular->histograms) counts.histograms += has(sample.index);
  for (const auto& sample : samples.irregular->exemplars) counts.exemplars += has(sample.index);
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

namespace {

// A copy of the entries for which keeps(entry, series, timestamp).
template <typename F>
std::shared_ptr<const GroupSamples> KeepIf(const GroupSamples& samples,
                                           const PreparedGroup& prepared, uint32_t chunk, F keeps) {
  auto kept = std::make_shared<GroupSamples>();
  kept->group = samples.group;
  kept->timestamp = samples.timestamp;
  kept->present.resize(samples.present.size());
  kept->starts = samples.starts;
  kept->metadata = samples.metadata;
  uint64_t entry = 0;
  uint32_t next = 0;  // values stand in the order of their series
  ForEachFloat(samples, prepared, chunk, [&](uint32_t series, TimestampMs timestamp, double value) {
    if (!keeps(entry++, series, timestamp)) return;
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
        if (keeps(entry++, sample.index, sample.timestamp)) irregular.histograms.push_back(sample);
      },
      [&](const ExemplarSample& sample) {
        if (keeps(entry++, sample.index, sample.timestamp)) irregular.exemplars.push_back(sample);
      });
  if (!irregular.histograms.empty() || !irregular.exemplars.empty()) {
    kept->irregular = std::make_shared<const IrregularSamples>(std::move(irregular));
  }
  return kept;
}

}  // namespace

std::shared_ptr<const GroupSamples> KeepOnly(const GroupSamples& samples,
                                             const PreparedGroup& prepared, uint32_t chunk,
                                             EntryRange range, TimestampMs oldest) {
  return KeepIf(samples, prepared, chunk, [&](uint64_t entry, uint32_t, TimestampMs timestamp) {
    return range.Has(entry) && timestamp >= oldest;
  });
}

std::shared_ptr<const GroupSamples> KeepSelected(const GroupSamples& samples,
                                                 const PreparedGroup& prepared, uint32_t chunk,
                                                 EntryRange range,
                                                 const EntrySelection& selection) {
  return KeepIf(samples, prepared, chunk, [&](uint64_t entry, uint32_t, TimestampMs) {
    return range.Has(entry) && selection.Has(entry - range.skip);
  });
}

std::shared_ptr<const GroupSamples> KeepSeries(const GroupSamples& samples,
                                               const PreparedGroup& prepared, uint32_t chunk,
                                               const std::vector<uint32_t>& series, bool inverse) {
  return KeepIf(samples, prepared, chunk, [&](uint64_t, uint32_t index, TimestampMs) {
    return std::binary_search(series.begin(), series.end(), index) != inverse;
  });
}

SampleCounts CountOf(const GroupSamples& samples, uint32_t series) {
  auto count = [series](const auto& list) {
    return static_cast<uint64_t>(std::count_if(
        list.begin(), list.end(), [series](const auto& one) { return one.index == series; }));
  };
  SampleCounts counts{(samples.Has(series) ? 1 : 0) + count(samples.own), 0, 0};
  if (samples.irregular != nullptr) {
    counts.histograms = count(samples.irregular->histograms);
    counts.exemplars = count(samples.irregular->exemplars);
  }
  return counts;
}

}  // namespace tributary
