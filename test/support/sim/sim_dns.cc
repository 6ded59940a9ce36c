#include "test/support/sim/sim_dns.h"

#include <utility>

namespace tributary {

SimDnsTransport::~SimDnsTransport() {
  for (const auto& [id, timer] : timers_) loop_.CancelTimer(timer);
}

DnsRequestId SimDnsTransport::Ask(const DnsQuestion& question, Done done) {
  dns_.questions_.push_back(question.server + " " + question.name + " " +
                            std::to_string(static_cast<int>(question.type)));
  const DnsRequestId id = ++last_id_;
  const auto server = dns_.servers_.find(question.server);
  const bool listens = server != dns_.servers_.end() && server->second != nullptr;
  Result<DnsMessage> answer = listens ? server->second(question) : Fail("no answer in time");
  timers_[id] = loop_.AddTimerAfter(listens ? milliseconds(1) : milliseconds(2000),
                                    [this, id, done = std::move(done), answer = std::move(answer)] {
                                      timers_.erase(id);
                                      done(answer);
                                    });
  return id;
}

void SimDnsTransport::Cancel(DnsRequestId id) {
  const auto timer = timers_.find(id);
  if (timer == timers_.end()) return;
  loop_.CancelTimer(timer->second);
  timers_.erase(timer);
}

}  // namespace tributary
