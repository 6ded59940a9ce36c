#include "test/sim/sim_world_process.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "common/base/assert.h"

namespace tributary {

namespace {

constexpr nanoseconds kStep = milliseconds(500);
// Of a process that ended in an orderly way: what is still to be done then.
constexpr nanoseconds kFlushMax = seconds(6);

}  // namespace

World::WorkerProcess::WorkerProcess(World& world, uint64_t number, size_t i)
    : index(i),
      loop(world.time_),
      io(loop),
      slow_io(loop),
      transport(world.network_, loop, "agent"),
      hash(HashKey::FromSeed(world.options_.seed + i + 1000 * (number - 1))) {
  for (SimWorkQueue* queue : queues()) {
    queue->set_latency(world.disk_latency_);
    queue->StallUntil(world.disk_stalled_until_);
  }
}

Status World::WorkerProcess::Open(World& world, uint64_t random_seed) {
  WorkerOptions options;
  options.log = world.options_.log;
  options.random_seed = random_seed;
  options.workers = world.workers_;
  if (world.options_.disk) {
    DiskLogOptions disk = *world.options_.disk;
    disk.worker = static_cast<uint32_t>(index);
    disk.workers = static_cast<uint32_t>(world.workers_);
    auto opened = DiskLog::Open({loop, world.disk_, io, world.logger_, &slow_io}, disk);
    if (!opened) return Fail(opened.error().message);
    options.disk = std::move(*opened);
  }
  worker.emplace(loop, transport, world.files_, world.logger_, hash, std::move(options));
  return {};
}

Status World::Start(const std::string& config) {
  Exit();
  files_.WriteFile(kConfigFile, config);
  processes_++;
  process_begun_ = time_.Now();
  orderly_ = false;
  process_ = std::make_unique<Process>(*this);
  std::vector<Agent::WorkerRef> refs;
  for (size_t i = 0; i < workers_; i++) {
    process_->workers.push_back(std::make_unique<WorkerProcess>(*this, processes_, i));
    WorkerProcess& process = *process_->workers.back();
    if (auto opened = process.Open(*this, options_.seed * 31 + i); !opened) {
      process_.reset();
      return opened;
    }
    refs.push_back({&process.loop, &*process.worker});
  }
  AgentOptions agent_options;
  agent_options.config_file = kConfigFile;
  agent_options.hostname = "sim";
  process_->agent =
      std::make_unique<Agent>(DiscoverySeams{process_->loop, files_, process_->http, process_->dns},
                              logger_, std::move(refs), agent_options);
  Status started = process_->agent->Start();
  time_.RunDue();
  if (started) CheckLeft();
  return started;
}

World::End World::Shutdown(nanoseconds deadline) {
  End end;
  const MonotonicTime begin = time_.Now();
  process_->agent->Shutdown(deadline, [&](bool drained) {
    if (end.done) Problem("Shutdown called back twice");
    end.done = true;
    end.drained = drained;
    end.took = time_.Now() - begin;
  });
  const MonotonicTime limit = begin + deadline + kFlushMax + seconds(60);
  while (!end.done && time_.Now() < limit) {
    time_.RunUntil([&] { return end.done; }, kStep);
    FollowScrapes();
    CheckAccounts();
  }
  orderly_ = end.done && !doubts_.disk_ill() && doubts_.disk_well_since() < begin;
  return end;
}

void World::Exit() { EndProcess(orderly_); }

void World::Kill() {
  BreakOffWork();
  EndProcess(false);
}

void World::LosePower() {
  BreakOffWork();
  EndProcess(false);
  disk_.LosePower();
  past_.left.clear();
  past_.lost_any = true;
  doubts_.PowerLost(time_.Now());
  if (!options_.disk || options_.disk->fsync == Fsync::kAlways) return;
  for (const auto& remote : remotes_) remote->SenderForgot();
}

// What the disk is doing for the process at its end is done in part.
void World::BreakOffWork() {
  if (!running() || doubts_.disk_ill()) return;
  for (WorkerProcess* process : WorkerProcesses()) {
    for (SimWorkQueue* queue : process->queues()) {
      auto work = queue->TakeUnderWay();
      if (work == nullptr || random_.Chance(0.3)) continue;
      disk_.CutOff(1 + random_.Below(6));
      work();
      disk_.Fail(0, "");
      disk_.FailNth(0);
    }
  }
}

void World::EndProcess(bool orderly) {
  if (!running()) return;
  FollowScrapes();
  past_.left.clear();
  if (!AllWritten()) {
    past_.lost_any = true;
  } else {
    doubts_.Written(time_.Now());
    for (const auto& remote : remotes_) {
      const RemoteTotals totals = Totals(*remote);
      // What was lost and is not counted yet is in `unread`.
      if (totals.queues > 0 && evicted_samples() == 0 && !past_.lost_any) {
        past_.left[remote->url()] = totals.unread + totals.pending;
      }
    }
  }
  std::map<std::string, uint64_t> pending;
  for (const auto& remote : remotes_) {
    const RemoteTotals totals = Totals(*remote);
    past_.remotes[remote->url()] += totals.stats;
    pending[remote->url()] = totals.pending;
  }
  past_.evicted = evicted_samples();
  past_.scrapes = scrape_stats();
  process_.reset();
  // What was cut off.
  FollowScrapes();
  doubts_.ProcessEnded(time_.Now());
  // A record of which the remote has a part is sent again as a whole.
  for (const auto& remote : remotes_) {
    remote->SenderEnded(time_.Now(), orderly && pending[remote->url()] == 0);
  }
}

Agent& World::agent() {
  CHECK(running());
  return *process_->agent;
}

std::vector<World::WorkerProcess*> World::WorkerProcesses() const {
  std::vector<WorkerProcess*> processes;
  if (!running()) return processes;
  for (const auto& process : process_->workers) processes.push_back(process.get());
  return processes;
}

void World::FailDisk(unsigned kinds, const std::string& reason) {
  doubts_.DiskIll(time_.Now());
  disk_.Fail(kinds, reason);
}

void World::FillDisk(uint64_t left) {
  doubts_.DiskIll(time_.Now());
  disk_.SetTaken(0);
  disk_.SetTotal(disk_.used() + left);
}

void World::StallDisk(nanoseconds duration) {
  doubts_.DiskIll(time_.Now());
  disk_stalled_until_ = std::max(disk_stalled_until_, time_.Now() + duration);
  for (WorkerProcess* process : WorkerProcesses()) {
    for (SimWorkQueue* queue : process->queues()) queue->StallUntil(disk_stalled_until_);
  }
}

void World::SlowDisk(nanoseconds latency) {
  doubts_.DiskIll(time_.Now());
  disk_latency_ = latency;
  for (WorkerProcess* process : WorkerProcesses()) {
    for (SimWorkQueue* queue : process->queues()) queue->set_latency(latency);
  }
}

void World::HealDisk() {
  const MonotonicTime now = time_.Now();
  disk_.Fail(0, "");
  disk_.FailNth(0);
  disk_.SetTotal(0);
  disk_stalled_until_ = {};
  // What is under way takes as long as it was to take, and what waits its turn.
  size_t waiting = 0;
  for (WorkerProcess* process : WorkerProcesses()) {
    for (SimWorkQueue* queue : process->queues()) {
      waiting = std::max(waiting, queue->waiting());
      queue->set_latency(options_.disk_latency);
      queue->StallUntil({});
    }
  }
  doubts_.DiskWell(now + (waiting > 0 ? disk_latency_ : nanoseconds(0)));
  disk_latency_ = options_.disk_latency;
}

}  // namespace tributary
