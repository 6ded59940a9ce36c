// Questions to DNS servers on an event loop. The seam between the agent and DNS.
//
// In production it is CaresTransport; in tests the simulator's servers. Which servers to ask, and
// for which names, is the Resolver's business.
//
// Threading: everything on the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "common/base/status.h"
#include "common/dns/message.h"

namespace tributary {

struct DnsQuestion {
  std::string server;  // address of IPv4 or IPv6
  uint16_t port = 53;
  std::string name;  // with its last dot
  DnsType type = DnsType::kSrv;
};

// 0 is never a request.
using DnsRequestId = uint64_t;

class DnsTransport {
 public:
  // The server's answer, whatever it says; or why there is none.
  using Done = std::function<void(Result<DnsMessage>)>;

  virtual ~DnsTransport() = default;
  // Asks once by UDP, and by TCP where the answer is too large for that. Never calls `done` from
  // inside; ends by itself, at the latest a few seconds later.
  virtual DnsRequestId Ask(const DnsQuestion& question, Done done) = 0;
  // `done` is not called any more. No effect on 0 and on a request that has ended.
  virtual void Cancel(DnsRequestId id) = 0;
};

}  // namespace tributary
