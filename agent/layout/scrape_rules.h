// What a job says about the lines of its targets' pages: relabeling, limits, whose labels win.
// Immutable; shared by the targets of a job.
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "common/base/time.h"
#include "common/config/model.h"
#include "common/histogram/limits.h"
#include "common/labels/labels.h"
#include "common/relabel/relabel.h"

namespace tributary {

struct ScrapeRules {
  RelabelRules metric_relabel;
  bool honor_labels = false;
  bool honor_timestamps = true;
  bool track_timestamps_staleness = false;
  bool extra_metrics = false;
  bool keep_starts = false;  // of counts: read from the page, and kept with the samples
  NameValidation name_validation = NameValidation::kUtf8;
  uint64_t sample_limit = 0;  // 0: none, as for all limits
  uint64_t label_limit = 0;
  uint64_t label_name_length_limit = 0;
  uint64_t label_value_length_limit = 0;
  HistogramLimits histogram_limits;
  TimestampMs out_of_order_window_ms = 0;

  ScrapeRules() = default;
  explicit ScrapeRules(const ScrapeConfig& config, milliseconds out_of_order_time_window);
};

// The labels of a series from a page: `exposed` merged with the target's under honor_labels, then
// relabelled. `emptied` names the labels that the page gave with an empty value. False: dropped.
// Follows scrape.go mutateSampleLabels.
bool MutateSampleLabels(const ScrapeRules& rules, const Labels& target,
                        const std::vector<std::string>& emptied, Labels& exposed);

// The labels of a report series (up, scrape_duration_seconds ...): the target's, always.
Labels ReportLabels(std::string_view name, const Labels& target);

// Whether a relabelled series may be ingested: it has a name, valid names, and keeps the label
// limits. The error says which rule it breaks; `over_limit` tells limits from invalid labels.
Status CheckSeriesLabels(const ScrapeRules& rules, const Labels& labels, bool& over_limit);

}  // namespace tributary
