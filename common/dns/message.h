// Answers of DNS servers, taken apart: what service discovery reads of them.
// Source: RFC 1035, RFC 2782 (SRV), RFC 3596 (AAAA). Names are written as miekg/dns writes them, on
// which Prometheus builds: with the last dot, special characters escaped ("\." and "\007").
//
// Pure, any thread. The input is untrusted: whatever it is, the work is bounded by its length (at
// most 64 KiB) and by 126 compression pointers a name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace tributary {

enum class DnsType : uint16_t { kA = 1, kNs = 2, kCname = 5, kMx = 15, kAaaa = 28, kSrv = 33 };

inline constexpr int kDnsNoError = 0;
inline constexpr int kDnsNameError = 3;  // NXDOMAIN

struct DnsRecord {
  uint16_t type = 0;  // a DnsType, or one that is not among them
  // A and AAAA: the address as Go prints it. NS, MX and SRV: the host's name. Others: empty.
  std::string value;
  uint16_t port = 0;  // SRV
  bool operator==(const DnsRecord&) const = default;
};

struct DnsMessage {
  int rcode = kDnsNoError;
  bool truncated = false;
  std::vector<DnsRecord> answers;  // in the order of the message
};

// An error for bytes that are no whole message.
Result<DnsMessage> ParseDnsMessage(std::string_view bytes);

}  // namespace tributary
