#include "agent/series/metadata_pool.h"

#include <algorithm>

#include "common/base/hash.h"
#include "common/base/varint.h"

namespace tributary {

namespace {

uint64_t HashOf(const FamilyMetadata& metadata) {
  std::string text;
  for (const std::string* part : {&metadata.family, &metadata.help, &metadata.unit}) {
    PutVarint(text, part->size());
    text += *part;
  }
  text += static_cast<char>(metadata.type);
  return StableHash(text);
}

}  // namespace

FamilyRef MetadataPool::Intern(FamilyMetadata metadata) {
  const uint64_t hash = HashOf(metadata);
  auto it = entries_.find(hash);
  if (it != entries_.end() && *it->second == metadata) return it->second;
  auto entry = std::make_shared<const FamilyMetadata>(std::move(metadata));
  if (entries_.size() >= 2 * size_after_sweep_ + 1000) {
    Sweep();
    it = entries_.find(hash);
  }
  // Of two that collide, one stays out of the pool: correct, only not shared.
  if (it == entries_.end()) entries_.emplace(hash, entry);
  return entry;
}

void MetadataPool::Sweep() {
  boost::unordered::erase_if(entries_,
                             [](const auto& entry) { return entry.second.use_count() == 1; });
  size_after_sweep_ = entries_.size();
}

std::vector<FamilyRef> MetadataPool::InUse() {
  Sweep();
  std::vector<FamilyRef> used;
  used.reserve(entries_.size());
  for (const auto& [hash, family] : entries_) used.push_back(family);
  std::sort(used.begin(), used.end(),
            [](const FamilyRef& a, const FamilyRef& b) { return *a < *b; });
  return used;
}

}  // namespace tributary
