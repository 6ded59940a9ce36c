// What the agent tells about itself through the HTTP API: plain values, copied out of the threads that
// own the real things.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "common/labels/labels.h"

namespace tributary {

struct TargetStatus {
  enum class Health { kUnknown, kUp, kDown };
  Labels discovered_labels;  // before relabeling
  Labels labels;             // of the series
  std::string scrape_pool;
  std::string scrape_url;
  std::string last_error;
  TimestampMs last_scrape_ms = 0;  // 0: never
  double last_scrape_duration_seconds = 0;
  Health health = Health::kUnknown;
  std::string scrape_interval;  // "15s"
  std::string scrape_timeout;
};

struct DroppedTarget {
  Labels discovered_labels;
  std::string scrape_pool;
};

struct TargetsStatus {
  std::vector<TargetStatus> active;
  std::vector<DroppedTarget> dropped;                              // those kept
  std::vector<std::pair<std::string, size_t>> dropped_counts;      // by pool, exact
};

struct RuntimeInfo {
  TimestampMs start_ms = 0;
  std::string cwd;
  std::string hostname;
  TimestampMs server_time_ms = 0;
  bool reload_config_success = false;
  TimestampMs last_config_ms = 0;
  int threads = 0;
  std::string storage_retention;
};

}  // namespace tributary
