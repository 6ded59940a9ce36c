// A worker: a whole vertical slice of the agent on one event loop. It has some of the targets and
// of the series that are received, their layouts, its own sample log, and a queue for each remote;
// it shares nothing with other workers but who of several replicas is elected, and the room that
// limits on series leave.
//
// Everything here is called on the worker's loop.
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "agent/aggregate/aggregates.h"
#include "agent/latest/latest_samples.h"
#include "agent/limits/series_limits.h"
#include "agent/log/sample_log.h"
#include "agent/logging/logger.h"
#include "agent/receive/receiver.h"
#include "agent/remote/frame_store.h"
#include "agent/remote/remote_queue.h"
#include "agent/scrape/scrape_manager.h"
#include "agent/series/metadata_pool.h"
#include "agent/tracing/tracer.h"

namespace tributary {

struct WorkerOptions {
  SampleLogOptions log;
  std::unique_ptr<DiskLog> disk;  // null: samples are kept in memory only
  uint64_t random_seed = 0;       // of jitter
  uint64_t workers = 1;           // in the process
  MemoryGuard* memory = nullptr;  // outlives the worker; null: no memory limit
  // Of the process; outlives the worker. Null: one of its own.
  ReplicaElection* election = nullptr;
  SeriesLimits* limits = nullptr;     // as `election`
  DeadLetterPlace dead_letters = {};  // none: what remotes refuse is counted only
  AggregateOptions aggregates = {};
  // For how long the latest sample of each series is kept for whoever asks; 0: not at all.
  TimestampMs look_back_ms = 0;
};

class Worker {
 public:
  // All outlive the worker.
  Worker(EventLoop& loop, HttpTransport& transport, FileSystem& files, Logger& logger,
         const HashKey& hash, WorkerOptions options);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Takes over the remotes. One that the old configuration had (by name, else by URL) keeps its
  // backlog. Jobs and their targets come by ApplyTargets and RemoveJob.
  void ApplyConfig(const std::shared_ptr<const Config>& config, uint64_t offset_seed);
  void ApplyTargets(std::shared_ptr<const ScrapeJob> job,
                    const std::vector<std::shared_ptr<const TargetSpec>>& targets);
  void RemoveJob(const std::string& job_name) { scrapes_.Remove(job_name); }

  // Ends scraping and receiving; what is in the log can still be sent.
  void StopScraping() {
    scrapes_.Stop();
    receiver_.Stop();
    aggregates_.Stop();
  }
  // Sends all that is in the log; `drained` runs when every remote has it or has dropped it, and
  // what is left of the traces has been exported or has had its time.
  void Drain(std::function<void()> drained);
  // Runs `done` when what is left is on disk, as far as the disk takes it.
  // Nothing is sent any more.
  void Flush(std::function<void()> done);

  void FillStatus(std::vector<TargetStatus>& targets) const { scrapes_.FillStatus(targets); }
  void Collect(MetricSink& sink) const;
  RemoteWriteStatus RemoteWrite() const;
  // The latest samples of all series; none if they are not kept.
  std::vector<LatestOfGroup> Latest() const;

  Aggregates& aggregates() { return aggregates_; }
  Receiver& receiver() { return receiver_; }
  const SampleLog& log() const { return log_; }
  const ScrapeStats& scrape_stats() const { return environment_.stats; }
  const Tracer& tracer() const { return tracer_; }
  const std::vector<std::unique_ptr<RemoteQueue>>& remotes() const { return remotes_; }

 private:
  // Takes the queue that has served this entry until now out of `old`; null if there is none.
  static std::unique_ptr<RemoteQueue> TakeQueue(std::vector<std::unique_ptr<RemoteQueue>>& old,
                                                const RemoteWriteConfig& remote, bool by_name);
  // With a remote whose rules are equal, so that they send the same blocks.
  void ShareRules(RemoteSpec& spec) const;

  EventLoop& loop_;
  HttpTransport& transport_;
  FileSystem& files_;
  Logger& logger_;
  std::mt19937_64 random_;
  const DeadLetterPlace dead_letters_;
  const uint64_t workers_;
  SeriesLimits own_limits_;
  SeriesLimits& limits_;
  MetadataPool metadata_;
  MetadataPool series_families_;           // those of series that are gone included
  std::unique_ptr<LatestSamples> latest_;  // null: they are not kept
  SampleLog log_;
  Aggregates aggregates_;
  Tracer tracer_;
  ScrapeEnvironment environment_;
  ScrapeManager scrapes_;
  ReplicaElection own_election_;
  Receiver receiver_;
  FrameStore frames_;
  std::vector<std::unique_ptr<RemoteQueue>> remotes_;
};

}  // namespace tributary
