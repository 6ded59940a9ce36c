#include "test/support/raw_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/base/assert.h"

namespace tributary {

namespace {

sockaddr* Generic(sockaddr_in* address) {
  void* const plain = address;  // the C interface's cast
  return static_cast<sockaddr*>(plain);
}

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// To *port, or to any that is free for 0; *port then says which.
int BoundSocket(uint16_t* port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(*port);
  const int again = 1;  // connections of an earlier listener may still be fading
  CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &again, sizeof again) == 0);
  CHECK(bind(fd, Generic(&address), sizeof address) == 0);
  socklen_t size = sizeof address;
  CHECK(getsockname(fd, Generic(&address), &size) == 0);
  *port = ntohs(address.sin_port);
  return fd;
}

std::string_view Line(std::string_view* text) {
  const size_t end = text->find("\r\n");
  const std::string_view line = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 2);
  return line;
}

// The head without its last empty line.
ServedRequest ParseHead(std::string_view head) {
  ServedRequest request;
  const std::string_view first = Line(&head);
  const size_t method_end = first.find(' ');
  request.method = first.substr(0, method_end);
  request.target = first.substr(method_end + 1, first.rfind(' ') - method_end - 1);
  while (!head.empty()) {
    const std::string_view line = Line(&head);
    const size_t colon = line.find(':');
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    request.headers.push_back({std::string(line.substr(0, colon)), std::string(value)});
  }
  return request;
}

std::string Hex(size_t number) {
  std::string text;
  for (; number > 0 || text.empty(); number /= 16) {
    text.insert(text.begin(), "0123456789abcdef"[number % 16]);
  }
  return text;
}

bool IsChunked(const ScriptedReply& reply) {
  return reply.chunks.size() > 1 || !reply.trailers.empty();
}

}  // namespace

RawServer::RawServer(ReplyScript script, uint16_t port) : script_(std::move(script)), port_(port) {
  listener_ = BoundSocket(&port_);
  CHECK(listen(listener_, 1024) == 0);
  stop_event_ = eventfd(0, EFD_CLOEXEC);
  CHECK(stop_event_ >= 0);
  acceptor_ = std::thread([this] { Accept(); });
}

RawServer::~RawServer() {
  stopping_ = true;
  const uint64_t one = 1;
  CHECK(write(stop_event_, &one, sizeof one) == sizeof one);  // never read: wakes all, for good
  acceptor_.join();
  for (Connection& connection : list_) connection.thread.join();
  close(listener_);
  close(stop_event_);
}

std::string RawServer::Url(const std::string& host) const {
  return "http://" + host + ":" + std::to_string(port_);
}

std::vector<ServedRequest> RawServer::Requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void RawServer::CloseIdle() {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      bool open = false;
      for (const Connection& connection : list_) {
        if (connection.over) continue;
        open = true;
        if (connection.idle) shutdown(connection.fd, SHUT_RDWR);
      }
      if (!open) return;
    }
    std::this_thread::yield();
  }
}

void RawServer::Accept() {
  while (!stopping_) {
    if (!Pause(listener_, nanoseconds(-1)) && stopping_) return;
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections_++;
    const std::lock_guard lock(mutex_);
    Connection& connection = list_.emplace_back();
    connection.fd = fd;
    connection.thread = std::thread([this, &connection] { Serve(connection); });
  }
}

void RawServer::Serve(Connection& connection) {
  std::string buffer;
  for (;;) {
    ServedRequest request;
    if (!ReadRequest(connection, &buffer, &request)) break;
    request.time = std::chrono::steady_clock::now();
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    ScriptedReply reply;
    {
      const std::lock_guard lock(script_mutex_);
      reply = script_(request);
    }
    if (!Play(connection.fd, request, reply)) break;
  }
  const std::lock_guard lock(mutex_);
  close(connection.fd);
  connection.over = true;
}

bool RawServer::ReadRequest(Connection& connection, std::string* buffer, ServedRequest* request) {
  SetIdle(connection, buffer->empty());
  size_t head_end = 0;
  while ((head_end = buffer->find("\r\n\r\n")) == std::string::npos) {
    if (!ReadMore(connection.fd, buffer)) return false;
    SetIdle(connection, false);
  }
  *request = ParseHead(std::string_view(*buffer).substr(0, head_end));
  const std::string length = request->Header("Content-Length");
  const size_t body = length.empty() ? 0 : std::stoul(length);
  while (buffer->size() < head_end + 4 + body) {
    if (!ReadMore(connection.fd, buffer)) return false;
  }
  request->body = buffer->substr(head_end + 4, body);
  buffer->erase(0, head_end + 4 + body);
  return true;
}

bool RawServer::ReadMore(int fd, std::string* buffer) const {
  if (!Pause(fd, nanoseconds(-1)) && stopping_) return false;
  char bytes[64 << 10];
  const ssize_t count = recv(fd, bytes, sizeof bytes, 0);
  if (count <= 0) return false;
  buffer->append(bytes, static_cast<size_t>(count));
  return true;
}

bool RawServer::Play(int fd, const ServedRequest& request, const ScriptedReply& reply) {
  using End = ScriptedReply::End;
  if (!Pause(fd, reply.before_head)) return false;
  if (!reply.raw.empty())
    return Send(fd, reply.raw) && this->End(fd, reply.end) && !reply.close_after;
  if (reply.end != End::kComplete && !reply.head_sent) return this->End(fd, reply.end);
  const bool no_body = request.method == "HEAD" || reply.status == 204 || reply.status == 304;
  std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " Scripted\r\n";
  for (const HttpHeader& header : reply.headers) head += header.name + ": " + header.value + "\r\n";
  if (IsChunked(reply) && !no_body) {
    head += "Transfer-Encoding: chunked\r\n";
  } else if (!no_body) {
    const size_t size = reply.chunks.empty() ? 0 : reply.chunks[0].size();
    head += "Content-Length: " + std::to_string(size) + "\r\n";
  }
  if (!Send(fd, head + "\r\n")) return false;
  if (!no_body && !SendBody(fd, reply)) return false;
  return this->End(fd, reply.end) && !reply.close_after;
}

bool RawServer::SendBody(int fd, const ScriptedReply& reply) {
  const bool chunked = IsChunked(reply);
  const bool whole = reply.end == ScriptedReply::End::kComplete;
  size_t left = whole ? SIZE_MAX : reply.body_bytes;
  for (const std::string& chunk : reply.chunks) {
    if (left == 0) return true;
    if (!Pause(fd, reply.before_chunk)) return false;
    const bool cut = chunk.size() > left;
    const std::string_view bytes = std::string_view(chunk).substr(0, left);
    std::string text = chunked ? Hex(chunk.size()) + "\r\n" : "";
    text.append(bytes);
    if (chunked && !cut) text += "\r\n";
    if (!Send(fd, text)) return false;
    left -= bytes.size();
  }
  if (!chunked || !whole) return true;
  std::string end = "0\r\n";
  for (const HttpHeader& trailer : reply.trailers) {
    end += trailer.name + ": " + trailer.value + "\r\n";
  }
  return Send(fd, end + "\r\n");
}

// Whether the connection goes on.
bool RawServer::End(int fd, ScriptedReply::End how) {
  switch (how) {
    case ScriptedReply::End::kComplete:
      return true;
    case ScriptedReply::End::kHang:
      Pause(fd, std::chrono::hours(1));
      return false;
    case ScriptedReply::End::kClose:
      shutdown(fd, SHUT_WR);  // the other half stays open until the client goes
      Pause(fd, seconds(10));
      return false;
    case ScriptedReply::End::kReset: {
      const linger now{1, 0};
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
      return false;
    }
  }
  return false;
}

bool RawServer::Send(int fd, std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
      bytes.remove_prefix(static_cast<size_t>(count));
      continue;
    }
    if (count < 0 && errno != EAGAIN && errno != EINTR) return false;
    pollfd waits[2] = {{fd, POLLOUT, 0}, {stop_event_, POLLIN, 0}};
    poll(waits, 2, -1);
    if (stopping_) return false;
  }
  return true;
}

bool RawServer::Pause(int fd, nanoseconds time) const {
  if (time.count() == 0) return true;
  pollfd waits[2] = {{fd, POLLIN, 0}, {stop_event_, POLLIN, 0}};
  timespec spec{time.count() / 1'000'000'000, time.count() % 1'000'000'000};
  const int ready = ppoll(waits, 2, time.count() < 0 ? nullptr : &spec, nullptr);
  return ready == 0;
}

void RawServer::SetIdle(Connection& connection, bool idle) {
  const std::lock_guard lock(mutex_);
  connection.idle = idle;
}

DeafListener::DeafListener() {
  fds_.push_back(BoundSocket(&port_));
  CHECK(listen(fds_[0], 0) == 0);
  for (int i = 0; i < 4; i++) {  // one fits, the kernel may be generous
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(fd >= 0);
    sockaddr_in address = Loopback(port_);
    [[maybe_unused]] const int result = connect(fd, Generic(&address), sizeof address);
    fds_.push_back(fd);
  }
}

DeafListener::~DeafListener() {
  for (const int fd : fds_) close(fd);
}

std::string DeafListener::Url() const { return "http://127.0.0.1:" + std::to_string(port_); }

uint16_t UnusedPort() {
  uint16_t port = 0;
  close(BoundSocket(&port));
  return port;
}

}  // namespace tributary
