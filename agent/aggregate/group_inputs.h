// What rules say of the series of a group: worked out once for it, so that a record costs one
// look-up and its samples a step in a list by series index.
//
// Memory: 12 bytes for each input, 12 for each series that is down-sampled, a bit for each series
// of a group of which some are dropped. Immutable but for the times of down-sampling. One thread.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "agent/series/samples.h"

namespace tributary {

struct GroupInputs {
  struct Input {
    uint32_t index = 0;  // of the series in its group
    uint32_t rule = 0;
    uint32_t input = 0;  // the aggregator's number
  };
  struct Downsampled {
    uint32_t index = 0;
    uint32_t interval_ms = 0;
    TimestampMs kept_until = INT64_MIN;  // the end of the interval that has its sample
  };

  std::vector<Input> inputs;             // by index
  std::vector<uint64_t> dropped;         // a bit for each series; empty: none
  std::vector<Downsampled> downsampled;  // by index

  bool empty() const { return inputs.empty() && dropped.empty() && downsampled.empty(); }
  size_t memory_bytes() const;

  // Calls f(entry, value) for each value of the record, its own samples apart, whose series is in a
  // list of these by index.
  template <typename Entry, typename F>
  static void ForEachValue(std::vector<Entry>& entries, const GroupSamples& record, F f);
  // Calls f(entry) for each entry of the series.
  template <typename Entry, typename F>
  static void ForEachOf(std::vector<Entry>& entries, uint32_t index, F f);
};

// How many samples were cut from records.
struct CutCounts {
  uint64_t dropped = 0;  // of inputs
  uint64_t downsampled = 0;
};

// Cuts from a record what is not to be appended. Of dropped series exemplars and histograms too.
void CutRecord(GroupInputs& inputs, GroupSamples& record, CutCounts& counts);

template <typename Entry, typename F>
void GroupInputs::ForEachValue(std::vector<Entry>& entries, const GroupSamples& record, F f) {
  if (record.values.empty()) return;
  // Values stand one after the other: an index's place is how many are present before it.
  size_t word = 0, before = 0;
  for (Entry& entry : entries) {
    const size_t w = entry.index / 64;
    for (; word < w; word++) before += static_cast<size_t>(std::popcount(record.present[word]));
    const uint64_t bit = uint64_t{1} << (entry.index % 64);
    if ((record.present[w] & bit) == 0) continue;
    const auto in_word = static_cast<size_t>(std::popcount(record.present[w] & (bit - 1)));
    f(entry, record.values[before + in_word]);
  }
}

template <typename Entry, typename F>
void GroupInputs::ForEachOf(std::vector<Entry>& entries, uint32_t index, F f) {
  auto it = std::ranges::lower_bound(entries, index, {}, &Entry::index);
  for (; it != entries.end() && it->index == index; ++it) f(*it);
}

}  // namespace tributary
