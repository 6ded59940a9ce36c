#include "agent/web/conversation.h"

#include <poll.h>
#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace tributary {

namespace {

bool AnnouncesBody(std::string_view head) {
  for (size_t end = head.find("\r\n"); end != std::string_view::npos; end = head.find("\r\n")) {
    head.remove_prefix(end + 2);
    for (const std::string_view name : {"content-length:", "transfer-encoding:"}) {
      if (head.size() >= name.size() && strncasecmp(head.data(), name.data(), name.size()) == 0) {
        return true;
      }
    }
    if (head.substr(0, 2) == "\r\n") break;
  }
  return false;
}

}  // namespace

Conversation::Conversation(std::unique_ptr<Channel> channel, std::string head,
                           std::shared_ptr<const WebTerms> terms)
    : channel_(std::move(channel)),
      terms_(std::move(terms)),
      head_(std::move(head)),
      has_body_(AnnouncesBody(head_)) {}

void Conversation::Abort() { shutdown(channel_->fd(), SHUT_RDWR); }

void Conversation::SetPatience(Patience patience) {
  read_deadline_ = Clock::now() + patience.read_timeout;
  write_timeout_ = patience.write_timeout;
}

bool Conversation::WaitFor(short event, Clock::time_point deadline) const {
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd entry{channel_->fd(), event, 0};
    const int ready = poll(&entry, 1, static_cast<int>(std::clamp<int64_t>(left, 0, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (left <= 0) return false;
  }
}

bool Conversation::is_readable() const {
  return head_read_ < head_.size() || !has_body_ || channel_->has_bytes() ||
         WaitFor(POLLIN, read_deadline_);
}

bool Conversation::is_writable() const {
  return WaitFor(POLLOUT, write_begun_ ? write_deadline_ : Clock::now() + write_timeout_);
}

ssize_t Conversation::read(char* data, size_t size) {
  if (head_read_ < head_.size()) {
    const size_t count = std::min(size, head_.size() - head_read_);
    std::memcpy(data, head_.data() + head_read_, count);
    head_read_ += count;
    return static_cast<ssize_t>(count);
  }
  if (!has_body_) return 0;
  while (true) {
    const ssize_t count = channel_->Read(data, size);
    if (count != Channel::kWait) return count;
    if (!WaitFor(channel_->awaited(), read_deadline_) || Clock::now() >= read_deadline_) return -1;
  }
}

ssize_t Conversation::write(const char* data, size_t size) {
  if (!write_begun_) {
    write_begun_ = true;
    write_deadline_ = Clock::now() + write_timeout_;
  }
  while (true) {
    const ssize_t count = channel_->Write(data, size);
    if (count != Channel::kWait) return count;
    if (!WaitFor(channel_->awaited(), write_deadline_) || Clock::now() >= write_deadline_)
      return -1;
  }
}

void Conversation::get_remote_ip_and_port(std::string&, int&) const {}  // nothing asks for them
void Conversation::get_local_ip_and_port(std::string&, int&) const {}

// cpp-httplib refuses descriptors that its select() cannot take; it never gets to wait on this one.
socket_t Conversation::socket() const { return 0; }

}  // namespace tributary
