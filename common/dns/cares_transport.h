// DnsTransport by c-ares, on a SystemEventLoop. c-ares is included here and nowhere else.
//
// Each question has a channel of its own, with one server and one try, so nothing of c-ares'
// configuration files or of its choice of servers plays a part. UDP with EDNS (4096 bytes), and TCP
// where the answer is cut off; two seconds for each. Servers that do not know EDNS are asked again
// without it. A server's address must not have a zone ("fe80::1%eth0"): c-ares 1.18 takes none.
#pragma once

#include <memory>
#include <unordered_map>

#include "common/dns/transport.h"
#include "common/event/system_event_loop.h"

namespace tributary {

class CaresTransport : public DnsTransport {
 public:
  // The loop must outlive it.
  explicit CaresTransport(SystemEventLoop& loop);
  // Questions under way end without a word.
  ~CaresTransport() override;

  DnsRequestId Ask(const DnsQuestion& question, Done done) override;
  void Cancel(DnsRequestId id) override;

 private:
  class Exchange;

  SystemEventLoop& loop_;
  DnsRequestId last_id_ = 0;
  std::unordered_map<DnsRequestId, std::unique_ptr<Exchange>> exchanges_;
};

}  // namespace tributary
