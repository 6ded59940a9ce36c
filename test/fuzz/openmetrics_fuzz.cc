// The OpenMetrics parser and its slow twin must agree on any page: what is accepted, labels, value
// bits, timestamps, exemplars, metadata, starts.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "test/support/slow_openmetrics_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view page(reinterpret_cast<const char*>(data), size);
  for (const auto created :
       {tributary::CreatedLines::kAreSeries, tributary::CreatedLines::kAreStarts}) {
    const tributary::OpenMetricsPage slow = tributary::SlowParseOpenMetrics(page, created);
    const tributary::OpenMetricsPage fast = tributary::FastParseOpenMetrics(page, created);
    if (!(slow == fast)) {
      std::fprintf(stderr, "slow %s\nfast %s\n", ToString(slow).c_str(), ToString(fast).c_str());
      std::abort();
    }
  }
  return 0;
}
