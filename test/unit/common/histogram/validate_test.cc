#include "common/histogram/validate.h"

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "test/support/catch.h"

namespace tributary {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int32_t kIndexMin = std::numeric_limits<int32_t>::min();
constexpr int32_t kIndexMax = std::numeric_limits<int32_t>::max();

NativeHistogram Integers() {
  NativeHistogram h;
  h.schema = 2;
  h.count = 6;
  h.zero_count = 1;
  h.positive_spans = {{-2, 1}, {3, 1}};
  h.positive_deltas = {1, 1};
  h.negative_spans = {{0, 1}};
  h.negative_deltas = {2};
  return h;
}

NativeHistogram Floats() {
  NativeHistogram h;
  h.is_float = true;
  h.count_float = 1;  // is not compared with the buckets
  h.positive_spans = {{0, 2}};
  h.positive_counts = {1.5, 2};
  return h;
}

NativeHistogram Custom() {
  NativeHistogram h;
  h.schema = kCustomBucketsSchema;
  h.count = 3;
  h.positive_spans = {{0, 3}};
  h.positive_deltas = {1, 0, 0};
  h.custom_values = {1, 2};
  return h;
}

using Change = std::function<void(NativeHistogram&)>;

// The error's text behind "invalid native histogram: "; empty if there is none.
std::string Problem(NativeHistogram h, const Change& change) {
  change(h);
  const Status status = ValidateHistogram(h);
  if (status) return "";
  return status.error().message.substr(std::string("invalid native histogram: ").size());
}

TEST_CASE("histogram validation: good ones") {
  CHECK(ValidateHistogram(Integers()).has_value());
  CHECK(ValidateHistogram(Floats()).has_value());
  CHECK(ValidateHistogram(Custom()).has_value());
  CHECK(Problem(Floats(), [](auto& h) { h.positive_counts[0] = kNan; }) == "");
  CHECK(Problem(Floats(), [](auto& h) { h.count_float = kNan; }) == "");
}

TEST_CASE("histogram validation: schemas") {
  for (const int32_t schema : {-54, -52, -5, 9, 52}) {
    CHECK(Problem(Integers(), [&](auto& h) { h.schema = schema; }) ==
          "its schema " + std::to_string(schema) + " is none of -4 to 8 and -53");
  }
  for (const int32_t schema : {-4, 8}) {
    CHECK(Problem(Integers(), [&](auto& h) { h.schema = schema; }) == "");
  }
}

TEST_CASE("histogram validation: spans") {
  CHECK(Problem(Integers(), [](auto& h) { h.positive_spans[1].offset = -1; }) ==
        "its span number 2 has the negative offset -1");
  CHECK(Problem(Integers(), [](auto& h) { h.positive_spans[0].offset = kIndexMin; }) ==
        "its first span begins at -2147483648, out of range");
  CHECK(Problem(Integers(), [](auto& h) { h.negative_spans[0].offset = kIndexMax; }) == "");
  CHECK(Problem(Integers(), [](auto& h) {
          h.positive_spans = {{kIndexMax, 2}};
        }) == "its span number 1 ends at 2147483648, out of range");
  CHECK(Problem(Integers(), [](auto& h) { h.negative_spans[0].length = 2; }) ==
        "its spans cover 2 buckets, but there are 1");
  CHECK(Problem(Floats(), [](auto& h) { h.positive_counts.pop_back(); }) ==
        "its spans cover 2 buckets, but there are 1");
}

TEST_CASE("histogram validation: counts") {
  CHECK(Problem(Integers(), [](auto& h) { h.positive_deltas[1] = -2; }) ==
        "its bucket number 2 has the negative count -1");
  CHECK(Problem(Integers(), [](auto& h) { h.negative_deltas[0] = -2; }) ==
        "its bucket number 1 has the negative count -2");
  CHECK(Problem(Integers(), [](auto& h) { h.count = 7; }) ==
        "its buckets have 6 observations, its count is 7");
  CHECK(Problem(Floats(), [](auto& h) { h.positive_counts[1] = -0.5; }) ==
        "its bucket number 2 has the negative count -0.5");
  CHECK(Problem(Floats(), [](auto& h) { h.zero_count_float = -1; }) ==
        "its zero bucket has a negative count");
  CHECK(Problem(Floats(), [](auto& h) { h.count_float = -1; }) == "its count -1 is negative");
}

TEST_CASE("histogram validation: observations of NaN are in the count alone") {
  const auto with_count = [](uint64_t count) {
    return Problem(Integers(), [&](auto& h) {
      h.sum = kNan;
      h.count = count;
    });
  };
  CHECK(with_count(6) == "");
  CHECK(with_count(7) == "");
  CHECK(with_count(5) == "its buckets have 6 observations, its count is 5");
}

TEST_CASE("histogram validation: custom buckets") {
  const auto problem = [](const Change& change) { return Problem(Custom(), change); };
  CHECK(problem([](auto& h) {
          h.custom_values = {2, 2};
        }) == "its custom bounds do not rise: 2 after 2");
  CHECK(problem([](auto& h) { h.custom_values[0] = kNan; }) == "one of its custom bounds is NaN");
  CHECK(problem([](auto& h) { h.custom_values[1] = INFINITY; }) ==
        "its last custom bound is +Inf, which is not to be written");
  CHECK(problem([](auto& h) { h.custom_values[0] = -INFINITY; }) == "");
  CHECK(problem([](auto& h) { h.custom_values.pop_back(); }) ==
        "its 1 custom bounds do not cover 3 buckets");
  CHECK(problem([](auto& h) { h.positive_spans[0].offset = -1; }) ==
        "its span number 1 has the negative offset -1");
  CHECK(problem([](auto& h) { h.zero_count = 1; }) ==
        "it has custom buckets and a zero bucket that is not empty");
  CHECK(problem([](auto& h) { h.zero_threshold = 1; }) ==
        "it has custom buckets and a zero threshold");
  CHECK(problem([](auto& h) {
          h.negative_spans = {{0, 0}};
        }) == "it has custom buckets and negative spans");
  CHECK(problem([](auto& h) { h.negative_deltas = {1}; }) ==
        "it has custom buckets and negative buckets");
  CHECK(Problem(Integers(), [](auto& h) { h.custom_values = {1}; }) ==
        "it has custom bounds, but exponential buckets");
}

}  // namespace
}  // namespace tributary
