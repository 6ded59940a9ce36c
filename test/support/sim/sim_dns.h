// The simulator's DNS servers, and a DnsTransport for each simulated process.
//
// Time is the loop's. A server answers what its script says, one millisecond later; where nobody
// listens a question ends after two seconds, as CaresTransport's do. Single-threaded.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/dns/transport.h"
#include "common/event/event_loop.h"

namespace tributary {

class SimDns {
 public:
  using Script = std::function<Result<DnsMessage>(const DnsQuestion& question)>;

  // A second call for a server replaces its script; an empty one ends it.
  void Listen(const std::string& server, Script script) { servers_[server] = std::move(script); }
  // All that was asked: "10.0.0.1 web.local. 33".
  const std::vector<std::string>& questions() const { return questions_; }

 private:
  friend class SimDnsTransport;
  std::map<std::string, Script> servers_;
  std::vector<std::string> questions_;
};

// Of one process. Servers and loop must outlive it; questions under way end with it.
class SimDnsTransport : public DnsTransport {
 public:
  SimDnsTransport(SimDns& dns, EventLoop& loop) : dns_(dns), loop_(loop) {}
  ~SimDnsTransport() override;

  DnsRequestId Ask(const DnsQuestion& question, Done done) override;
  void Cancel(DnsRequestId id) override;
  size_t in_flight() const { return timers_.size(); }

 private:
  SimDns& dns_;
  EventLoop& loop_;
  DnsRequestId last_id_ = 0;
  std::map<DnsRequestId, TimerId> timers_;
};

}  // namespace tributary
