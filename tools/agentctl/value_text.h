// Values of a commit as text: numbers and native histograms. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/histogram/native_histogram.h"

namespace tributary {

// "1", "0.25", "1e+21", "NaN", "+Inf".
std::string FormatValue(double value);

// "512 B", "4.0 KiB", "1.5 GiB": for people.
std::string FormatBytes(uint64_t bytes);

// As Prometheus prints one: {count:5, sum:18.4, [-1,-0.5):2, [-0.001,0.001]:1, (0.5,1]:2}, only
// buckets that have something.
std::string HistogramText(const NativeHistogram& histogram);
std::string HistogramText(std::string_view encoded);

}  // namespace tributary
