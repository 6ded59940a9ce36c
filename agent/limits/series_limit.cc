#include "agent/limits/series_limit.h"

#include <algorithm>

#include "common/base/hash.h"

namespace tributary {

const char* LimitScopeName(LimitScope scope) {
  switch (scope) {
    case LimitScope::kTarget:
      return "target";
    case LimitScope::kJob:
      return "job";
    case LimitScope::kSender:
      return "sender";
    case LimitScope::kRemote:
      return "remote";
  }
  return "";
}

bool SeriesLimit::Take() {
  const uint64_t limit = this->limit();
  uint64_t active = active_.load(std::memory_order_relaxed);
  do {
    if (limit > 0 && active >= limit) return false;
  } while (!active_.compare_exchange_weak(active, active + 1, std::memory_order_relaxed));
  return true;
}

uint64_t SeriesLimit::room() const {
  const uint64_t limit = this->limit(), active = this->active();
  if (limit == 0) return UINT64_MAX;
  return active >= limit ? 0 : limit - active;
}

void SeriesLimit::NoteDropped(std::string_view source, const Labels& series, const Labels& common,
                              TimestampMs now) {
  dropped_series_.fetch_add(1, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  if (offenders_ == nullptr || now - last_dropped_ms_ > kForgetAfterMs) {
    offenders_ = std::make_unique<Offenders>();
  }
  last_dropped_ms_ = std::max(last_dropped_ms_, now);
  offenders_->sources.Add(source);
  offenders_->metrics.Add(series.Get(kMetricName));
  for (const Label& label : series) {
    if (label.name != kMetricName && common.Get(label.name) != label.value) NoteLabel(label);
  }
}

void SeriesLimit::NoteLabel(const Label& label) {
  bool is_new = false;
  const size_t entry = offenders_->labels.Add(label.name, is_new);
  if (is_new) offenders_->values[entry] = {};
  offenders_->values[entry].Add(StableHash(label.value));
}

SeriesLimitStatus SeriesLimit::status() const {
  SeriesLimitStatus status;
  status.scope = LimitScopeName(scope_);
  status.name = name_;
  status.limit = limit();
  status.has_active = scope_ == LimitScope::kJob || scope_ == LimitScope::kRemote;
  status.active = active();
  status.dropped_series = dropped_series();
  status.dropped_samples = dropped_samples();
  const std::lock_guard lock(mutex_);
  status.last_dropped_ms = last_dropped_ms_;
  if (offenders_ == nullptr) return status;
  const auto told = [](const HeavyHitters& names) {
    std::vector<SeriesOffender> offenders;
    for (const HeavyHitters::Entry& entry : names.Top(kOffendersTold)) {
      offenders.push_back({entry.name, entry.count, entry.error, 0});
    }
    return offenders;
  };
  status.sources = told(offenders_->sources);
  status.metrics = told(offenders_->metrics);
  // A label that has the same few values on all of them is not what makes them many.
  const auto& labels = offenders_->labels.entries();
  for (size_t i = 0; i < labels.size(); i++) {
    status.labels.push_back(
        {labels[i].name, labels[i].count, labels[i].error, offenders_->values[i].Estimate()});
  }
  std::sort(status.labels.begin(), status.labels.end(),
            [](const SeriesOffender& a, const SeriesOffender& b) {
              return a.values != b.values ? a.values > b.values : a.name < b.name;
            });
  if (status.labels.size() > kOffendersTold) status.labels.resize(kOffendersTold);
  return status;
}

}  // namespace tributary
