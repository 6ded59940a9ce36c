// Addresses of targets. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tributary {

// As Go's net.JoinHostPort: what has a colon in it is an IPv6 address and gets brackets.
std::string JoinHostPort(std::string_view host, int64_t port);

}  // namespace tributary
