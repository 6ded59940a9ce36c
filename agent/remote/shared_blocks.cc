#include "agent/remote/shared_blocks.h"

#include <algorithm>
#include <string_view>

#include "common/base/hash.h"

namespace tributary {

size_t SharedBlocks::Hash::operator()(const Key& key) const {
  const uint64_t numbers[] = {key.rules, key.group, key.begin};
  return StableHash({reinterpret_cast<const char*>(numbers), sizeof numbers});
}

BlockRef SharedBlocks::Find(const Key& key, const BlockBits& members, FrameTimes times) const {
  const auto found = blocks_.find(key);
  if (found == blocks_.end()) return nullptr;
  BlockRef block = found->second.lock();
  const bool fits =
      block != nullptr && block->origin().members == members && block->origin().times == times;
  return fits ? block : nullptr;
}

void SharedBlocks::Add(const Key& key, const BlockRef& block) {
  // What is gone is looked for each time that there are twice as many as were left the last time.
  if (blocks_.size() >= purge_at_) {
    boost::unordered::erase_if(blocks_, [](const auto& entry) { return entry.second.expired(); });
    purge_at_ = std::max(kPurgeMin, 2 * blocks_.size());
  }
  blocks_[key] = block;
}

}  // namespace tributary
