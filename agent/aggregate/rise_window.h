// What an aggregate has gained in the intervals of a window. One thread.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/time.h"

namespace tributary {

class RiseWindow {
 public:
  struct Step {
    TimestampMs end = 0;  // of the interval
    double increase = 0;
  };

  // Intervals come in the order of time; of one interval several may.
  void Add(TimestampMs end, double increase) {
    if (!steps_.empty() && steps_.back().end == end) {
      steps_.back().increase += increase;
    } else {
      steps_.push_back({end, increase});
    }
  }
  // Forgets what ended up to that time.
  void Forget(TimestampMs up_to) {
    size_t gone = 0;
    while (gone < steps_.size() && steps_[gone].end <= up_to) gone++;
    steps_.erase(steps_.begin(), steps_.begin() + static_cast<ptrdiff_t>(gone));
  }
  bool empty() const { return steps_.empty(); }
  double Increase() const {
    double sum = 0;
    for (const Step& step : steps_) sum += step.increase;
    return sum;
  }
  const std::vector<Step>& steps() const { return steps_; }
  size_t memory_bytes() const { return steps_.capacity() * sizeof(Step); }

 private:
  std::vector<Step> steps_;
};

}  // namespace tributary
