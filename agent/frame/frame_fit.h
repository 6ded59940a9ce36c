// What of a scrape's samples a block can take, and how. Pure.
#pragma once

#include <limits>

#include "agent/frame/frame_block.h"

namespace tributary {

struct FrameFit {
  enum class Way : uint8_t {
    // The general path: metadata or start times are no longer those that the block was compiled
    // with.
    kGeneral,
    // Not every hole would be filled as it should: a series of the block has no sample or several,
    // a time is not as the block's are, or a stale marker would have a start time. The block is
    // inflated, and what is to be sent is written from it anew (thawed_block.h).
    kRewrite,
    kPatch,
  };

  Way way = Way::kGeneral;
  uint64_t samples = 0;  // floats of the block's series
  // Of these, if there are any.
  TimestampMs earliest = std::numeric_limits<TimestampMs>::max();
  TimestampMs latest = std::numeric_limits<TimestampMs>::min();
  // Series of the block's range that have floats and are not in the block, counted from its begin:
  // if the remote sends them, they go by the general path.
  BlockBits others{};
};

// Of the floats of `samples`, which are of the block's group.
FrameFit FitOf(const FrameBlock& block, const GroupSamples& samples);

// The values of the block's series that `samples` has with the time of the scrape, in the order of
// the series: either where they are, or copied to `scratch`, which has room for as many as the
// block has series.
std::span<const double> ScrapedValues(const FrameBlock& block, const GroupSamples& samples,
                                      std::span<double> scratch);

}  // namespace tributary
