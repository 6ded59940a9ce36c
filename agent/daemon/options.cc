#include "agent/daemon/options.h"

#include <algorithm>
#include <iostream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "common/base/host_name.h"
#include "common/base/units.h"
#include "common/base/version.h"

namespace tributary {

namespace {

constexpr int kBadFlags = 2;

// Of Prometheus' feature flags: what there is to switch on, and what is on here without one.
constexpr std::string_view kStartTimestamps = "st-storage";
constexpr std::string_view kAutoReload = "auto-reload-config";
constexpr std::string_view kAlwaysOn[] = {"exemplar-storage", "metadata-wal-records",
                                          "native-histograms"};

struct ReloadFlags {
  bool automatic = false;
  std::string interval = "30s";

  void Register(CLI::App& app) {
    app.add_flag("--config.auto-reload", automatic,
                 "Reload the configuration when its files have changed; as "
                 "--enable-feature=auto-reload-config");
    app.add_option("--config.auto-reload-interval", interval,
                   "How often to look whether they have changed")
        ->capture_default_str();
  }

  // Empty: good; else what is wrong.
  std::string Apply(DaemonOptions& options) const {
    const auto parsed = ParseDuration(interval);
    if (!parsed) return "--config.auto-reload-interval: " + parsed.error().message;
    if (*parsed < seconds(1)) {
      return fmt::format("--config.auto-reload-interval: {} is less than 1s", interval);
    }
    if (automatic) options.auto_reload = *parsed;
    return "";
  }
};

// Empty: good; else what is wrong.
std::string EnableFeatures(const std::vector<std::string>& names, DaemonOptions& options,
                           ReloadFlags& reload) {
  for (const std::string& name : names) {
    if (name == kStartTimestamps) {
      options.start_timestamps = true;
    } else if (name == kAutoReload) {
      reload.automatic = true;
    } else if (std::find(std::begin(kAlwaysOn), std::end(kAlwaysOn), name) == std::end(kAlwaysOn)) {
      return fmt::format(
          "--enable-feature: there is no feature '{}' here; known are {}, {}, and without "
          "effect, as they are always on, {}",
          name, kAutoReload, kStartTimestamps, fmt::join(kAlwaysOn, ", "));
    }
  }
  return "";
}

// The flags of the sample log, as they are given.
struct StorageFlags {
  std::string mode = "disk", retention_size = "2GiB", retention_time = "1d", fsync = "interval";
  std::string memory_size;
  double free_percent = 5;

  void Register(CLI::App& app, DaemonOptions& options) {
    app.add_option("--storage.path", options.storage_path,
                   "The agent's own folder; one agent a folder")
        ->capture_default_str();
    app.add_option(
           "--storage.mode", mode,
           "Where samples are until they are delivered: disk, or memory where nothing can be "
           "written; then a restart loses them")
        ->check(CLI::IsMember({"disk", "memory"}))
        ->capture_default_str();
    app.add_option("--storage.retention.size", retention_size,
                   "How much the sample log may take on disk; the oldest samples go first")
        ->capture_default_str();
    app.add_option("--storage.retention.time", retention_time,
                   "How long samples that were not delivered are kept on disk")
        ->capture_default_str();
    app.add_option("--storage.free.percent", free_percent,
                   "Below this much free space on the disk samples are kept in memory; 0: no limit")
        ->check(CLI::Range(0.0, 99.0))
        ->capture_default_str();
    app.add_option("--storage.memory.size", memory_size,
                   "How much memory samples may take that are not on disk; the oldest go first "
                   "[64MiB, in --storage.mode=memory 256MiB]");
    app.add_option(
           "--storage.fsync", fsync,
           "When samples are safe from a loss of power: always, before a scrape counts as "
           "taken; interval, within a second; never, when the system pleases. The end of the "
           "process loses nothing in any case")
        ->check(CLI::IsMember({"always", "interval", "never"}))
        ->capture_default_str();
  }

  // Empty: good; else what is wrong.
  std::string Apply(DaemonOptions& options) {
    options.storage_on_disk = mode == "disk";
    if (memory_size.empty()) memory_size = options.storage_on_disk ? "64MiB" : "256MiB";
    const auto retention = ParseSize(retention_size);
    if (!retention) return "--storage.retention.size: " + retention.error().message;
    if (*retention < kRetentionMin) {
      return fmt::format("--storage.retention.size: {} is less than {}", retention_size,
                         FormatSize(kRetentionMin));
    }
    const auto time = ParseDuration(retention_time);
    if (!time) return "--storage.retention.time: " + time.error().message;
    if (*time < std::chrono::minutes(1)) {
      return fmt::format("--storage.retention.time: {} is less than 1m", retention_time);
    }
    const auto memory = ParseSize(memory_size);
    if (!memory) return "--storage.memory.size: " + memory.error().message;
    if (*memory < kMemoryMin) {
      return fmt::format("--storage.memory.size: {} is less than {}", memory_size,
                         FormatSize(kMemoryMin));
    }
    options.log.retention_bytes = *retention;
    options.log.segment_bytes =
        std::clamp<uint64_t>(*retention / kSegmentsInRetention, 1 << 20, 16 << 20);
    options.log.retention_time = *time;
    options.log.free_min = free_percent / 100;
    options.log.fsync = fsync == "always"  ? Fsync::kAlways
                        : fsync == "never" ? Fsync::kNever
                                           : Fsync::kInterval;
    options.log_memory.memory_bytes = *memory;
    return "";
  }

  // Each partition has a segment that is being written; a limit is kept by dropping closed ones.
  static constexpr uint64_t kSegmentsInRetention = 4 * kLogPartitions;
  static constexpr uint64_t kRetentionMin = 32 << 20;
  static constexpr uint64_t kMemoryMin = 1 << 20;
};

// Empty: good; else what is wrong.
std::string ApplyMemoryLimit(const std::string& text, DaemonOptions& options) {
  // Below it an agent without targets would shed already.
  constexpr uint64_t kLeast = 16 << 20;
  if (text.empty()) return "";
  // A bare number is bytes, as Kubernetes' downward API has it.
  const bool bare = text.find_first_not_of("0123456789") == std::string::npos;
  const auto limit = ParseSize(bare ? text + "B" : text);
  if (!limit) return "--memory.limit: " + limit.error().message;
  if (*limit > 0 && *limit < kLeast) {
    return fmt::format("--memory.limit: {} is less than {}", text, FormatSize(kLeast));
  }
  options.memory_limit = *limit;
  return "";
}

// Empty: good; else what is wrong.
std::string ApplyLookBack(const std::string& text, DaemonOptions& options) {
  const auto look_back = ParseDuration(text);
  if (!look_back) return "--query.lookback-delta: " + look_back.error().message;
  if (*look_back < seconds(1)) {
    return fmt::format("--query.lookback-delta: {} is less than 1s", text);
  }
  options.look_back = *look_back;
  return "";
}

// Empty: good; else what is wrong.
std::string ApplyShard(const std::string& text, uint32_t replicas, DaemonOptions& options) {
  if (text.empty()) {
    return replicas == 1 ? "" : "--shard.replicas has no effect without --shard";
  }
  const auto shard = ParseShard(text, replicas, HostName());
  if (!shard) return "--shard: " + shard.error().message;
  options.shard = *shard;
  return "";
}

}  // namespace

std::optional<DaemonOptions> ParseCommandLine(int argc, char** argv, int& exit_code) {
  DaemonOptions options;
  std::string memory_limit, shard, deadline = "20s", level = "info", format = "logfmt";
  std::string look_back = "5m";
  uint32_t shard_replicas = 1;
  std::vector<std::string> features;
  CLI::App app{
      "Tributary scrapes Prometheus targets and forwards their samples by remote write.\n"
      "Documentation: docs/operating.md, docs/configuration.md"};
  app.set_version_flag("--version",
                       fmt::format("tributary, version {} (revision: {})", Version(), Revision()));
  app.add_option(
         "--config.file", options.config_file,
         "The configuration file, Prometheus' own format; or what the agent fetches itself: "
         "env:VARIABLE, ssm:PARAMETER, s3://BUCKET/KEY")
      ->capture_default_str();
  app.add_flag(
      "--config.expand-env", options.expand_env,
      "Replace %{NAME} and %{NAME:-default} in all values of the configuration by variables "
      "of the environment");
  app.add_option("--web.listen-address", options.listen_address,
                 "Where to serve the API, /metrics and the UI: host:port")
      ->capture_default_str();
  app.add_option("--web.config.file", options.web_config_file,
                 "TLS, client certificates, users and headers of the web server, in Prometheus' "
                 "format; read again when it changes");
  app.add_flag("--web.enable-lifecycle,!--no-web.enable-lifecycle", options.enable_lifecycle,
               "Allow to reload and to stop the agent by HTTP (/-/reload, /-/quit)");
  app.add_flag("--web.enable-federation,!--no-web.enable-federation", options.enable_federation,
               "Serve the latest samples of all series at /federate; takes 8 bytes of memory a "
               "series");
  app.add_option("--query.lookback-delta", look_back,
                 "How old a sample may be that /federate tells of")
      ->capture_default_str();
  app.add_flag(
      "--web.enable-remote-write-receiver,!--no-web.enable-remote-write-receiver",
      options.enable_receiver,
      "Take what others send by remote write 1.0 and 2.0 to /api/v1/write, and forward it");
  ReloadFlags reload;
  reload.Register(app);
  StorageFlags storage;
  storage.Register(app, options);
  app.add_flag("--scrape.local-identity", options.local_identity,
               "Ask targets on this machine for pages that are not compressed: loopback, the "
               "node's own addresses, $HOST_IP, Unix sockets");
  app.add_option("--shard", shard,
                 "Scrape a part of the targets, and leave the rest to other agents with the same "
                 "configuration: MEMBER/MEMBERS, from 0/MEMBERS on, or hostname/MEMBERS for the "
                 "number at the end of a StatefulSet's pod's name");
  app.add_option("--shard.replicas", shard_replicas,
                 "How many of the members of --shard scrape each target")
      ->check(CLI::Range(1U, kShardMembersMax))
      ->capture_default_str();
  app.add_option(
         "--workers", options.workers,
         "Threads that scrape and send, each with its own part of the targets; may be another "
         "number at each start. One is enough for a million samples a second")
      ->check(CLI::Range(1U, kLogPartitions))
      ->capture_default_str();
  app.add_option("--memory.limit", memory_limit,
                 "Memory that the agent may take before it sheds load; 0: no limit [that of its "
                 "control group]");
  app.add_option("--shutdown.deadline", deadline,
                 "How long, at SIGTERM, unsent samples may take to be delivered; what is left then "
                 "stays on disk for the next start")
      ->capture_default_str();
  app.add_option(
         "--enable-feature", features,
         "Features by their names in Prometheus, separated by commas: st-storage reads start "
         "timestamps (_created, protobuf) and sends them by remote write 2.0; "
         "auto-reload-config is --config.auto-reload")
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
  std::string problem = EnableFeatures(features, options, reload);
  auto location = ParseConfigLocation(options.config_file);
  if (!location) {
    problem = "--config.file: " + location.error().message;
  } else {
    options.config_location = *std::move(location);
  }
  if (problem.empty()) problem = ApplyLookBack(look_back, options);
  if (problem.empty()) problem = reload.Apply(options);
  if (problem.empty()) problem = storage.Apply(options);
  if (problem.empty()) problem = ApplyMemoryLimit(memory_limit, options);
  if (problem.empty()) problem = ApplyShard(shard, shard_replicas, options);
  if (!problem.empty()) {
    std::cerr << problem << "\n";
    exit_code = kBadFlags;
    return std::nullopt;
  }
  options.shutdown_deadline = *parsed_deadline;
  options.log_level = *ParseLogLevel(level);
  options.log_format = format == "json" ? Logger::Format::kJson : Logger::Format::kLogfmt;
  options.flags = {{"config.auto-reload", reload.automatic ? "true" : "false"},
                   {"config.auto-reload-interval", reload.interval},
                   {"config.expand-env", options.expand_env ? "true" : "false"},
                   {"config.file", options.config_file},
                   {"enable-feature", fmt::format("{}", fmt::join(features, ","))},
                   {"log.format", format},
                   {"log.level", level},
                   {"memory.limit", memory_limit},
                   {"query.lookback-delta", look_back},
                   {"scrape.local-identity", options.local_identity ? "true" : "false"},
                   {"shard", shard},
                   {"shard.replicas", std::to_string(shard_replicas)},
                   {"shutdown.deadline", deadline},
                   {"storage.free.percent", fmt::format("{}", storage.free_percent)},
                   {"storage.fsync", storage.fsync},
                   {"storage.memory.size", storage.memory_size},
                   {"storage.mode", storage.mode},
                   {"storage.path", options.storage_path},
                   {"storage.retention.size", storage.retention_size},
                   {"storage.retention.time", storage.retention_time},
                   {"web.config.file", options.web_config_file},
                   {"web.enable-federation", options.enable_federation ? "true" : "false"},
                   {"web.enable-lifecycle", options.enable_lifecycle ? "true" : "false"},
                   {"web.enable-remote-write-receiver", options.enable_receiver ? "true" : "false"},
                   {"web.listen-address", options.listen_address},
                   {"workers", std::to_string(options.workers)}};
  return options;
}

}  // namespace tributary
