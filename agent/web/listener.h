// The listening socket of the web server.
//
// SO_REUSEADDR but not SO_REUSEPORT: a second agent on the same address is an error, not a silent
// halving of the requests. One socket; a name with several addresses gets its first IPv4 one, as in
// Go.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace tributary {

struct ListenAddress {
  std::string host;  // "": all addresses, IPv6 and IPv4
  uint16_t port = 0;
};

// "host:port", "[v6]:port", ":port".
Result<ListenAddress> ParseListenAddress(std::string_view text);

class Listener {
 public:
  // Errors name the address, the reason and what to do.
  static Result<Listener> Open(const std::string& address);
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  int fd() const { return fd_; }
  const std::string& address() const { return address_; }  // with the real port

 private:
  Listener(int fd, std::string address) : fd_(fd), address_(std::move(address)) {}

  int fd_ = -1;
  std::string address_;
};

}  // namespace tributary
