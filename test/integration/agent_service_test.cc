// What the agent tells the service manager that started it.
#include <signal.h>

#include "test/integration/agent_process.h"
#include "test/support/catch.h"
#include "test/support/notify_socket.h"

namespace tributary {
namespace {

// The next message that is not of the watchdog; "" if there is none in time.
std::string Next(const NotifySocket& manager) {
  std::string message;
  Eventually(seconds(8) * kSlowdown, [&] {
    do {
      message = manager.Take();
    } while (message == "WATCHDOG=1\n");
    return !message.empty();
  });
  return message;
}

bool BeginsWith(const std::string& text, const std::string& prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}

TEST_CASE("agent service: the manager hears of start, reloads and stop") {
  const NotifySocket manager;
  AgentProcess agent("scrape_configs: []\n",
                     {{"--workers=3"}, {{"NOTIFY_SOCKET", manager.name()}}});
  CHECK(Next(manager) == "STATUS=opening the sample log\n");
  CHECK(Next(manager) == "READY=1\nSTATUS=scraping and sending\n");
  // That is said by somebody who listens.
  CHECK(agent.Get("/-/ready").status == 200);

  agent.process().Signal(SIGHUP);
  CHECK(BeginsWith(Next(manager), "RELOADING=1\nMONOTONIC_USEC="));
  CHECK(Next(manager) == "READY=1\nSTATUS=scraping and sending\n");
  agent.WriteConfig("scrape_configs: 3\n");
  agent.process().Signal(SIGHUP);
  CHECK(BeginsWith(Next(manager), "RELOADING=1\n"));
  CHECK(BeginsWith(Next(manager), "READY=1\nSTATUS=scraping and sending by the old configuration"));

  agent.process().Signal(SIGTERM);
  CHECK(Next(manager) ==
        "STOPPING=1\nEXTEND_TIMEOUT_USEC=30000000\nSTATUS=delivering unsent samples\n");
  CHECK(agent.process().Wait(seconds(8)) == 0);
}

TEST_CASE("agent service: the watchdog is fed for as long as the agent turns") {
  const NotifySocket manager;
  AgentProcess agent(
      "scrape_configs: []\n",
      {{"--workers=2"}, {{"NOTIFY_SOCKET", manager.name()}, {"WATCHDOG_USEC", "400000"}}});
  int fed = 0;
  const auto count = [&] {
    for (std::string message = manager.Take(); !message.empty(); message = manager.Take()) {
      fed += message == "WATCHDOG=1\n";
    }
    return fed;
  };
  CHECK(Eventually(seconds(8) * kSlowdown, [&] { return count() >= 5; }));
  // No message of a process that stands still.
  agent.process().Signal(SIGSTOP);
  count();
  fed = 0;
  CHECK_FALSE(Eventually(milliseconds(1200), [&] { return count() >= 2; }));
  agent.process().Signal(SIGCONT);
  CHECK(Eventually(seconds(8) * kSlowdown, [&] { return count() >= 3; }));
}

}  // namespace
}  // namespace tributary
