// The limits on series that hold for one target: a limit of its own, and that of its job, which all
// of the job's targets share, those of other workers too.
//
// What counts is what the layout has: a series is in from when it is taken until it has been absent
// from three good pages in a row. Who comes first has room; what is known goes on, also if the
// limit has become lower.
//
// One thread; the limits are shared.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "agent/limits/series_limit.h"

namespace tributary {

class TargetQuota {
 public:
  // Null: no such limit.
  TargetQuota(std::shared_ptr<SeriesLimit> each_target, std::shared_ptr<SeriesLimit> job)
      : each_target_(std::move(each_target)), job_(std::move(job)) {}
  ~TargetQuota() { SetActive(0); }
  TargetQuota(const TargetQuota&) = delete;
  TargetQuota& operator=(const TargetQuota&) = delete;

  bool Has(const SeriesLimit* each_target, const SeriesLimit* job) const {
    return each_target_.get() == each_target && job_.get() == job;
  }
  // So many series are the target's now, whatever the limits are.
  void SetActive(uint64_t series);
  uint64_t room() const;
  // Takes room for a new series. False: it is over a limit, which has taken note of it.
  bool Admit(const Labels& series, const Labels& target, TimestampMs now);
  // Of series that were not admitted.
  void CountDropped(uint64_t samples);

 private:
  bool IsFull() const { return each_target_ != nullptr && active_ >= each_target_->limit(); }

  const std::shared_ptr<SeriesLimit> each_target_, job_;
  uint64_t active_ = 0;
};

}  // namespace tributary
