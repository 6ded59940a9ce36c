// What commands share that look at a part of a configuration: reading it, choosing a job or remote
// of it, and finding the job's targets. What is wrong is said on stderr, with a hint.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/target/target.h"
#include "common/config/loader.h"
#include "tools/agentctl/command.h"

namespace tributary {

// With this process' environment. `path` may be what the agent fetches (common/config_source).
LoadResult LoadConfigFile(FileSystem& files, const std::string& path, bool check_files = false);
// Adds --config.expand-env, which LoadConfigFile and ReadConfig then heed.
void AddExpandEnv(CLI::App& command);
void PrintDiagnostics(const std::vector<Diagnostic>& diagnostics);

// Null, and `status` set, if there is no valid configuration.
std::shared_ptr<const Config> ReadConfig(FileSystem& files, const std::string& path, int& status);

// Null if there is none of that name.
const ScrapeConfig* ChooseJob(const Config& config, const std::string& name);
const RemoteWriteConfig* ChooseRemote(const Config& config, const std::string& name);

struct DiscoveredTarget {
  Labels labels;       // before relabeling
  std::string source;  // of its group: "static_configs entry 1", "/sd.yml:0"
};

// The targets that the agent would find for the job now. Those who name targets are asked, and may
// take up to ten seconds; beyond that, which is said on stderr, there are none.
std::vector<DiscoveredTarget> DiscoverTargets(FileSystem& files, const Config& config,
                                              const ScrapeConfig& job);
// Whether the target's address has the text in it.
bool IsSelected(const DiscoveredTarget& target, const std::string& text);
// How many are selected; if none, it has been said why.
size_t CountSelected(const std::vector<DiscoveredTarget>& targets, const std::string& job_name,
                     const std::string& text);

// "agent.yml:12", or "" for a rule from no file.
std::string FormatPosition(const RulePosition& position);

}  // namespace tributary
