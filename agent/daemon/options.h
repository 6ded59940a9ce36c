// The command line of the daemon. Flags that Prometheus has bear its names.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/log/sample_log.h"
#include "agent/logging/logger.h"
#include "agent/target/shard.h"
#include "common/config_source/location.h"

namespace tributary {

struct DaemonOptions {
  std::string config_file = "prometheus.yml";
  ConfigLocation config_location;  // what config_file says
  bool expand_env = false;
  std::string listen_address = "127.0.0.1:9095";
  std::string storage_path = "data-tributary";
  uint32_t workers = 1;
  bool storage_on_disk = true;
  DiskLogOptions log;  // less its path
  SampleLogOptions log_memory;
  std::string web_config_file;  // "": none
  bool enable_lifecycle = false;
  bool enable_federation = false;
  std::chrono::milliseconds look_back{0};    // of federation
  bool enable_receiver = false;              // --web.enable-remote-write-receiver
  std::chrono::milliseconds auto_reload{0};  // 0: off
  bool local_identity = false;               // --scrape.local-identity
  Shard shard;                               // --shard, --shard.replicas
  bool start_timestamps = false;             // --enable-feature=st-storage
  std::optional<uint64_t> memory_limit;      // bytes, 0: none; nullopt: the control group's
  std::chrono::milliseconds shutdown_deadline{20000};
  LogLevel log_level = LogLevel::kInfo;
  Logger::Format log_format = Logger::Format::kLogfmt;
  // Every flag and its value in force, for /api/v1/status/flags.
  std::vector<std::pair<std::string, std::string>> flags;
};

// Nullopt: the process is to end with `exit_code` (help and version 0, bad flags 2); what there is
// to say has been printed.
std::optional<DaemonOptions> ParseCommandLine(int argc, char** argv, int& exit_code);

}  // namespace tributary
