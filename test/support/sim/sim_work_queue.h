// The simulator's WorkQueue: each piece takes a while of virtual time, at the end of which it is
// done. Dies with its process: what was not done by then is not done at all.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "common/event/work_queue.h"
#include "test/support/sim/sim_loop.h"

namespace tributary {

class SimWorkQueue : public WorkQueue {
 public:
  // `loop` is the process; it must outlive it.
  explicit SimWorkQueue(EventLoop& loop) : loop_(loop), timer_(loop) {}

  void Run(std::function<void()> work, std::function<void()> done) override {
    pieces_.emplace_back(std::move(work), std::move(done));
    if (!timer_.active()) Next();
  }

  // Of each piece that begins from now on.
  void set_latency(nanoseconds latency) { latency_ = latency; }
  // No piece is done before that.
  void StallUntil(MonotonicTime time) {
    stalled_until_ = time;
    if (timer_.active()) Next();
  }
  size_t waiting() const { return pieces_.size(); }
  // Null: none is under way. For a process that ends in the midst of it.
  std::function<void()> TakeUnderWay() {
    if (pieces_.empty()) return nullptr;
    timer_.Cancel();
    return std::move(pieces_.front().first);
  }

 private:
  void Next() {
    timer_.Set(std::max(loop_.Now() + latency_, stalled_until_), [this] {
      auto [work, done] = std::move(pieces_.front());
      pieces_.pop_front();
      work();
      if (!pieces_.empty()) Next();
      done();
    });
  }

  EventLoop& loop_;
  Timer timer_;
  MonotonicTime stalled_until_{};
  nanoseconds latency_ = std::chrono::microseconds(50);
  std::deque<std::pair<std::function<void()>, std::function<void()>>> pieces_;
};

}  // namespace tributary
