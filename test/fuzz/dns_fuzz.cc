// Whatever a DNS server answers: it is taken apart within its bounds or refused, and names come out
// as text that can be shown.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/dns/message.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto message =
      tributary::ParseDnsMessage(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!message) return 0;
  if (message->answers.size() > size / 11) std::abort();  // the least that a record takes
  for (const tributary::DnsRecord& record : message->answers) {
    // Of the 255 bytes of a name each may become "\255".
    if (record.value.size() > 4 * 255) std::abort();
    for (const char c : record.value) {
      if (c < ' ' || c > '~') std::abort();
    }
  }
  return 0;
}
