// A quantile from the buckets of a classic histogram, as PromQL's histogram_quantile computes it
// (promql/quantile.go of prometheus 3.16). Pure.
#pragma once

#include <vector>

namespace tributary {

struct ClassicBucket {
  double upper_bound = 0;
  double count = 0;  // of all up to the bound
};

// `buckets`: by bound, each once; they are made to rise where they do not. NaN: there are fewer
// than two, the highest is not +Inf, or nothing is in them.
double BucketQuantile(double quantile, std::vector<ClassicBucket>& buckets);

}  // namespace tributary
