#include "test/unit/agent/discovery/discovery_world.h"

#include <numeric>
#include <utility>

namespace tributary {
namespace {

class Metrics : public MetricSink {
 public:
  void AddCounter(std::string_view name, std::string_view, const MetricLabels& labels,
                  double value) override {
    Add(name, labels, value);
  }
  void AddGauge(std::string_view name, std::string_view, const MetricLabels& labels,
                double value) override {
    Add(name, labels, value);
  }
  void AddGreatest(std::string_view name, std::string_view, const MetricLabels& labels,
                   double value) override {
    Add(name, labels, value);
  }
  void AddHistogram(std::string_view name, std::string_view, const MetricLabels& labels,
                    const Histogram& histogram) override {
    const auto& counts = histogram.counts();
    Add(name, labels,
        static_cast<double>(std::accumulate(counts.begin(), counts.end(), uint64_t{0})));
  }
  void AddSummary(std::string_view name, std::string_view, const MetricLabels& labels,
                  uint64_t count, double) override {
    Add(name, labels, static_cast<double>(count));
  }
  double Value(const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? -1 : found->second;
  }

 private:
  void Add(std::string_view name, const MetricLabels& labels, double value) {
    std::string text(name);
    for (const auto& [label, content] : labels) text += " " + label + "=" + content;
    values_[text] += value;
  }
  std::map<std::string, double> values_;
};

}  // namespace

std::string TargetsText(const std::vector<TargetGroup>& groups) {
  std::string text;
  for (const TargetGroup& group : groups) {
    for (const std::string& target : group.targets) {
      text += (text.empty() ? "" : " ") + target;
      for (const Label& label : group.labels) {
        if (!label.name.starts_with("__")) text += "{" + label.name + "=" + label.value + "}";
      }
    }
  }
  return text;
}

DiscoveryWorld::DiscoveryWorld()
    : discovery(
          {loop, files, http, dns_transport,
           [this](const char* name) -> const char* {
             const auto found = environment.find(name);
             return found == environment.end() ? nullptr : found->second.c_str();
           }},
          [this](const std::string& job, std::vector<TargetGroup> given) {
            updates.push_back(job + ": " + TargetsText(given));
            groups[job] = std::move(given);
          },
          [this](const std::string& message) { warnings.push_back(message); }) {}

void DiscoveryWorld::Apply(std::vector<ScrapeConfig> jobs) {
  Config config;
  config.scrape_configs = std::move(jobs);
  discovery.Apply(config);
  loop.RunDue();
}

std::string DiscoveryWorld::Updates() {
  std::string text;
  for (const std::string& update : updates) text += (text.empty() ? "" : "\n") + update;
  updates.clear();
  return text;
}

std::string DiscoveryWorld::Errors() const {
  std::vector<DiscoveryError> errors;
  discovery.AppendErrors(errors);
  std::string text;
  for (const DiscoveryError& one : errors) {
    text += (text.empty() ? "" : "\n") + one.scrape_pool + ": " + one.error;
  }
  return text;
}

double DiscoveryWorld::Metric(const std::string& name) const {
  Metrics metrics;
  discovery.Collect(metrics);
  return metrics.Value(name);
}

}  // namespace tributary
