#include "test/support/sim/sim_loop.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace tributary {

SimLoop::SimLoop(TimestampMs wall_base) : wall_base_ns_(wall_base * 1'000'000) {}

SimLoop::~SimLoop() {
  quiet_.clear();
  queue_.Clear();
}

int64_t SimLoop::WallNs() const {
  return wall_base_ns_ + (now_.time_since_epoch() + wall_offset_).count();
}

TimerId SimLoop::AddTimer(MonotonicTime when, Callback callback) {
  // What is due already queues up behind what is due now.
  return queue_.Add(std::max(when, now_), std::move(callback));
}

void SimLoop::CancelTimer(TimerId timer) { queue_.Cancel(timer); }

void SimLoop::Post(Callback callback) { AddTimer(now_, std::move(callback)); }

void SimLoop::RunUntil(MonotonicTime time) {
  while (RunOne(time)) {
  }
  now_ = std::max(now_, time);
}

bool SimLoop::RunUntil(const std::function<bool()>& done, nanoseconds limit) {
  const MonotonicTime end = now_ + limit;
  while (!done()) {
    if (!RunOne(end)) {
      now_ = std::max(now_, end);
      return done();
    }
  }
  return true;
}

bool SimLoop::RunOne(MonotonicTime limit) {
  const std::optional<MonotonicTime> next = queue_.Next();
  if (!next || *next > limit) return false;
  if (*next > now_) {
    now_ = *next;
    run_at_instant_ = 0;
  }
  if (++run_at_instant_ > storm_limit_) {
    throw std::runtime_error("simulation: more than " + std::to_string(storm_limit_) +
                             " callbacks at " + std::to_string(now_.time_since_epoch().count()) +
                             " ns: something spins");
  }
  const Callback callback = queue_.Take(now_, queue_.Mark());
  callbacks_run_++;
  for (Callback& quiet : std::exchange(quiet_, {})) Post(std::move(quiet));
  callback();
  return true;
}

SimProcess::~SimProcess() {
  // A callback's destruction may cancel other timers, so none is held by an iterator.
  while (!timers_.empty()) CancelTimer(timers_.begin()->first);
}

TimerId SimProcess::AddTimer(MonotonicTime when, Callback callback) {
  const TimerId id = ++last_;
  timers_[id] = world_.AddTimer(when, [this, id, callback = std::move(callback)] {
    timers_.erase(id);
    for (Callback& quiet : std::exchange(quiet_, {})) Post(std::move(quiet));
    callback();  // may end this process
  });
  return id;
}

void SimProcess::CancelTimer(TimerId timer) {
  const auto found = timers_.find(timer);
  if (found == timers_.end()) return;
  const TimerId id = found->second;
  timers_.erase(found);
  world_.CancelTimer(id);
}

}  // namespace tributary
