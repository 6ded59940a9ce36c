#include <cstdint>
#include <random>
#include <string>

#include "test/support/catch.h"
#include "test/support/openmetrics_page_generator.h"
#include "test/support/slow_openmetrics_parser.h"

namespace tributary {
namespace {

void CheckRandomPages(CreatedLines created) {
  const uint64_t seed = std::random_device()();
  std::mt19937_64 random(seed);
  size_t good = 0;
  size_t samples = 0;
  size_t exemplars = 0;
  size_t starts = 0;
  constexpr int kRounds = 30'000;
  for (int round = 0; round < kRounds; ++round) {
    const std::string page = RandomOpenMetricsPage(random);
    const OpenMetricsPage slow = SlowParseOpenMetrics(page, created);
    const OpenMetricsPage fast = FastParseOpenMetrics(page, created);
    if (!(slow == fast)) {
      FAIL("seed " << seed << " round " << round << "\n"
                   << page << "\nslow " << ToString(slow) << "fast " << ToString(fast));
    }
    good += slow.good ? 1 : 0;
    for (const OpenMetricsEntry& entry : slow.entries) {
      samples += entry.kind == LineKind::kSample ? 1 : 0;
      exemplars += entry.exemplar.has_value() ? 1 : 0;
      starts += entry.start != 0 ? 1 : 0;
    }
  }
  // The generator must give all kinds, or the test shows nothing.
  CHECK(good > kRounds / 5);
  CHECK(good < kRounds * 4 / 5);
  CHECK(samples > kRounds);
  CHECK(exemplars > kRounds / 20);
  if (created == CreatedLines::kAreStarts) CHECK(starts > kRounds / 20);
}

TEST_CASE("OpenMetrics page: fast and slow parser agree on random pages, good and broken") {
  CheckRandomPages(CreatedLines::kAreSeries);
}

TEST_CASE("OpenMetrics page: fast and slow parser agree on starts from _created lines") {
  CheckRandomPages(CreatedLines::kAreStarts);
}

}  // namespace
}  // namespace tributary
