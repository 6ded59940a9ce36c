// The latest samples of groups, as they were at one moment: immutable, so that any thread may read
// them while the worker goes on. It holds on to the records it has, 8 bytes a series.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "agent/series/samples.h"
#include "common/base/time.h"

namespace tributary {

// A sample of a series that is not in its group's last record.
struct EarlierSample {
  uint32_t index = 0;  // of the series in its group
  TimestampMs timestamp = 0;
  double value = 0;
  std::shared_ptr<const HistogramSample> histogram;  // null: it is a float
};

// What is known of a group.
struct LatestOfGroup {
  GroupRef group;
  std::shared_ptr<const GroupSamples> record;                 // the last one; never null
  std::shared_ptr<const std::vector<EarlierSample>> earlier;  // by index; null: none

  // Time of the latest sample.
  TimestampMs newest() const;
};

struct LatestSample {
  bool found = false;
  TimestampMs timestamp = 0;
  double value = 0;
  const HistogramSample* histogram = nullptr;  // of the group's record; null: it is a float

  bool stale() const;
};

// Of each series of the group, by index, the latest sample that is not later than `now`; of two
// with the same time the one that came last. What `samples` had before is gone. The histograms
// live as long as the group.
void FillLatest(const LatestOfGroup& group, TimestampMs now, std::vector<LatestSample>& samples);

}  // namespace tributary
