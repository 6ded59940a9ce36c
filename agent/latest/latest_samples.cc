#include "agent/latest/latest_samples.h"

#include <algorithm>
#include <utility>

namespace tributary {

namespace {

// How often groups are looked at that are too old.
constexpr TimestampMs kLookEveryMs = 60'000;

// Whether all of the series that the old record has are in the new one, at a time that has come.
bool Covers(const GroupSamples& record, const GroupSamples& old, TimestampMs now) {
  if (record.timestamp > now || record.timestamp < old.timestamp) return false;
  if (!old.own.empty() || old.irregular != nullptr) return false;
  for (size_t w = 0; w < old.present.size(); w++) {
    if ((old.present[w] & ~record.present[w]) != 0) return false;
  }
  return true;
}

bool IsLater(const LatestSample& sample, const LatestSample& than) {
  return sample.found && (!than.found || sample.timestamp >= than.timestamp);
}

// `holder`: what the histogram is a part of.
EarlierSample Keep(uint32_t index, const LatestSample& sample, const LatestOfGroup& holder) {
  EarlierSample kept{index, sample.timestamp, sample.value, nullptr};
  if (sample.histogram == nullptr) return kept;
  if (holder.earlier != nullptr) {
    for (const EarlierSample& earlier : *holder.earlier) {
      if (earlier.histogram.get() == sample.histogram) {
        kept.histogram = earlier.histogram;
        return kept;
      }
    }
  }
  kept.histogram = std::make_shared<const HistogramSample>(*sample.histogram);
  return kept;
}

std::shared_ptr<const std::vector<EarlierSample>> Share(std::vector<EarlierSample> samples) {
  if (samples.empty()) return nullptr;
  samples.shrink_to_fit();
  return std::make_shared<const std::vector<EarlierSample>>(std::move(samples));
}

}  // namespace

LatestOfGroup& LatestSamples::Find(Target& target, const GroupRef& group) {
  std::vector<LatestOfGroup>& groups = target.groups;
  // Records of a commit come in the order of the groups.
  for (size_t step = 0; step < groups.size(); step++) {
    const size_t i = (target.cursor + step) % groups.size();
    if (groups[i].group != group) continue;
    target.cursor = i + 1;
    return groups[i];
  }
  groups.push_back({group, nullptr, nullptr});
  target.cursor = groups.size();
  return groups.back();
}

void LatestSamples::Take(const std::shared_ptr<const GroupSamples>& record, TimestampMs now) {
  Replace(Find(targets_[record->group->target_key()], record->group), record, now);
  // A clock that was set back has other times.
  if (now >= next_look_ || next_look_ - now > kLookEveryMs) Forget(now);
}

void LatestSamples::Replace(LatestOfGroup& entry, const std::shared_ptr<const GroupSamples>& record,
                            TimestampMs now) {
  if (entry.record == nullptr ||
      (entry.earlier == nullptr && Covers(*record, *entry.record, now))) {
    entry.record = record;
    return;
  }
  FillLatest(entry, now, before_);
  FillLatest({entry.group, record, nullptr}, now, after_);
  std::vector<EarlierSample> kept;
  for (uint32_t i = 0; i < before_.size(); i++) {
    const LatestSample& sample = before_[i];
    if (!sample.found || sample.timestamp < now - look_back_ms_) continue;
    if (!IsLater(after_[i], sample)) kept.push_back(Keep(i, sample, entry));
  }
  entry.earlier = Share(std::move(kept));
  entry.record = record;
}

void LatestSamples::Forget(TimestampMs now) {
  next_look_ = now + kLookEveryMs;
  const TimestampMs oldest = now - look_back_ms_;
  boost::unordered::erase_if(targets_, [&](auto& target) {
    std::vector<LatestOfGroup>& groups = target.second.groups;
    std::erase_if(groups, [&](const LatestOfGroup& entry) { return entry.newest() < oldest; });
    target.second.cursor = 0;
    return groups.empty();
  });
}

std::vector<LatestOfGroup> LatestSamples::Snapshot() const {
  std::vector<LatestOfGroup> all;
  all.reserve(groups());
  for (const auto& [key, target] : targets_) {
    all.insert(all.end(), target.groups.begin(), target.groups.end());
  }
  return all;
}

size_t LatestSamples::groups() const {
  size_t count = 0;
  for (const auto& [key, target] : targets_) count += target.groups.size();
  return count;
}

size_t LatestSamples::series() const {
  size_t count = 0;
  for (const auto& [key, target] : targets_) {
    for (const LatestOfGroup& entry : target.groups) count += entry.group->series();
  }
  return count;
}

size_t LatestSamples::memory_bytes() const {
  size_t bytes = targets_.bucket_count() * (sizeof(uint64_t) + sizeof(Target) + 1);
  for (const auto& [key, target] : targets_) {
    bytes += target.groups.capacity() * sizeof(LatestOfGroup);
    for (const LatestOfGroup& entry : target.groups) {
      if (entry.record != nullptr) bytes += entry.record->memory_bytes();
      if (entry.earlier != nullptr) bytes += entry.earlier->capacity() * sizeof(EarlierSample);
    }
  }
  return bytes;
}

}  // namespace tributary
