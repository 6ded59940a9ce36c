#include "agent/worker/worker.h"

#include <algorithm>

namespace tributary {

Worker::Worker(EventLoop& loop, HttpTransport& transport, FileSystem& files, Logger& logger,
               const HashKey& hash, const WorkerOptions& options)
    : loop_(loop),
      transport_(transport),
      files_(files),
      logger_(logger),
      random_(options.random_seed),
      log_(loop, options.log),
      // Ids that nobody can guess, and that are others in each process.
      tracer_({loop, transport, files, logger}, hash(std::to_string(options.random_seed))),
      environment_{loop, transport, files,   log_, metadata_, logger,  hash,
                   0,    1,         nullptr, {},   {},        &tracer_},
      scrapes_(environment_) {}

std::unique_ptr<RemoteQueue> Worker::TakeQueue(std::vector<std::unique_ptr<RemoteQueue>>& old,
                                               const RemoteWriteConfig& remote, bool by_name) {
  for (std::unique_ptr<RemoteQueue>& queue : old) {
    if (queue == nullptr) continue;
    const RemoteWriteConfig& config = queue->config();
    if (by_name ? config.name == remote.name : config.url == remote.url) return std::move(queue);
  }
  return nullptr;
}

void Worker::ApplyConfig(const std::shared_ptr<const Config>& config, uint64_t offset_seed) {
  environment_.offset_seed = offset_seed;
  tracer_.Apply(config->tracing);
  const auto wants_families = [](const RemoteWriteConfig& remote) {
    return remote.message == RemoteWriteMessage::kV2;
  };
  const bool wanted = std::any_of(config->remote_write.begin(), config->remote_write.end(),
                                  wants_families);
  environment_.series_families = wanted ? &series_families_ : nullptr;
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
    if (remotes_[i] == nullptr) {
      remotes_[i] = std::make_unique<RemoteQueue>(
          RemoteEnvironment{loop_, transport_, files_, log_, metadata_, logger_,
                            [this] { return random_(); }, &tracer_},
          std::move(spec));
    } else if (!remotes_[i]->Serves(spec)) {
      remotes_[i]->Reconfigure(std::move(spec));
    }
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

void Worker::Collect(MetricSink& sink) const {
  scrapes_.Collect(sink);
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
  sink.AddGauge("tributary_log_bytes", "Bytes of samples in the log.", {},
                static_cast<double>(stats.bytes));
  sink.AddGauge("tributary_log_records", "Records in the log.", {},
                static_cast<double>(stats.records));
  counter("tributary_log_evicted_samples_total", "Samples that left the log because it was full.",
          stats.evicted.samples);
  counter("tributary_log_evicted_histograms_total",
          "Histograms that left the log because it was full.", stats.evicted.histograms);
  counter("tributary_log_evicted_exemplars_total",
          "Exemplars that left the log because it was full.", stats.evicted.exemplars);
  sink.AddCounter("tributary_log_appends_refused_total",
                  "Commits refused because too many were under way.", {},
                  static_cast<double>(stats.appends_refused));
}

}  // namespace tributary
