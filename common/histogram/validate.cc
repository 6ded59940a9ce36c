#include "common/histogram/validate.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace tributary {
namespace {

using Spans = std::vector<BucketSpan>;

Status CheckFit(uint64_t span_buckets, size_t buckets) {
  if (span_buckets == buckets) return {};
  return Fail(fmt::format("its spans cover {} buckets, but there are {}", span_buckets, buckets));
}

Status CheckOffset(size_t number, const BucketSpan& span) {
  return Fail(fmt::format("its span number {} has the negative offset {}", number, span.offset));
}

Status CheckSpans(const Spans& spans, size_t buckets) {
  constexpr int64_t kIndexMax = std::numeric_limits<int32_t>::max();
  uint64_t covered = 0;
  int64_t end = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    if (i > 0 && spans[i].offset < 0) return CheckOffset(i + 1, spans[i]);
    if (i == 0 && spans[i].offset == std::numeric_limits<int32_t>::min()) {
      return Fail(fmt::format("its first span begins at {}, out of range", spans[i].offset));
    }
    covered += spans[i].length;
    end += int64_t{spans[i].offset} + spans[i].length;
    if (end - 1 > kIndexMax) {
      return Fail(fmt::format("its span number {} ends at {}, out of range", i + 1, end - 1));
    }
  }
  return CheckFit(covered, buckets);
}

Status CheckNegative(size_t index, double count) {
  return Fail(fmt::format("its bucket number {} has the negative count {}", index + 1, count));
}

// Adds the buckets' counts to `sum`, both wrapping as the reference's do.
Status CheckDeltas(const std::vector<int64_t>& deltas, uint64_t& sum) {
  uint64_t count = 0;
  for (size_t i = 0; i < deltas.size(); ++i) {
    count += static_cast<uint64_t>(deltas[i]);
    const auto signed_count = static_cast<int64_t>(count);
    if (signed_count < 0) return CheckNegative(i, static_cast<double>(signed_count));
    sum += count;
  }
  return {};
}

Status CheckCounts(const std::vector<double>& counts) {
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] < 0) return CheckNegative(i, counts[i]);
  }
  return {};
}

Status CheckCustomBounds(const std::vector<double>& bounds, const Spans& spans, size_t buckets) {
  double previous = -std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < bounds.size(); ++i) {
    if (std::isnan(bounds[i])) return Fail("one of its custom bounds is NaN");
    if (i > 0 && bounds[i] <= previous) {
      return Fail(fmt::format("its custom bounds do not rise: {} after {}", bounds[i], previous));
    }
    previous = bounds[i];
  }
  if (previous == std::numeric_limits<double>::infinity()) {
    return Fail("its last custom bound is +Inf, which is not to be written");
  }
  uint64_t covered = 0;
  uint64_t end = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    if (spans[i].offset < 0) return CheckOffset(i + 1, spans[i]);
    covered += spans[i].length;
    end += uint64_t{spans[i].length} + static_cast<uint64_t>(spans[i].offset);
  }
  if (Status fit = CheckFit(covered, buckets); !fit) return fit;
  if (bounds.size() + 1 < end) {
    return Fail(fmt::format("its {} custom bounds do not cover {} buckets", bounds.size(), end));
  }
  return {};
}

bool HasNegativeBuckets(const NativeHistogram& h) {
  return h.is_float ? !h.negative_counts.empty() : !h.negative_deltas.empty();
}

Status CheckCustom(const NativeHistogram& h, size_t positive_buckets) {
  Status bounds = CheckCustomBounds(h.custom_values, h.positive_spans, positive_buckets);
  if (!bounds) return bounds;
  if (h.is_float ? h.zero_count_float != 0 : h.zero_count != 0) {
    return Fail("it has custom buckets and a zero bucket that is not empty");
  }
  if (h.zero_threshold != 0) return Fail("it has custom buckets and a zero threshold");
  if (!h.negative_spans.empty()) return Fail("it has custom buckets and negative spans");
  if (HasNegativeBuckets(h)) return Fail("it has custom buckets and negative buckets");
  return {};
}

Status CheckExponential(const NativeHistogram& h, size_t positive_buckets, uint64_t& sum) {
  const size_t negative_buckets = h.is_float ? h.negative_counts.size() : h.negative_deltas.size();
  if (Status spans = CheckSpans(h.positive_spans, positive_buckets); !spans) return spans;
  if (Status spans = CheckSpans(h.negative_spans, negative_buckets); !spans) return spans;
  Status counts = h.is_float ? CheckCounts(h.negative_counts) : CheckDeltas(h.negative_deltas, sum);
  if (!counts) return counts;
  if (h.is_float && h.zero_count_float < 0) return Fail("its zero bucket has a negative count");
  if (!h.custom_values.empty()) return Fail("it has custom bounds, but exponential buckets");
  return {};
}

Status Check(const NativeHistogram& h) {
  const size_t positive_buckets = h.is_float ? h.positive_counts.size() : h.positive_deltas.size();
  uint64_t sum = 0;  // of all buckets, integers
  if (h.schema == kCustomBucketsSchema) {
    if (Status custom = CheckCustom(h, positive_buckets); !custom) return custom;
  } else if (h.schema >= kExponentialSchemaMin && h.schema <= kExponentialSchemaMax) {
    if (Status exponential = CheckExponential(h, positive_buckets, sum); !exponential) {
      return exponential;
    }
  } else {
    return Fail(fmt::format("its schema {} is none of -4 to 8 and -53", h.schema));
  }
  if (h.is_float) {
    if (h.count_float < 0) return Fail(fmt::format("its count {} is negative", h.count_float));
    return CheckCounts(h.positive_counts);
  }
  if (Status counts = CheckDeltas(h.positive_deltas, sum); !counts) return counts;
  sum += h.zero_count;
  // Observations of NaN are in no bucket, but in the count.
  if (std::isnan(h.sum) ? sum > h.count : sum != h.count) {
    return Fail(fmt::format("its buckets have {} observations, its count is {}", sum, h.count));
  }
  return {};
}

}  // namespace

Status ValidateHistogram(const NativeHistogram& histogram) {
  Status status = Check(histogram);
  if (!status) return Fail("invalid native histogram: " + status.error().message);
  return status;
}

}  // namespace tributary
