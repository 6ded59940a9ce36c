#include "agent/frame/block_plan.h"

#include <utility>

namespace tributary {

std::optional<BlockWish> BlockPlan::Observe(const FrameBlock* block, const GroupSamples& samples,
                                            const BlockBits& kept) {
  BlockBits there = CommonBits(BitsOf(samples.present, begin_, end_), kept);
  bool has_own = false;
  for (const OwnSample& own : samples.own) {
    if (own.index < begin_ || own.index >= end_ || !HasBit(kept, own.index - begin_)) continue;
    SetBit(there, own.index - begin_);
    has_own = true;
  }
  BlockWish wish;
  wish.series = is_v2_ ? AllBits(there, there_) : CommonBits(there, there_);
  wish.times = has_own || has_own_ ? FrameTimes::kOwn : FrameTimes::kShared;
  const bool is_first = !std::exchange(seen_, true);
  const bool same_constants = samples.metadata == metadata_ && samples.starts == starts_;
  there_ = there;
  has_own_ = has_own;
  if (is_v2_) {
    metadata_ = samples.metadata;
    starts_ = samples.starts;
    if (!same_constants) return std::nullopt;
  }
  if (is_first || IsEmpty(wish.series)) return std::nullopt;
  const bool is_good = block != nullptr && block->origin().members == wish.series &&
                       block->origin().times == wish.times &&
                       FitOf(*block, samples).way != FrameFit::Way::kGeneral;
  if (is_good) return std::nullopt;
  return wish;
}

}  // namespace tributary
