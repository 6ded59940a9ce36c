#include "agent/layout/scrape_rules.h"

#include <algorithm>

#include <fmt/format.h>

#include "common/base/utf8.h"

namespace tributary {

namespace {

constexpr std::string_view kExportedPrefix = "exported_";

// Messages show at most the start of what a page sent.
std::string_view Clip(std::string_view text) { return text.substr(0, 50); }

void MoveConflicts(std::vector<Label> conflicts, Labels& labels) {
  std::stable_sort(conflicts.begin(), conflicts.end(),
                   [](const Label& a, const Label& b) { return a.name.size() < b.name.size(); });
  for (const Label& label : conflicts) {
    std::string name = label.name;
    do {
      name.insert(0, kExportedPrefix);
    } while (labels.Has(name));
    labels.Set(name, label.value);
  }
}

}  // namespace

ScrapeRules::ScrapeRules(const ScrapeConfig& config, milliseconds out_of_order_time_window)
    : metric_relabel(config.metric_relabel_configs, config.metric_name_validation_scheme),
      honor_labels(config.honor_labels),
      honor_timestamps(config.honor_timestamps),
      track_timestamps_staleness(config.track_timestamps_staleness),
      extra_metrics(config.extra_scrape_metrics),
      keep_starts(config.start_timestamps),
      name_validation(config.metric_name_validation_scheme),
      sample_limit(config.sample_limit),
      label_limit(config.label_limit),
      label_name_length_limit(config.label_name_length_limit),
      label_value_length_limit(config.label_value_length_limit),
      histogram_limits{config.native_histogram_bucket_limit,
                       MaxSchemaForBucketFactor(config.native_histogram_min_bucket_factor)},
      out_of_order_window_ms(out_of_order_time_window.count()) {}

bool MutateSampleLabels(const ScrapeRules& rules, const Labels& target,
                        const std::vector<std::string>& emptied, Labels& exposed) {
  if (rules.honor_labels) {
    for (const Label& label : target) {
      const bool given = exposed.Has(label.name) ||
                         std::find(emptied.begin(), emptied.end(), label.name) != emptied.end();
      if (!given) exposed.Set(label.name, label.value);
    }
  } else {
    std::vector<Label> conflicts;
    for (const Label& label : target) {
      std::string_view existing = exposed.Get(label.name);
      if (!existing.empty()) conflicts.push_back({label.name, std::string(existing)});
      exposed.Set(label.name, label.value);
    }
    if (!conflicts.empty()) MoveConflicts(std::move(conflicts), exposed);
  }
  return rules.metric_relabel.Apply(exposed) && !exposed.empty();
}

Labels ReportLabels(std::string_view name, const Labels& target) {
  Labels labels;
  labels.Set(kMetricName, name);
  for (const Label& label : target) {
    // A report has no labels that the target's could displace. What Prometheus moves to exported_
    // is therefore empty, which removes a label of that name that the target may have.
    labels.Remove(std::string(kExportedPrefix) + label.name);
    labels.Set(label.name, label.value);
  }
  return labels;
}

Status CheckSeriesLabels(const ScrapeRules& rules, const Labels& labels, bool& over_limit) {
  over_limit = false;
  std::string_view metric = labels.Get(kMetricName);
  if (metric.empty()) return Fail("a series has no metric name (__name__) after relabeling");
  if (!IsValidMetricName(metric, rules.name_validation)) {
    return Fail(fmt::format("invalid metric name '{}'", Clip(metric)));
  }
  for (const Label& label : labels) {
    if (!IsValidLabelName(label.name, rules.name_validation)) {
      return Fail(
          fmt::format("invalid label name '{}' (metric {})", Clip(label.name), Clip(metric)));
    }
    if (!IsValidUtf8(label.value)) {
      return Fail(fmt::format("the value of label '{}' is not valid UTF-8 (metric {})",
                              Clip(label.name), Clip(metric)));
    }
  }
  over_limit = true;
  if (rules.label_limit > 0 && labels.size() > rules.label_limit) {
    return Fail(fmt::format("label_limit exceeded (metric {}: {} labels, limit {})", Clip(metric),
                            labels.size(), rules.label_limit));
  }
  for (const Label& label : labels) {
    if (rules.label_name_length_limit > 0 && label.name.size() > rules.label_name_length_limit) {
      return Fail(fmt::format(
          "label_name_length_limit exceeded (metric {}, label {}: length {}, limit {})",
          Clip(metric), Clip(label.name), label.name.size(), rules.label_name_length_limit));
    }
    if (rules.label_value_length_limit > 0 && label.value.size() > rules.label_value_length_limit) {
      return Fail(fmt::format(
          "label_value_length_limit exceeded (metric {}, label {}: length {}, limit {})",
          Clip(metric), Clip(label.name), label.value.size(), rules.label_value_length_limit));
    }
  }
  over_limit = false;
  return {};
}

}  // namespace tributary
