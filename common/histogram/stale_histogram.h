// The marker that a series of native histograms has ended.
#pragma once

#include <bit>

#include "common/histogram/native_histogram.h"

namespace tributary {

// A histogram with nothing but the stale NaN as its sum (prometheus/prometheus
// model/value/value.go).
inline NativeHistogram StaleHistogram(bool is_float) {
  NativeHistogram stale;
  stale.is_float = is_float;
  stale.sum = std::bit_cast<double>(uint64_t{0x7ff0000000000002});
  return stale;
}

}  // namespace tributary
