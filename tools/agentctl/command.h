// The subcommands of agentctl, one file each. Each adds itself to the command line and keeps what
// its options fill in; its exit status is 0 (good), 1 (what was looked at is not) or 2 (wrong
// usage, or it could not be looked at).
#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace tributary {

enum ExitStatus { kExitGood = 0, kExitBad = 1, kExitUsage = 2 };

// Says on stderr what is wrong; the status.
int Refuse(const std::string& message, int status = kExitUsage);

// Adds a subcommand to `app`; once it has been chosen, `status` says how it went.
void AddTestConfig(CLI::App& app, int& status);
void AddCheck(CLI::App& app, int& status);
void AddRelabel(CLI::App& app, int& status);
void AddSd(CLI::App& app, int& status);
void AddScrape(CLI::App& app, int& status);
void AddHealth(CLI::App& app, int& status);
void AddStatus(CLI::App& app, int& status);
void AddTune(CLI::App& app, int& status);
void AddLog(CLI::App& app, int& status);
void AddDocs(CLI::App& app, int& status);

}  // namespace tributary
