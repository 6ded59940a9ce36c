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
  std::string url = "http://127.0.0.1:9095";
  std::string timeout = "3s";
  bool ready = false;
};

int CheckHealth(const HealthOptions& options) {
  const auto url = AgentUrl(options.url);
  if (!url) return Refuse(url.error().message, kExitUsage);
  const auto timeout = ParseDuration(options.timeout);
  if (!timeout || timeout->count() == 0) {
    return Refuse("--timeout: " + (timeout ? "it must be more" : timeout.error().message),
                  kExitUsage);
  }
  const std::string path = options.ready ? "/-/ready" : "/-/healthy";
  const auto answer = GetFromAgent(*url, path, *timeout);
  if (!answer) return Refuse(answer.error().message, kExitBad);
  if (answer->status == 200) return kExitGood;
  return Refuse(fmt::format("{}{} answers {}", RedactUrl(*url), path, answer->status), kExitBad);
}

}  // namespace

void AddHealth(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand(
      "health",
      "Check that an agent lives, as a container's health check does. Says nothing if so. Exit "
      "status: 0 it does, 1 it does not or is not ready, 2 wrong usage.");
  auto options = std::make_shared<HealthOptions>();
  command->add_option("--url", options->url,
                      "The agent's address (default: http://127.0.0.1:9095).");
  command->add_flag("--ready", options->ready,
                    "Check that it has its configuration and log, not only that it lives.");
  command->add_option("--timeout", options->timeout,
                      "How long to wait for the answer (default: 3s).");
  command->callback([options, &status] { status = CheckHealth(*options); });
}

}  // namespace tributary
