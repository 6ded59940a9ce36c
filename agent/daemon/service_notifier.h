// Tells the service manager that started the agent (systemd) that it is ready, reloads, stops and
// lives. The protocol of sd_notify(3): datagrams to the Unix socket in NOTIFY_SOCKET. By ourselves,
// as libsystemd brings four more libraries for these few lines.
//
// Without a service manager every call does nothing. Threading: one thread at a time. A call waits
// for at most a second, and only for a manager whose queue is full; what cannot be told is logged,
// once.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "agent/logging/logger.h"
#include "common/base/time.h"

namespace tributary {

class ServiceNotifier {
 public:
  using Getenv = std::function<std::optional<std::string>(const std::string&)>;

  // From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. Values that are of no use are logged and
  // left out.
  ServiceNotifier(const Getenv& getenv, Logger& logger);
  ~ServiceNotifier();
  ServiceNotifier(const ServiceNotifier&) = delete;
  ServiceNotifier& operator=(const ServiceNotifier&) = delete;

  // `status` is one line for people, as in `systemctl status`.
  void SetStatus(std::string_view status) { Send({}, status); }
  void Ready(std::string_view status) { Send("READY=1\n", status); }
  // Ready is to follow, whatever comes of it. `now` as systemd 253's Type=notify-reload asks for.
  void Reloading(MonotonicTime now);
  // It may take so long, whatever the unit's TimeoutStopSec is.
  void Stopping(milliseconds timeout, std::string_view status);
  void Alive() { Send("WATCHDOG=1\n", {}); }

  // A manager that hears nothing for so long ends the agent; 0: it does not mind.
  nanoseconds watchdog() const { return watchdog_; }
  bool active() const { return socket_ >= 0; }

 private:
  void Send(std::string_view state, std::string_view status);

  Logger& logger_;
  std::string address_;  // bytes of a sockaddr_un
  int socket_ = -1;
  nanoseconds watchdog_{0};
  bool warned_ = false;
};

}  // namespace tributary
