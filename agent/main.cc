#include "agent/daemon/daemon.h"
#include "agent/daemon/options.h"

int main(int argc, char** argv) {
  int exit_code = 0;
  const auto options = tributary::ParseCommandLine(argc, argv, exit_code);
  if (!options) return exit_code;
  return tributary::RunDaemon(*options);
}
