#include "common/histogram/limits.h"

#include <cmath>
#include <map>
#include <random>
#include <vector>

#include "test/support/catch.h"

namespace tributary {
namespace {

using Outcome = HistogramLimitOutcome;

NativeHistogram Integers(int32_t schema, std::vector<BucketSpan> spans,
                         std::vector<int64_t> deltas) {
  NativeHistogram h;
  h.schema = schema;
  h.positive_spans = std::move(spans);
  h.positive_deltas = std::move(deltas);
  return h;
}

TEST_CASE("histogram limits: the schema of a bucket factor") {
  CHECK(MaxSchemaForBucketFactor(0) == 8);
  CHECK(MaxSchemaForBucketFactor(1) == 8);
  CHECK(MaxSchemaForBucketFactor(1.0001) == 8);
  CHECK(MaxSchemaForBucketFactor(1.01) == 6);
  CHECK(MaxSchemaForBucketFactor(1.1) == 2);
  CHECK(MaxSchemaForBucketFactor(2) == 0);
  CHECK(MaxSchemaForBucketFactor(4) == -1);
  CHECK(MaxSchemaForBucketFactor(65536) == -4);
  CHECK(MaxSchemaForBucketFactor(1e300) == -4);
  CHECK(MaxSchemaForBucketFactor(INFINITY) == -4);
}

TEST_CASE("histogram limits: two schemas down four buckets become one") {
  // Buckets 1 to 4 of schema 2 are bucket 1 of schema 0.
  NativeHistogram h = Integers(2, {{1, 5}, {7, 1}}, {1, 0, 0, 0, 1, 1});
  REQUIRE(ReduceResolution(h, 0).has_value());
  CHECK(h == Integers(0, {{1, 2}, {1, 1}}, {4, -2, 1}));
}

TEST_CASE("histogram limits: what cannot be reduced") {
  NativeHistogram h = Integers(2, {{1, 2}}, {1, 0});
  CHECK_FALSE(ReduceResolution(h, 2).has_value());
  CHECK_FALSE(ReduceResolution(h, kCustomBucketsSchema).has_value());
  NativeHistogram custom = Integers(kCustomBucketsSchema, {{1, 2}}, {1, 0});
  CHECK_FALSE(ReduceResolution(custom, -60).has_value());
  NativeHistogram few = Integers(2, {{1, 3}}, {1, 0});
  CHECK_FALSE(ReduceResolution(few, 1).has_value());
  NativeHistogram many = Integers(2, {{1, 1}}, {1, 0});
  CHECK_FALSE(ReduceResolution(many, 1).has_value());
  NativeHistogram back = Integers(2, {{1, 1}, {-1, 1}}, {1, 0});
  CHECK_FALSE(ReduceResolution(back, 1).has_value());
}

TEST_CASE("histogram limits: buckets are merged until they are few enough") {
  NativeHistogram h = Integers(3, {{1, 8}}, {1, 0, 0, 0, 0, 0, 0, 0});
  CHECK(LimitHistogram({8, 8}, h) == Outcome::kTaken);
  CHECK(h.schema == 3);
  CHECK(LimitHistogram({3, 8}, h) == Outcome::kTaken);
  CHECK(h == Integers(1, {{1, 2}}, {4, 0}));
  CHECK(LimitHistogram({0, 0}, h) == Outcome::kTaken);
  CHECK(h == Integers(0, {{1, 1}}, {8}));
}

TEST_CASE("histogram limits: too many buckets for the lowest schema, or a schema that stays") {
  NativeHistogram h = Integers(-4, {{0, 1}, {1, 1}}, {1, 0});
  CHECK(LimitHistogram({1, 8}, h) == Outcome::kTooManyBuckets);
  NativeHistogram custom = Integers(kCustomBucketsSchema, {{0, 2}}, {1, 0});
  CHECK(LimitHistogram({1, 8}, custom) == Outcome::kTooManyBuckets);
  CHECK(LimitHistogram({2, 0}, custom) == Outcome::kTaken);
  NativeHistogram reserved = Integers(20, {{0, 2}}, {1, 0});
  CHECK(LimitHistogram({1, 8}, reserved) == Outcome::kTooManyBuckets);
  CHECK(LimitHistogram({1, 4}, reserved) == Outcome::kTooManyBuckets);  // 0 and 1 stay apart
  CHECK(reserved.schema == -4);
  NativeHistogram unfit = Integers(3, {{0, 1}}, {1, 0});
  CHECK(LimitHistogram({0, 2}, unfit) == Outcome::kInvalid);
}

// Counts by the buckets of the lower schema.
template <typename T>
std::map<int64_t, T> Counts(const std::vector<BucketSpan>& spans, const std::vector<T>& buckets,
                            bool deltas, int32_t down) {
  std::map<int64_t, T> counts;
  int64_t index = 0;
  T count = 0;
  size_t next = 0;
  for (const BucketSpan& span : spans) {
    index += span.offset;
    for (uint32_t i = 0; i < span.length; ++i, ++index) {
      count = deltas ? count + buckets.at(next) : buckets.at(next);
      ++next;
      const auto width = int64_t{1} << down;
      counts[static_cast<int64_t>(
          std::ceil(static_cast<double>(index) / static_cast<double>(width)))] += count;
    }
  }
  return counts;
}

TEST_CASE("histogram limits: random histograms of integers and floats are reduced alike") {
  const uint64_t seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 3000; ++round) {
    NativeHistogram integers;
    NativeHistogram floats;
    floats.is_float = true;
    integers.schema = floats.schema = 8;
    int64_t last = 0;
    for (uint64_t spans = random() % 6; spans > 0; --spans) {
      const auto offset = static_cast<int32_t>(random() % 20) - (last == 0 ? 10 : 0);
      integers.negative_spans.push_back(
          {integers.negative_spans.empty() ? offset : std::abs(offset),
           static_cast<uint32_t>(random() % 6)});
      for (uint32_t i = 0; i < integers.negative_spans.back().length; ++i) {
        const auto count = static_cast<int64_t>(1 + random() % 9);
        integers.negative_deltas.push_back(count - last);
        floats.negative_counts.push_back(static_cast<double>(count));
        last = count;
      }
    }
    floats.negative_spans = integers.negative_spans;
    const auto down = static_cast<int32_t>(1 + random() % 6);
    const auto expected = Counts(integers.negative_spans, integers.negative_deltas, true, down);
    REQUIRE(ReduceResolution(integers, 8 - down).has_value());
    REQUIRE(ReduceResolution(floats, 8 - down).has_value());
    REQUIRE(Counts(integers.negative_spans, integers.negative_deltas, true, 0) == expected);
    REQUIRE(integers.negative_deltas.size() == expected.size());
    REQUIRE(floats.negative_spans == integers.negative_spans);
    std::map<int64_t, double> as_floats(expected.begin(), expected.end());
    REQUIRE(Counts(floats.negative_spans, floats.negative_counts, false, 0) == as_floats);
  }
}

}  // namespace
}  // namespace tributary
