// agentctl test-config: what the agent would say to a configuration, without running it.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/file/posix_file_system.h"
#include "tools/agentctl/choice.h"
#include "tools/agentctl/command.h"
#include "tools/agentctl/summary.h"

namespace tributary {
namespace {

struct TestConfigOptions {
  std::vector<std::string> files;
  bool json = false;
};

int TestConfig(const TestConfigOptions& options) {
  PosixFileSystem file_system;
  int status = kExitGood;
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const std::string& file : options.files) {
    LoadResult result = LoadConfigFile(file_system, file, true);
    PrintDiagnostics(result.diagnostics);
    if (options.json) {
      all.push_back(SummaryJson(file, result));
    } else {
      std::fputs(SummaryText(file, result).c_str(), stdout);
    }
    int own = result.unreadable ? kExitUsage : (result.config == nullptr ? kExitBad : kExitGood);
    status = std::max(status, own);
  }
  if (options.json) {
    // Messages may quote a file; whatever is no UTF-8 in it must not stop the report.
    std::string text = all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
    std::printf("%s\n", text.c_str());
  }
  return std::fflush(stdout) == 0 ? status : static_cast<int>(kExitUsage);
}

}  // namespace

void AddTestConfig(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand(
      "test-config",
      "Check configuration files. Exit status: 0 all are good, 1 one is invalid, 2 wrong usage or "
      "one cannot be read.");
  auto options = std::make_shared<TestConfigOptions>();
  command
      ->add_option("FILE", options->files,
                   "Configuration files; also env:VARIABLE, ssm:PARAMETER, s3://BUCKET/KEY.")
      ->required();
  command->add_flag("--json", options->json, "Report as JSON.");
  AddExpandEnv(*command);
  command->callback([options, &status] { status = TestConfig(*options); });
}

}  // namespace tributary
