// agentctl: looks at configurations, and explains what the agent does with them.
#include <cstdio>

#include "common/base/version.h"
#include "tools/agentctl/command.h"

int main(int argc, char** argv) {
  using namespace tributary;
  CLI::App app("Checks and explains configurations of the tributary agent, and looks at its work.");
  app.set_version_flag("--version",
                       "agentctl " + std::string(Version()) + " (" + std::string(Revision()) + ")");
  app.require_subcommand(1);
  int status = kExitGood;
  AddTestConfig(app, status);
  AddCheck(app, status);
  AddRelabel(app, status);
  AddSd(app, status);
  AddScrape(app, status);
  AddHealth(app, status);
  AddStatus(app, status);
  AddTune(app, status);
  AddLog(app, status);
  AddDocs(app, status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // 0 is --help or --version.
    return app.exit(error) == 0 ? kExitGood : kExitUsage;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "agentctl: %s\n", error.what());
    return kExitUsage;
  }
  return status;
}
