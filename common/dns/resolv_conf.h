// /etc/resolv.conf as service discovery reads it: miekg/dns' clientconfig.go, on which Prometheus
// builds, and not the C library. Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tributary {

struct ResolvConf {
  std::vector<std::string> servers;  // as given: addresses
  std::vector<std::string> search;
  int ndots = 1;
};

// Nothing is an error: what is not understood is passed over.
ResolvConf ParseResolvConf(std::string_view text);

// The names to ask for one after the other, each with its last dot. A name that ends in a dot is
// asked for as it is; another also within each domain of `search`, before or after the name itself
// as `ndots` says.
std::vector<std::string> SearchNames(const ResolvConf& conf, const std::string& name);

}  // namespace tributary
