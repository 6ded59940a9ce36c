#include "common/histogram/nhcb_builder.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "common/histogram/compact.h"
#include "common/histogram/validate.h"

namespace tributary {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Whether the count is an integer that fits into 64 bits, signed or not.
bool IsInteger(double count, double limit) {
  return count >= -0x1p63 && count < limit && std::round(count) == count;
}

}  // namespace

void NhcbBuilder::Reset() {
  buckets_.clear();
  count_ = sum_ = 0;
  has_count_ = false;
  problem_.clear();
}

void NhcbBuilder::SetBucket(double upper_bound, double cumulative_count) {
  if (!problem_.empty()) return;
  if (std::isnan(upper_bound)) {
    problem_ = "a bucket's bound is NaN";
  } else if (cumulative_count < 0) {
    problem_ =
        fmt::format("the bucket of le={} has the negative count {}", upper_bound, cumulative_count);
  } else {
    Insert(upper_bound, cumulative_count);
  }
}

void NhcbBuilder::Insert(double upper_bound, double count) {
  // The last place first: that is where it belongs, but for odd producers.
  auto at = buckets_.end();
  if (!buckets_.empty() && buckets_.back().upper_bound >= upper_bound) {
    at = std::lower_bound(
        buckets_.begin(), buckets_.end(), upper_bound,
        [](const Bucket& bucket, double bound) { return bucket.upper_bound < bound; });
    if (at->upper_bound == upper_bound) return;
  }
  if (at != buckets_.begin() && count < (at - 1)->count) {
    problem_ = fmt::format("the counts are not cumulative: {} after {}", count, (at - 1)->count);
  } else if (at != buckets_.end() && count > at->count) {
    problem_ = fmt::format("the counts are not cumulative: {} before {}", count, at->count);
  } else {
    buckets_.insert(at, {upper_bound, count});
  }
}

void NhcbBuilder::SetCount(double count) {
  if (!problem_.empty()) return;
  if (count < 0) {
    problem_ = fmt::format("the count {} is negative", count);
    return;
  }
  count_ = count;
  has_count_ = true;
}

Status NhcbBuilder::Build(NativeHistogram& out) {
  if (!problem_.empty()) return Fail("classic histogram: " + problem_);
  if (!has_count_) {
    if (buckets_.empty()) return Fail("classic histogram: it has neither buckets nor a count");
    count_ = buckets_.back().count;
  }
  if (buckets_.empty() || buckets_.back().upper_bound != kInfinity) {
    buckets_.push_back({kInfinity, count_});
  }
  // Not !=: a NaN equals nothing.
  if (!(count_ == buckets_.back().count)) {
    return Fail(fmt::format("classic histogram: its count is {}, its bucket of le=+Inf has {}",
                            count_, buckets_.back().count));
  }
  out.Clear();
  out.schema = kCustomBucketsSchema;
  out.sum = sum_;
  out.positive_spans.push_back({0, static_cast<uint32_t>(buckets_.size())});
  for (size_t i = 0; i + 1 < buckets_.size(); ++i) {
    out.custom_values.push_back(buckets_[i].upper_bound);
  }
  out.is_float = !AllIntegers();
  if (out.is_float) {
    FillFloats(out);
  } else {
    FillIntegers(out);
  }
  return ValidateHistogram(out);
}

bool NhcbBuilder::AllIntegers() const {
  return IsInteger(count_, 0x1p64) &&
         std::all_of(buckets_.begin(), buckets_.end(),
                     [](const Bucket& bucket) { return IsInteger(bucket.count, 0x1p63); });
}

void NhcbBuilder::FillIntegers(NativeHistogram& out) const {
  // Unsigned, to wrap where a count is below the one before: that is found to be invalid then.
  uint64_t last_count = 0;
  uint64_t last_delta = 0;
  for (const Bucket& bucket : buckets_) {
    const auto count = static_cast<uint64_t>(bucket.count);
    const uint64_t delta = count - last_count;  // what this bucket alone has
    out.positive_deltas.push_back(static_cast<int64_t>(delta - last_delta));
    last_count = count;
    last_delta = delta;
  }
  out.count = static_cast<uint64_t>(count_);
  constexpr uint32_t kEmptyBucketsMax = 2;
  CompactHistogram(out, kEmptyBucketsMax);
}

void NhcbBuilder::FillFloats(NativeHistogram& out) const {
  double last_count = 0;
  for (const Bucket& bucket : buckets_) {
    out.positive_counts.push_back(bucket.count - last_count);
    last_count = bucket.count;
  }
  out.count_float = count_;
  CompactHistogram(out, 0);
}

}  // namespace tributary
