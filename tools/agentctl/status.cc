// agentctl status: how a running agent is, at a glance.
#include <cstdio>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "common/base/units.h"
#include "common/config/model.h"
#include "tools/agentctl/agent_client.h"
#include "tools/agentctl/command.h"
#include "tools/agentctl/status_report.h"

namespace tributary {
namespace {

struct StatusOptions {
  AgentAccess agent;
  std::string behind = "1m", timeout = "5s";
  bool json = false;
};

int ShowStatus(StatusOptions& options) {
  if (const Status ready = options.agent.Prepare(); !ready) return Refuse(ready.error().message);
  const auto behind = ParseDuration(options.behind), timeout = ParseDuration(options.timeout);
  if (!behind) return Refuse("--behind: " + behind.error().message, kExitUsage);
  if (!timeout || timeout->count() == 0) {
    return Refuse("--timeout: " + (timeout ? "it must be more" : timeout.error().message),
                  kExitUsage);
  }
  AgentAnswers answers;
  answers.url = RedactUrl(options.agent.url);
  for (const auto& [path, answer] :
       {std::pair("/api/v1/targets", &answers.targets),
        std::pair("/api/v1/status/remote_write", &answers.remote_write),
        std::pair("/api/v1/status/runtimeinfo", &answers.runtime),
        std::pair("/api/v1/status/series_limits", &answers.limits)}) {
    auto data = AskAgent(options.agent, path, *timeout);
    if (!data) return Refuse(data.error().message, kExitBad);
    *answer = std::move(*data);
  }
  AgentReport report;
  try {
    report = ReportAgent(answers, std::chrono::duration<double>(*behind).count());
  } catch (const nlohmann::json::exception&) {
    return Refuse(answers.url + " is no Tributary, or one of another version", kExitBad);
  }
  std::string out = report.text;
  if (options.json) {
    out = report.json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  }
  const bool written = std::fwrite(out.data(), 1, out.size(), stdout) == out.size();
  if (!written || std::fflush(stdout) != 0) return kExitUsage;
  return report.problems.empty() ? kExitGood : kExitBad;
}

}  // namespace

void AddStatus(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand(
      "status",
      "Show how a running agent is: targets, limits on series, remotes and their backlog, the log. "
      "Exit status: 0 "
      "healthy, 1 it cannot be reached, a remote fails or is behind, or the disk or a reload "
      "failed, 2 wrong usage.");
  auto options = std::make_shared<StatusOptions>();
  options->agent.AddOptions(*command);
  command->add_option("--behind", options->behind,
                      "A remote whose oldest unsent sample is older is behind (default: 1m).");
  command->add_option("--timeout", options->timeout,
                      "How long to wait for each answer (default: 5s).");
  command->add_flag("--json", options->json, "Report as JSON.");
  command->callback([options, &status] { status = ShowStatus(*options); });
}

}  // namespace tributary
