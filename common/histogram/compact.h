// Takes empty buckets out of a native histogram, and merges spans.
// Follows prometheus/prometheus compactBuckets of model/histogram/generic.go (3.16); linear in
// the number of buckets and spans, in place. Thread-safe (no state).
#pragma once

#include "common/histogram/native_histogram.h"

namespace tributary {

// Runs of more than `empty_buckets_max` empty buckets inside a span are cut out, and all at its
// ends; spans without a gap become one. A maximum above 0 is for histograms of one span only
// (Prometheus would also fill small gaps between spans then, which it does nowhere in a scrape). A
// histogram whose spans and buckets do not fit each other, which Prometheus may compact before it
// is refused, stays one that ValidateHistogram refuses; except that if all its spans are of length
// 0 the buckets are dropped, as there.
void CompactHistogram(NativeHistogram& histogram, uint32_t empty_buckets_max);

}  // namespace tributary
