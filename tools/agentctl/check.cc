// agentctl check: files other than the configuration.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "agent/access/web_access.h"
#include "common/file/posix_file_system.h"
#include "tools/agentctl/choice.h"
#include "tools/agentctl/command.h"

namespace tributary {
namespace {

int CheckWebConfigs(const std::vector<std::string>& paths) {
  PosixFileSystem files;
  int status = kExitGood;
  for (const std::string& path : paths) {
    const WebConfigResult loaded = LoadWebConfig(files, path);
    PrintDiagnostics(loaded.diagnostics);
    if (loaded.config == nullptr) {
      status = std::max(status, static_cast<int>(loaded.unreadable ? kExitUsage : kExitBad));
      continue;
    }
    // With the certificates and keys that it names.
    const auto terms = LoadWebTerms(files, path);
    if (!terms) {
      status = std::max(status, Refuse(terms.error().message, kExitBad));
      continue;
    }
    std::printf("%s is good: %s, %zu users, %zu headers\n", path.c_str(),
                terms->tls != nullptr ? "TLS" : "plain HTTP", terms->config->users.size(),
                terms->config->headers.size());
  }
  return std::fflush(stdout) == 0 ? status : static_cast<int>(kExitUsage);
}

}  // namespace

void AddCheck(CLI::App& app, int& status) {
  CLI::App* check = app.add_subcommand("check", "Check files other than the configuration.");
  check->require_subcommand(1);
  CLI::App* command = check->add_subcommand(
      "web-config",
      "Check files for --web.config.file, and the certificates and keys that they name. Exit "
      "status: 0 all are good, 1 one is invalid, 2 wrong usage or one cannot be read.");
  auto paths = std::make_shared<std::vector<std::string>>();
  command->add_option("FILE", *paths, "Web configuration files.")->required();
  command->callback([paths, &status] { status = CheckWebConfigs(*paths); });
}

}  // namespace tributary
