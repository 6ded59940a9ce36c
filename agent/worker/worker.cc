#include "agent/worker/worker.h"

#include <algorithm>
#include <utility>

namespace tributary {

Worker::Worker(EventLoop& loop, HttpTransport& transport, FileSystem& files, Logger& logger,
               const HashKey& hash, WorkerOptions options)
    : loop_(loop),
      transport_(transport),
      files_(files),
      logger_(logger),
      random_(options.random_seed),
      dead_letters_(std::move(options.dead_letters)),
      workers_(options.workers),
      limits_(options.limits != nullptr ? *options.limits : own_limits_),
      log_(loop, options.log, std::move(options.disk)),
      aggregates_(loop, log_, std::move(options.aggregates)),
      // Ids that nobody can guess, and that are others in each process.
      tracer_({loop, transport, files, logger}, hash(std::to_string(options.random_seed))),
      environment_{loop, transport, files,   log_, metadata_, logger,  hash,
                   0,    1,         nullptr, {},   {},        &tracer_},
      scrapes_(environment_),
      receiver_(loop, log_, metadata_, hash,
                options.election != nullptr ? *options.election : own_election_,
                options.memory != nullptr ? &options.memory->step() : nullptr, &limits_),
      frames_(loop) {
  environment_.limits = &limits_;
  if (options.look_back_ms > 0) {
    latest_ = std::make_unique<LatestSamples>(options.look_back_ms);
    log_.set_on_append([this](const std::shared_ptr<const GroupSamples>& record) {
      latest_->Take(record, loop_.WallMs());
    });
  }
  if (options.memory == nullptr) return;
  environment_.shed = &options.memory->step();
  environment_.look_at_memory = [memory = options.memory] { memory->Raise(); };
}

std::unique_ptr<RemoteQueue> Worker::TakeQueue(std::vector<std::unique_ptr<RemoteQueue>>& old,
                                               const RemoteWriteConfig& remote, bool by_name) {
  for (std::unique_ptr<RemoteQueue>& queue : old) {
    if (queue == nullptr) continue;
    const RemoteWriteConfig& config = queue->config();
    if (by_name ? config.name == remote.name : config.url == remote.url) return std::move(queue);
  }
  return nullptr;
}

void Worker::ShareRules(RemoteSpec& spec) const {
  for (const auto& other : remotes_) {
    if (other != nullptr && HaveEqualRules(other->spec(), spec)) {
      spec.rules = other->spec().rules;
      return;
    }
  }
}

void Worker::ApplyConfig(const std::shared_ptr<const Config>& config, uint64_t offset_seed) {
  environment_.offset_seed = offset_seed;
  tracer_.Apply(config->tracing);
  aggregates_.ApplyConfig(*config);
  const auto wants_families = [](const RemoteWriteConfig& remote) {
    return remote.message == RemoteWriteMessage::kV2;
  };
  const bool wanted =
      std::any_of(config->remote_write.begin(), config->remote_write.end(), wants_families);
  environment_.series_families = wanted ? &series_families_ : nullptr;
  receiver_.ApplyConfig(*config, wanted, environment_.series_families);
  std::vector<std::unique_ptr<RemoteQueue>> old = std::move(remotes_);
  const size_t count = config->remote_write.size();
  remotes_.clear();
  remotes_.resize(count);
  // Names decide before URLs do: an entry must not take the queue of another that is still there.
  for (bool by_name : {true, false}) {
    for (size_t i = 0; i < count; i++) {
      if (remotes_[i] == nullptr) remotes_[i] = TakeQueue(old, config->remote_write[i], by_name);
    }
  }
  for (size_t i = 0; i < count; i++) {
    RemoteSpec spec = MakeRemoteSpec(*config, config->remote_write[i]);
    ShareRules(spec);
    if (remotes_[i] == nullptr) {
      remotes_[i] = std::make_unique<RemoteQueue>(
          RemoteEnvironment{loop_, transport_, files_, log_, metadata_, logger_,
                            [this] { return random_(); }, &tracer_, dead_letters_, workers_,
                            &frames_, &limits_},
          std::move(spec));
    } else if (!remotes_[i]->Serves(spec)) {
      remotes_[i]->Reconfigure(std::move(spec));
    }
  }
  for (size_t i = 0; i < count; i++) {
    remotes_[i]->SetSeriesLimit(config->remote_write[i].series_limit);
  }
  for (const auto& queue : old) {
    if (queue != nullptr) queue->Forget();
  }
}

void Worker::ApplyTargets(std::shared_ptr<const ScrapeJob> job,
                          const std::vector<std::shared_ptr<const TargetSpec>>& targets) {
  scrapes_.Apply(std::move(job), targets);
}

void Worker::Drain(std::function<void()> drained) {
  // What was scraped may still be on its way into the log.
  log_.AfterAppends([this, drained = std::move(drained)] {
    // One more than the remotes, so that a worker without any is drained too.
    auto left = std::make_shared<size_t>(remotes_.size() + 1);
    auto one_done = [this, left, drained] {
      if (--*left == 0) tracer_.Finish(drained);
    };
    for (const auto& remote : remotes_) remote->Drain(one_done);
    one_done();
  });
}

void Worker::Flush(std::function<void()> done) {
  for (const auto& remote : remotes_) remote->Stop();
  aggregates_.Flush([this, done = std::move(done)]() mutable { log_.Flush(std::move(done)); });
}

RemoteWriteStatus Worker::RemoteWrite() const {
  const auto kinds = [](const SampleCounts& counts) {
    return KindCounts{counts.samples, counts.histograms, counts.exemplars};
  };
  RemoteWriteStatus status;
  for (const auto& remote : remotes_) status.remotes.push_back(remote->status());
  LogStatus& log = status.log;
  const SampleLogStats& stats = log_.stats();
  log.memory_bytes = stats.bytes;
  log.memory_records = stats.records;
  log.unwritten_records = stats.unwritten_records;
  log.appended = kinds(stats.appended);
  log.recovered = kinds(stats.recovered);
  log.evicted = kinds(stats.evicted);
  if (log_.disk() == nullptr) return status;
  const DiskLogStats& disk = log_.disk()->stats();
  log.on_disk = true;
  log.path = log_.disk()->path();
  log.disk_bytes = disk.bytes;
  log.segments = disk.segments;
  log.disk_failing = stats.disk_failing;
  log.last_disk_error = log_.disk()->last_error();
  log.damaged_bytes = disk.damaged_bytes;
  log.unfinished_bytes = disk.unfinished_bytes;
  log.foreign_files = disk.foreign_files;
  log.segments_removed = disk.segments_removed;
  log.segments_dropped = disk.segments_dropped;
  log.write_failures = disk.write_failures;
  log.sync_failures = disk.sync_failures;
  log.read_failures = disk.read_failures;
  return status;
}

std::vector<LatestOfGroup> Worker::Latest() const {
  return latest_ == nullptr ? std::vector<LatestOfGroup>() : latest_->Snapshot();
}

void Worker::Collect(MetricSink& sink) const {
  scrapes_.Collect(sink);
  receiver_.Collect(sink);
  aggregates_.Collect(sink);
  for (const auto& remote : remotes_) remote->Collect(sink);
  tracer_.Collect(sink);
  const SampleLogStats& stats = log_.stats();
  auto counter = [&](const char* name, const char* help, uint64_t value) {
    sink.AddCounter(name, help, {}, static_cast<double>(value));
  };
  counter("prometheus_remote_storage_samples_in_total", "Samples put into the sample log.",
          stats.appended.samples);
  counter("prometheus_remote_storage_histograms_in_total", "Histograms put into the sample log.",
          stats.appended.histograms);
  counter("prometheus_remote_storage_exemplars_in_total", "Exemplars put into the sample log.",
          stats.appended.exemplars);
  counter("tributary_log_evicted_samples_total",
          "Samples that left the log because it was full or they were too old.",
          stats.evicted.samples);
  counter("tributary_log_evicted_histograms_total",
          "Histograms that left the log because it was full or they were too old.",
          stats.evicted.histograms);
  counter("tributary_log_evicted_exemplars_total",
          "Exemplars that left the log because it was full or they were too old.",
          stats.evicted.exemplars);
  auto gauge = [&](const char* name, const char* help, double value) {
    sink.AddGauge(name, help, {}, value);
  };
  gauge("tributary_log_memory_bytes", "Bytes of samples of the log in memory.",
        static_cast<double>(stats.bytes));
  sink.AddGauge("tributary_memory_bytes", "Memory in use, by part.", {{"part", "frames"}},
                static_cast<double>(frames_.memory_bytes()));
  if (latest_ != nullptr) {
    sink.AddGauge("tributary_memory_bytes", "Memory in use, by part.", {{"part", "latest"}},
                  static_cast<double>(latest_->memory_bytes()));
  }
  gauge("tributary_log_memory_records", "Records of the log in memory.",
        static_cast<double>(stats.records));
  if (log_.disk() == nullptr) return;
  const DiskLogStats& disk = log_.disk()->stats();
  counter("tributary_log_recovered_samples_total", "Samples found in the log at the start.",
          stats.recovered.samples);
  gauge("tributary_log_unwritten_records", "Records in memory that are not on disk yet.",
        static_cast<double>(stats.unwritten_records));
  sink.AddGreatest("tributary_log_disk_failing",
                   "1 while the disk is full, fails or stalls, and samples are kept in memory.", {},
                   stats.disk_failing ? 1 : 0);
  gauge("tributary_log_disk_bytes", "Bytes of the log on disk.", static_cast<double>(disk.bytes));
  gauge("tributary_log_segments", "Segments of the log on disk.",
        static_cast<double>(disk.segments));
  counter("tributary_log_segments_removed_total", "Segments that every remote was done with.",
          disk.segments_removed);
  counter("tributary_log_segments_dropped_total", "Segments dropped at a limit.",
          disk.segments_dropped);
  counter("tributary_log_damaged_bytes_total", "Bytes of the log that could not be read.",
          disk.damaged_bytes);
  counter("tributary_log_unfinished_bytes_total",
          "Bytes of commits that had not ended when a process died.", disk.unfinished_bytes);
  counter("tributary_log_foreign_files_total", "Files in the log's folder that are none of its.",
          disk.foreign_files);
  counter("tributary_log_unreadable_segments_total",
          "Segments that could not be read at the start and are left out.",
          disk.unreadable_segments);
  counter("tributary_log_repeated_segments_total",
          "Segments found at the start of which another has all, after writes that failed.",
          disk.repeated_segments);
  counter("tributary_log_write_failures_total", "Writes that failed.", disk.write_failures);
  counter("tributary_log_sync_failures_total", "Syncs that failed.", disk.sync_failures);
  counter("tributary_log_read_failures_total", "Reads that failed.", disk.read_failures);
  counter("tributary_log_cursor_failures_total",
          "Times that how far a remote is could not be written down.", disk.cursor_failures);
  counter("tributary_log_remove_failures_total",
          "Segments that were to be removed and are still on disk.", disk.remove_failures);
}

}  // namespace tributary
