// The latest sample of every series of a worker, for /federate. Kept only where somebody may ask.
//
// It shares each group's last record with the log: nothing is copied, a commit costs one
// comparison and one pointer a group. What such a record does not have, because the series was not
// on the page, stays beside it until it is older than the look-back. So that nothing is told twice:
// a series may be in several groups (after a regrouping, or of several targets), and the latest
// sample of them counts, markers that it has ended included; whoever reads decides by labels.
//
// Memory: 8 bytes a series, some 250 a group, and 40 for a series that is in the look-back but not
// in the last record. Groups go one look-back after their last sample, those that a regrouping has
// replaced too. One thread (the worker's loop).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "agent/latest/latest_snapshot.h"

namespace tributary {

class LatestSamples {
 public:
  // Samples that are older are forgotten.
  explicit LatestSamples(TimestampMs look_back_ms) : look_back_ms_(look_back_ms) {}

  // Takes a record as it is appended to the log. `now`: of the wall clock.
  void Take(const std::shared_ptr<const GroupSamples>& record, TimestampMs now);

  // All groups that have samples, in no order.
  std::vector<LatestOfGroup> Snapshot() const;

  size_t groups() const;
  size_t series() const;
  // What it holds on to, whoever else does.
  size_t memory_bytes() const;

 private:
  struct Target {
    size_t cursor = 0;  // where the next record's group is likely to be
    std::vector<LatestOfGroup> groups;
  };

  static LatestOfGroup& Find(Target& target, const GroupRef& group);
  void Replace(LatestOfGroup& entry, const std::shared_ptr<const GroupSamples>& record,
               TimestampMs now);
  void Forget(TimestampMs now);

  const TimestampMs look_back_ms_;
  TimestampMs next_look_ = 0;                            // for what is too old
  boost::unordered_flat_map<uint64_t, Target> targets_;  // by target key
  std::vector<LatestSample> before_, after_;             // scratch
};

}  // namespace tributary
