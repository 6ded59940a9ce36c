#include "agent/remote/series_share.h"

#include <algorithm>

#include "common/base/assert.h"
#include "common/base/rendezvous.h"

namespace tributary {

namespace {

bool Names(const std::vector<std::string>& sorted, const std::string& name) {
  return std::binary_search(sorted.begin(), sorted.end(), name);
}

}  // namespace

SeriesShare::SeriesShare(const RemoteShareConfig& config, const std::string& identity)
    : labels_(config.labels), ignored_(config.ignore_labels), replicas_(config.replicas) {
  for (const std::string& member : config.members) members_.push_back(StableHash(member));
  std::sort(members_.begin(), members_.end());
  const auto own = std::find(members_.begin(), members_.end(), StableHash(identity));
  CHECK(own != members_.end());
  own_ = static_cast<uint32_t>(own - members_.begin());
}

uint64_t SeriesShare::KeyOf(const Labels& labels) const {
  if (labels_.empty() && ignored_.empty()) return labels.Hash();
  Labels deciding = labels;
  deciding.RemoveIf([this](const Label& label) {
    return labels_.empty() ? Names(ignored_, label.name) : !Names(labels_, label.name);
  });
  return deciding.Hash();
}

bool SeriesShare::Has(const Labels& labels) const {
  return HasByRendezvous(KeyOf(labels), own_, static_cast<uint32_t>(members_.size()), replicas_,
                         [this](uint32_t member) { return members_[member]; });
}

}  // namespace tributary
