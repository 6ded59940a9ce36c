// As Go's net.JoinHostPort: an IPv6 address gets brackets.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tributary {

inline std::string JoinHostPort(std::string_view host, int64_t port) {
  const bool v6 = host.find(':') != std::string_view::npos;
  std::string joined = v6 ? "[" + std::string(host) + "]" : std::string(host);
  return joined + ":" + std::to_string(port);
}

}  // namespace tributary
