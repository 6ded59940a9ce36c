// Event loops of simulated processes, on one virtual time.
//
// SimLoop is the world's clock and scheduler, and an EventLoop itself: enough for one process. A
// test with several processes, or with one that crashes, gives each a SimProcess: a view with its
// own wall clock, whose timers and posts die with it.
//
// Deterministic: callbacks run one at a time in the order (time, order of making); time moves only
// between callbacks, and only inside Run*. Single-threaded, Post included.
#pragma once

#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/event/event_loop.h"
#include "common/event/timer_queue.h"

namespace tributary {

class SimLoop : public EventLoop {
 public:
  // `wall_base` is the wall clock's reading at virtual time 0 (MonotonicTime's epoch).
  explicit SimLoop(TimestampMs wall_base = 1'700'000'000'000);
  ~SimLoop() override;
  SimLoop(const SimLoop&) = delete;
  SimLoop& operator=(const SimLoop&) = delete;

  MonotonicTime Now() const override { return now_; }
  int64_t WallNs() const override;
  TimerId AddTimer(MonotonicTime when, Callback callback) override;
  void CancelTimer(TimerId timer) override;
  void Post(Callback callback) override;
  void PostQuietly(Callback callback) override { quiet_.push_back(std::move(callback)); }

  // Run everything due up to and at the time, which is then Now(), also when nothing was due. They
  // throw std::runtime_error on a storm: over `storm_limit` callbacks at one instant.
  void RunUntil(MonotonicTime time);
  void RunFor(nanoseconds duration) { RunUntil(now_ + duration); }
  // Until `done` holds (asked after each callback) or `limit` has passed; whether it holds.
  bool RunUntil(const std::function<bool()>& done, nanoseconds limit);
  // All that is due now, without moving time.
  void RunDue() { RunUntil(now_); }

  // Steps the wall clock of all processes; timers do not notice.
  void StepWall(nanoseconds by) { wall_offset_ += by; }

  // Timers and posts not run yet, soonest first, and how many.
  std::vector<std::pair<MonotonicTime, TimerId>> Pending() const { return queue_.List(); }
  size_t pending() const { return queue_.size(); }
  std::optional<MonotonicTime> NextEvent() const { return queue_.Next(); }
  uint64_t callbacks_run() const { return callbacks_run_; }
  void set_storm_limit(size_t callbacks) { storm_limit_ = callbacks; }

 private:
  bool RunOne(MonotonicTime limit);

  TimerQueue queue_;
  std::vector<Callback> quiet_;  // run with the next callback
  MonotonicTime now_{};
  int64_t wall_base_ns_;
  nanoseconds wall_offset_{};
  uint64_t callbacks_run_ = 0;
  size_t storm_limit_ = 1'000'000;
  size_t run_at_instant_ = 0;
};

// One process on the world's time. The SimLoop must outlive it. Destroying it, from outside of its
// callbacks or inside, drops what it has pending, as the end of a process does.
class SimProcess : public EventLoop {
 public:
  explicit SimProcess(SimLoop& world) : world_(world) {}
  ~SimProcess() override;
  SimProcess(const SimProcess&) = delete;
  SimProcess& operator=(const SimProcess&) = delete;

  MonotonicTime Now() const override { return world_.Now(); }
  int64_t WallNs() const override { return world_.WallNs() + wall_offset_.count(); }
  TimerId AddTimer(MonotonicTime when, Callback callback) override;
  void CancelTimer(TimerId timer) override;
  void Post(Callback callback) override { AddTimer(Now(), std::move(callback)); }
  void PostQuietly(Callback callback) override { quiet_.push_back(std::move(callback)); }

  // Of this process alone.
  void StepWall(nanoseconds by) { wall_offset_ += by; }
  size_t pending() const { return timers_.size(); }

 private:
  SimLoop& world_;
  nanoseconds wall_offset_{};
  TimerId last_ = 0;
  std::unordered_map<TimerId, TimerId> timers_;  // own id -> the world's
  std::vector<Callback> quiet_;                  // run with the next callback
};

}  // namespace tributary
