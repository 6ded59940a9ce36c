// Samples as the log keeps them: a group, a time, which of its series are there, and their values.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

#include "agent/series/group_definition.h"
#include "common/base/time.h"

namespace tributary {

// The value by which Prometheus says that a series has ended (model/value/value.go).
inline constexpr uint64_t kStaleNanBits = 0x7ff0000000000002;
inline double StaleNan() { return std::bit_cast<double>(kStaleNanBits); }
inline bool IsStaleNan(double value) { return std::bit_cast<uint64_t>(value) == kStaleNanBits; }

// A sample whose time is not that of the scrape, or that comes second in it.
struct OwnSample {
  uint32_t index = 0;  // of the series in its group
  TimestampMs timestamp = 0;
  double value = 0;
};

// One group's samples of one scrape. Absence is the bitmap's, never a NaN.
struct GroupSamples {
  GroupRef group;
  TimestampMs timestamp = 0;
  std::vector<uint64_t> present;  // a bit for each series of the group
  std::vector<double> values;     // of the present ones, in order
  std::vector<OwnSample> own;     // in the order of the page

  size_t samples() const { return values.size() + own.size(); }
  size_t memory_bytes() const {
    return sizeof(*this) + present.size() * 8 + values.size() * 8 + own.size() * sizeof(OwnSample);
  }
  bool Has(uint32_t index) const { return (present[index / 64] >> (index % 64)) & 1; }
};

// What one scrape appends: all of it or nothing.
struct Commit {
  uint64_t target_key = 0;
  std::vector<GroupSamples> groups;
};

}  // namespace tributary
