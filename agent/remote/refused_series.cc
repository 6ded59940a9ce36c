#include "agent/remote/refused_series.h"

#include <utility>

namespace tributary {

bool RefusedSeries::Refused(uint64_t series, std::shared_ptr<const Words> words,
                            bool may_quarantine, MonotonicTime now) {
  Prune(now);
  if (series_.size() >= kSeriesMax && !series_.contains(series)) return false;
  State& state = series_[series];
  if (!state.quarantined && now - state.last > kProbeInterval) state.refusals = 0;
  state.refusals++;
  state.last = now;
  state.words = std::move(words);
  if (!may_quarantine || state.quarantined || state.refusals < kRefusalsMax) return false;
  state.quarantined = true;
  state.probe = now + kProbeInterval;
  quarantined_++;
  return true;
}

void RefusedSeries::Accepted(uint64_t series) {
  const auto it = series_.find(series);
  if (it == series_.end()) return;
  if (it->second.quarantined) quarantined_--;
  series_.erase(it);
}

void RefusedSeries::Clear() {
  series_.clear();
  quarantined_ = 0;
}

std::shared_ptr<const RefusedSeries::Words> RefusedSeries::Quarantined(uint64_t series) const {
  const auto it = series_.find(series);
  return it != series_.end() && it->second.quarantined ? it->second.words : nullptr;
}

bool RefusedSeries::TakeProbe(uint64_t series, MonotonicTime now) {
  const auto it = series_.find(series);
  if (it == series_.end() || !it->second.quarantined) return false;
  it->second.last = now;
  if (now < it->second.probe || now < next_probe_) return false;
  it->second.probe = now + kProbeInterval;
  next_probe_ = now + kProbeGap;
  return true;
}

// A quarantined series that no target has any more is forgotten, too.
void RefusedSeries::Prune(MonotonicTime now) {
  if (now < next_prune_) return;
  next_prune_ = now + std::chrono::minutes(1);
  boost::unordered::erase_if(series_, [&](const auto& entry) {
    const State& state = entry.second;
    const bool old = now - state.last > (state.quarantined ? 2 : 1) * kProbeInterval;
    if (old && state.quarantined) quarantined_--;
    return old;
  });
}

}  // namespace tributary
