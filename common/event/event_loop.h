// One thread's loop of events: clocks, timers and an inbox. The seam between the agent and time.
//
// In production it is SystemEventLoop (epoll); in tests the simulator's loop, whose time is
// virtual. Nothing on the data path reads a clock in any other way.
//
// Threading: all methods but Post must be called on the loop's own thread. Callbacks run on it, one
// at a time, never from inside the call that registered them. A callback must not block.
#pragma once

#include <cstdint>
#include <functional>

#include "common/base/time.h"

namespace tributary {

// 0 is never a timer.
using TimerId = uint64_t;

class EventLoop {
 public:
  using Callback = std::function<void()>;

  virtual ~EventLoop() = default;

  // Of the running callback's start or later; does not step back.
  virtual MonotonicTime Now() const = 0;
  // The wall clock in nanoseconds since the Unix epoch. May step.
  virtual int64_t WallNs() const = 0;
  TimestampMs WallMs() const { return WallNs() / 1'000'000; }

  // Runs `callback` once at `when` or soon after; in the past: as soon as possible. Timers of the
  // same time run in the order of their making.
  virtual TimerId AddTimer(MonotonicTime when, Callback callback) = 0;
  TimerId AddTimerAfter(nanoseconds delay, Callback callback) {
    return AddTimer(Now() + delay, std::move(callback));
  }
  // No effect on 0 and on a timer that has run or was cancelled.
  virtual void CancelTimer(TimerId timer) = 0;

  // Thread-safe: runs `callback` on the loop's thread, in the order of posting. Callbacks that are
  // still in the inbox when the loop ends are destroyed unrun.
  virtual void Post(Callback callback) = 0;
  // As Post, but a loop that sleeps goes on sleeping: it runs with what wakes it next.
  virtual void PostQuietly(Callback callback) = 0;
};

// Owns one timer at most and cancels it when destroyed. Not movable; loop thread only.
class Timer {
 public:
  explicit Timer(EventLoop& loop) : loop_(loop) {}
  ~Timer() { Cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Replaces what was set before.
  void Set(MonotonicTime when, EventLoop::Callback callback) {
    Cancel();
    when_ = when;
    id_ = loop_.AddTimer(when, [this, callback = std::move(callback)] {
      id_ = 0;
      callback();
    });
  }
  void SetAfter(nanoseconds delay, EventLoop::Callback callback) {
    Set(loop_.Now() + delay, std::move(callback));
  }
  void Cancel() {
    if (id_ != 0) loop_.CancelTimer(id_);
    id_ = 0;
  }
  bool active() const { return id_ != 0; }
  // Meaningful while active.
  MonotonicTime when() const { return when_; }

 private:
  EventLoop& loop_;
  TimerId id_ = 0;
  MonotonicTime when_{};
};

}  // namespace tributary
