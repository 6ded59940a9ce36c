#include "test/support/write_sender.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace tributary {

using Clock = std::chrono::steady_clock;

WriteSender::WriteSender(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    close(fd);
    return;
  }
  const int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  fd_ = fd;
}

WriteSender::~WriteSender() {
  if (fd_ >= 0) close(fd_);
}

bool WriteSender::SendBytes(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

bool WriteSender::ReadMore(Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
  pollfd entry{fd_, POLLIN, 0};
  if (poll(&entry, 1, static_cast<int>(std::max<int64_t>(left.count(), 0))) <= 0) return false;
  char buffer[4096];
  const ssize_t count = recv(fd_, buffer, sizeof(buffer), 0);
  if (count <= 0) return false;
  in_.append(buffer, static_cast<size_t>(count));
  return true;
}

HttpReply WriteSender::Receive(nanoseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  HttpReply reply;
  size_t end = 0;
  while ((end = in_.find("\r\n\r\n")) == std::string::npos) {
    if (!ReadMore(deadline)) return reply;
  }
  const std::string head = in_.substr(0, end + 2);
  size_t length = 0;
  if (const size_t at = head.find("Content-Length: "); at != std::string::npos) {
    length = std::strtoul(head.c_str() + at + 16, nullptr, 10);
  }
  while (in_.size() < end + 4 + length) {
    if (!ReadMore(deadline)) return reply;
  }
  reply.status = std::atoi(head.c_str() + 9);
  reply.head = head;
  reply.body = in_.substr(end + 4, length);
  in_.erase(0, end + 4 + length);
  return reply;
}

bool WriteSender::SendPost(std::string_view body, const std::vector<std::string>& headers) const {
  std::string request = "POST /api/v1/write HTTP/1.1\r\nHost: h\r\n";
  for (const std::string& header : headers) request += header + "\r\n";
  request += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  request += body;
  return SendBytes(request);
}

HttpReply WriteSender::Post(std::string_view body, const std::vector<std::string>& headers,
                            nanoseconds timeout) {
  return SendPost(body, headers) ? Receive(timeout) : HttpReply{};
}

bool WriteSender::Ends(nanoseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  while (Clock::now() < deadline) {
    pollfd entry{fd_, POLLIN, 0};
    if (poll(&entry, 1, 10) <= 0) continue;
    char buffer[4096];
    if (recv(fd_, buffer, sizeof(buffer), 0) <= 0) return true;
  }
  return false;
}

}  // namespace tributary
