#include "test/sim/sim_world.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "common/base/assert.h"
#include "test/sim/sim_world_process.h"

namespace tributary {

namespace {

constexpr nanoseconds kStep = milliseconds(500);
constexpr size_t kProblemsMax = 20;

}  // namespace

World::World(const WorldOptions& options)
    : options_(options),
      random_(options.seed),
      network_(options.seed),
      disk_(options.seed),
      disk_latency_(options.disk_latency),
      doubts_(options.disk ? options.disk->fsync : Fsync::kNever),
      logger_(Logger::Silent()) {
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

Status World::Reload(const std::string& config) {
  files_.WriteFile(kConfigFile, config);
  Status reloaded = process_->agent->Reload();
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

void World::RunUntilDiskBusy(nanoseconds limit) {
  time_.RunUntil(
      [&] {
        const std::vector<WorkerProcess*> processes = WorkerProcesses();
        return std::any_of(processes.begin(), processes.end(),
                           [](const WorkerProcess* process) { return process->io.waiting() > 0; });
      },
      limit);
  FollowScrapes();
  CheckAccounts();
}

void World::StepWall(nanoseconds by) {
  FollowScrapes();
  time_.StepWall(by);
  wall_offsets_.emplace_back(time_.Now(), time_.WallNs() - time_.Now().time_since_epoch().count());
  if (by < nanoseconds(0)) {
    for (const auto& remote : remotes_) remote->clock_went_back = true;
  }
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
    trace.process = processes_;
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
