#include "agent/daemon/options.h"

#include <algorithm>
#include <iostream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/base/units.h"
#include "common/base/version.h"

namespace tributary {

namespace {

constexpr int kBadFlags = 2;

// Of Prometheus' feature flags: what there is to switch on, and what is on here without one.
constexpr std::string_view kStartTimestamps = "st-storage";
constexpr std::string_view kAlwaysOn[] = {"exemplar-storage", "metadata-wal-records",
                                          "native-histograms"};

// Empty: good; else what is wrong.
std::string EnableFeatures(const std::vector<std::string>& names, DaemonOptions& options) {
  for (const std::string& name : names) {
    if (name == kStartTimestamps) {
      options.start_timestamps = true;
    } else if (std::find(std::begin(kAlwaysOn), std::end(kAlwaysOn), name) == std::end(kAlwaysOn)) {
      return fmt::format("--enable-feature: there is no feature '{}' here; known are {}, and without "
                         "effect, as they are always on, {}",
                         name, kStartTimestamps, fmt::join(kAlwaysOn, ", "));
    }
  }
  return "";
}

}  // namespace

std::optional<DaemonOptions> ParseCommandLine(int argc, char** argv, int& exit_code) {
  DaemonOptions options;
  std::string deadline = "20s", level = "info", format = "logfmt";
  std::vector<std::string> features;
  CLI::App app{
      "Tributary scrapes Prometheus targets and forwards their samples by remote write.\n"
      "Documentation: docs/operating.md, docs/configuration.md"};
  app.set_version_flag("--version", fmt::format("tributary, version {} (revision: {})", Version(),
                                                Revision()));
  app.add_option("--config.file", options.config_file, "The configuration file, Prometheus' own format")
      ->capture_default_str();
  app.add_option("--web.listen-address", options.listen_address,
                 "Where to serve the API, /metrics and the UI: host:port")
      ->capture_default_str();
  app.add_flag("--web.enable-lifecycle,!--no-web.enable-lifecycle", options.enable_lifecycle,
               "Allow to reload and to stop the agent by HTTP (/-/reload, /-/quit)");
  app.add_option("--storage.path", options.storage_path, "The agent's own folder; one agent a folder")
      ->capture_default_str();
  app.add_option("--shutdown.deadline", deadline,
                 "How long, at SIGTERM, unsent samples may take to be delivered")
      ->capture_default_str();
  app.add_option("--enable-feature", features,
                 "Features by their names in Prometheus, separated by commas: st-storage reads start "
                 "timestamps (_created, protobuf) and sends them by remote write 2.0")
      ->delimiter(',');
  app.add_option("--log.level", level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.add_option("--log.format", format, "logfmt or json")
      ->check(CLI::IsMember({"logfmt", "json"}))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    exit_code = app.exit(error) == 0 ? 0 : kBadFlags;
    return std::nullopt;
  }
  auto parsed_deadline = ParseDuration(deadline);
  if (!parsed_deadline) {
    std::cerr << "--shutdown.deadline: " << parsed_deadline.error().message << "\n";
    exit_code = kBadFlags;
    return std::nullopt;
  }
  if (const std::string problem = EnableFeatures(features, options); !problem.empty()) {
    std::cerr << problem << "\n";
    exit_code = kBadFlags;
    return std::nullopt;
  }
  options.shutdown_deadline = *parsed_deadline;
  options.log_level = *ParseLogLevel(level);
  options.log_format = format == "json" ? Logger::Format::kJson : Logger::Format::kLogfmt;
  options.flags = {{"config.file", options.config_file},
                   {"enable-feature", fmt::format("{}", fmt::join(features, ","))},
                   {"log.format", format},
                   {"log.level", level},
                   {"shutdown.deadline", deadline},
                   {"storage.path", options.storage_path},
                   {"web.enable-lifecycle", options.enable_lifecycle ? "true" : "false"},
                   {"web.listen-address", options.listen_address}};
  return options;
}

}  // namespace tributary
