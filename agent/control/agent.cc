#include "agent/control/agent.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "agent/log/log_format.h"

namespace tributary {

namespace {

// How long writing what is left may take.
constexpr nanoseconds kFlushMax = seconds(5);

}  // namespace

Agent::Agent(const DiscoverySeams& seams, Logger& logger, std::vector<WorkerRef> workers,
             AgentOptions options)
    : seams_(seams),
      loop_(seams.loop),
      logger_(logger),
      workers_(std::move(workers)),
      options_(std::move(options)),
      config_files_(seams_.files, options_.config_file, options_.load),
      auto_reload_timer_(loop_),
      limits_(options_.limits != nullptr ? *options_.limits : own_limits_),
      shutdown_timer_(loop_) {}

Agent::~Agent() = default;

Status Agent::Start(const std::optional<std::string>& text) {
  discovery_ = std::make_unique<Discovery>(
      seams_,
      [this](const std::string& job, std::vector<TargetGroup> groups) { Sync(job, groups); },
      [this](std::string message) { logger_.Warn(message); });
  std::vector<Aggregates::Peer> peers;
  for (const WorkerRef& ref : workers_) peers.push_back({ref.loop, &ref.worker->aggregates()});
  for (const WorkerRef& ref : workers_) {
    ref.loop->Post([worker = ref.worker, peers] { worker->aggregates().SetPeers(peers); });
  }
  Status started = LoadAndApply(text);
  if (started && options_.auto_reload > nanoseconds(0)) {
    auto_reload_timer_.SetAfter(options_.auto_reload, [this] { LookForChanges(); });
  }
  return started;
}

// A file that is refused is not tried again until it changes.
void Agent::LookForChanges() {
  auto_reload_timer_.SetAfter(options_.auto_reload, [this] { LookForChanges(); });
  const Result<bool> changed = config_files_.Changed();
  if (!changed) {
    logger_.Warn("whether the configuration has changed cannot be seen, the old one stays in force",
                 {{"file", options_.config_file}, {"err", changed.error().message}});
  } else if (*changed) {
    static_cast<void>(Reload());
  }
}

Status Agent::Reload(const std::optional<std::string>& text) {
  if (discovery_ == nullptr) return Fail("the agent is stopping and takes no new configuration");
  logger_.Info("reloading the configuration", {{"file", options_.config_file}});
  Status reloaded = LoadAndApply(text);
  if (!reloaded) return RefuseReload(std::move(reloaded.error().message));
  logger_.Info("the new configuration is in force", {{"file", options_.config_file}});
  return {};
}

Status Agent::RefuseReload(std::string error) {
  last_reload_succeeded_ = false;
  logger_.Error("the new configuration is refused, the old one stays in force",
                {{"file", options_.config_file}, {"err", error}});
  return Fail(std::move(error));
}

Status Agent::LoadAndApply(const std::optional<std::string>& text) {
  // What changes while it is loaded is to be noticed later.
  if (options_.auto_reload > nanoseconds(0)) static_cast<void>(config_files_.Changed());
  LoadResult loaded = text
                          ? LoadConfigText(seams_.files, options_.config_file, *text, options_.load)
                          : LoadConfig(seams_.files, options_.config_file, options_.load);
  std::string errors;
  for (const Diagnostic& diagnostic : loaded.diagnostics) {
    if (diagnostic.severity == Diagnostic::Severity::kWarning) {
      logger_.Warn(diagnostic.ToString());
    } else {
      errors += (errors.empty() ? "" : "\n") + diagnostic.ToString();
    }
  }
  last_reload_succeeded_ = loaded.config != nullptr;
  if (loaded.config == nullptr) return Fail(std::move(errors));
  Apply(std::move(loaded.config));
  return {};
}

void Agent::Apply(std::shared_ptr<const Config> config) {
  const bool same_window =
      config_ != nullptr && config_->out_of_order_time_window == config->out_of_order_time_window;
  const bool same_addresses = !ReadNodeAddresses();
  config_ = std::move(config);
  last_config_ms_ = loop_.WallMs();
  ForgetLimits();
  const uint64_t seed = OffsetSeed(options_.hostname, config_->global.external_labels);
  for (const WorkerRef& ref : workers_) {
    ref.loop->Post(
        [worker = ref.worker, config = config_, seed] { worker->ApplyConfig(config, seed); });
  }
  std::vector<std::string> changed;
  std::map<std::string, Job> jobs;
  for (const ScrapeConfig& scrape : config_->scrape_configs) {
    auto old = jobs_.extract(scrape.job_name);
    if (!old.empty() && same_window && same_addresses && old.mapped().config == scrape) {
      jobs.insert(std::move(old));
      continue;
    }
    Job& job = jobs[scrape.job_name];
    if (!old.empty()) {
      job = std::move(old.mapped());
      pool_reloads_++;
      changed.push_back(scrape.job_name);
    }
    job.config = scrape;
    job.relabel = RelabelRules(scrape.relabel_configs, scrape.metric_name_validation_scheme);
  }
  for (const auto& [name, job] : jobs_) {
    for (const WorkerRef& ref : workers_) {
      ref.loop->Post([worker = ref.worker, name = name] { worker->RemoveJob(name); });
    }
  }
  jobs_ = std::move(jobs);
  discovery_->Apply(*config_);
  // Jobs whose discovery did not change hear nothing from it, though their rules did.
  for (const std::string& name : changed) Sync(name, discovery_->Groups(name));
  ready_ = true;
}

bool Agent::ReadNodeAddresses() {
  if (!options_.node_addresses) return false;
  std::vector<std::string> addresses = options_.node_addresses();
  if (local_hosts_ != nullptr && addresses == node_addresses_) return false;
  node_addresses_ = std::move(addresses);
  local_hosts_ = std::make_shared<const LocalHosts>(node_addresses_);
  return true;
}

void Agent::ForgetLimits() {
  std::set<std::string> jobs, remotes;
  for (const ScrapeConfig& job : config_->scrape_configs) jobs.insert(job.job_name);
  for (const RemoteWriteConfig& remote : config_->remote_write) remotes.insert(remote.name);
  limits_.Keep(LimitScope::kTarget, jobs);
  limits_.Keep(LimitScope::kJob, jobs);
  limits_.Keep(LimitScope::kRemote, remotes);
}

void Agent::Sync(const std::string& job_name, const std::vector<TargetGroup>& groups) {
  auto it = jobs_.find(job_name);
  if (it == jobs_.end()) return;
  Job& job = it->second;
  BuiltTargets built = BuildTargets(job.config, groups, job.relabel);
  job.syncs++;
  job.sync_failed += built.errors.size();
  for (const std::string& error : built.errors) {
    logger_.Error("a target cannot be used", {{"job", job_name}, {"err", error}});
  }
  job.dropped = std::move(built.dropped);
  job.dropped_count = built.dropped_count;
  job.relabel_dropped += built.dropped_count;
  job.elsewhere = std::erase_if(built.active, [&](const auto& target) { return !IsMine(*target); });

  auto scrape_job = std::make_shared<ScrapeJob>(job.config, config_->out_of_order_time_window);
  scrape_job->identity_hosts = local_hosts_;
  scrape_job->target_series_limit =
      limits_.Set(LimitScope::kTarget, job_name, job.config.series_limit_per_target);
  scrape_job->series_limit = limits_.Set(LimitScope::kJob, job_name, job.config.series_limit);
  if (job.config.target_limit > 0 && built.active.size() > job.config.target_limit) {
    over_target_limit_++;
    scrape_job->forced_error =
        fmt::format("target_limit exceeded (number of targets: {}, limit: {})", built.active.size(),
                    job.config.target_limit);
  }
  for (const WorkerRef& ref : workers_) {
    std::vector<std::shared_ptr<const TargetSpec>> mine;
    for (const auto& target : built.active) {
      if (WorkerOf(*target) == ref.worker) mine.push_back(target);
    }
    ref.loop->Post([worker = ref.worker, scrape_job, mine = std::move(mine)] {
      worker->ApplyTargets(scrape_job, mine);
    });
  }
}

// By its labels, so that one which takes the place of another (at another URL) has the same worker:
// that keeps their series in order. A partition of the log belongs to one worker, and a target to a
// partition for ever, so that the log stays with its targets whatever the number of workers.
Worker* Agent::WorkerOf(const TargetSpec& target) const {
  return workers_[target.labels.Hash() % kLogPartitions % workers_.size()].worker;
}

bool Agent::IsMine(const TargetSpec& target) const {
  static const LocalHosts kLoopback({});
  return options_.shard.Has(target.labels.Hash()) || !target.unix_socket.empty() ||
         kLoopback.Has(target.url);
}

void Agent::Shutdown(nanoseconds deadline, std::function<void(bool drained)> done) {
  ready_ = false;
  auto_reload_timer_.Cancel();
  discovery_.reset();
  // Whichever comes first, the last worker or the deadline, takes the callback.
  auto pending = std::make_shared<std::function<void(bool)>>(std::move(done));
  auto finish = [this, pending](bool drained) {
    shutdown_timer_.Cancel();
    if (auto callback = std::exchange(*pending, nullptr)) {
      Flush([callback = std::move(callback), drained] { callback(drained); });
    }
  };
  shutdown_timer_.SetAfter(deadline, [finish] { finish(false); });
  auto left = std::make_shared<size_t>(workers_.size());
  for (const WorkerRef& ref : workers_) {
    ref.loop->Post([this, worker = ref.worker, left, finish] {
      worker->StopScraping();
      worker->Drain([this, left, finish] {
        loop_.Post([left, finish] {
          if (--*left == 0) finish(true);
        });
      });
    });
  }
}

void Agent::Flush(std::function<void()> done) {
  auto pending = std::make_shared<std::function<void()>>(std::move(done));
  auto finish = [this, pending] {
    shutdown_timer_.Cancel();
    if (auto callback = std::exchange(*pending, nullptr)) callback();
  };
  shutdown_timer_.SetAfter(kFlushMax, finish);
  auto left = std::make_shared<size_t>(workers_.size());
  for (const WorkerRef& ref : workers_) {
    ref.loop->Post([this, worker = ref.worker, left, finish] {
      worker->Flush([this, left, finish] {
        loop_.Post([left, finish] {
          if (--*left == 0) finish();
        });
      });
    });
  }
}

void Agent::FillDropped(TargetsStatus& status) const {
  for (const auto& [name, job] : jobs_) {
    status.dropped_counts.emplace_back(name, job.dropped_count);
    for (const Labels& labels : job.dropped) status.dropped.push_back({labels, name});
  }
  if (discovery_ != nullptr) discovery_->AppendErrors(status.discovery_errors);
}

void Agent::Collect(MetricSink& sink) const {
  if (discovery_ != nullptr) discovery_->Collect(sink);
  sink.AddGauge("prometheus_ready", "Whether a configuration is in force.", {}, ready() ? 1 : 0);
  sink.AddGauge("prometheus_config_last_reload_successful",
                "Whether the last configuration that was read could be applied.", {},
                last_reload_succeeded_ ? 1 : 0);
  sink.AddGauge("prometheus_config_last_reload_success_timestamp_seconds",
                "When the configuration in force was read.", {},
                static_cast<double>(last_config_ms_) / 1000);
  sink.AddCounter("prometheus_target_scrape_pools_total", "Scrape pools made.", {},
                  static_cast<double>(jobs_.size()));
  sink.AddCounter("prometheus_target_scrape_pool_reloads_total",
                  "Scrape pools whose configuration changed.", {},
                  static_cast<double>(pool_reloads_));
  sink.AddCounter("prometheus_target_scrape_pool_exceeded_target_limit_total",
                  "How often a scrape pool had more targets than its limit.", {},
                  static_cast<double>(over_target_limit_));
  for (const auto& [name, job] : jobs_) {
    const MetricLabels labels = {{"scrape_job", name}};
    sink.AddCounter("prometheus_target_scrape_pool_sync_total", "Updates of the pool's targets.",
                    labels, static_cast<double>(job.syncs));
    sink.AddCounter("prometheus_target_sync_failed_total", "Targets that could not be used.",
                    labels, static_cast<double>(job.sync_failed));
    if (!options_.shard.is_whole()) {
      sink.AddGauge("tributary_target_scrape_pool_targets_elsewhere",
                    "Targets that other shards scrape (--shard).", labels,
                    static_cast<double>(job.elsewhere));
    }
    sink.AddCounter("tributary_relabel_dropped_total", kRelabelDroppedHelp,
                    {{"stage", "target"}, {"job", name}}, static_cast<double>(job.relabel_dropped));
  }
}

}  // namespace tributary
