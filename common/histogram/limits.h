// Limits on the resolution and number of buckets of scraped native histograms:
// native_histogram_min_bucket_factor and native_histogram_bucket_limit.
// Follows prometheus/prometheus scrape/target.go (maxSchemaAppender, bucketLimitAppender),
// scrape/scrape.go (pickSchema) and model/histogram/generic.go (reduceResolution) (3.16).
//
// The order in Prometheus, for a sample that relabeling has not dropped:
//   1. LimitHistogram: the schema is brought down to that of the bucket factor, then further until
//      the buckets are within the limit;
//   2. sample_limit counts the sample (one refused by 1 is not counted);
//   3. ValidateHistogram.
// kTooManyBuckets: the sample is not taken, reading goes on (it counts as scraped and as added),
// and at the end the scrape fails;
// prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total counts one. If the sample
// limit is exceeded too, its error is the one reported. kInvalid and an error of ValidateHistogram
// fail the scrape at once; that sample is not counted as added.
//
// Thread-safe (no state).
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "common/histogram/native_histogram.h"

namespace tributary {

struct HistogramLimits {
  uint64_t buckets_max = 0;  // 0: none
  int32_t schema_max = 8;    // MaxSchemaForBucketFactor
};

enum class HistogramLimitOutcome : uint8_t { kTaken, kTooManyBuckets, kInvalid };

// The highest schema whose buckets grow by at least this factor, -4 to 8. 0 (the option's default)
// and all up to 1: 8.
int32_t MaxSchemaForBucketFactor(double factor);

// Reduces the histogram's resolution in place until it is within the limits. kInvalid: its spans
// and buckets do not fit each other. Unless kTaken, `histogram` is then of no use.
HistogramLimitOutcome LimitHistogram(const HistogramLimits& limits, NativeHistogram& histogram);

// Merges buckets into those of a lower schema. An error: `schema` is not lower, one of the two is
// that of custom buckets, a span but the first has a negative offset, spans and buckets do not fit.
Status ReduceResolution(NativeHistogram& histogram, int32_t schema);

}  // namespace tributary
