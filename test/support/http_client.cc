#include "test/support/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

namespace tributary {

namespace {

// All that comes until the other side closes.
std::string ReadAll(int fd, nanoseconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  std::string text;
  char buffer[16384];
  for (;;) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(end - std::chrono::steady_clock::now());
    pollfd wait{fd, POLLIN, 0};
    if (left.count() <= 0 || poll(&wait, 1, static_cast<int>(left.count())) <= 0) return "";
    const ssize_t bytes = recv(fd, buffer, sizeof buffer, 0);
    if (bytes < 0) return "";
    if (bytes == 0) return text;
    text.append(buffer, static_cast<size_t>(bytes));
  }
}

}  // namespace

HttpReply HttpAsk(uint16_t port, const std::string& method, const std::string& target,
                  nanoseconds timeout) {
  HttpReply reply;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  void* const plain = &address;  // the C interface's cast
  const std::string request = method + " " + target +
                              " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                              "Content-Length: 0\r\n\r\n";
  std::string text;
  if (connect(fd, static_cast<sockaddr*>(plain), sizeof address) == 0 &&
      send(fd, request.data(), request.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(request.size())) {
    text = ReadAll(fd, timeout);
  }
  close(fd);
  const size_t head_end = text.find("\r\n\r\n");
  if (head_end == std::string::npos || text.rfind("HTTP/1.", 0) != 0) return reply;
  reply.status = std::atoi(text.c_str() + 9);
  reply.head = text.substr(0, head_end);
  reply.body = text.substr(head_end + 4);
  return reply;
}

}  // namespace tributary
