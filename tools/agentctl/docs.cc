// agentctl docs: prints pages that are made from tables in the code.
#include <cstdio>
#include <memory>
#include <string>

#include "common/config/docs.h"
#include "tools/agentctl/command.h"

namespace tributary {

void AddDocs(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("docs", "Print a page of the documentation.");
  auto page = std::make_shared<std::string>();
  command->add_option("PAGE", *page, "Which page: configuration.")
      ->required()
      ->check(CLI::IsMember({"configuration"}));
  command->callback([page, &status] {
    std::string text = ConfigurationPage();
    bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
    status = written && std::fflush(stdout) == 0 ? kExitGood : kExitUsage;
  });
}

}  // namespace tributary
