// The checks that Prometheus' storage makes on a native histogram before it takes it.
// Follows prometheus/prometheus Validate of model/histogram/{histogram,float_histogram}.go (3.16):
// an error here is one there. In a scrape it fails the page. Thread-safe (no state).
#pragma once

#include "common/base/status.h"
#include "common/histogram/native_histogram.h"

namespace tributary {

inline constexpr int32_t kExponentialSchemaMin = -4;
inline constexpr int32_t kExponentialSchemaMax = 8;

// Schema, spans against buckets and the range of bucket indices, no negative count, the sum of an
// integer histogram's buckets against its count (which may be larger if its sum is NaN), rules of
// custom buckets. Of the two kinds of buckets only those are looked at that `is_float` names.
Status ValidateHistogram(const NativeHistogram& histogram);

}  // namespace tributary
