#include "common/histogram/limits.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <type_traits>
#include <vector>

#include <fmt/format.h>

#include "common/histogram/validate.h"

namespace tributary {
namespace {

using Spans = std::vector<BucketSpan>;

// Schemas that Prometheus knows and may bring down, though it stores none above 8.
constexpr int32_t kReservedSchemaMin = -9;
constexpr int32_t kReservedSchemaMax = 52;

// The index of the bucket of the lower schema that holds the bucket at `index`.
int32_t TargetIndex(int32_t index, int32_t schemas_down) {
  const auto before = static_cast<int32_t>(static_cast<uint32_t>(index) - 1);
  return (before >> std::min(schemas_down, 31)) + 1;
}

// Reads the buckets of one side and writes those of the lower schema over them: there are never
// more written than read.
template <typename T>
class Reducer {
 public:
  Reducer(std::vector<T>& buckets, Spans& spans, int32_t schemas_down)
      : buckets_(buckets), spans_(spans), schemas_down_(schemas_down) {}

  Status Run() {
    size_t read = 0;
    uint32_t index = 0;  // wraps, as the reference's does
    for (size_t i = 0; i < spans_.size(); ++i) {
      const BucketSpan span = spans_[i];
      if (i > 0 && span.offset < 0) {
        return Fail(fmt::format("span number {} has the negative offset {}", i + 1, span.offset));
      }
      index += static_cast<uint32_t>(span.offset);
      if (span.length > buckets_.size() - read) {
        return Fail(fmt::format("the spans need more than {} buckets", buckets_.size()));
      }
      for (uint32_t k = 0; k < span.length; ++k) {
        Take(TargetIndex(static_cast<int32_t>(index++), schemas_down_), buckets_[read++]);
      }
    }
    if (read != buckets_.size()) {
      return Fail(fmt::format("the spans need {} of {} buckets", read, buckets_.size()));
    }
    buckets_.resize(buckets_written_);
    spans_.resize(spans_written_);
    return {};
  }

 private:
  void Take(int32_t target, T stored) {
    if (spans_written_ == 0) {
      spans_[spans_written_++] = {target, 1};
      last_index_ = target;
      last_read_ = last_written_ = stored;
      buckets_[buckets_written_++] = stored;
    } else if (target == last_index_) {
      if constexpr (std::is_same_v<T, double>) {
        buckets_[buckets_written_ - 1] += stored;
      } else {
        last_read_ = Sum(last_read_, stored);
        buckets_[buckets_written_ - 1] = Sum(buckets_[buckets_written_ - 1], last_read_);
        last_written_ = Sum(last_written_, last_read_);
      }
    } else if (int64_t{target} > int64_t{last_index_}) {
      const int64_t gap = int64_t{target} - last_index_ - 1;
      if (gap == 0) {
        ++spans_[spans_written_ - 1].length;
      } else {
        spans_[spans_written_++] = {static_cast<int32_t>(static_cast<uint32_t>(gap)), 1};
      }
      last_index_ = target;
      Write(stored);
    }
    // Else the index wrapped: the reference drops the bucket.
  }

  void Write(T stored) {
    if constexpr (std::is_same_v<T, double>) {
      buckets_[buckets_written_++] = stored;
    } else {
      last_read_ = Sum(last_read_, stored);
      buckets_[buckets_written_++] =
          static_cast<T>(static_cast<uint64_t>(last_read_) - static_cast<uint64_t>(last_written_));
      last_written_ = last_read_;
    }
  }

  // Integers, wrapping.
  static T Sum(T a, T b) {
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  }

  std::vector<T>& buckets_;
  Spans& spans_;
  const int32_t schemas_down_;
  size_t buckets_written_ = 0, spans_written_ = 0;
  int32_t last_index_ = 0;
  T last_read_ = 0, last_written_ = 0;  // counts, of deltas
};

template <typename T>
Status ReduceSide(std::vector<T>& buckets, Spans& spans, int32_t schemas_down) {
  return Reducer<T>(buckets, spans, schemas_down).Run();
}

// As Go's math.Log2, for the sake of factors that lie just at a schema.
double Log2(double value) {
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);
  if (fraction == 0.5) return exponent - 1;
  return std::log(fraction) * (1 / std::numbers::ln2) + exponent;
}

uint64_t BucketsOf(const NativeHistogram& h) {
  return h.is_float ? h.positive_counts.size() + h.negative_counts.size()
                    : h.positive_deltas.size() + h.negative_deltas.size();
}

}  // namespace

int32_t MaxSchemaForBucketFactor(double factor) {
  if (!(factor > 1)) return kExponentialSchemaMax;
  const double schema = std::floor(-Log2(Log2(factor)));
  if (schema >= kExponentialSchemaMax) return kExponentialSchemaMax;
  if (schema <= kExponentialSchemaMin) return kExponentialSchemaMin;
  return static_cast<int32_t>(schema);
}

Status ReduceResolution(NativeHistogram& histogram, int32_t schema) {
  NativeHistogram& h = histogram;
  if (h.schema == kCustomBucketsSchema || schema == kCustomBucketsSchema || schema >= h.schema) {
    return Fail(
        fmt::format("a histogram of schema {} cannot be brought to schema {}", h.schema, schema));
  }
  const int32_t down = h.schema - schema;
  Status positive = h.is_float ? ReduceSide(h.positive_counts, h.positive_spans, down)
                               : ReduceSide(h.positive_deltas, h.positive_spans, down);
  if (!positive) return positive;
  Status negative = h.is_float ? ReduceSide(h.negative_counts, h.negative_spans, down)
                               : ReduceSide(h.negative_deltas, h.negative_spans, down);
  if (!negative) return negative;
  h.schema = schema;
  return {};
}

HistogramLimitOutcome LimitHistogram(const HistogramLimits& limits, NativeHistogram& histogram) {
  using Outcome = HistogramLimitOutcome;
  NativeHistogram& h = histogram;
  const bool reducible = h.schema >= kReservedSchemaMin && h.schema <= kReservedSchemaMax;
  if (limits.schema_max < kExponentialSchemaMax && reducible && h.schema > limits.schema_max) {
    if (!ReduceResolution(h, limits.schema_max)) return Outcome::kInvalid;
  }
  if (limits.buckets_max == 0) return Outcome::kTaken;
  if (BucketsOf(h) > limits.buckets_max && h.schema > kExponentialSchemaMax) {
    return Outcome::kTooManyBuckets;
  }
  while (BucketsOf(h) > limits.buckets_max) {
    if (h.schema <= kExponentialSchemaMin) return Outcome::kTooManyBuckets;
    if (!ReduceResolution(h, h.schema - 1)) return Outcome::kInvalid;
  }
  return Outcome::kTaken;
}

}  // namespace tributary
