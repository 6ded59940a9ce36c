// The whole agent through random worlds, with everything going wrong that can: targets, remotes,
// network, disk, clock, reloads, ends of the process and of power. One in five is half an hour of
// virtual time, the others some minutes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "test/sim/sim_oracle.h"
#include "test/sim/sim_world.h"

namespace tributary {

struct JobPlan {
  std::string name;
  std::string file;
  int interval_s = 10;
  int timeout_s = 5;
  bool limits = false;  // an option that changes nothing, so that the job is another one
  int path = 0;
  std::vector<uint32_t> present;
  std::vector<uint32_t> absent;
};

struct RemotePlan {
  SimRemote* remote = nullptr;
  bool permanent = true;
  bool present = true;
  std::string name;  // "" for none
  int capacity = 1000, max_shards = 5, min_shards = 1, batch = 100;
  int deadline_ms = 1000, min_backoff_ms = 30, max_backoff_ms = 2000;
  bool retry_429 = false;
  bool is_v2 = false;
  int age_limit_s = 0;
  int drop_digit = -1;  // series whose sid ends with it are dropped
  std::string extra;    // value of a label added by write_relabel_configs
  // What has been so at any time.
  bool had_age_limit = false;
  std::vector<int> dropped_digits;
};

class RandomWorld {
 public:
  explicit RandomWorld(uint64_t seed);
  // What went wrong; "" if nothing did.
  std::string Play();

 private:
  static WorldOptions MakeOptions(uint64_t seed);
  static void DrawDisk(SimRandom& random, WorldOptions& options);
  int Pick(std::initializer_list<int> values);
  bool Chance(double probability) { return random_.Chance(probability); }

  void MakeJobs();
  void MakeRemotes();
  void DrawQueue(RemotePlan& plan);
  void WatchDelay();
  std::string Config() const;
  uint64_t RequestsMax(const RemotePlan& plan) const;
  void Reload();

  void Event();
  void MoveTarget();
  void ChangeMood();
  void ChangeRemote();
  void ChangeQueue();
  void AddOrRemoveRemote();
  void ChangeJob();
  void RefusedReload();
  void StepClock();
  void BreakDisk();
  void HealDisk();
  // By a shutdown, a kill or a loss of power; and another begins.
  void EndProcess();
  void Restart();

  void HealAll();
  void CatchUp();
  void End();
  void CheckCounts(const RemotePlan& plan);
  void Judge();

  SimRandom random_;
  World world_;
  bool on_disk_ = false;
  bool tiny_log_ = false;
  bool tiny_window_ = false;
  bool steps_clock_ = false;
  bool errors_as_prometheus_ = false;
  bool quarantine_ = false;
  std::string cluster_ = "a";
  std::vector<JobPlan> jobs_;
  std::vector<RemotePlan> remotes_;
  SimRemote* witness_ = nullptr;
  std::map<uint32_t, TargetLife> lives_;
  Timer disk_heals_{world_.time()};
};

}  // namespace tributary
