// A MetricSink that becomes a /metrics page (text 0.0.4), by prometheus-cpp's serializer.
// Not thread-safe; one page, one use.
#pragma once

#include <memory>
#include <string>

#include "agent/telemetry/metric_sink.h"

namespace tributary {

class MetricPage : public MetricSink {
 public:
  MetricPage();
  ~MetricPage() override;
  void AddCounter(std::string_view name, std::string_view help, const MetricLabels& labels,
                  double value) override;
  void AddGauge(std::string_view name, std::string_view help, const MetricLabels& labels,
                double value) override;
  void AddGreatest(std::string_view name, std::string_view help, const MetricLabels& labels,
                   double value) override;
  void AddHistogram(std::string_view name, std::string_view help, const MetricLabels& labels,
                    const Histogram& histogram) override;
  void AddSummary(std::string_view name, std::string_view help, const MetricLabels& labels,
                  uint64_t count, double sum) override;
  // Families sorted by name.
  std::string Text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// process_* and tributary_build_info / prometheus_build_info of this process (/proc/self).
void CollectProcess(MetricSink& sink);

}  // namespace tributary
