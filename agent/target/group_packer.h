// Target groups as few bytes, for those who keep very many of them: a pod has some sixty labels,
// whose names are longer than their values and the same for all pods. Packed, a name that was met
// before is a number.
//
// Bounds: 4096 names are remembered, which is more than a cluster's pods have; others are spelled
// out. A packed group is for the packer that made it. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/config/model.h"

namespace tributary {

class GroupPacker {
 public:
  GroupPacker() = default;
  GroupPacker(const GroupPacker&) = delete;
  GroupPacker& operator=(const GroupPacker&) = delete;

  // Equal groups become equal bytes, others do not.
  std::string Pack(const TargetGroup& group);
  TargetGroup Unpack(std::string_view packed) const;

 private:
  static constexpr size_t kNamesMax = 4096;

  // From 1; 0: there is no place for it.
  uint64_t NumberOf(const std::string& name);

  std::deque<std::string> names_;  // by number, the first is 1
  std::unordered_map<std::string_view, uint64_t> numbers_;
};

}  // namespace tributary
