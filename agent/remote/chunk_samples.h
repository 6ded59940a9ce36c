// The samples of one chunk of a group in a record of the log, as a remote sees them: those that are
// there, of the series that its rules keep. Pure functions.
//
// A chunk's *entries* are its floats, then its histograms, then its exemplars, as Prometheus logs
// them.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "agent/remote/prepared_group.h"
#include "agent/series/samples.h"
#include "common/base/time.h"

namespace tributary {

// The entries [skip, skip + count) of a chunk.
struct EntryRange {
  uint64_t skip = 0;
  uint64_t count = std::numeric_limits<uint64_t>::max();
  bool Has(uint64_t entry) const { return entry >= skip && entry - skip < count; }
};

// Of a part of a request, those of its entries whose numbers in the request are [begin, end) and
// that are not gone. Views.
struct EntrySelection {
  const std::vector<uint32_t>* numbers = nullptr;  // of the part's entries, from its first on
  std::vector<uint8_t>* gone = nullptr;            // by number: delivered or dropped
  uint32_t begin = 0, end = 0;
  bool Has(uint64_t entry_of_part) const {
    const uint32_t number = (*numbers)[entry_of_part];
    return number >= begin && number < end && (*gone)[number] == 0;
  }
};

// How many entries there are.
SampleCounts CountKept(const GroupSamples& samples, const PreparedGroup& prepared, uint32_t chunk);

// Those of the series that are in a bitmap over all of the group; empty: none is.
SampleCounts CountIn(const GroupSamples& samples, const std::vector<uint64_t>& series);

// Bytes of the chunk's largest histogram or exemplar, as far as they depend on it; 0: it has none.
uint64_t LargestIrregular(const GroupSamples& samples, const PreparedGroup& prepared,
                          uint32_t chunk);

// A copy of the entries of a range, without those from before `oldest`.
std::shared_ptr<const GroupSamples> KeepOnly(const GroupSamples& samples,
                                             const PreparedGroup& prepared, uint32_t chunk,
                                             EntryRange range, TimestampMs oldest);
// A copy of those of a range that are selected.
std::shared_ptr<const GroupSamples> KeepSelected(const GroupSamples& samples,
                                                 const PreparedGroup& prepared, uint32_t chunk,
                                                 EntryRange range, const EntrySelection& selection);
// A copy of the entries of these series of the chunk, which are sorted, or (`inverse`) of all
// others.
std::shared_ptr<const GroupSamples> KeepSeries(const GroupSamples& samples,
                                               const PreparedGroup& prepared, uint32_t chunk,
                                               const std::vector<uint32_t>& series, bool inverse);
// What there is of one series.
SampleCounts CountOf(const GroupSamples& samples, uint32_t series);

namespace chunk_samples {

inline uint64_t BitsBelow(uint32_t n) { return n >= 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1; }

// Calls f(w, mask) for the words of a bitmap that hold the bits [begin, end).
template <typename F>
void ForEachWord(uint32_t begin, uint32_t end, F f) {
  for (uint32_t w = begin / 64; w * 64 < end; w++) {
    uint64_t mask = BitsBelow(end - w * 64);
    if (w * 64 < begin) mask &= ~BitsBelow(begin - w * 64);
    f(w, mask);
  }
}

}  // namespace chunk_samples

// Calls f(series, timestamp, value) for the floats of a chunk that the remote keeps: own times
// before the scrape's first, so that a series' samples come in their order.
template <typename F>
void ForEachFloat(const GroupSamples& samples, const PreparedGroup& prepared, uint32_t chunk, F f) {
  const uint32_t begin = prepared.begin(chunk), end = prepared.end(chunk);
  auto own_samples = [&](bool earlier) {
    for (const OwnSample& own : samples.own) {
      if (own.index >= begin && own.index < end && prepared.keeps(own.index) &&
          (own.timestamp < samples.timestamp) == earlier) {
        f(own.index, own.timestamp, own.value);
      }
    }
  };
  if (!samples.own.empty()) own_samples(true);
  size_t value = 0;
  chunk_samples::ForEachWord(0, begin, [&](uint32_t w, uint64_t mask) {
    value += static_cast<size_t>(std::popcount(samples.present[w] & mask));
  });
  chunk_samples::ForEachWord(begin, end, [&](uint32_t w, uint64_t mask) {
    for (uint64_t bits = samples.present[w] & mask; bits != 0; bits &= bits - 1, value++) {
      const uint32_t series = w * 64 + static_cast<uint32_t>(std::countr_zero(bits));
      if (prepared.keeps(series)) f(series, samples.timestamp, samples.values[value]);
    }
  });
  if (!samples.own.empty()) own_samples(false);
}

// Calls on_histogram(const HistogramSample&) and then on_exemplar(const ExemplarSample&) for those
// of a chunk that the remote keeps.
template <typename H, typename E>
void ForEachIrregular(const GroupSamples& samples, const PreparedGroup& prepared, uint32_t chunk,
                      H on_histogram, E on_exemplar) {
  if (samples.irregular == nullptr) return;
  const uint32_t begin = prepared.begin(chunk), end = prepared.end(chunk);
  auto kept = [&](uint32_t index) {
    return index >= begin && index < end && prepared.keeps(index);
  };
  for (const HistogramSample& sample : samples.irregular->histograms) {
    if (kept(sample.index)) on_histogram(sample);
  }
  for (const ExemplarSample& sample : samples.irregular->exemplars) {
    if (kept(sample.index)) on_exemplar(sample);
  }
}

// Calls f(series, timestamp) for the entries of a chunk, in their order.
template <typename F>
void ForEachEntry(const GroupSamples& samples, const PreparedGroup& prepared, uint32_t chunk, F f) {
  ForEachFloat(samples, prepared, chunk,
               [&](uint32_t series, TimestampMs timestamp, double) { f(series, timestamp); });
  auto irregular = [&](const auto& sample) { f(sample.index, sample.timestamp); };
  ForEachIrregular(samples, prepared, chunk, irregular, irregular);
}

}  // namespace tributary
