// Native histograms by chance, of all kinds; without a meaning.
#pragma once

#include <random>
#include <vector>

#include "common/histogram/native_histogram.h"

namespace tributary {

inline NativeHistogram RandomHistogram(std::mt19937_64& random) {
  auto below = [&](uint64_t n) { return random() % n; };
  auto number = [&] { return static_cast<double>(static_cast<int64_t>(random())) / 1024; };
  auto whole = [&] { return below(3) == 0 ? 0 : random() >> below(64); };
  auto spans = [&] {
    std::vector<BucketSpan> result(below(4));
    for (BucketSpan& span : result) {
      span.offset = static_cast<int32_t>(random() >> (32 + below(32))) - (below(2) == 0 ? 100 : 0);
      span.length = static_cast<uint32_t>(below(300));
    }
    return result;
  };
  auto deltas = [&] {
    std::vector<int64_t> result(below(6));
    for (int64_t& delta : result) {
      delta = static_cast<int64_t>(random()) >> below(64);
    }
    return result;
  };
  auto counts = [&](uint64_t most) {
    std::vector<double> result(below(most));
    for (double& count : result) count = number();
    return result;
  };
  NativeHistogram h;
  h.schema = below(4) == 0 ? kCustomBucketsSchema : static_cast<int32_t>(below(13)) - 4;
  h.zero_threshold = below(2) == 0 ? 0 : number();
  h.sum = below(4) == 0 ? 0 : number();
  h.is_float = below(2) == 0;
  if (h.is_float) {
    h.count_float = below(4) == 0 ? 0 : number();
    h.zero_count_float = below(4) == 0 ? 0 : number();
    h.positive_counts = counts(6);
    h.negative_counts = counts(6);
  } else {
    h.count = whole();
    h.zero_count = whole();
    h.positive_deltas = deltas();
    h.negative_deltas = deltas();
  }
  h.positive_spans = spans();
  h.negative_spans = spans();
  if (h.schema == kCustomBucketsSchema) h.custom_values = counts(30);
  h.reset_hint = static_cast<NativeHistogram::ResetHint>(below(4));
  return h;
}

}  // namespace tributary
