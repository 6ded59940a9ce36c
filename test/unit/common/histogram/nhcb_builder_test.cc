#include "common/histogram/nhcb_builder.h"

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "test/support/catch.h"

namespace tributary {
namespace {

// What a builder fed by `feed` makes, or "" and why not.
struct Built {
  NativeHistogram histogram;
  std::string error;
};

Built Build(const std::function<void(NhcbBuilder&)>& feed) {
  NhcbBuilder builder;
  feed(builder);
  Built built;
  if (Status status = builder.Build(built.histogram); !status) built.error = status.error().message;
  return built;
}

TEST_CASE("custom buckets: integers, with short runs of empty buckets kept") {
  const Built built = Build([](NhcbBuilder& b) {
    b.SetCount(7);
    b.SetSum(12.5);
    for (const double bound : {1.0, 2.0, 3.0, 4.0}) b.SetBucket(bound, bound < 4 ? 3 : 5);
    b.SetBucket(INFINITY, 7);
  });
  REQUIRE(built.error == "");
  NativeHistogram expected;
  expected.schema = kCustomBucketsSchema;
  expected.count = 7;
  expected.sum = 12.5;
  expected.positive_spans = {{0, 5}};
  expected.positive_deltas = {3, -3, 0, 2, 0};
  expected.custom_values = {1, 2, 3, 4};
  CHECK(built.histogram == expected);
}

TEST_CASE("custom buckets: floats as soon as one count is none") {
  const Built built = Build([](NhcbBuilder& b) {
    b.SetCount(2.5);
    b.SetBucket(1, 0);
    b.SetBucket(2, 1);
  });
  REQUIRE(built.error == "");
  NativeHistogram expected;
  expected.is_float = true;
  expected.schema = kCustomBucketsSchema;
  expected.count_float = 2.5;
  expected.positive_spans = {{1, 2}};
  expected.positive_counts = {1, 1.5};
  expected.custom_values = {1, 2};
  CHECK(built.histogram == expected);
  CHECK(Build([](NhcbBuilder& b) { b.SetCount(0x1p63); }).histogram.is_float);
}

TEST_CASE("custom buckets: buckets in any order, the first of equal ones counting") {
  const auto feed = [](NhcbBuilder& b) {
    b.SetBucket(2, 5);
    b.SetBucket(1, 2);
    b.SetBucket(1, 9);
    b.SetBucket(2, 1);
  };
  const Built built = Build(feed);
  REQUIRE(built.error == "");
  CHECK(built.histogram.custom_values == std::vector<double>{1, 2});
  CHECK(built.histogram.count == 5);  // without a count: the last bucket's
  CHECK(built.histogram.positive_deltas == std::vector<int64_t>{2, 1});
}

TEST_CASE("custom buckets: a count alone is enough") {
  const Built built = Build([](NhcbBuilder& b) { b.SetCount(3); });
  REQUIRE(built.error == "");
  CHECK(built.histogram.custom_values.empty());
  CHECK(built.histogram.positive_spans == std::vector<BucketSpan>{{0, 1}});
}

TEST_CASE("custom buckets: what is wrong is told, the first thing first") {
  CHECK(Build([](NhcbBuilder&) {}).error ==
        "classic histogram: it has neither buckets nor a count");
  CHECK(Build([](NhcbBuilder& b) { b.SetCount(-1); }).error ==
        "classic histogram: the count -1 is negative");
  CHECK(Build([](NhcbBuilder& b) { b.SetBucket(NAN, 1); }).error ==
        "classic histogram: a bucket's bound is NaN");
  CHECK(Build([](NhcbBuilder& b) { b.SetBucket(1, -1); }).error ==
        "classic histogram: the bucket of le=1 has the negative count -1");
  CHECK(Build([](NhcbBuilder& b) {
          b.SetBucket(1, 2);
          b.SetBucket(2, 1);
          b.SetCount(-1);
        }).error == "classic histogram: the counts are not cumulative: 1 after 2");
  CHECK(Build([](NhcbBuilder& b) {
          b.SetBucket(2, 1);
          b.SetBucket(1, 2);
        }).error == "classic histogram: the counts are not cumulative: 2 before 1");
  CHECK(Build([](NhcbBuilder& b) {
          b.SetBucket(INFINITY, 1);
          b.SetCount(2);
        }).error == "classic histogram: its count is 2, its bucket of le=+Inf has 1");
  CHECK(Build([](NhcbBuilder& b) { b.SetCount(NAN); }).error ==
        "classic histogram: its count is nan, its bucket of le=+Inf has nan");
  CHECK(Build([](NhcbBuilder& b) {
          b.SetBucket(1, 3);
          b.SetCount(2);
        }).error == "invalid native histogram: its bucket number 2 has the negative count -1");
}

TEST_CASE("custom buckets: counts near 2^63 wrap as Prometheus' do, and are refused") {
  CHECK(Build([](NhcbBuilder& b) {
          b.SetBucket(1, 0x1p62);
          b.SetBucket(2, 0x1.8p62);
          b.SetCount(1);
        }).error.starts_with("invalid native histogram: its bucket number 3 has the negative"));
}

TEST_CASE("custom buckets: a builder is as new after Reset") {
  NhcbBuilder builder;
  builder.SetBucket(1, -1);
  builder.SetSum(4);
  builder.Reset();
  builder.SetCount(1);
  NativeHistogram out;
  out.zero_count = 7;
  out.negative_counts = {1};
  REQUIRE(builder.Build(out).has_value());
  CHECK(out.sum == 0);
  CHECK(out.zero_count == 0);
  CHECK(out.negative_counts.empty());
}

}  // namespace
}  // namespace tributary
