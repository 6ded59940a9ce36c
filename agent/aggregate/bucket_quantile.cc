#include "agent/aggregate/bucket_quantile.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tributary {

namespace {

// Of sums of rates: what differs by less is equal.
constexpr double kSmallDelta = 1e-12;

void MakeRise(std::vector<ClassicBucket>& buckets) {
  double before = buckets.front().count;
  for (ClassicBucket& bucket : buckets) {
    const bool same = std::abs(bucket.count - before) <= kSmallDelta * bucket.count;
    if (same || bucket.count < before) bucket.count = before;
    before = bucket.count;
  }
}

}  // namespace

double BucketQuantile(double quantile, std::vector<ClassicBucket>& buckets) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInf = std::numeric_limits<double>::infinity();
  if (buckets.size() < 2 || buckets.back().upper_bound != kInf) return kNan;
  MakeRise(buckets);
  const double all = buckets.back().count;
  if (all == 0) return kNan;
  const double rank = quantile * all;
  const auto it = std::find_if(buckets.begin(), buckets.end() - 1,
                               [&](const ClassicBucket& bucket) { return bucket.count >= rank; });
  if (it == buckets.end() - 1) return (it - 1)->upper_bound;
  if (it == buckets.begin()) {
    if (it->upper_bound <= 0) return it->upper_bound;
    return it->upper_bound * (rank / it->count);
  }
  const ClassicBucket& below = *(it - 1);
  return below.upper_bound +
         (it->upper_bound - below.upper_bound) * ((rank - below.count) / (it->count - below.count));
}

}  // namespace tributary
