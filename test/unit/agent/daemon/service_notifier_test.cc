#include "agent/daemon/service_notifier.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <map>

#include "test/support/catch.h"
#include "test/support/notify_socket.h"

namespace tributary {
namespace {

ServiceNotifier::Getenv Environment(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  };
}

TEST_CASE("service notifier: says what sd_notify says, by path and by abstract name") {
  char folder[] = "/tmp/notifier-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  {
    const NotifySocket manager(GENERATE(true, false) ? std::string(folder) + "/notify" : "");
    Logger log = Logger::Silent();
    ServiceNotifier notifier(Environment({{"NOTIFY_SOCKET", manager.name()}}), log);
    REQUIRE(notifier.active());
    CHECK(notifier.watchdog() == nanoseconds(0));
    notifier.SetStatus("opening");
    CHECK(manager.Take() == "STATUS=opening\n");
    notifier.Ready("running");
    CHECK(manager.Take() == "READY=1\nSTATUS=running\n");
    notifier.Reloading(MonotonicTime(nanoseconds(1'234'567'899)));
    CHECK(manager.Take() ==
          "RELOADING=1\nMONOTONIC_USEC=1234567\nSTATUS=reloading the configuration\n");
    notifier.Alive();
    CHECK(manager.Take() == "WATCHDOG=1\n");
    notifier.Stopping(milliseconds(1500), "bye");
    CHECK(manager.Take() == "STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000\nSTATUS=bye\n");
    CHECK(manager.Take().empty());
  }
  rmdir(folder);
}

TEST_CASE("service notifier: a status is one line, which sets no other variable") {
  const NotifySocket manager;
  Logger log = Logger::Silent();
  ServiceNotifier notifier(Environment({{"NOTIFY_SOCKET", manager.name()}}), log);
  notifier.SetStatus("bad\nMAINPID=1");
  CHECK(manager.Take() == "STATUS=bad MAINPID=1\n");
}

TEST_CASE("service notifier: the watchdog's time counts where it is meant for this process") {
  const NotifySocket manager;
  Logger log = Logger::Silent();
  std::map<std::string, std::string> values = {{"NOTIFY_SOCKET", manager.name()},
                                               {"WATCHDOG_USEC", "30000000"}};
  const auto watchdog = [&] { return ServiceNotifier(Environment(values), log).watchdog(); };
  CHECK(watchdog() == seconds(30));
  values["WATCHDOG_PID"] = std::to_string(getpid());
  CHECK(watchdog() == seconds(30));
  values["WATCHDOG_PID"] = std::to_string(getppid());
  CHECK(watchdog() == nanoseconds(0));
  values.erase("WATCHDOG_PID");
  for (const char* bad : {"", "0", "-1", "30s", "1e6", "99999999999999999999", " 1"}) {
    values["WATCHDOG_USEC"] = bad;
    INFO(bad);
    CHECK(watchdog() == nanoseconds(0));
  }
  values["WATCHDOG_USEC"] = "30000000";
  values.erase("NOTIFY_SOCKET");
  CHECK(watchdog() == nanoseconds(0));
}

TEST_CASE("service notifier: without a manager, or with a bad address, it does nothing") {
  Logger log = Logger::Silent();
  for (const std::string& bad : {std::string(), std::string("relative"), std::string("vsock:2:1"),
                                 std::string("/"), std::string("@"), "/" + std::string(107, 'x')}) {
    INFO(bad);
    ServiceNotifier notifier(Environment({{"NOTIFY_SOCKET", bad}}), log);
    CHECK_FALSE(notifier.active());
    notifier.Ready("running");
  }
  ServiceNotifier none(Environment({}), log);
  CHECK_FALSE(none.active());
  none.Stopping(seconds(1), "bye");
  // The longest path that there can be has no room for an end.
  ServiceNotifier longest(Environment({{"NOTIFY_SOCKET", "/" + std::string(106, 'x')}}), log);
  CHECK(longest.active());
  longest.Ready("nobody is there");
}

TEST_CASE("service notifier: a manager that reads nothing delays a call by a second at most") {
  const NotifySocket manager;
  Logger log = Logger::Silent();
  ServiceNotifier notifier(Environment({{"NOTIFY_SOCKET", manager.name()}}), log);
  // One of the kernel's queues is full long before.
  const int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, manager.name().data() + 1, manager.name().size() - 1);
  const void* generic = &address;
  const auto size = static_cast<socklen_t>(sizeof(sa_family_t) + manager.name().size());
  int sent = 0;
  while (sent < 100'000 &&
         sendto(sender, "x", 1, 0, static_cast<const sockaddr*>(generic), size) == 1) {
    sent++;
  }
  close(sender);
  REQUIRE(sent < 100'000);
  notifier.Ready("not heard");
  while (!manager.Take().empty()) sent--;
  CHECK(sent == 0);
  notifier.Ready("heard");
  CHECK(manager.Take() == "READY=1\nSTATUS=heard\n");
}

}  // namespace
}  // namespace tributary
