#include "agent/limits/distinct_values.h"

#include <string>

#include "common/base/hash.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("distinct values: a few are counted, many are estimated to a fifth") {
  for (const uint64_t count : {0, 1, 2, 10, 100, 1000, 10'000, 300'000}) {
    DistinctValues values;
    for (uint64_t i = 0; i < count; i++) values.Add(StableHash(std::to_string(i)));
    const auto estimate = static_cast<double>(values.Estimate());
    INFO(count << " are told as " << estimate);
    CHECK(estimate >= 0.8 * static_cast<double>(count));
    CHECK(estimate <= 1.2 * static_cast<double>(count));
  }
}

TEST_CASE("distinct values: what comes again does not count again") {
  DistinctValues values;
  for (int i = 0; i < 100'000; i++) values.Add(StableHash(std::to_string(i % 3)));
  CHECK(values.Estimate() == 3);
}

}  // namespace
}  // namespace tributary
