// A native histogram to compute with: floats, its buckets by index. Follows Add, Sub, detectReset
// and reconcileZeroBuckets of prometheus/prometheus model/histogram/float_histogram.go (3.16), and
// histogramQuantile of promql/quantile.go; but for custom buckets with other bounds, which are not
// put together here. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "common/histogram/native_histogram.h"

namespace tributary {

struct HistogramCounts {
  // Of each index once, rising.
  using Buckets = std::vector<std::pair<int32_t, double>>;

  int32_t schema = 0;
  double zero_threshold = 0;
  double zero_count = 0;
  double count = 0;
  double sum = 0;
  Buckets positive, negative;
  std::vector<double> custom_values;

  bool operator==(const HistogramCounts&) const = default;
  bool has_custom_buckets() const { return schema == kCustomBucketsSchema; }
};

// Nullopt: its spans and buckets do not fit each other.
std::optional<HistogramCounts> CountsOf(const NativeHistogram& histogram);
// A float histogram that is a gauge: what was added up is no counter of one process any more.
NativeHistogram HistogramOf(const HistogramCounts& counts);

// Adds `factor` times the other one: -1 takes it away. Both are brought to the lower schema and the
// wider zero bucket. False, with nothing changed: they cannot be put together, as one has custom
// buckets and the other has not, or others.
bool AddCounts(HistogramCounts& counts, const HistogramCounts& other, double factor = 1);

void ScaleCounts(HistogramCounts& counts, double factor);

// Whether a counter was reset between the two.
bool IsReset(const HistogramCounts& counts, const HistogramCounts& before);

// `quantile` from 0 to 1. NaN: there are no observations.
double HistogramQuantile(double quantile, const HistogramCounts& counts);

}  // namespace tributary
