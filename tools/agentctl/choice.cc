#include "tools/agentctl/choice.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>

#include <fmt/format.h>

#include "agent/discovery/discovery.h"
#include "common/base/host_name.h"
#include "common/config/suggest.h"
#include "common/config_source/config_fetch.h"
#include "common/dns/cares_transport.h"
#include "common/event/system_event_loop.h"
#include "common/http/system_transport.h"
#include "tools/agentctl/command.h"
#include "tools/agentctl/label_input.h"

namespace tributary {
namespace {

constexpr size_t kNamesShown = 10;
// How long those who name targets may take to answer, and how often it is looked.
constexpr nanoseconds kDiscoveryMax = seconds(10);
constexpr nanoseconds kDiscoveryStep = milliseconds(10);

// The nearest of the names, or the first of them.
std::string Hint(const std::string& name, std::vector<std::string> names) {
  const std::string nearest = NearestHint(name, names);
  if (!nearest.empty()) return nearest;
  if (names.empty()) return "there is none";
  std::string hint = "there is ";
  for (size_t i = 0; i < std::min(names.size(), kNamesShown); i++) {
    hint += (i == 0 ? "'" : ", '") + names[i] + "'";
  }
  if (names.size() > kNamesShown) hint += fmt::format(" and {} more", names.size() - kNamesShown);
  return hint;
}

void Complain(const std::string& message, const std::string& hint) {
  std::fprintf(stderr, "agentctl: %s (%s)\n", message.c_str(), hint.c_str());
}

template <typename Item, typename NameOf>
const Item* Choose(const std::vector<Item>& items, const std::string& name, const char* what,
                   NameOf name_of) {
  std::vector<std::string> names;
  for (const Item& item : items) {
    if (name_of(item) == name) return &item;
    names.push_back(name_of(item));
  }
  Complain(fmt::format("there is no {} '{}' in the configuration", what, name), Hint(name, names));
  return nullptr;
}

// Groups of static_configs are known by their number in it, from 0.
std::string SourceText(const std::string& source) {
  size_t entry = 0;
  const auto [end, error] = std::from_chars(source.data(), source.data() + source.size(), entry);
  if (error != std::errc() || end != source.data() + source.size()) return source;
  return fmt::format("static_configs entry {}", entry + 1);
}

// Of the only job; nullopt if discovery takes too long.
std::optional<std::vector<TargetGroup>> DiscoverGroups(FileSystem& files, const Config& config,
                                                       const std::string& job) {
  SystemEventLoop loop;
  SystemTransport http(loop, {});
  CaresTransport dns(loop);
  Discovery discovery(
      {loop, files, http, dns}, [](const std::string&, const std::vector<TargetGroup>&) {},
      [](const std::string& warning) { std::fprintf(stderr, "agentctl: %s\n", warning.c_str()); });
  discovery.Apply(config);
  std::optional<std::vector<TargetGroup>> groups;
  const MonotonicTime end = loop.Now() + kDiscoveryMax;
  Timer step(loop);
  const std::function<void()> look = [&] {
    groups = discovery.SettledGroups(job);
    if (groups || loop.Now() > end) return loop.Stop();
    step.SetAfter(kDiscoveryStep, look);
  };
  step.SetAfter(nanoseconds(0), look);
  loop.Run();
  return groups;
}

// How long fetching a configuration may take.
constexpr nanoseconds kFetchMax = seconds(20);

Result<std::string> FetchConfigText(FileSystem& files, const ConfigLocation& location) {
  SystemEventLoop loop;
  SystemTransport http(loop, {});
  ConfigFetch fetch(
      loop, http, files, [](const char* name) { return std::getenv(name); }, location);
  Result<std::string> got = Fail("");
  fetch.Start(kFetchMax, [&](Result<std::string> text) {
    got = std::move(text);
    loop.Stop();
  });
  loop.Run();
  return got;
}

// Whether the command line has asked for it. A process runs one command.
bool expand_env = false;

}  // namespace

void AddExpandEnv(CLI::App& command) {
  command.add_flag(
      "--config.expand-env", expand_env,
      "As the agent's: replace %{NAME} and %{NAME:-default} in all values by variables "
      "of the environment.");
}

LoadResult LoadConfigFile(FileSystem& files, const std::string& path, bool check_files) {
  LoadOptions options;
  options.check_files = check_files;
  options.getenv = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
  options.expand_env = expand_env;
  options.host_name = HostName();
  const auto location = ParseConfigLocation(path);
  if (location && location->is_file()) return LoadConfig(files, path, options);
  const Result<std::string> text =
      location ? FetchConfigText(files, *location) : Fail(location.error().message);
  if (text) return LoadConfigText(files, path, *text, options);
  std::string why = text.error().message;
  if (why.starts_with(path + ": ")) why.erase(0, path.size() + 2);
  LoadResult result;
  result.unreadable = true;
  result.diagnostics.push_back(
      {Diagnostic::Severity::kError, path, 0, 0, "cannot be read: " + why, ""});
  return result;
}

void PrintDiagnostics(const std::vector<Diagnostic>& diagnostics) {
  for (const Diagnostic& diagnostic : diagnostics) {
    std::fprintf(stderr, "%s\n", diagnostic.ToString().c_str());
  }
}

std::shared_ptr<const Config> ReadConfig(FileSystem& files, const std::string& path, int& status) {
  LoadResult result = LoadConfigFile(files, path);
  PrintDiagnostics(result.diagnostics);
  if (result.config == nullptr) status = result.unreadable ? kExitUsage : kExitBad;
  return result.config;
}

const ScrapeConfig* ChooseJob(const Config& config, const std::string& name) {
  return Choose(config.scrape_configs, name, "job",
                [](const ScrapeConfig& job) { return job.job_name; });
}

const RemoteWriteConfig* ChooseRemote(const Config& config, const std::string& name) {
  return Choose(config.remote_write, name, "remote_write entry",
                [](const RemoteWriteConfig& remote) { return remote.name; });
}

std::vector<DiscoveredTarget> DiscoverTargets(FileSystem& files, const Config& config,
                                              const ScrapeConfig& job) {
  Config only = config;
  only.scrape_configs = {job};
  const std::optional<std::vector<TargetGroup>> groups = DiscoverGroups(files, only, job.job_name);
  if (!groups) {
    std::fprintf(stderr, "agentctl: not all who name targets of the job have answered in %d s\n",
                 static_cast<int>(kDiscoveryMax / seconds(1)));
    return {};
  }
  std::vector<DiscoveredTarget> targets;
  for (const TargetGroup& group : *groups) {
    const std::string source = SourceText(group.source);
    for (const std::string& address : group.targets) {
      targets.push_back({DiscoveredLabels(job, address, group.labels), source});
    }
  }
  return targets;
}

bool IsSelected(const DiscoveredTarget& target, const std::string& text) {
  return target.labels.Get("__address__").find(text) != std::string_view::npos;
}

size_t CountSelected(const std::vector<DiscoveredTarget>& targets, const std::string& job_name,
                     const std::string& text) {
  const auto selected =
      std::count_if(targets.begin(), targets.end(),
                    [&](const DiscoveredTarget& target) { return IsSelected(target, text); });
  if (targets.empty()) {
    std::fprintf(stderr, "agentctl: no targets are found for the job '%s'\n", job_name.c_str());
  } else if (selected == 0) {
    std::vector<std::string> addresses;
    for (const DiscoveredTarget& target : targets) {
      addresses.emplace_back(target.labels.Get("__address__"));
    }
    Complain(fmt::format("no target of the job '{}' has '{}' in its address", job_name, text),
             Hint(text, addresses));
  }
  return static_cast<size_t>(selected);
}

std::string FormatPosition(const RulePosition& position) {
  if (position.file.empty()) return "";
  return fmt::format("{}:{}", position.file, position.line);
}

}  // namespace tributary
