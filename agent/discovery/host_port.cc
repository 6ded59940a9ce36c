#include "agent/discovery/host_port.h"

#include <fmt/format.h>

namespace tributary {

std::string JoinHostPort(std::string_view host, int64_t port) {
  return host.find(':') == std::string_view::npos ? fmt::format("{}:{}", host, port)
                                                  : fmt::format("[{}]:{}", host, port);
}

}  // namespace tributary
