#include "test/sim/sim_world.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "common/base/assert.h"

namespace tributary {

namespace {

constexpr nanoseconds kStep = milliseconds(500);
constexpr size_t kProblemsMax = 20;

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
  double sum = 0;

 private:
  std::string family_, url_;
};

}  // namespace

struct World::WorkerProcess {
  WorkerProcess(World& world, size_t index)
      : loop(world.time_),
        transport(world.network_, loop, "agent"),
        hash(HashKey::FromSeed(world.options_.seed + index)),
        worker(loop, transport, world.files_, world.logger_, hash,
               {world.options_.log, world.options_.seed * 31 + index}) {}

  SimProcess loop;
  SimTransport transport;
  HashKey hash;
  Worker worker;
};

World::World(const WorldOptions& options)
    : options_(options),
      random_(options.seed),
      network_(options.seed),
      logger_(Logger::Silent()),
      control_(time_),
      control_http_(network_, control_, "control"),
      control_dns_(dns_, control_) {
  network_.set_latency(kLatency);
  wall_offsets_.emplace_back(MonotonicTime{}, time_.WallNs());
  // Not at a round moment.
  time_.RunFor(random_.Between(nanoseconds(0), seconds(100)));
}

World::~World() = default;

SimTarget& World::AddTarget(uint32_t id) {
  targets_.push_back(std::make_unique<SimTarget>(network_, id, random_.Next()));
  return *targets_.back();
}

SimRemote& World::AddRemote(const std::string& host) {
  remotes_.push_back(std::make_unique<SimRemote>(
      network_, host, random_.Next(), [this](std::string text) { Problem(std::move(text)); }));
  return *remotes_.back();
}

SimTarget* World::Target(uint32_t id) {
  for (const auto& target : targets_) {
    if (target->id() == id) return target.get();
  }
  return nullptr;
}

void World::WriteTargets(const std::string& path, const std::vector<uint32_t>& ids) {
  std::string text = "- targets: [";
  for (uint32_t id : ids) text += fmt::format("'{}', ", Target(id)->address());
  files_.WriteFile(path, text + "]\n");
}

Status World::Start(const std::string& config) {
  files_.WriteFile(kConfigFile, config);
  std::vector<Agent::WorkerRef> refs;
  for (size_t i = 0; i < options_.workers; i++) {
    workers_.push_back(std::make_unique<WorkerProcess>(*this, i));
    refs.push_back({&workers_.back()->loop, &workers_.back()->worker});
  }
  AgentOptions agent_options;
  agent_options.config_file = kConfigFile;
  agent_options.hostname = "sim";
  agent_ = std::make_unique<Agent>(
      DiscoverySeams{control_, files_, control_http_, control_dns_}, logger_, std::move(refs),
      agent_options);
  Status started = agent_->Start();
  time_.RunDue();
  return started;
}

Status World::Reload(const std::string& config) {
  files_.WriteFile(kConfigFile, config);
  Status reloaded = agent_->Reload();
  time_.RunDue();
  return reloaded;
}

void World::Run(nanoseconds duration) {
  const MonotonicTime end = time_.Now() + duration;
  while (time_.Now() < end) {
    time_.RunUntil(std::min(end, time_.Now() + kStep));
    FollowScrapes();
    CheckAccounts();
  }
}

bool World::RunUntil(const std::function<bool()>& holds, nanoseconds limit) {
  const MonotonicTime end = time_.Now() + limit;
  while (!holds() && time_.Now() < end) Run(std::min<nanoseconds>(kStep, end - time_.Now()));
  return holds();
}

void World::StepWall(nanoseconds by) {
  FollowScrapes();
  time_.StepWall(by);
  wall_offsets_.emplace_back(time_.Now(), time_.WallNs() - time_.Now().time_since_epoch().count());
  if (by < nanoseconds(0)) {
    for (const auto& remote : remotes_) remote->clock_went_back = true;
  }
}

World::End World::Shutdown(nanoseconds deadline) {
  End end;
  const MonotonicTime begin = time_.Now();
  agent_->Shutdown(deadline, [&](bool drained) {
    if (end.done) Problem("Shutdown called back twice");
    end.done = true;
    end.drained = drained;
    end.took = time_.Now() - begin;
  });
  const MonotonicTime limit = begin + deadline + seconds(60);
  while (!end.done && time_.Now() < limit) {
    time_.RunUntil([&] { return end.done; }, kStep);
    FollowScrapes();
    CheckAccounts();
  }
  return end;
}

const Worker& World::worker(size_t i) const { return workers_[i]->worker; }

RemoteTotals World::Totals(const SimRemote& remote) const {
  RemoteTotals totals;
  for (const auto& process : workers_) {
    for (const auto& queue : process->worker.remotes()) {
      if (queue->config().url != remote.url()) continue;
      const RemoteQueueStats& stats = queue->stats();
      totals.queues++;
      totals.pending += queue->pending().total();
      totals.stats += stats;
    }
  }
  return totals;
}

double World::Gauge(const SimRemote& remote, const std::string& name) const {
  GaugeSink sink(name, remote.url());
  for (const auto& process : workers_) process->worker.Collect(sink);
  return sink.sum;
}

uint64_t World::appended_samples() const {
  uint64_t samples = 0;
  for (const auto& process : workers_) samples += process->worker.log().stats().appended.samples;
  return samples;
}

uint64_t World::evicted_samples() const {
  uint64_t samples = 0;
  for (const auto& process : workers_) samples += process->worker.log().stats().evicted.samples;
  return samples;
}

ScrapeStats World::scrape_stats() const {
  ScrapeStats sum;
  for (const auto& process : workers_) {
    const ScrapeStats& stats = process->worker.scrape_stats();
    sum.scrapes += stats.scrapes;
    sum.scrapes_failed += stats.scrapes_failed;
    sum.appended += stats.appended;
    sum.skipped_clock += stats.skipped_clock;
    sum.skipped_ticks += stats.skipped_ticks;
    sum.out_of_order += stats.out_of_order;
  }
  return sum;
}

bool World::AllSent() const {
  const uint64_t appended = appended_samples();
  return std::all_of(remotes_.begin(), remotes_.end(),
                     [&](const auto& remote) {
                       const RemoteTotals totals = Totals(*remote);
                       return totals.queues == 0 ||
                              (totals.pending == 0 && totals.stats.read.samples <= appended);
                     }) &&
         std::all_of(workers_.begin(), workers_.end(), [](const auto& process) {
           return process->worker.log().stats().records == 0;
         });
}

int64_t World::WallNsAt(MonotonicTime time) const {
  auto it = std::find_if(wall_offsets_.rbegin(), wall_offsets_.rend(),
                         [&](const auto& entry) { return entry.first <= time; });
  CHECK(it != wall_offsets_.rend());
  return time.time_since_epoch().count() + it->second;
}

const std::vector<ScrapeTrace>& World::Scrapes(uint32_t target) const {
  static const std::vector<ScrapeTrace> kNone;
  auto it = scrapes_.find(target);
  return it == scrapes_.end() ? kNone : it->second;
}

void World::FollowScrapes() {
  const auto& exchanges = network_.exchanges();
  const uint64_t fresh = network_.exchanges_total() - exchanges_seen_;
  if (fresh > exchanges.size()) Problem("too many exchanges in one step to follow");
  exchanges_seen_ = network_.exchanges_total();
  for (size_t i = exchanges.size() - std::min<size_t>(fresh, exchanges.size());
       i < exchanges.size(); i++) {
    const SimExchange& exchange = exchanges[i];
    if (exchange.method != "GET") continue;
    auto target = std::find_if(targets_.begin(), targets_.end(),
                               [&](const auto& t) { return t->address() == exchange.server; });
    if (target == targets_.end()) continue;
    const uint32_t id = (*target)->id();
    ScrapeTrace trace;
    trace.started = exchange.started;
    trace.ended = exchange.ended;
    trace.due_ms = WallNsAt(exchange.started) / 1'000'000;
    trace.cancelled = exchange.cancelled;
    if (exchange.served) trace.number = ++served_[id];
    if (exchange.served && exchange.outcome.ok() && !exchange.cancelled) {
      trace.up = (*target)->scrapes()[trace.number - 1].whole;
      trace.garbage = (*target)->scrapes()[trace.number - 1].garbage;
    }
    std::vector<ScrapeTrace>& traces = scrapes_[id];
    if (!traces.empty() && trace.started < traces.back().ended) {
      Problem(fmt::format("two scrapes of target {} at a time", id));
    }
    traces.push_back(trace);
  }
}

void World::CheckQueue(const RemoteQueue& queue) {
  const SampleCounts& read = queue.stats().read;
  const SampleCounts accounted = queue.stats().finished() + queue.pending();
  if (read != accounted) {
    Problem(fmt::format("{}: {} samples, {} histograms, {} exemplars read, {}, {}, {} accounted for",
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

void World::CheckAccounts() {
  for (const auto& process : workers_) {
    const SampleLogStats& log = process->worker.log().stats();
    if (log.bytes > options_.log.memory_bytes) Problem("the log is over its limit");
    for (const auto& queue : process->worker.remotes()) CheckQueue(*queue);
  }
}

std::string World::AtNow(const std::string& text) const {
  const std::chrono::duration<double> at = time_.Now().time_since_epoch();
  return fmt::format("{:.3f}s: {}", at.count(), text);
}

void World::Note(const std::string& text) { notes_.push_back(AtNow(text)); }

void World::Problem(std::string text) {
  if (problems_.size() < kProblemsMax) problems_.push_back(AtNow(text));
}

std::string World::Report() const {
  std::string text = fmt::format("seed {}\n", options_.seed);
  for (const std::string& note : notes_) text += note + "\n";
  text += "-- problems\n";
  for (const std::string& problem : problems_) text += problem + "\n";
  return text;
}

std::string FileSdJob(const std::string& name, const std::string& file, const std::string& interval,
                      const std::string& timeout) {
  return fmt::format(
      "- job_name: {}\n"
      "  scrape_interval: {}\n"
      "  scrape_timeout: {}\n"
      "  file_sd_configs:\n"
      "  - files: ['{}']\n"
      "    refresh_interval: 30s\n",
      name, interval, timeout, file);
}

}  // namespace tributary
