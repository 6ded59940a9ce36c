// Looks records up as Prometheus' DNS discovery does: over the search domains of resolv.conf, and
// for each name over its servers. Follows lookupWithSearchPath and what is below it in
// prometheus/prometheus discovery/dns/dns.go (3.16).
//
// Loop thread only. resolv.conf is read for each look-up, so that a change needs no reload. At most
// kLookupsMax look-ups are under way, others wait for their turn; each ends by itself, as its
// questions are bounded by resolv.conf and each of them ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/dns/message.h"
#include "common/dns/transport.h"
#include "common/event/event_loop.h"
#include "common/file/file_system.h"

namespace tributary {

struct ResolverOptions {
  std::string resolv_conf = "/etc/resolv.conf";
  uint16_t port = 53;  // of all servers
};

// 0 is never a look-up.
using LookupId = uint64_t;

class Resolver {
 public:
  static constexpr size_t kLookupsMax = 64;

  // All records of the answer, those of other types (CNAME) included. Empty when the name does not
  // exist, or has no records of the type. An error when that cannot be known.
  using Done = std::function<void(Result<std::vector<DnsRecord>>)>;

  // All of them must outlive it.
  Resolver(EventLoop& loop, FileSystem& files, DnsTransport& transport,
           ResolverOptions options = {});
  // Look-ups under way end without a word.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Never calls `done` from inside.
  LookupId Start(const std::string& name, DnsType type, Done done);
  // `done` is not called any more. No effect on 0 and on a look-up that has ended.
  void Cancel(LookupId id);

 private:
  struct Lookup;

  void BeginWaiting();
  void Begin(Lookup& lookup);
  // Asks the look-up's next question, or ends it when none is left.
  void AskNext(Lookup& lookup);
  void Answered(Lookup& lookup, Result<DnsMessage> answer);
  void End(Lookup& lookup, Result<std::vector<DnsRecord>> result);

  FileSystem& files_;
  DnsTransport& transport_;
  const ResolverOptions options_;
  LookupId last_id_ = 0;
  std::map<LookupId, std::unique_ptr<Lookup>> lookups_;  // those that wait as well
  std::deque<LookupId> waiting_;                         // ids of cancelled ones may be among them
  size_t running_ = 0;
  Timer begin_;
};

}  // namespace tributary
