// The text parser and its slow twin must agree on any page: what is accepted, labels, value bits,
// timestamps, metadata.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "test/support/slow_text_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view page(reinterpret_cast<const char*>(data), size);
  const tributary::TextPage slow = tributary::SlowParsePage(page);
  const tributary::TextPage fast = tributary::FastParsePage(page);
  if (!(slow == fast)) {
    std::fprintf(stderr, "slow %s\nfast %s\n", ToString(slow).c_str(), ToString(fast).c_str());
    std::abort();
  }
  return 0;
}
