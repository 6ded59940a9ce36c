#include "test/sim/sim_doubts.h"

#include <algorithm>

namespace tributary {

namespace {

// Samples are synced a second after they were written, at a tick that comes once a second.
constexpr nanoseconds kSyncedAfter = milliseconds(3500);
constexpr size_t kWrittenMax = 1000;

}  // namespace

void Doubts::Written(MonotonicTime now) {
  written_.push_back(now);
  if (written_.size() > kWrittenMax) written_.pop_front();
}

void Doubts::DiskIll(MonotonicTime now) {
  if (!ill_) ill_since_ = std::max(now, well_since_);
  ill_ = true;
}

void Doubts::DiskWell(MonotonicTime when) {
  well_since_ = when;
  if (ill_) ill_stretches_.emplace_back(ill_since_ - kSyncedAfter, when + kSyncedAfter);
  ill_ = false;
}

void Doubts::ProcessEnded(MonotonicTime now) { doubts_.emplace_back(written(), now); }

MonotonicTime Doubts::SyncedBefore(MonotonicTime now) const {
  if (fsync_ == Fsync::kAlways) return written();
  const MonotonicTime reliable = now - kSyncedAfter;
  auto after = std::upper_bound(written_.begin(), written_.end(), reliable);
  return after == written_.begin() ? MonotonicTime{} : *std::prev(after);
}

void Doubts::PowerLost(MonotonicTime now) {
  if (fsync_ == Fsync::kNever) {
    doubts_.emplace_back(MonotonicTime{}, now);
    return;
  }
  doubts_.emplace_back(SyncedBefore(now), now);
  if (fsync_ == Fsync::kAlways) return;
  if (ill_) doubts_.emplace_back(ill_since_ - kSyncedAfter, now);
  doubts_.insert(doubts_.end(), ill_stretches_.begin(), ill_stretches_.end());
}

bool Doubts::At(MonotonicTime time) const {
  return std::any_of(doubts_.begin(), doubts_.end(), [&](const Stretch& stretch) {
    return stretch.first <= time && time <= stretch.second;
  });
}

}  // namespace tributary
