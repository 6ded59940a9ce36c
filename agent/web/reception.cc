#include "agent/web/reception.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "agent/web/conversation.h"
#include "agent/web/request_lines.h"
#include "agent/web/write_head.h"
#include "common/base/assert.h"

namespace tributary {
namespace {

constexpr int kAcceptsPerRound = 32;
constexpr int kPauseMs = 100;

}  // namespace

bool IsProbe(std::string_view head) {
  const RequestLine request = ParseRequestLine(head);
  return (request.method == "GET" || request.method == "HEAD") &&
         (request.path == "/-/healthy" || request.path == "/-/ready");
}

std::string StandingHeaders(const WebTerms* terms) {
  std::map<std::string, std::string> headers{{"Content-Security-Policy", "default-src 'none'"},
                                             {"X-Content-Type-Options", "nosniff"},
                                             {"X-Frame-Options", "DENY"}};
  if (terms != nullptr) {
    for (const auto& [name, value] : terms->config->headers) headers[name] = value;
  }
  std::string lines;
  for (const auto& [name, value] : headers) {
    if (!value.empty()) lines += fmt::format("{}: {}\r\n", name, value);
  }
  return lines;
}

std::string RefusalResponse(std::string_view status, std::string_view message,
                            const WebTerms* terms, std::string_view more) {
  return fmt::format(
      "HTTP/1.1 {}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
      "{}{}Content-Length: {}\r\n\r\n{}",
      status, more, StandingHeaders(terms), message.size(), message);
}

Reception::Reception(ReceptionOptions options, Doors doors)
    : options_(options),
      doors_(std::move(doors)),
      wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHECK(wake_fd_ >= 0);
  if (options_.returns != nullptr) options_.returns->SetWake([this] { Wake(); });
  thread_ = std::thread([this] { Run(); });
}

Reception::~Reception() {
  if (options_.returns != nullptr) options_.returns->SetWake(nullptr);
  stopping_ = true;
  Wake();
  thread_.join();
  close(wake_fd_);
}

void Reception::Wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof(one));
}

void Reception::Run() {
  while (!stopping_) Round();
  visitors_.clear();  // here, where signals are blocked
}

void Reception::Round() {
  std::vector<pollfd> entries;
  entries.reserve(visitors_.size() + 2);
  entries.push_back({wake_fd_, POLLIN, 0});
  // A negative descriptor is passed over by poll.
  entries.push_back({accept_paused_ ? -1 : options_.listen_fd, POLLIN, 0});
  for (const Visitor& visitor : visitors_) {
    entries.push_back({visitor.channel->fd(), visitor.channel->awaited(), 0});
  }
  if (poll(entries.data(), entries.size(), PollTimeoutMs()) < 0) return;  // a signal
  accept_paused_ = false;
  size_t i = 2;
  for (auto at = visitors_.begin(); at != visitors_.end(); i++) {
    at = entries[i].revents != 0 && Advance(*at) ? visitors_.erase(at) : std::next(at);
  }
  Expire();
  if (entries[0].revents != 0) TakeReturns();
  if (entries[1].revents != 0) Accept();
}

void Reception::TakeReturns() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(wake_fd_, &count, sizeof(count));
  if (options_.returns == nullptr) return;
  for (WriteVisitor& returned : options_.returns->TakeAll()) {
    Visitor visitor{std::move(returned.channel), std::move(returned.terms),
                    std::move(returned.bytes), Clock::now() + options_.head_timeout};
    if (options_.access != nullptr) visitor.terms = options_.access->Current();
    Welcome(std::move(visitor));
  }
}

void Reception::Welcome(Visitor visitor) {
  if (Advance(visitor)) return;
  if (visitors_.size() >= options_.waiting_max) {
    visitors_.pop_front();
    options_.counters->crowded++;
  }
  visitors_.push_back(std::move(visitor));
}

int Reception::PollTimeoutMs() const {
  int64_t timeout_ms = accept_paused_ ? kPauseMs : -1;
  if (!visitors_.empty()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(visitors_.front().deadline - Clock::now());
    const int64_t left_ms = std::max<int64_t>(0, left.count());
    timeout_ms = timeout_ms < 0 ? left_ms : std::min(timeout_ms, left_ms);
  }
  return static_cast<int>(timeout_ms);
}

void Reception::Expire() {
  const Clock::time_point now = Clock::now();
  while (!visitors_.empty() && visitors_.front().deadline <= now) {
    visitors_.pop_front();
    options_.counters->late++;
  }
}

void Reception::Accept() {
  for (int i = 0; i < kAcceptsPerRound; i++) {
    const int fd = accept4(options_.listen_fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
      if (errno == ECONNABORTED || errno == EINTR) continue;
      accept_paused_ = errno != EAGAIN;
      return;
    }
    const int yes = 1;  // head and body of an answer are two writes
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    Visitor visitor{nullptr, nullptr, {}, Clock::now() + options_.head_timeout};
    if (options_.access != nullptr) visitor.terms = options_.access->Current();
    visitor.channel = visitor.terms != nullptr && visitor.terms->tls != nullptr
                          ? visitor.terms->tls->Accept(fd)
                          : std::make_unique<Channel>(fd);
    Welcome(std::move(visitor));
  }
}

Reception::Progress Reception::Read(Visitor& visitor) {
  std::string& head = visitor.head;
  // Of one that came back.
  if (head.find("\r\n\r\n") != std::string::npos) return Progress::kComplete;
  while (true) {
    char buffer[4096];
    const ssize_t count = visitor.channel->Read(buffer, sizeof(buffer));
    if (count == Channel::kWait) return Progress::kWaiting;
    if (count <= 0) return Progress::kGone;
    const size_t search_from = head.size() < 3 ? 0 : head.size() - 3;
    head.append(buffer, static_cast<size_t>(count));
    if (head.find("\r\n\r\n", search_from) != std::string::npos) return Progress::kComplete;
    if (head.size() > options_.head_bytes_max) return Progress::kTooLarge;
  }
}

bool Reception::Advance(Visitor& visitor) {
  const Progress progress = Read(visitor);
  if (progress == Progress::kWaiting) return false;
  if (progress == Progress::kGone) {
    if (visitor.channel->tls_failed()) options_.counters->tls++;
    visitor.channel.reset();
    return true;
  }
  auto conversation = std::make_unique<Conversation>(
      std::move(visitor.channel), std::move(visitor.head), std::move(visitor.terms));
  if (progress == Progress::kTooLarge) {
    options_.counters->too_large++;
    conversation->write(RefusalResponse("431 Request Header Fields Too Large",
                                        "request head too large\n", conversation->terms()));
  } else if (IsProbe(conversation->head())) {
    doors_.probe(std::move(conversation));
  } else if (IsWrite(conversation->head())) {
    doors_.write(std::move(conversation));
  } else {
    doors_.work(std::move(conversation));
  }
  return true;
}

}  // namespace tributary
