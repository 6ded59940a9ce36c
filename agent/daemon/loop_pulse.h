// Feels the pulse of event loops: calls back for as long as all of them still turn. For a watchdog
// that is to end the process once one of its threads hangs.
//
// Lives on the control loop, and so does the call. The other loops must exist for as long as it
// does. One question is under way at a time, however slow the answers are.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "common/event/event_loop.h"

namespace tributary {

class LoopPulse {
 public:
  LoopPulse(EventLoop& control, std::vector<EventLoop*> others, std::function<void()> alive)
      : control_(control),
        others_(std::move(others)),
        alive_(std::make_shared<std::function<void()>>(std::move(alive))),
        timer_(control) {}

  // Asks now, and each `period` from now on, unless an answer is still to come.
  void Start(nanoseconds period) {
    Ask();
    timer_.SetAfter(period, [this, period] { Start(period); });
  }

 private:
  void Ask() {
    if (waiting_.lock() != nullptr) return;
    if (others_.empty()) return (*alive_)();
    // There for as long as a loop has it. One that ends drops its own unanswered: nobody is told.
    auto question = std::make_shared<std::atomic<size_t>>(others_.size());
    waiting_ = question;
    for (EventLoop* loop : others_) {
      loop->Post([question, control = &control_, alive = std::weak_ptr(alive_)] {
        if (--*question != 0) return;
        control->Post([question, alive] {
          if (const auto call = alive.lock()) (*call)();
        });
      });
    }
  }

  EventLoop& control_;
  const std::vector<EventLoop*> others_;
  const std::shared_ptr<std::function<void()>> alive_;
  std::weak_ptr<void> waiting_;
  Timer timer_;
};

}  // namespace tributary
