// A world for one agent: its process (control and workers), targets, remotes, files, disk and
// clocks, all on virtual time and from one seed. Nothing here is real; nothing in the agent is a
// double. The process may end in any way and start again; the rest of the world goes on.
//
// Run checks after every half second of virtual time what must hold at all times
// (sim_world_checks.cc) and follows the scrapes that have ended. What must not be goes to
// `problems`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/control/agent.h"
#include "agent/logging/logger.h"
#include "agent/worker/worker.h"
#include "common/base/hash.h"
#include "test/sim/sim_doubts.h"
#include "test/sim/sim_remote.h"
#include "test/sim/sim_target.h"
#include "test/support/sim/sim_disk.h"
#include "test/support/sim/sim_dns.h"
#include "test/support/sim/sim_files.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_network.h"

namespace tributary {

struct WorldOptions {
  uint64_t seed = 1;
  size_t workers = 1;
  SampleLogOptions log;
  // Of the logs on disk, each worker's in a folder below `path`. None: they are in memory only.
  std::optional<DiskLogOptions> disk = {};
  nanoseconds disk_latency = std::chrono::microseconds(50);  // of a piece of work, when all is well
};

// A scrape that has ended, as the network saw it.
struct ScrapeTrace {
  uint64_t process = 0;  // which, counted from 1
  MonotonicTime started{};
  MonotonicTime ended{};
  TimestampMs due_ms = 0;  // the wall clock when it started
  uint32_t number = 0;     // of the target; 0: it did not reach the target
  bool up = false;         // a whole page, and good
  bool garbage = false;    // a whole page that cannot be read
  bool cancelled = false;
};

// Sums over the workers.
struct RemoteTotals {
  RemoteQueueStats stats;
  uint64_t pending = 0;
  uint64_t unread = 0;
  uint64_t queues = 0;
};

class World {
 public:
  static constexpr const char* kConfigFile = "/etc/tributary/prometheus.yml";
  static constexpr nanoseconds kLatency = std::chrono::microseconds(100);

  explicit World(const WorldOptions& options);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  SimTarget& AddTarget(uint32_t id);
  SimRemote& AddRemote(const std::string& host);
  SimTarget* Target(uint32_t id);
  // Addresses as a file_sd file has them.
  void WriteTargets(const std::string& path, const std::vector<uint32_t>& ids);

  // Writes the file and starts the agent with it, in a process of its own. What is left of an
  // earlier one, once it has been shut down, ends first. An error: there is no process.
  Status Start(const std::string& config);
  // Writes the file and lets the agent read it; applied to the workers when it returns.
  Status Reload(const std::string& config);
  void Run(nanoseconds duration);
  // Until it holds, but no longer than `limit`; whether it holds.
  bool RunUntil(const std::function<bool()>& holds, nanoseconds limit);
  // Until the disk is given something to do.
  void RunUntilDiskBusy(nanoseconds limit);
  void StepWall(nanoseconds by);
  struct End {
    bool done = false;     // `done` was called
    bool drained = false;  // with this
    nanoseconds took{};
  };
  // Runs until the agent says that it is done, or well beyond the deadline.
  End Shutdown(nanoseconds deadline);
  // The process that was shut down is no more.
  void Exit();
  // The process ends where it is: what it has written stays, a write that is under way is done up
  // to a random byte or not at all.
  void Kill();
  // So does power: what was not synced is lost too.
  void LosePower();
  bool running() const { return process_ != nullptr; }

  // Faults of the disk. They add up, and end with HealDisk.
  void FailDisk(unsigned kinds, const std::string& reason);
  // So many bytes more can be written.
  void FillDisk(uint64_t left);
  // Nothing is done before that.
  void StallDisk(nanoseconds duration);
  // Each piece of work takes so long.
  void SlowDisk(nanoseconds latency);
  void HealDisk();

  SimLoop& time() { return time_; }
  SimFileSystem& files() { return files_; }
  SimNetwork& network() { return network_; }
  SimDns& dns() { return dns_; }
  SimRandom& random() { return random_; }
  SimDisk& disk() { return disk_; }
  Agent& agent();
  const std::vector<std::unique_ptr<SimTarget>>& targets() const { return targets_; }
  const std::vector<std::unique_ptr<SimRemote>>& remotes() const { return remotes_; }
  size_t workers() const { return options_.workers; }
  const Worker& worker(size_t i) const;
  const Doubts& doubts() const { return doubts_; }
  uint64_t processes() const { return processes_; }
  MonotonicTime process_begun() const { return process_begun_; }

  // The queues of this process that send to this remote.
  RemoteTotals Totals(const SimRemote& remote) const;
  // Of the processes before.
  RemoteQueueStats PastStats(const SimRemote& remote) const;
  double Gauge(const SimRemote& remote, const std::string& name) const;
  // By this process.
  uint64_t appended_samples() const;
  // By all processes. What was lost with the end of one is not in it.
  uint64_t evicted_samples() const;
  ScrapeStats scrape_stats() const;
  // What the agent says that this remote will never get: gone at a bound, damaged.
  uint64_t CountedLosses(const SimRemote& remote) const;
  // A process or the power has ended while something was not on disk, or not synced.
  bool lost_any() const { return past_.lost_any; }
  // Every remote has, or has dropped, all that is in the logs.
  bool AllSent() const;
  // What the wall clock showed at a moment that is past or present.
  int64_t WallNsAt(MonotonicTime time) const;

  // In the order of their ends.
  const std::vector<ScrapeTrace>& Scrapes(uint32_t target) const;

  // For the report: what the test did.
  void Note(const std::string& text);
  void Problem(std::string text);
  const std::vector<std::string>& problems() const { return problems_; }
  std::string Report() const;

 private:
  struct WorkerProcess;
  struct Process;
  // Of processes that have ended.
  struct Past {
    bool lost_any = false;  // what was not on disk, or not synced
    uint64_t evicted = 0;
    ScrapeStats scrapes;
    std::map<std::string, RemoteQueueStats> remotes;  // by URL
    // What the latest had left to send, by URL, if all of that is to be found by the next.
    std::map<std::string, uint64_t> left;
  };

  std::vector<WorkerProcess*> WorkerProcesses() const;
  // `orderly`: how far remotes are was written down.
  void EndProcess(bool orderly);
  void BreakOffWork();
  bool AllWritten() const;
  void CheckLeft();

  void FollowScrapes();
  void CheckAccounts();
  void CheckQueue(const RemoteQueue& queue);
  void CheckDisk(WorkerProcess& process);

  const WorldOptions options_;
  SimRandom random_;
  SimLoop time_;
  SimNetwork network_;
  SimDns dns_;
  SimFileSystem files_;
  SimDisk disk_;
  nanoseconds disk_latency_;
  MonotonicTime disk_stalled_until_{};
  Doubts doubts_;
  Logger logger_;
  std::vector<std::unique_ptr<SimTarget>> targets_;
  std::vector<std::unique_ptr<SimRemote>> remotes_;
  std::unique_ptr<Process> process_;
  uint64_t processes_ = 0;
  MonotonicTime process_begun_{};
  bool orderly_ = false;  // the process was shut down and could write down all
  Past past_;

  std::map<uint32_t, std::vector<ScrapeTrace>> scrapes_;
  std::map<uint32_t, uint32_t> served_;
  uint64_t exchanges_seen_ = 0;
  std::vector<std::pair<MonotonicTime, int64_t>>
      wall_offsets_;  // since when, ns ahead of monotonic
  std::vector<std::string> notes_;
  std::vector<std::string> problems_;
  std::string AtNow(const std::string& text) const;
};

// For a configuration: errors of remotes are what they are in Prometheus.
inline constexpr char kErrorsAsPrometheus[] =
    "tributary:\n  remote_write: {retry_auth_errors: false, split_rejected: false, "
    "quarantine_refused: false, split_too_many_series: false, count_maybe_duplicates: false}\n";

// Of Prometheus' file, the part that is the same in most tests: one job with file_sd.
std::string FileSdJob(const std::string& name, const std::string& file, const std::string& interval,
                      const std::string& timeout);

}  // namespace tributary
