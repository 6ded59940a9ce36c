// The groups that are alive, by how the log on disk names them: so that what is read back is the
// group that a layout or another reader has, not another one with the same labels. One thread.
#pragma once

#include <cstdint>
#include <utility>

#include <boost/unordered/unordered_flat_map.hpp>

#include "agent/series/group_definition.h"

namespace tributary {

class GroupRegistry {
 public:
  // Null: it is not alive, or never was.
  GroupRef Find(uint32_t partition, uint64_t epoch, uint64_t group) const {
    auto it = groups_.find({{partition, epoch}, group});
    return it == groups_.end() ? nullptr : it->second.lock();
  }
  void Add(uint32_t partition, uint64_t epoch, uint64_t group, const GroupRef& definition) {
    groups_.insert_or_assign({{partition, epoch}, group}, definition);
    if (groups_.size() <= 2 * size_after_sweep_ + 1000) return;
    boost::unordered::erase_if(groups_, [](const auto& entry) { return entry.second.expired(); });
    size_after_sweep_ = groups_.size();
  }

 private:
  // Partitions may have been of different workers, which number groups each for themselves.
  using Name = std::pair<std::pair<uint32_t, uint64_t>, uint64_t>;
  boost::unordered_flat_map<Name, std::weak_ptr<const GroupDefinition>> groups_;
  size_t size_after_sweep_ = 0;
};

}  // namespace tributary
