// Discovery: keeps the target groups of every job, from static_configs and file_sd_configs.
// Follows prometheus/prometheus discovery/manager.go (3.16).
//
// Control loop only, and never called from inside its own callbacks. Files are read on the loop, at
// most kTargetFileBytesMax of each. Metrics are Prometheus' (prometheus_sd_*, name="scrape").
//
// When a job's groups reach the callback:
// - after Apply: at once, on the loop's next turn; for a new job also when it has no targets;
// - new targets: at once, but at least a second after the update before;
// - targets gone: after two seconds. A file that is written anew piece by piece, or emptied and
//   filled again, loses nothing in that time.
// Files are read after the system tells of a change in their folder, at most once a second, and
// every refresh_interval; where several entries name files of one folder, at the shortest of
// theirs.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/discovery/file_provider.h"
#include "agent/telemetry/metric_sink.h"
#include "common/config/model.h"
#include "common/event/event_loop.h"
#include "common/file/file_system.h"

namespace tributary {

class Discovery {
 public:
  // All groups of the job, static ones first; none is empty.
  using OnUpdate = std::function<void(const std::string& job, std::vector<TargetGroup> groups)>;
  using Warn = std::function<void(std::string)>;

  // `loop` and `files` must outlive it.
  Discovery(EventLoop& loop, FileSystem& files, OnUpdate on_update, Warn warn);
  // No callback comes after it.
  ~Discovery();
  Discovery(const Discovery&) = delete;
  Discovery& operator=(const Discovery&) = delete;

  // Takes over the jobs of a configuration. A job whose static_configs and file_sd_configs are what
  // they were is not touched: it gets no update for it, and its groups stay. Of a changed job the
  // unchanged parts stay. Jobs that are gone are forgotten without an update.
  void Apply(const Config& config);

  // What the callback was last given for the job; empty for an unknown one. For those who build the
  // targets anew, with other rules.
  std::vector<TargetGroup> Groups(const std::string& job) const;

  void Collect(MetricSink& sink) const;

 private:
  struct FileSource;
  struct Job;
  struct Directory;
  // When a change is told.
  enum class Urgency { kAtOnce, kByKind };

  static bool SameSources(const Job& job, const ScrapeConfig& config);
  // Returns the file sources that are new and still to be read.
  std::vector<FileSource*> SetSources(Job& job, const ScrapeConfig& config);
  static std::vector<TargetGroup> Compose(const Job& job);
  void WatchDirectories();
  void Watch(const std::string& path, Directory& directory);
  // Sees to it that the folder is read at `when` or before.
  void ReadAt(const std::string& path, Directory& directory, MonotonicTime when);
  void ReadDirectory(const std::string& path, Directory& directory);
  void Refresh(FileSource& source);
  void Changed(Job& job, Urgency urgency);
  void Deliver(Job& job);

  EventLoop& loop_;
  FileSystem& files_;
  OnUpdate on_update_;
  Warn warn_;
  std::map<std::string, std::unique_ptr<Job>> jobs_;
  std::map<std::string, std::unique_ptr<Directory>> directories_;

  uint64_t received_updates_ = 0;
  uint64_t sent_updates_ = 0;
  uint64_t delayed_updates_ = 0;
  uint64_t file_read_errors_ = 0;
  uint64_t file_watcher_errors_ = 0;
};

}  // namespace tributary
