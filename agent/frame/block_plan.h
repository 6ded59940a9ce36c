// Decides when a lane's block is to be compiled, and of which series, from the records that are
// sent of it. One thread; some 80 bytes.
//
// Nothing is compiled for a first record: it may be the only one. Then a block follows what is
// there, at most once a record:
// - Remote write 1.0: it has the series that were there in the last two records. One that is gone
//   leaves it at once, and one that comes and goes stays out: it is sent beside the block, by the
//   general path, without harm to the others.
// - 2.0: it has those that were there in one of the last two, as nothing can be sent beside a unit.
//   One that comes and goes stays in, and a record without it is rewritten (FrameFit).
// Metadata and start times are followed once two records have the same ones.
//
// A wish is repeated with every record until it is fulfilled. Where BlockJob gives no block for it,
// the lane is to stay with the general path, and its plan is to be asked no more.
#pragma once

#include <memory>
#include <optional>

#include "agent/frame/frame_block.h"
#include "agent/frame/frame_fit.h"
#include "agent/series/samples.h"

namespace tributary {

// As in BlockSource.
struct BlockWish {
  BlockBits series{};
  FrameTimes times = FrameTimes::kShared;
};

class BlockPlan {
 public:
  // Of the series [begin, end) of a group.
  BlockPlan(uint32_t begin, uint32_t end, bool is_v2) : begin_(begin), end_(end), is_v2_(is_v2) {}

  // Of each record, in their order. `block` is the one that the lane has, or null; `kept` the
  // series that the remote's rules keep, counted from `begin`. What is to be compiled for the
  // records to come, if anything, with the metadata and start times of this one.
  std::optional<BlockWish> Observe(const FrameBlock* block, const GroupSamples& samples,
                                   const BlockBits& kept);

 private:
  const uint32_t begin_, end_;
  const bool is_v2_;
  // Of the last record.
  bool seen_ = false;
  bool has_own_ = false;
  BlockBits there_{};
  std::shared_ptr<const SeriesMetadata> metadata_;
  std::shared_ptr<const StartTimes> starts_;
};

}  // namespace tributary
