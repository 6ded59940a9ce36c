// Which share of the series a remote has of which part of the log.
//
// A change of the members takes effect at a position: up to it the share before counts, whenever
// that is delivered, and beyond it the new one. As all queues of a log change at the same position,
// each record's series go to the members of its time: what moves from one member to another is
// neither lost nor sent twice, however far behind one of them is. One *epoch* is what lies between
// two changes. Memory: one small object for each change that the remote has not passed. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "agent/log/log_format.h"
#include "agent/remote/series_share.h"

namespace tributary {

class ShareHistory {
 public:
  // Null: all series.
  using Share = std::shared_ptr<const SeriesShare>;

  explicit ShareHistory(Share share) { epochs_.push_back({0, 0, std::move(share)}); }

  // Of what comes after `end`, the last position of the log. Nothing if the share is the same.
  void Change(Share share, LogPosition end);
  // The epoch of a record. Only called with positions that grow: epochs before it may be forgotten,
  // but for those from `oldest_held` on, of which there still are records.
  uint64_t EpochAt(LogPosition position) const;
  void Forget(uint64_t oldest_held);
  // Of an epoch that is not forgotten. Good until it is.
  const SeriesShare* Of(uint64_t epoch) const;
  const Share& latest() const { return epochs_.back().share; }
  size_t size() const { return epochs_.size(); }

 private:
  struct Epoch {
    uint64_t number = 0;
    LogPosition after = 0;  // it begins behind this one
    Share share;
  };
  std::deque<Epoch> epochs_;  // at least one
};

}  // namespace tributary
