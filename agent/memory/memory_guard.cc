#include "agent/memory/memory_guard.h"

#include <string>
#include <utility>

#include "common/base/units.h"

namespace tributary {
namespace {

constexpr nanoseconds kPeriod = milliseconds(250);
// Below half of the limit; what learns many series tells in between (Raise).
constexpr nanoseconds kCalmPeriod = seconds(5);
// Giving back walks over the heap.
constexpr nanoseconds kGiveBackPeriod = seconds(5);

constexpr uint64_t kBeginPercent[] = {0, 70, 80, 90};
constexpr uint64_t kHysteresisPercent = 5;

const char* MeaningOf(ShedStep step) {
  switch (step) {
    case ShedStep::kNone:
      return "nothing is shed";
    case ShedStep::kGiveBack:
      return "free memory is given back";
    case ShedStep::kRefuseNew:
      return "new targets and pages with many new series are refused";
    case ShedStep::kThinOut:
      return "three of four scrapes are left out";
  }
  return "";
}

}  // namespace

ShedStep NextShedStep(ShedStep now, uint64_t used, uint64_t limit) {
  auto step = static_cast<uint8_t>(now);
  const auto percent = static_cast<double>(used) * 100 / static_cast<double>(limit);
  while (step < 3 && percent >= static_cast<double>(kBeginPercent[step + 1])) step++;
  while (step > 0 && percent < static_cast<double>(kBeginPercent[step] - kHysteresisPercent)) {
    step--;
  }
  return static_cast<ShedStep>(step);
}

MemoryGuard::MemoryGuard(EventLoop& loop, Logger& logger, uint64_t limit, Seams seams)
    : loop_(loop), logger_(logger), limit_(limit), seams_(std::move(seams)), timer_(loop) {}

void MemoryGuard::Start() {
  if (limit_ == 0) return;
  logger_.Info("memory has a limit, near which load is shed", {{"limit", FormatSize(limit_)}});
  Look();
}

void MemoryGuard::Look() {
  uint64_t used = seams_.used();
  ShedStep next = NextShedStep(step_, used, limit_);
  if (next != ShedStep::kNone && (next > told_ || loop_.Now() - gave_back_ >= kGiveBackPeriod)) {
    gave_back_ = loop_.Now();
    seams_.give_back();
    used = seams_.used();
    next = NextShedStep(step_, used, limit_);
  }
  step_ = next;
  if (next != told_) Tell(next, used);
  timer_.SetAfter(used < limit_ / 2 ? kCalmPeriod : kPeriod, [this] { Look(); });
}

void MemoryGuard::Raise() {
  if (limit_ == 0) return;
  ShedStep now = step_;
  const ShedStep next = NextShedStep(now, seams_.used(), limit_);
  while (next > now && !step_.compare_exchange_weak(now, next)) {
  }
  if (next > now) loop_.Post([this] { Look(); });
}

void MemoryGuard::Tell(ShedStep next, uint64_t used) {
  const bool worse = next > told_;
  told_ = next;
  changes_++;
  logger_.Log(worse ? LogLevel::kWarn : LogLevel::kInfo,
              worse ? "memory is short: shedding load" : "memory: shedding less",
              {{"step", std::to_string(static_cast<int>(next))},
               {"now", MeaningOf(next)},
               {"used", FormatSize(used)},
               {"limit", FormatSize(limit_)}});
}

void MemoryGuard::Collect(MetricSink& sink) const {
  sink.AddGauge("tributary_memory_limit_bytes",
                "Memory that the process may take before it sheds load; 0: no limit.", {},
                static_cast<double>(limit_));
  sink.AddGauge("tributary_memory_used_bytes",
                "Anonymous memory of the process in RAM: what the limit is compared with.", {},
                static_cast<double>(seams_.used()));
  sink.AddGauge("tributary_memory_shed_step",
                "0: none; 1: free memory is given back; 2: what is new is refused; 3: scrapes are "
                "left out.",
                {}, static_cast<double>(step_.load()));
  sink.AddCounter("tributary_memory_shed_changes_total", "Changes of the step.", {},
                  static_cast<double>(changes_.load()));
}

}  // namespace tributary
