// A native histogram, exponential or with custom bucket bounds, of integers or floats.
// Follows prometheus/prometheus model/histogram/{histogram,float_histogram}.go (3.16). Plain
// values.
#pragma once

#include <cstdint>
#include <vector>

namespace tributary {

// Schema of histograms with custom bucket bounds; exponential ones have -4 to 8.
inline constexpr int32_t kCustomBucketsSchema = -53;

// A run of buckets: `offset` buckets after the end of the span before (of the first span: its
// index).
struct BucketSpan {
  int32_t offset = 0;
  uint32_t length = 0;
  bool operator==(const BucketSpan&) const = default;
};

struct NativeHistogram {
  enum class ResetHint : uint8_t { kUnknown = 0, kYes = 1, kNo = 2, kGauge = 3 };  // as in prompb

  int32_t schema = 0;
  double zero_threshold = 0;
  double sum = 0;
  bool is_float = false;
  // Of integer histograms: counts, and for each bucket its difference to the bucket before.
  uint64_t count = 0, zero_count = 0;
  std::vector<int64_t> positive_deltas, negative_deltas;
  // Of float histograms: counts as they are.
  double count_float = 0, zero_count_float = 0;
  std::vector<double> positive_counts, negative_counts;
  std::vector<BucketSpan> positive_spans, negative_spans;
  std::vector<double>
      custom_values;  // upper bounds, rising, without +Inf; kCustomBucketsSchema only
  ResetHint reset_hint = ResetHint::kUnknown;
  bool operator==(const NativeHistogram&) const = default;

  // As new, with its memory kept.
  void Clear();
};

}  // namespace tributary
