// Which targets are on this machine, for --scrape.local-identity: compressing a page there costs
// the target far more than the loopback interface saves. Immutable after construction, any thread.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace tributary {

class LocalHosts {
 public:
  // `node_addresses`: IP addresses of this node, as text; what is none is left out.
  explicit LocalHosts(const std::vector<std::string>& node_addresses);
  // Whether the host of the URL is localhost, a loopback address (127.0.0.0/8, ::1) or one of the
  // node's. Names are not looked up: one that leads here is not local. False for what is no http
  // or https URL.
  bool Has(const std::string& url) const;

 private:
  std::set<std::string> addresses_;  // the 16 bytes of IPv6; IPv4 is mapped into it
};

}  // namespace tributary
