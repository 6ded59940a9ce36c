// What a commit holds, as series that people can read. Plain values and pure functions.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/series/samples.h"
#include "common/labels/labels.h"

namespace tributary {

struct SeriesExemplar {
  Labels labels;
  double value = 0;
  TimestampMs timestamp = 0;
};

// One sample of a series: a number, or a native histogram.
struct SeriesSample {
  Labels labels;
  double value = 0;
  std::string histogram;                 // as text; "" if it is a number
  std::optional<TimestampMs> timestamp;  // its own, if it is not the scrape's
  TimestampMs start = 0;                 // when its count began; 0: unknown
  std::vector<SeriesExemplar> exemplars;
};

// The samples of one scrape, by name and labels; those of one series in the order of the page.
std::vector<SeriesSample> ReadSeries(
    const std::vector<std::shared_ptr<const GroupSamples>>& groups);

// Takes the report series of a target out of `series`, and returns them in the order in which the
// agent writes them.
std::vector<SeriesSample> TakeReport(const Labels& target_labels,
                                     std::vector<SeriesSample>& series);

}  // namespace tributary
