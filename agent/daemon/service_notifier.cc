#include "agent/daemon/service_notifier.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>

#include <fmt/format.h>

namespace tributary {

namespace {

constexpr timeval kSendMax{1, 0};

std::optional<int64_t> ParseNumber(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// As sd_watchdog_enabled(3): 0 if it is meant for another process.
nanoseconds WatchdogOf(const ServiceNotifier::Getenv& getenv, Logger& logger) {
  const auto usec = getenv("WATCHDOG_USEC");
  if (!usec) return nanoseconds(0);
  if (const auto pid = getenv("WATCHDOG_PID"); pid && *pid != std::to_string(getpid())) {
    return nanoseconds(0);
  }
  const auto number = ParseNumber(*usec);
  // Above it is hundreds of years, which is no watchdog.
  if (!number || *number <= 0 || *number > INT64_MAX / 1000) {
    logger.Warn("WATCHDOG_USEC is not a time that can be used, so the watchdog is not fed",
                {{"value", *usec}});
    return nanoseconds(0);
  }
  return std::chrono::microseconds(*number);
}

template <typename Duration>
long long Microseconds(Duration time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

}  // namespace

ServiceNotifier::ServiceNotifier(const Getenv& getenv, Logger& logger) : logger_(logger) {
  const auto path = getenv("NOTIFY_SOCKET");
  if (!path || path->empty()) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if ((path->front() != '/' && path->front() != '@') || path->size() < 2 ||
      path->size() >= sizeof(address.sun_path)) {
    logger_.Warn(
        "NOTIFY_SOCKET is not the path of a Unix socket, so the service manager is told nothing",
        {{"value", *path}});
    return;
  }
  std::memcpy(address.sun_path, path->data(), path->size());
  size_t size = offsetof(sockaddr_un, sun_path) + path->size();
  if (path->front() == '@') {
    address.sun_path[0] = '\0';  // an abstract name: as long as it is, without an end
  } else {
    size++;
  }
  address_.resize(size);
  std::memcpy(address_.data(), &address, size);
  socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) {
    logger_.Warn("the service manager cannot be told anything", {{"err", std::strerror(errno)}});
    return;
  }
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &kSendMax, sizeof(kSendMax));
  watchdog_ = WatchdogOf(getenv, logger_);
}

ServiceNotifier::~ServiceNotifier() {
  if (socket_ >= 0) close(socket_);
}

void ServiceNotifier::Reloading(MonotonicTime now) {
  Send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\n", Microseconds(now.time_since_epoch())),
       "reloading the configuration");
}

void ServiceNotifier::Stopping(milliseconds timeout, std::string_view status) {
  Send(fmt::format("STOPPING=1\nEXTEND_TIMEOUT_USEC={}\n", Microseconds(timeout)), status);
}

void ServiceNotifier::Send(std::string_view state, std::string_view status) {
  if (socket_ < 0) return;
  std::string message(state);
  if (!status.empty()) {
    message += "STATUS=";
    // A line is a variable of the protocol.
    for (const char c : status) message += c == '\n' ? ' ' : c;
    message += '\n';
  }
  sockaddr_un address{};
  std::memcpy(&address, address_.data(), address_.size());
  const void* generic = &address;
  const ssize_t sent =
      sendto(socket_, message.data(), message.size(), MSG_NOSIGNAL,
             static_cast<const sockaddr*>(generic), static_cast<socklen_t>(address_.size()));
  if (sent < 0 && !warned_) {
    warned_ = true;
    logger_.Warn("the service manager could not be told how the agent is",
                 {{"err", std::strerror(errno)}});
  }
}

}  // namespace tributary
