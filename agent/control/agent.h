// The agent's control: configuration, discovery, reload, the end. It decides which worker has which
// target, and hands workers immutable snapshots; it never touches a sample.
//
// Everything here is called on the control loop, but ready(). Workers run on loops of their own (in
// the simulator: on the same), and are only ever spoken to by Post.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/discovery/discovery.h"
#include "agent/limits/series_limits.h"
#include "agent/logging/logger.h"
#include "agent/scrape/local_hosts.h"
#include "agent/target/shard.h"
#include "agent/target/target.h"
#include "agent/telemetry/status.h"
#include "agent/worker/worker.h"
#include "common/config/config_files.h"
#include "common/config/loader.h"

namespace tributary {

struct AgentOptions {
  std::string config_file;
  std::string hostname;  // spreads the scrapes of replicas
  LoadOptions load;
  // How often to look whether the file has changed, and to reload it then; 0: never, and where the
  // configuration is no file.
  nanoseconds auto_reload{0};
  // --scrape.local-identity: the node's own IP addresses, asked for at every load;
  // null: local targets are scraped as all others.
  std::function<std::vector<std::string>()> node_addresses = nullptr;
  // --shard: of the targets these are this agent's, and those on its own machine (loopback, Unix
  // sockets), which are others for each agent.
  Shard shard = {};
  // Of the process; outlives the agent. Null: one of its own.
  SeriesLimits* limits = nullptr;
};

class Agent {
 public:
  // A worker and the loop on which it lives. It must exist until the agent has shut down.
  struct WorkerRef {
    EventLoop* loop;
    Worker* worker;
  };

  // Seams and logger must outlive it; the loop of the seams is the control loop.
  Agent(const DiscoverySeams& seams, Logger& logger, std::vector<WorkerRef> workers,
        AgentOptions options);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // Loads the configuration and begins. The error has every diagnostic, a line each. `text`: the
  // configuration itself where it is no file (fetched_config.h); config_file is its name then.
  Status Start(const std::optional<std::string>& text = std::nullopt);
  // Loads the file, or the text, anew. What it says is applied whole, or, with an error, nothing of
  // it. An error once Shutdown was called.
  Status Reload(const std::optional<std::string>& text = std::nullopt);
  // The reload has failed before there was anything to load: says so. The error again.
  Status RefuseReload(std::string error);
  // Scrapes no more, sends what is in the logs, and runs `done` when that is delivered or
  // `deadline` has passed; `drained` tells which.
  void Shutdown(nanoseconds deadline, std::function<void(bool drained)> done);

  // A configuration is in force. Any thread.
  bool ready() const { return ready_.load(std::memory_order_relaxed); }
  std::shared_ptr<const Config> config() const { return config_; }
  // All but those that are scraped: they are the workers'.
  void FillDropped(TargetsStatus& status) const;
  TimestampMs last_config_ms() const { return last_config_ms_; }
  bool last_reload_succeeded() const { return last_reload_succeeded_; }
  void Collect(MetricSink& sink) const;

 private:
  struct Job {
    ScrapeConfig config;
    RelabelRules relabel;
    std::vector<Labels> dropped;
    size_t dropped_count = 0;
    size_t elsewhere = 0;  // targets of other shards
    uint64_t sync_failed = 0;
    uint64_t relabel_dropped = 0;  // targets, at each sync
    uint64_t syncs = 0;
  };

  // What was not delivered goes to disk, if that takes it soon.
  void Flush(std::function<void()> done);
  Status LoadAndApply(const std::optional<std::string>& text);
  void LookForChanges();
  void Apply(std::shared_ptr<const Config> config);
  // Whether they are others than before.
  bool ReadNodeAddresses();
  // The limits on series of jobs and remotes that are gone are no more.
  void ForgetLimits();
  void Sync(const std::string& job_name, const std::vector<TargetGroup>& groups);
  Worker* WorkerOf(const TargetSpec& target) const;
  bool IsMine(const TargetSpec& target) const;

  const DiscoverySeams seams_;
  EventLoop& loop_;
  Logger& logger_;
  const std::vector<WorkerRef> workers_;
  const AgentOptions options_;
  std::vector<std::string> node_addresses_;
  std::shared_ptr<const LocalHosts> local_hosts_;  // null: no --scrape.local-identity
  ConfigFiles config_files_;
  Timer auto_reload_timer_;
  std::shared_ptr<const Config> config_;
  SeriesLimits own_limits_;
  SeriesLimits& limits_;
  std::map<std::string, Job> jobs_;
  std::unique_ptr<Discovery> discovery_;
  Timer shutdown_timer_;
  std::atomic<bool> ready_{false};
  bool last_reload_succeeded_ = false;
  TimestampMs last_config_ms_ = 0;
  uint64_t pool_reloads_ = 0;
  uint64_t over_target_limit_ = 0;
};

}  // namespace tributary
