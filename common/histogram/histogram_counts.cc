#include "common/histogram/histogram_counts.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tributary {

namespace {

using Buckets = HistogramCounts::Buckets;

struct Bucket {
  double lower = 0, upper = 0, count = 0;
};

// The upper bound of a positive bucket; those of negative ones are its mirror image.
double BoundOf(int32_t index, int32_t schema) {
  return std::exp2(std::ldexp(static_cast<double>(index), -schema));
}

bool ReadBuckets(const std::vector<BucketSpan>& spans, size_t counts, const auto& count_of,
                 Buckets& out) {
  size_t read = 0;
  int64_t index = 0;
  for (const BucketSpan& span : spans) {
    index += span.offset;
    if (span.length > counts - read) return false;
    for (uint32_t i = 0; i < span.length; i++, index++, read++) {
      if (index != static_cast<int32_t>(index)) return false;
      if (!out.empty() && out.back().first >= index) return false;
      const double count = count_of(read);
      if (count != 0) out.emplace_back(static_cast<int32_t>(index), count);
    }
  }
  return read == counts;
}

bool ReadDeltas(const std::vector<BucketSpan>& spans, const std::vector<int64_t>& deltas,
                Buckets& out) {
  int64_t count = 0;
  return ReadBuckets(
      spans, deltas.size(), [&](size_t i) { return static_cast<double>(count += deltas[i]); }, out);
}

bool ReadCounts(const std::vector<BucketSpan>& spans, const std::vector<double>& counts,
                Buckets& out) {
  return ReadBuckets(
      spans, counts.size(), [&](size_t i) { return counts[i]; }, out);
}

void WriteBuckets(const Buckets& buckets, std::vector<BucketSpan>& spans,
                  std::vector<double>& counts) {
  int64_t end = 0;  // one more than the last index
  for (const auto& [index, count] : buckets) {
    if (spans.empty() || index != end) {
      spans.push_back({static_cast<int32_t>(index - end), 0});
    }
    spans.back().length++;
    counts.push_back(count);
    end = int64_t{index} + 1;
  }
}

void ReduceBuckets(Buckets& buckets, int32_t schemas_down) {
  size_t kept = 0;
  for (const auto& [index, count] : Buckets(buckets)) {
    const auto target = static_cast<int32_t>(((int64_t{index} - 1) >> schemas_down) + 1);
    if (kept > 0 && buckets[kept - 1].first == target) {
      buckets[kept - 1].second += count;
    } else {
      buckets[kept++] = {target, count};
    }
  }
  buckets.resize(kept);
}

void ReduceTo(HistogramCounts& counts, int32_t schema) {
  if (counts.schema <= schema) return;
  ReduceBuckets(counts.positive, counts.schema - schema);
  ReduceBuckets(counts.negative, counts.schema - schema);
  counts.schema = schema;
}

// Makes the zero bucket reach up to the threshold, or up to the end of the bucket in which that is.
void WidenZero(HistogramCounts& counts, double threshold) {
  if (counts.zero_threshold >= threshold) return;
  counts.zero_threshold = threshold;
  for (bool again = true; std::exchange(again, false);) {
    for (Buckets* buckets : {&counts.positive, &counts.negative}) {
      size_t gone = 0;
      for (; gone < buckets->size(); gone++) {
        const int32_t index = (*buckets)[gone].first;
        if (BoundOf(index - 1, counts.schema) >= counts.zero_threshold) break;
        counts.zero_count += (*buckets)[gone].second;
        const double end = BoundOf(index, counts.schema);
        // The other side has to reach as far.
        if (end > counts.zero_threshold) {
          counts.zero_threshold = end;
          again = true;
        }
      }
      buckets->erase(buckets->begin(), buckets->begin() + static_cast<ptrdiff_t>(gone));
    }
  }
}

// False: they cannot be.
bool MakeAlike(HistogramCounts& a, HistogramCounts& b) {
  if (a.has_custom_buckets() || b.has_custom_buckets()) {
    return a.schema == b.schema && a.custom_values == b.custom_values;
  }
  const int32_t schema = std::min(a.schema, b.schema);
  ReduceTo(a, schema);
  ReduceTo(b, schema);
  while (a.zero_threshold != b.zero_threshold) {
    const double threshold = std::max(a.zero_threshold, b.zero_threshold);
    WidenZero(a, threshold);
    WidenZero(b, threshold);
  }
  return true;
}

void AddBuckets(Buckets& to, const Buckets& from, double factor) {
  Buckets sum;
  sum.reserve(to.size() + from.size());
  auto a = to.begin();
  for (auto b = from.begin(); a != to.end() || b != from.end();) {
    if (b == from.end() || (a != to.end() && a->first < b->first)) {
      sum.push_back(*a++);
    } else if (a == to.end() || b->first < a->first) {
      sum.emplace_back(b->first, b->second * factor);
      ++b;
    } else {
      sum.emplace_back(a->first, a->second + b->second * factor);
      ++a, ++b;
    }
  }
  std::erase_if(sum, [](const auto& bucket) { return bucket.second == 0; });
  to = std::move(sum);
}

bool AnyIsLess(const Buckets& counts, const Buckets& before) {
  auto it = counts.begin();
  return std::any_of(before.begin(), before.end(), [&](const auto& bucket) {
    while (it != counts.end() && it->first < bucket.first) ++it;
    const double count = it != counts.end() && it->first == bucket.first ? it->second : 0;
    return count < bucket.second;
  });
}

// From the lowest bound to the highest.
std::vector<Bucket> AllBuckets(const HistogramCounts& counts) {
  std::vector<Bucket> all;
  if (counts.has_custom_buckets()) {
    const auto& bounds = counts.custom_values;
    constexpr double kInf = std::numeric_limits<double>::infinity();
    for (const auto& [index, count] : counts.positive) {
      const auto i = static_cast<size_t>(index);
      all.push_back({index > 0 && i <= bounds.size() ? bounds[i - 1] : -kInf,
                     i < bounds.size() ? bounds[i] : kInf, count});
    }
    return all;
  }
  for (auto it = counts.negative.rbegin(); it != counts.negative.rend(); ++it) {
    all.push_back(
        {-BoundOf(it->first, counts.schema), -BoundOf(it->first - 1, counts.schema), it->second});
  }
  if (counts.zero_count > 0) {
    all.push_back({-counts.zero_threshold, counts.zero_threshold, counts.zero_count});
  }
  for (const auto& [index, count] : counts.positive) {
    all.push_back({BoundOf(index - 1, counts.schema), BoundOf(index, counts.schema), count});
  }
  return all;
}

// Where in the bucket a part of its observations ends.
double Interpolate(const Bucket& bucket, double part, bool custom) {
  if (custom || (bucket.lower <= 0 && bucket.upper >= 0)) {
    return bucket.lower + (bucket.upper - bucket.lower) * part;
  }
  const double low = std::log2(std::abs(bucket.lower)), high = std::log2(std::abs(bucket.upper));
  if (bucket.lower > 0) return std::exp2(low + (high - low) * part);
  return -std::exp2(high + (low - high) * (1 - part));
}

}  // namespace

std::optional<HistogramCounts> CountsOf(const NativeHistogram& h) {
  HistogramCounts counts;
  counts.schema = h.schema;
  counts.zero_threshold = h.zero_threshold;
  counts.sum = h.sum;
  counts.custom_values = h.custom_values;
  counts.count = h.is_float ? h.count_float : static_cast<double>(h.count);
  counts.zero_count = h.is_float ? h.zero_count_float : static_cast<double>(h.zero_count);
  const bool good = h.is_float
                        ? ReadCounts(h.positive_spans, h.positive_counts, counts.positive) &&
                              ReadCounts(h.negative_spans, h.negative_counts, counts.negative)
                        : ReadDeltas(h.positive_spans, h.positive_deltas, counts.positive) &&
                              ReadDeltas(h.negative_spans, h.negative_deltas, counts.negative);
  if (!good) return std::nullopt;
  return counts;
}

NativeHistogram HistogramOf(const HistogramCounts& counts) {
  NativeHistogram h;
  h.is_float = true;
  h.schema = counts.schema;
  h.zero_threshold = counts.zero_threshold;
  h.zero_count_float = counts.zero_count;
  h.count_float = counts.count;
  h.sum = counts.sum;
  h.custom_values = counts.custom_values;
  WriteBuckets(counts.positive, h.positive_spans, h.positive_counts);
  WriteBuckets(counts.negative, h.negative_spans, h.negative_counts);
  h.reset_hint = NativeHistogram::ResetHint::kGauge;
  return h;
}

bool AddCounts(HistogramCounts& counts, const HistogramCounts& added, double factor) {
  HistogramCounts result = counts, other = added;
  if (!MakeAlike(result, other)) return false;
  result.count += factor * other.count;
  result.zero_count += factor * other.zero_count;
  result.sum += factor * other.sum;
  AddBuckets(result.positive, other.positive, factor);
  AddBuckets(result.negative, other.negative, factor);
  counts = std::move(result);
  return true;
}

void ScaleCounts(HistogramCounts& counts, double factor) {
  counts.count *= factor;
  counts.zero_count *= factor;
  counts.sum *= factor;
  for (Buckets* buckets : {&counts.positive, &counts.negative}) {
    for (auto& [index, count] : *buckets) count *= factor;
  }
}

bool IsReset(const HistogramCounts& counts, const HistogramCounts& before) {
  if (counts.count < before.count) return true;
  if (counts.has_custom_buckets() || before.has_custom_buckets()) {
    if (counts.schema != before.schema || counts.custom_values != before.custom_values) return true;
    return AnyIsLess(counts.positive, before.positive);
  }
  // A process does not make its buckets finer, nor its zero bucket narrower, as it goes on.
  if (counts.schema > before.schema || counts.zero_threshold < before.zero_threshold) return true;
  HistogramCounts earlier = before;
  ReduceTo(earlier, counts.schema);
  WidenZero(earlier, counts.zero_threshold);
  if (earlier.zero_threshold > counts.zero_threshold) return true;  // it ends within a bucket
  return counts.zero_count < earlier.zero_count || AnyIsLess(counts.positive, earlier.positive) ||
         AnyIsLess(counts.negative, earlier.negative);
}

double HistogramQuantile(double quantile, const HistogramCounts& counts) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  if (!(counts.count > 0)) return kNan;
  std::vector<Bucket> buckets = AllBuckets(counts);
  if (buckets.empty()) return kNan;
  // Observations of NaN are in the count and in no bucket: then only ranks from below are right.
  const bool forward = std::isnan(counts.sum) || quantile < 0.5;
  if (!forward) std::reverse(buckets.begin(), buckets.end());
  double rank = (forward ? quantile : 1 - quantile) * counts.count;
  double up_to = 0;
  Bucket found;
  for (const Bucket& bucket : buckets) {
    if (bucket.count == 0) continue;
    found = bucket;
    up_to += bucket.count;
    if (up_to >= rank) break;
  }
  const bool custom = counts.has_custom_buckets();
  if (custom) {
    if (std::isinf(found.lower)) {
      if (found.upper <= 0) return found.upper;
      found.lower = 0;
    } else if (std::isinf(found.upper)) {
      return found.lower;
    }
  } else if (found.lower < 0 && found.upper > 0) {
    if (counts.negative.empty() && !counts.positive.empty()) found.lower = 0;
    if (counts.positive.empty() && !counts.negative.empty()) found.upper = 0;
  }
  up_to = std::min(up_to, counts.count);
  if (up_to < rank) return std::isnan(counts.sum) ? kNan : found.upper;
  rank = forward ? rank - (up_to - found.count) : up_to - rank;
  return Interpolate(found, rank / found.count, custom);
}

}  // namespace tributary
