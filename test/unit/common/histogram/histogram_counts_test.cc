#include "common/histogram/histogram_counts.h"

#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "common/histogram/validate.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

HistogramCounts Counts(int32_t schema, HistogramCounts::Buckets positive,
                       HistogramCounts::Buckets negative = {}, double zero = 0,
                       double threshold = 0) {
  HistogramCounts counts;
  counts.schema = schema;
  counts.zero_threshold = threshold;
  counts.zero_count = counts.count = zero;
  for (const auto& [index, count] : positive) counts.count += count, counts.sum += count;
  for (const auto& [index, count] : negative) counts.count += count, counts.sum -= count;
  counts.positive = std::move(positive);
  counts.negative = std::move(negative);
  return counts;
}

TEST_CASE("histogram counts: integers and floats become the same, and a float one again") {
  NativeHistogram h;
  h.schema = 1;
  h.count = 13;
  h.zero_count = 2;
  h.zero_threshold = 0.001;
  h.sum = 10;
  h.positive_spans = {{-2, 2}, {3, 2}};
  h.positive_deltas = {1, 2, -3, 4};  // 1, 3, 0, 4
  h.negative_spans = {{5, 1}};
  h.negative_deltas = {3};
  const auto counts = CountsOf(h);
  REQUIRE(counts);
  CHECK(counts->positive == HistogramCounts::Buckets{{-2, 1}, {-1, 3}, {4, 4}});
  CHECK(counts->negative == HistogramCounts::Buckets{{5, 3}});
  CHECK(counts->count == 13);
  const NativeHistogram again = HistogramOf(*counts);
  CHECK(ValidateHistogram(again).has_value());
  CHECK(again.positive_spans == std::vector<BucketSpan>{{-2, 2}, {4, 1}});
  CHECK(again.positive_counts == std::vector<double>{1, 3, 4});
  CHECK(again.reset_hint == NativeHistogram::ResetHint::kGauge);
  CHECK(CountsOf(again) == counts);
  h.positive_deltas.pop_back();
  CHECK_FALSE(CountsOf(h).has_value());
}

TEST_CASE("histogram counts: the sum has the lower schema and the wider zero bucket") {
  // Of schema 1 the buckets 1 and 2 are those up to 1.41 and 2: of schema 0 they are bucket 1.
  HistogramCounts sum = Counts(1, {{0, 1}, {1, 2}, {2, 3}, {3, 4}});
  REQUIRE(AddCounts(sum, Counts(0, {{1, 10}, {5, 1}})));
  CHECK(sum.schema == 0);
  CHECK(sum.positive == HistogramCounts::Buckets{{0, 1}, {1, 15}, {2, 4}, {5, 1}});
  CHECK(sum.count == 21);
  // 3 ends within the bucket (2, 4], which then belongs to the zero bucket, on both sides.
  HistogramCounts wide = Counts(0, {{3, 1}}, {}, 5, 3);
  REQUIRE(AddCounts(wide, Counts(0, {{1, 1}, {2, 2}, {3, 3}}, {{1, 4}, {3, 5}})));
  CHECK(wide.zero_threshold == 4);
  CHECK(wide.zero_count == 5 + 1 + 2 + 4);
  CHECK(wide.positive == HistogramCounts::Buckets{{3, 4}});
  CHECK(wide.negative == HistogramCounts::Buckets{{3, 5}});
  HistogramCounts custom = Counts(kCustomBucketsSchema, {{0, 1}, {2, 3}});
  custom.custom_values = {1, 2};
  HistogramCounts other = custom;
  REQUIRE(AddCounts(other, custom));
  CHECK(other.positive == HistogramCounts::Buckets{{0, 2}, {2, 6}});
  const HistogramCounts before = custom;
  other.custom_values = {1, 3};
  CHECK_FALSE(AddCounts(custom, other));
  CHECK_FALSE(AddCounts(custom, wide));
  CHECK(custom == before);
}

TEST_CASE("histogram counts: a difference takes away what was there") {
  HistogramCounts after = Counts(2, {{1, 5}, {2, 7}, {9, 1}}, {}, 3, 0.1);
  const HistogramCounts before = Counts(2, {{1, 5}, {2, 4}}, {}, 1, 0.1);
  CHECK_FALSE(IsReset(after, before));
  REQUIRE(AddCounts(after, before, -1));
  CHECK(after.positive == HistogramCounts::Buckets{{2, 3}, {9, 1}});
  CHECK(after.zero_count == 2);
  CHECK(after.count == 6);
  ScaleCounts(after, 0.5);
  CHECK(after.positive == HistogramCounts::Buckets{{2, 1.5}, {9, 0.5}});
  CHECK(after.count == 3);
}

TEST_CASE("histogram counts: what is less, finer or narrower than before was reset") {
  const HistogramCounts before = Counts(1, {{1, 5}, {2, 4}}, {{1, 1}}, 2, 0.5);
  CHECK_FALSE(IsReset(before, before));
  CHECK(IsReset(Counts(1, {{1, 5}, {2, 3}}, {{1, 2}}, 9, 0.5), before));
  CHECK(IsReset(Counts(1, {{1, 50}}, {{1, 1}}, 2, 0.5), before));
  CHECK(IsReset(Counts(1, {{1, 50}, {2, 4}}, {{1, 1}}, 1, 0.5), before));
  CHECK(IsReset(Counts(2, {{1, 50}, {2, 40}}, {{1, 10}}, 20, 0.5), before));
  CHECK(IsReset(Counts(1, {{1, 50}, {2, 40}}, {{1, 10}}, 20, 0.25), before));
  CHECK_FALSE(IsReset(Counts(0, {{1, 9}}, {{1, 1}}, 2, 0.5), before));
  CHECK_FALSE(IsReset(Counts(1, {{2, 4}}, {}, 8, std::sqrt(2)), before));
  CHECK(IsReset(Counts(1, {{1, 50}, {2, 40}}, {}, 20, 1.2), before));  // within a bucket of before
}

TEST_CASE("histogram counts: quantiles as PromQL has them") {
  // Exponentially between the bounds 1 and 2.
  const HistogramCounts one = Counts(0, {{1, 4}});
  CHECK(HistogramQuantile(0.5, one) == Approx(std::sqrt(2)));
  CHECK(HistogramQuantile(0, one) == 1);
  CHECK(HistogramQuantile(1, one) == 2);
  const HistogramCounts several = Counts(0, {{0, 1}, {1, 2}, {4, 7}});
  CHECK(HistogramQuantile(0.2, several) == Approx(std::sqrt(2)));
  CHECK(HistogramQuantile(0.3 + 0.35, several) == Approx(8 * std::sqrt(2)));
  // In the zero bucket linearly, from 0 where nothing is below it.
  CHECK(HistogramQuantile(0.25, Counts(0, {{1, 5}}, {}, 5, 0.1)) == Approx(0.05));
  CHECK(HistogramQuantile(0.5, Counts(0, {{1, 5}}, {{1, 5}}, 10, 0.1)) == Approx(0).margin(1e-12));
  CHECK(HistogramQuantile(0.5, Counts(0, {}, {{1, 4}})) == Approx(-std::sqrt(2)));
  HistogramCounts custom = Counts(kCustomBucketsSchema, {{0, 2}, {1, 2}, {2, 1}});
  custom.custom_values = {10, 20};
  CHECK(HistogramQuantile(0.2, custom) == Approx(5));
  CHECK(HistogramQuantile(0.6, custom) == Approx(15));
  CHECK(HistogramQuantile(0.95, custom) == 20);
  CHECK(std::isnan(HistogramQuantile(0.5, HistogramCounts{})));
}

TEST_CASE("histogram counts: sums at random, as if by bounds") {
  const auto seed = static_cast<uint32_t>(Catch::rngSeed());  // --rng-seed
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int run = 0; run < 500; run++) {
    const auto make = [&] {
      HistogramCounts::Buckets positive, negative;
      for (int32_t i = -20; i < 20; i++) {
        if (random() % 3 == 0) positive.emplace_back(i, random() % 10 + 1);
        if (random() % 5 == 0) negative.emplace_back(i, random() % 10 + 1);
      }
      return Counts(static_cast<int32_t>(random() % 6) - 2, positive, negative, random() % 5);
    };
    HistogramCounts a = make();
    const HistogramCounts before = a, b = make();
    REQUIRE(AddCounts(a, b));
    REQUIRE(a.schema == std::min(before.schema, b.schema));
    REQUIRE(a.count == before.count + b.count);
    const auto up_to = [](const HistogramCounts& counts, double bound) {
      double sum = 0;
      for (const auto& [index, count] : counts.positive) {
        if (std::exp2(std::ldexp(index, -counts.schema)) <= bound * (1 + 1e-12)) sum += count;
      }
      return sum;
    };
    for (int32_t i = -10; i < 10; i++) {
      const double bound = std::exp2(std::ldexp(i, -a.schema));
      REQUIRE(up_to(a, bound) == up_to(before, bound) + up_to(b, bound));
    }
    REQUIRE(ValidateHistogram(HistogramOf(a)).has_value());
    REQUIRE_FALSE(IsReset(a, before));
  }
}

}  // namespace
}  // namespace tributary
