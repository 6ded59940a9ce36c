// agentctl health: whether an agent lives, for container health checks.
#include <memory>
#include <string>

#include <fmt/format.h>

#include "common/base/units.h"
#include "common/config/model.h"
#include "tools/agentctl/agent_client.h"
#include "tools/agentctl/command.h"

namespace tributary {
namespace {

struct HealthOptions {
  AgentAccess agent;
  std::string timeout = "3s";
  bool ready = false;
};

int CheckHealth(HealthOptions& options) {
  if (const Status ready = options.agent.Prepare(); !ready) return Refuse(ready.error().message);
  const auto timeout = ParseDuration(options.timeout);
  if (!timeout || timeout->count() == 0) {
    return Refuse("--timeout: " + (timeout ? "it must be more" : timeout.error().message),
                  kExitUsage);
  }
  const std::string path = options.ready ? "/-/ready" : "/-/healthy";
  const auto answer = GetFromAgent(options.agent, path, *timeout);
  if (!answer) return Refuse(answer.error().message, kExitBad);
  if (answer->status == 200) return kExitGood;
  return Refuse(fmt::format("{}{} answers {}", RedactUrl(options.agent.url), path, answer->status),
                kExitBad);
}

}  // namespace

void AddHealth(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand(
      "health",
      "Check that an agent lives, as a container's health check does. Says nothing if so. Exit "
      "status: 0 it does, 1 it does not or is not ready, 2 wrong usage.");
  auto options = std::make_shared<HealthOptions>();
  options->agent.AddOptions(*command);
  command->add_flag("--ready", options->ready,
                    "Check that it has its configuration and log, not only that it lives.");
  command->add_option("--timeout", options->timeout,
                      "How long to wait for the answer (default: 3s).");
  command->callback([options, &status] { status = CheckHealth(*options); });
}

}  // namespace tributary
