#include "agent/remote/remote_quota.h"

#include <string>
#include <utility>
#include <vector>

#include "common/base/hash.h"

namespace tributary {

namespace {

template <typename F>
void ForEachKept(const PreparedGroup& group, F f) {
  std::string buffer;
  std::vector<std::string_view> encoded;
  for (uint32_t chunk = 0; chunk < group.chunks(); chunk++) {
    group.Encoded(chunk, buffer, encoded);
    for (const std::string_view labels : encoded) {
      if (!labels.empty()) f(StableHash(labels));
    }
  }
}

// For people: whose a series is.
std::string SourceOf(const Labels& labels) {
  std::string source(labels.Get("job"));
  const std::string_view instance = labels.Get("instance");
  if (!source.empty() && !instance.empty()) source += ' ';
  return source += instance;
}

}  // namespace

void RemoteQuota::SetLimit(std::shared_ptr<SeriesLimit> limit) {
  if (limit == limit_) return;
  if (limit_ != nullptr) limit_->Give(series_.size());
  series_ = {};
  refused_ = {};
  limit_ = std::move(limit);
}

bool RemoteQuota::Take(uint64_t target_key, const Labels& labels, std::string_view encoded) {
  if (limit_ == nullptr) return true;
  const uint64_t hash = StableHash(encoded);
  if (auto it = series_.find(hash); it != series_.end()) {
    it->second++;
    return true;
  }
  const bool is_own =
      IsAgentMetric(labels.Get(kMetricName)) || (limits_ != nullptr && limits_->IsOwn(target_key));
  if (is_own) {
    limit_->Add(1);
  } else if (!limit_->Take()) {
    if (refused_.size() >= kRefusedMax) refused_.clear();
    if (refused_.insert(hash).second) {
      limit_->NoteDropped(SourceOf(labels), labels, {}, loop_.WallMs());
    }
    return false;
  }
  series_.emplace(hash, 1);
  refused_.erase(hash);
  return true;
}

void RemoteQuota::Own(const PreparedGroup& group) {
  if (limit_ == nullptr) return;
  ForEachKept(group, [this](uint64_t hash) {
    if (++series_[hash] == 1) limit_->Add(1);
  });
}

void RemoteQuota::Release(const PreparedGroup& group) {
  if (limit_ == nullptr) return;
  ForEachKept(group, [this](uint64_t hash) {
    auto it = series_.find(hash);
    if (it == series_.end() || --it->second > 0) return;
    series_.erase(it);
    limit_->Give(1);
  });
}

}  // namespace tributary
