// The running process: threads, signals, the web server, and who owns what. The only place that
// knows all.
#pragma once

#include "agent/daemon/options.h"

namespace tributary {

// Runs the agent until it is told to stop. The process' exit code: 0 after an orderly end, 1 if
// something of the machine is in the way (port, folder), 2 for a configuration that cannot be used.
int RunDaemon(const DaemonOptions& options);

}  // namespace tributary
