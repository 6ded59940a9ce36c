#include "agent/access/channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace tributary {

static_assert(POLLIN == 1);

Channel::~Channel() {
  shutdown(fd_, SHUT_WR);
  // Closing with unread bytes resets the connection, and the client could lose the answer. What has
  // come by now is taken; nobody waits for more.
  char rest[4096];
  for (int i = 0; i < 256 && recv(fd_, rest, sizeof(rest), MSG_DONTWAIT) > 0; i++) {
  }
  close(fd_);
}

ssize_t Channel::Read(char* data, size_t size) {
  while (true) {
    const ssize_t count = recv(fd_, data, size, MSG_DONTWAIT);
    if (count >= 0) return count;
    if (errno == EINTR) continue;
    awaited_ = POLLIN;
    return errno == EAGAIN ? kWait : kFailed;
  }
}

ssize_t Channel::Write(const char* data, size_t size) {
  while (true) {
    const ssize_t count = send(fd_, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) return count;
    if (errno == EINTR) continue;
    awaited_ = POLLOUT;
    return errno == EAGAIN ? kWait : kFailed;
  }
}

}  // namespace tributary
