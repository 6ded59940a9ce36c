// Samples as the log keeps them: a group, a time, which of its series are there, and their values.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/series/group_definition.h"
#include "agent/series/series_metadata.h"
#include "common/base/time.h"

namespace tributary {

// The value by which Prometheus says that a series has ended (model/value/value.go).
inline constexpr uint64_t kStaleNanBits = 0x7ff0000000000002;
inline double StaleNan() { return std::bit_cast<double>(kStaleNanBits); }
inline bool IsStaleNan(double value) { return std::bit_cast<uint64_t>(value) == kStaleNanBits; }

// How many there are of each kind.
struct SampleCounts {
  uint64_t samples = 0;  // floats
  uint64_t histograms = 0;
  uint64_t exemplars = 0;

  uint64_t total() const { return samples + histograms + exemplars; }
  SampleCounts& operator+=(const SampleCounts& other) {
    samples += other.samples;
    histograms += other.histograms;
    exemplars += other.exemplars;
    return *this;
  }
  SampleCounts& operator-=(const SampleCounts& other) {
    samples -= other.samples;
    histograms -= other.histograms;
    exemplars -= other.exemplars;
    return *this;
  }
  friend SampleCounts operator+(SampleCounts a, const SampleCounts& b) { return a += b; }
  friend SampleCounts operator-(SampleCounts a, const SampleCounts& b) { return a -= b; }
  bool operator==(const SampleCounts&) const = default;
};
// Kind by kind. Over: what `a` has more than `b`, or none.
inline SampleCounts Min(const SampleCounts& a, const SampleCounts& b) {
  return {std::min(a.samples, b.samples), std::min(a.histograms, b.histograms),
          std::min(a.exemplars, b.exemplars)};
}
inline SampleCounts Max(const SampleCounts& a, const SampleCounts& b) { return a + b - Min(a, b); }
inline SampleCounts Over(const SampleCounts& a, const SampleCounts& b) { return a - Min(a, b); }
inline bool Within(const SampleCounts& a, const SampleCounts& b) { return Min(a, b) == a; }

// A sample whose time is not that of the scrape, or that comes second in it.
struct OwnSample {
  uint32_t index = 0;  // of the series in its group
  TimestampMs timestamp = 0;
  double value = 0;
};

// A native histogram of one series, or the marker that such a series has ended (its sum is then the
// stale NaN).
struct HistogramSample {
  uint32_t index = 0;  // of the series in its group
  TimestampMs timestamp = 0;
  TimestampMs start = 0;        // when its counts began; 0: unknown
  bool custom_buckets = false;  // remote write 1.0 has none of these
  // All fields of prompb.Histogram but the two times, as EncodeHistogram (common/wire) writes them:
  // their numbers are the same in both protocols.
  std::string encoded;
};

struct ExemplarSample {
  uint32_t index = 0;
  TimestampMs timestamp = 0;
  double value = 0;
  std::string labels;  // PackLabels; may be empty
};

// What few series have: kept apart, so that the others pay one pointer a record for it.
struct IrregularSamples {
  std::vector<HistogramSample> histograms;  // those of one series in the order of their times
  std::vector<ExemplarSample> exemplars;
};

// When the counts of a group's series began, by their index; 0: unknown. It changes when a counter
// is reset, so records of a group share one until then. Stale markers have none, whatever it says.
using StartTimes = std::vector<TimestampMs>;

// One group's samples of one scrape. Absence is the bitmap's, never a NaN.
struct GroupSamples {
  GroupRef group;
  TimestampMs timestamp = 0;
  std::vector<uint64_t> present;                      // a bit for each series of the group
  std::vector<double> values;                         // of the present ones, in order
  std::vector<OwnSample> own;                         // in the order of the page
  std::shared_ptr<const IrregularSamples> irregular;  // null: none
  std::shared_ptr<const StartTimes> starts;           // of values and own; null: none is known
  // What pages have said of the families of the group's series up to this record, for remote write
  // 2.0: null if nothing. It changes with a HELP, TYPE or UNIT only, so records of a group share
  // one until then, with the layout that made it. What a series was once said to be it stays until
  // something else is said of it, also where the lines are gone from the page, and its stale marker
  // has it too (tsdb/agent/db_append_v2.go, QueueManager.StoreMetadata).
  std::shared_ptr<const SeriesMetadata> metadata;

  size_t samples() const { return values.size() + own.size(); }
  SampleCounts counts() const {
    SampleCounts counts{samples(), 0, 0};
    if (irregular != nullptr) {
      counts.histograms = irregular->histograms.size();
      counts.exemplars = irregular->exemplars.size();
    }
    return counts;
  }
  bool empty() const { return values.empty() && own.empty() && irregular == nullptr; }
  size_t memory_bytes() const;
  bool Has(uint32_t index) const { return (present[index / 64] >> (index % 64)) & 1; }
};

// What one scrape appends: all of it or nothing.
struct Commit {
  uint64_t target_key = 0;
  std::vector<GroupSamples> groups;
};

}  // namespace tributary
