#include "tools/agentctl/value_text.h"

#include <cmath>
#include <iterator>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include "common/wire/histogram.h"

namespace tributary {
namespace {

// The upper bound of the bucket with this index (model/histogram/generic.go getBound).
double Bound(const NativeHistogram& histogram, int64_t index) {
  if (histogram.schema == kCustomBucketsSchema) {
    const std::vector<double>& bounds = histogram.custom_values;
    if (index < 0) return -std::numeric_limits<double>::infinity();
    return static_cast<size_t>(index) < bounds.size() ? bounds[static_cast<size_t>(index)]
                                                      : std::numeric_limits<double>::infinity();
  }
  const double exponent = std::ldexp(static_cast<double>(index), -histogram.schema);
  // The last bucket of numbers ends at the largest one; the one after it has the infinities.
  if (exponent == 1024) return std::numeric_limits<double>::max();
  return std::exp2(exponent);
}

struct Bucket {
  int64_t index = 0;
  double count = 0;
};

// Those that have something.
std::vector<Bucket> Buckets(const std::vector<BucketSpan>& spans,
                            const std::vector<int64_t>& deltas, const std::vector<double>& counts) {
  std::vector<Bucket> buckets;
  int64_t index = 0, count = 0;
  size_t position = 0;
  for (const BucketSpan& span : spans) {
    index += span.offset;
    for (uint32_t i = 0; i < span.length; i++, index++, position++) {
      if (position >= deltas.size() && position >= counts.size()) return buckets;
      if (position < deltas.size()) count += deltas[position];
      const double value = position < counts.size() ? counts[position] : static_cast<double>(count);
      if (value != 0) buckets.push_back({index, value});
    }
  }
  return buckets;
}

}  // namespace

std::string FormatBytes(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto scaled = static_cast<double>(bytes) / 1024;
  const char* units[] = {"KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  for (; scaled >= 1024 && unit + 1 < std::size(units); unit++) scaled /= 1024;
  return fmt::format("{:.1f} {}", scaled, units[unit]);
}

std::string FormatValue(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

std::string HistogramText(const NativeHistogram& histogram) {
  const double count =
      histogram.is_float ? histogram.count_float : static_cast<double>(histogram.count);
  std::string out =
      fmt::format("{{count:{}, sum:{}", FormatValue(count), FormatValue(histogram.sum));
  const std::vector<Bucket> negative =
      Buckets(histogram.negative_spans, histogram.negative_deltas, histogram.negative_counts);
  for (size_t i = negative.size(); i-- > 0;) {
    out += fmt::format(", [{},{}):{}", FormatValue(-Bound(histogram, negative[i].index)),
                       FormatValue(-Bound(histogram, negative[i].index - 1)),
                       FormatValue(negative[i].count));
  }
  const double zero =
      histogram.is_float ? histogram.zero_count_float : static_cast<double>(histogram.zero_count);
  if (zero != 0) {
    out += fmt::format(", [{},{}]:{}", FormatValue(-histogram.zero_threshold),
                       FormatValue(histogram.zero_threshold), FormatValue(zero));
  }
  for (const Bucket& bucket :
       Buckets(histogram.positive_spans, histogram.positive_deltas, histogram.positive_counts)) {
    out += fmt::format(", ({},{}]:{}", FormatValue(Bound(histogram, bucket.index - 1)),
                       FormatValue(Bound(histogram, bucket.index)), FormatValue(bucket.count));
  }
  return out + "}";
}

std::string HistogramText(std::string_view encoded) {
  NativeHistogram histogram;
  return DecodeHistogram(encoded, histogram) ? HistogramText(histogram)
                                             : "{not a native histogram}";
}

}  // namespace tributary
