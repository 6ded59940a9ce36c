// How modules tell their own metrics: each keeps plain numbers on its own thread and, when asked,
// writes them into a sink. Nothing is paid between two reads of /metrics.
//
// A sink is used by one thread at a time. The same family may be written several times (by each
// worker, each remote); the sink puts them together: counters and gauges of equal labels are added up.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tributary {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

// A histogram with fixed upper bounds (seconds, bytes ...). Not thread-safe.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}
  void Observe(double value) {
    size_t i = 0;
    while (i < bounds_.size() && value > bounds_[i]) i++;
    counts_[i]++;
    sum_ += value;
  }
  const std::vector<double>& bounds() const { return bounds_; }
  const std::vector<uint64_t>& counts() const { return counts_; }  // not cumulative; last is +Inf
  double sum() const { return sum_; }

 private:
  std::vector<double> bounds_;
  std::vector<uint64_t> counts_;
  double sum_ = 0;
};

// Several folders tell of tributary_relabel_dropped_total, each of a stage of its own.
inline constexpr char kRelabelDroppedHelp[] =
    "Dropped by rules: targets by relabel_configs (stage target), at each building of the job's "
    "targets; samples by metric_relabel_configs (metric) and by write_relabel_configs (write).";

class MetricSink {
 public:
  virtual ~MetricSink() = default;
  virtual void AddCounter(std::string_view name, std::string_view help, const MetricLabels& labels,
                          double value) = 0;
  virtual void AddGauge(std::string_view name, std::string_view help, const MetricLabels& labels,
                        double value) = 0;
  virtual void AddHistogram(std::string_view name, std::string_view help,
                            const MetricLabels& labels, const Histogram& histogram) = 0;
  // A summary without quantiles, which cannot be added up: how many, and their sum.
  virtual void AddSummary(std::string_view name, std::string_view help, const MetricLabels& labels,
                          uint64_t count, double sum) = 0;
};

}  // namespace tributary
