// The simulator's WorkQueue: each piece takes a while of virtual time, at the end of which it is
// done. Dies with its process: what was not done by then is not done at all.
#pragma once

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
  explicit SimWorkQueue(EventLoop& loop) : timer_(loop) {}

  void Run(std::function<void()> work, std::function<void()> done) override {
    pieces_.emplace_back(std::move(work), std::move(done));
    if (!timer_.active()) Next();
  }

  // Of each piece that begins from now on.
  void set_latency(nanoseconds latency) { latency_ = latency; }
  size_t waiting() const { return pieces_.size(); }

 private:
  void Next() {
    timer_.SetAfter(latency_, [this] {
      auto [work, done] = std::move(pieces_.front());
      pieces_.pop_front();
      work();
      if (!pieces_.empty()) Next();
      done();
    });
  }

  Timer timer_;
  nanoseconds latency_ = std::chrono::microseconds(50);
  std::deque<std::pair<std::function<void()>, std::function<void()>>> pieces_;
};

}  // namespace tributary
