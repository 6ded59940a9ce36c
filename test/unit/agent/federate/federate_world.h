// Groups of series with their latest samples, for pages.
#pragma once

#include <string>
#include <vector>

#include "agent/latest/latest_snapshot.h"
#include "common/histogram/native_histogram.h"
#include "common/labels/labels.h"
#include "common/selector/series_selector.h"

namespace tributary {

inline constexpr TimestampMs kPageNow = 1'700'000'000'000;

struct PageSample {
  Labels labels;
  double value = 0;
  TimestampMs timestamp = kPageNow;
  const NativeHistogram* histogram = nullptr;  // instead of the value
};

// One group with these samples, in any order; its series are sorted as a layout sorts them.
LatestOfGroup MakeLatest(const std::vector<PageSample>& samples, uint64_t generation = 1);

// A selector that selects all that lack the label `no`.
std::vector<SeriesSelector> SelectAll();

}  // namespace tributary
