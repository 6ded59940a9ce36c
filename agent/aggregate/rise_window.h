// What an aggregate has gained in the intervals of a window. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/time.h"
#include "common/histogram/histogram_counts.h"

namespace tributary {

// `Increase`: double, or HistogramRef.
template <typename Increase>
class BasicRiseWindow {
 public:
  struct Step {
    TimestampMs end = 0;  // of the interval
    Increase increase{};
  };

  // Intervals come in the order of time, each once.
  void Add(TimestampMs end, Increase increase) { steps_.push_back({end, std::move(increase)}); }
  // Forgets what ended up to that time.
  void Forget(TimestampMs up_to) {
    size_t gone = 0;
    while (gone < steps_.size() && steps_[gone].end <= up_to) gone++;
    steps_.erase(steps_.begin(), steps_.begin() + static_cast<ptrdiff_t>(gone));
  }
  bool empty() const { return steps_.empty(); }
  const std::vector<Step>& steps() const { return steps_; }
  size_t memory_bytes() const { return steps_.capacity() * sizeof(Step); }

 private:
  std::vector<Step> steps_;
};

using RiseWindow = BasicRiseWindow<double>;
using HistogramWindow = BasicRiseWindow<std::shared_ptr<const HistogramCounts>>;

inline double IncreaseOf(const RiseWindow& window) {
  double sum = 0;
  for (const RiseWindow::Step& step : window.steps()) sum += step.increase;
  return sum;
}

}  // namespace tributary
