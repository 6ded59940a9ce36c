// What the agent tells about itself through the HTTP API: plain values, copied out of the threads
// that own the real things.
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

// What discovery could not find out when it last tried.
struct DiscoveryError {
  std::string scrape_pool;
  std::string error;
};

struct TargetsStatus {
  std::vector<TargetStatus> active;
  std::vector<DroppedTarget> dropped;                          // those kept
  std::vector<std::pair<std::string, size_t>> dropped_counts;  // by pool, exact
  std::vector<DiscoveryError> discovery_errors;                // by pool
};

struct KindCounts {
  uint64_t samples = 0, histograms = 0, exemplars = 0;
};

// A remote_write entry's queue and ledger (agent/remote/remote_ledger.h).
struct RemoteStatus {
  std::string name;
  std::string url;      // without secrets
  std::string message;  // as `protobuf_message` has it
  uint64_t shards = 0, shards_min = 0, shards_max = 0;
  double shards_desired = 0;
  // In the log: of the last record that was read, of the last before which all are delivered or
  // dropped, of the last that there is. Each worker counts for itself.
  struct Position {
    uint64_t read = 0, done = 0, end = 0;
  };
  std::vector<Position> positions;
  // Neither delivered nor dropped, of the kinds that the remote takes.
  KindCounts backlog;
  uint64_t backlog_disk_bytes = 0;  // at most: segments count whole where their inside is not known
  double backlog_seconds = 0;       // the age of the oldest; 0: there is none
  uint64_t requests_in_flight = 0, requests_waiting = 0;  // waiting: to be tried again
  TimestampMs last_error_ms = 0, last_success_ms = 0;     // 0: never
  std::string last_error;                                 // in the receiver's words
  uint64_t requests = 0, bytes_sent = 0;
  KindCounts accepted, recovered, sent, failed, retried, unwanted, pending, unread;
  std::vector<std::pair<std::string, KindCounts>> dropped;  // by reason
};

struct LogStatus {
  bool on_disk = false;
  std::string path;  // "": in memory
  uint64_t memory_bytes = 0, memory_records = 0, unwritten_records = 0;
  uint64_t disk_bytes = 0, segments = 0;
  bool disk_failing = false;
  std::string last_disk_error;
  KindCounts appended, recovered, evicted;
  uint64_t damaged_bytes = 0, unfinished_bytes = 0, foreign_files = 0;
  uint64_t segments_removed = 0, segments_dropped = 0;
  uint64_t write_failures = 0, sync_failures = 0, read_failures = 0;
};

struct RemoteWriteStatus {
  std::vector<RemoteStatus> remotes;
  LogStatus log;
};

// Adds what another worker says of its part.
void Add(RemoteWriteStatus& sum, const RemoteWriteStatus& part);

// Who has many of the series that were dropped for a limit.
struct SeriesOffender {
  std::string name;
  uint64_t series = 0;  // at most
  uint64_t error = 0;   // by which that may be too high
  uint64_t values = 0;  // of a label: how many different ones it has in them, roughly
};

// A limit on series (agent/limits).
struct SeriesLimitStatus {
  std::string scope;  // target, job, sender, remote
  std::string name;   // of the job or remote
  uint64_t limit = 0;
  // Series that count towards it; of limits that hold for one each (target, sender) there is none.
  bool has_active = false;
  uint64_t active = 0;
  uint64_t dropped_series = 0, dropped_samples = 0;  // since it is there
  TimestampMs last_dropped_ms = 0;                   // a new series; 0: never
  std::vector<SeriesOffender> sources, metrics, labels;
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
