#include "agent/series/samples.h"

#include <limits>

#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("samples: the stale marker is one NaN among others") {
  CHECK(IsStaleNan(StaleNan()));
  CHECK_FALSE(IsStaleNan(std::numeric_limits<double>::quiet_NaN()));
  CHECK_FALSE(IsStaleNan(std::bit_cast<double>(uint64_t{0x7ff8000000000001})));
  CHECK_FALSE(IsStaleNan(0));
}

TEST_CASE("samples: presence is read from the bitmap's words") {
  GroupSamples samples;
  samples.present = {uint64_t{1} << 63, 1};
  CHECK_FALSE(samples.Has(0));
  CHECK(samples.Has(63));
  CHECK(samples.Has(64));
  CHECK_FALSE(samples.Has(65));
  samples.values = {1, 2};
  samples.own = {{63, 5, 3}};
  CHECK(samples.samples() == 3);
}

}  // namespace
}  // namespace tributary
