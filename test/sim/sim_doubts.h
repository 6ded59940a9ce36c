// What may be lost with the end of a process or with a loss of power, as the log's contract has it:
// what was not on disk, and for power what was not synced. All else must arrive.
#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "agent/log/disk_log.h"
#include "common/base/time.h"

namespace tributary {

class Doubts {
 public:
  // `fsync`: how the logs sync.
  explicit Doubts(Fsync fsync) : fsync_(fsync) {}

  // All that was appended before is on disk, as the agent says.
  void Written(MonotonicTime now);
  // The disk does not do what it should; from `when` on it does again.
  void DiskIll(MonotonicTime now);
  void DiskWell(MonotonicTime when);
  bool disk_ill() const { return ill_; }
  MonotonicTime disk_well_since() const { return well_since_; }

  void ProcessEnded(MonotonicTime now);
  void PowerLost(MonotonicTime now);

  // Whether what was appended at this time may have been lost.
  bool At(MonotonicTime time) const;
  MonotonicTime written() const { return written_.empty() ? MonotonicTime{} : written_.back(); }

 private:
  MonotonicTime SyncedBefore(MonotonicTime now) const;

  const Fsync fsync_;
  bool ill_ = false;
  MonotonicTime ill_since_{}, well_since_{};
  std::deque<MonotonicTime> written_;
  using Stretch = std::pair<MonotonicTime, MonotonicTime>;
  std::vector<Stretch> ill_stretches_;  // what was written then need not be synced, even later
  std::vector<Stretch> doubts_;
};

}  // namespace tributary
