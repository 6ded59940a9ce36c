// What the world sees of the agent's figures, and what must hold for them at all times.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "test/sim/sim_world_process.h"

namespace tributary {

namespace {

// A disk that failed is tried again after 10 s at the latest.
constexpr nanoseconds kWrittenAfter = seconds(15);
// Of pieces of work that wait for the disk, however long it stalls.
constexpr size_t kWaitingMax = 500;

// Keeps the gauges of one remote.
class GaugeSink : public MetricSink {
 public:
  GaugeSink(std::string family, std::string url)
      : family_(std::move(family)), url_(std::move(url)) {}
  void AddCounter(std::string_view, std::string_view, const MetricLabels&, double) override {}
  void AddHistogram(std::string_view, std::string_view, const MetricLabels&,
                    const Histogram&) override {}
  void AddSummary(std::string_view, std::string_view, const MetricLabels&, uint64_t,
                  double) override {}
  void AddGauge(std::string_view name, std::string_view, const MetricLabels& labels,
                double value) override {
    const std::pair<std::string, std::string> wanted{"url", url_};
    if (name == family_ && std::find(labels.begin(), labels.end(), wanted) != labels.end()) {
      sum += value;
    }
  }
  void AddGreatest(std::string_view, std::string_view, const MetricLabels&, double) override {}
  double sum = 0;

 private:
  std::string family_, url_;
};

}  // namespace

const Worker& World::worker(size_t i) const { return *process_->workers[i]->worker; }

RemoteTotals World::Totals(const SimRemote& remote) const {
  RemoteTotals totals;
  for (const WorkerProcess* process : WorkerProcesses()) {
    for (const auto& queue : process->worker->remotes()) {
      if (queue->config().url != remote.url()) continue;
      const RemoteQueueStats& stats = queue->stats();
      totals.queues++;
      totals.pending += queue->pending().total();
      totals.unread += queue->unread().total();
      totals.stats += stats;
    }
  }
  return totals;
}

RemoteQueueStats World::PastStats(const SimRemote& remote) const {
  auto it = past_.remotes.find(remote.url());
  return it == past_.remotes.end() ? RemoteQueueStats{} : it->second;
}

double World::Gauge(const SimRemote& remote, const std::string& name) const {
  GaugeSink sink(name, remote.url());
  for (const WorkerProcess* process : WorkerProcesses()) process->worker->Collect(sink);
  return sink.sum;
}

uint64_t World::appended_samples() const {
  uint64_t samples = 0;
  for (const WorkerProcess* process : WorkerProcesses()) {
    samples += process->worker->log().stats().appended.samples;
  }
  return samples;
}

uint64_t World::evicted_samples() const {
  uint64_t samples = past_.evicted;
  for (const WorkerProcess* process : WorkerProcesses()) {
    samples += process->worker->log().stats().evicted.samples;
  }
  return samples;
}

ScrapeStats World::scrape_stats() const {
  ScrapeStats sum = past_.scrapes;
  for (const WorkerProcess* process : WorkerProcesses()) {
    const ScrapeStats& stats = process->worker->scrape_stats();
    sum.scrapes += stats.scrapes;
    sum.scrapes_failed += stats.scrapes_failed;
    sum.appended += stats.appended;
    sum.skipped_clock += stats.skipped_clock;
    sum.skipped_ticks += stats.skipped_ticks;
    sum.out_of_order += stats.out_of_order;
  }
  return sum;
}

uint64_t World::CountedLosses(const SimRemote& remote) const {
  DropCounts dropped = PastStats(remote).dropped;
  dropped += Totals(remote).stats.dropped;
  return evicted_samples() + dropped[DropReason::kLogDamaged].samples +
         dropped[DropReason::kRefused].samples;
}

bool World::AllSent() const {
  const std::vector<WorkerProcess*> processes = WorkerProcesses();
  return std::all_of(processes.begin(), processes.end(), [](const WorkerProcess* process) {
    const auto& queues = process->worker->remotes();
    return process->worker->log().stats().records == 0 &&
           std::all_of(queues.begin(), queues.end(), [](const auto& queue) {
             return queue->pending().total() == 0 && queue->unread().total() == 0;
           });
  });
}

bool World::AllWritten() const {
  const std::vector<WorkerProcess*> processes = WorkerProcesses();
  return !processes.empty() &&
         std::all_of(processes.begin(), processes.end(), [](const WorkerProcess* process) {
           return process->worker->log().disk() != nullptr &&
                  process->worker->log().stats().unwritten_records == 0;
         });
}

// A process that has just started finds at least what the one before had left.
void World::CheckLeft() {
  for (const auto& remote : remotes_) {
    const RemoteTotals totals = Totals(*remote);
    const uint64_t found = totals.unread + totals.pending + totals.stats.finished().total();
    if (auto left = past_.left.find(remote->url());
        totals.queues > 0 && left != past_.left.end() && found < left->second) {
      Problem(fmt::format("{}: {} were left to send, {} are found", remote->host(), left->second,
                          found));
    }
  }
}

void World::CheckQueue(const RemoteQueue& queue) {
  const SampleCounts& read = queue.stats().read;
  const SampleCounts accounted = queue.stats().finished() + queue.pending();
  if (read != accounted) {
    Problem(
        fmt::format("{}: {} samples, {} histograms, {} exemplars read, {}, {}, {} accounted for",
                    queue.config().url, read.samples, read.histograms, read.exemplars,
                    accounted.samples, accounted.histograms, accounted.exemplars));
  }
  const RemoteLedger ledger = queue.ledger();
  if (ledger.balances()) return;
  const SampleCounts in = ledger.in(), out = ledger.out();
  Problem(fmt::format(
      "{}: the ledger has {} samples, {} histograms, {} exemplars come in and {}, {}, {} go out",
      queue.config().url, in.samples, in.histograms, in.exemplars, out.samples, out.histograms,
      out.exemplars));
}

void World::CheckDisk(WorkerProcess& process) {
  const SampleLog& log = process.worker->log();
  if (log.disk() == nullptr) return;
  size_t closed = 0;
  for (const uint32_t p : log.disk()->partitions()) {
    const auto& segments = log.disk()->segments(p);
    closed += static_cast<size_t>(std::count_if(segments.begin(), segments.end(),
                                                [](const auto& one) { return one.closed; }));
  }
  // It is looked at once a second.
  const bool over = log.disk()->stats().bytes > options_.disk->retention_bytes && closed > 0;
  process.over_retention = over ? process.over_retention + 1 : 0;
  if (process.over_retention > 3) {
    Problem(fmt::format("{} bytes on disk, in {} closed segments and others",
                        log.disk()->stats().bytes, closed));
  }
  const size_t waiting = process.io.waiting() + process.slow_io.waiting();
  if (waiting > kWaitingMax) {
    Problem(fmt::format("{} pieces of work wait for the disk", waiting));
  }
}

void World::CheckAccounts() {
  for (WorkerProcess* process : WorkerProcesses()) {
    const SampleLogStats& log = process->worker->log().stats();
    if (log.bytes > options_.log.memory_bytes) Problem("the log is over its limit");
    for (const auto& queue : process->worker->remotes()) CheckQueue(*queue);
    CheckDisk(*process);
  }
  const MonotonicTime now = time_.Now();
  if (AllWritten()) {
    doubts_.Written(now);
  } else if (running() && options_.disk && !doubts_.disk_ill() &&
             now - std::max({doubts_.disk_well_since(), doubts_.written(), process_begun_}) >
                 kWrittenAfter) {
    Problem("what was scraped does not get to disk");
  }
}

}  // namespace tributary
