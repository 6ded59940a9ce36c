#include "agent/remote/share_history.h"

#include <algorithm>
#include <utility>

#include "common/base/assert.h"

namespace tributary {

void ShareHistory::Change(Share share, LogPosition end) {
  const Share& last = latest();
  const bool same = last == nullptr || share == nullptr ? last == share : *last == *share;
  if (same) return;
  const uint64_t number = epochs_.back().number + 1;
  // Nothing came since the last change: nothing will ever be of its epoch.
  if (epochs_.size() > 1 && epochs_.back().after == end) epochs_.pop_back();
  epochs_.push_back({number, end, std::move(share)});
}

uint64_t ShareHistory::EpochAt(LogPosition position) const {
  const auto epoch = std::find_if(epochs_.rbegin(), epochs_.rend(),
                                  [&](const Epoch& each) { return each.after < position; });
  return epoch == epochs_.rend() ? epochs_.front().number : epoch->number;
}

void ShareHistory::Forget(uint64_t oldest_held) {
  while (epochs_.size() > 1 && epochs_.front().number < oldest_held) epochs_.pop_front();
}

const SeriesShare* ShareHistory::Of(uint64_t number) const {
  const auto epoch = std::find_if(epochs_.begin(), epochs_.end(),
                                  [&](const Epoch& each) { return each.number == number; });
  CHECK(epoch != epochs_.end());
  return epoch->share.get();
}

}  // namespace tributary
