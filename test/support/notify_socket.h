// The service manager's end of sd_notify(3), for tests.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "test/support/catch.h"

namespace tributary {

// What a service manager has: a datagram socket that the kernel names (an abstract name), or one
// with a path.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path = {}) : path_(path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    socklen_t size = sizeof(sa_family_t) + (path.empty() ? 0 : path.size() + 1);
    void* generic = &address;
    socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    REQUIRE(socket_ >= 0);
    REQUIRE(bind(socket_, static_cast<sockaddr*>(generic), size) == 0);
    size = sizeof(address);
    REQUIRE(getsockname(socket_, static_cast<sockaddr*>(generic), &size) == 0);
    name_ = path.empty() ? "@" + std::string(address.sun_path + 1, size - sizeof(sa_family_t) - 1)
                         : path;
  }
  ~NotifySocket() {
    close(socket_);
    if (!path_.empty()) unlink(path_.c_str());
  }

  const std::string& name() const { return name_; }
  // The next datagram, "" if there is none.
  std::string Take() const {
    char buffer[4096];
    const ssize_t size = recv(socket_, buffer, sizeof(buffer), MSG_DONTWAIT);
    return size < 0 ? "" : std::string(buffer, static_cast<size_t>(size));
  }

 private:
  const std::string path_;
  std::string name_;
  int socket_ = -1;
};

}  // namespace tributary
