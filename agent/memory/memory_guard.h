// Sheds load before the process outgrows its memory limit, instead of being killed for it.
//
// Four times a second, and each five seconds below half of it, it compares the anonymous memory of
// the process with the limit, and sets a step, which workers look at (kRefuseNew and kThinOut are
// theirs to act on):
//
//   kGiveBack   from 70 %: memory that is free is given back to the system
//   kRefuseNew  from 80 %: targets that have not been scraped yet are not, and pages with many new
//               series fail; what is known goes on
//   kThinOut    from 90 %: of each target's scrapes three of four are left out
//
// A step ends 5 points below where it begins. What is in the sample log is never dropped for it.
// Four times a second is too seldom for a page with a million new series: who takes much at once
// calls Raise().
//
// One thread (the loop's), but for step(), Raise() and Collect(), which any thread may call.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "agent/logging/logger.h"
#include "agent/telemetry/metric_sink.h"
#include "common/event/event_loop.h"

namespace tributary {

enum class ShedStep : uint8_t { kNone, kGiveBack, kRefuseNew, kThinOut };

// The step that follows `now` when so much is in use; `limit` is above 0.
ShedStep NextShedStep(ShedStep now, uint64_t used, uint64_t limit);

class MemoryGuard {
 public:
  struct Seams {
    std::function<uint64_t()> used;   // bytes
    std::function<void()> give_back;  // free memory to the system; may take milliseconds
  };

  // `limit`: 0 is none; then nothing is looked at.
  MemoryGuard(EventLoop& loop, Logger& logger, uint64_t limit, Seams seams);
  MemoryGuard(const MemoryGuard&) = delete;
  MemoryGuard& operator=(const MemoryGuard&) = delete;

  void Start();
  uint64_t limit() const { return limit_; }
  // Lives as long as the guard.
  const std::atomic<ShedStep>& step() const { return step_; }
  // Looks now; a step that is due begins at once. Takes some 20 us.
  void Raise();
  void Collect(MetricSink& sink) const;

 private:
  void Look();
  void Tell(ShedStep next, uint64_t used);

  EventLoop& loop_;
  Logger& logger_;
  const uint64_t limit_;
  const Seams seams_;
  Timer timer_;
  MonotonicTime gave_back_{};
  ShedStep told_ = ShedStep::kNone;  // in the log
  std::atomic<ShedStep> step_{ShedStep::kNone};
  std::atomic<uint64_t> changes_{0};
};

}  // namespace tributary
