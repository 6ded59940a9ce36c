#include "agent/limits/target_quota.h"

#include <algorithm>

namespace tributary {

void TargetQuota::SetActive(uint64_t series) {
  if (job_ != nullptr) {
    if (series > active_) job_->Add(series - active_);
    if (series < active_) job_->Give(active_ - series);
  }
  active_ = series;
}

uint64_t TargetQuota::room() const {
  uint64_t room = UINT64_MAX;
  if (each_target_ != nullptr) room = IsFull() ? 0 : each_target_->limit() - active_;
  return job_ == nullptr ? room : std::min(room, job_->room());
}

bool TargetQuota::Admit(const Labels& series, const Labels& target, TimestampMs now) {
  SeriesLimit* const full = IsFull()                           ? each_target_.get()
                            : job_ != nullptr && !job_->Take() ? job_.get()
                                                               : nullptr;
  if (full == nullptr) {
    active_++;
    return true;
  }
  full->NoteDropped(target.Get("instance"), series, target, now);
  return false;
}

void TargetQuota::CountDropped(uint64_t samples) {
  if (samples == 0) return;
  (IsFull() || job_ == nullptr ? each_target_ : job_)->CountSamples(samples);
}

}  // namespace tributary
