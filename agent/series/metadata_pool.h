// HELP, TYPE and UNIT of metric families, one copy for all the targets of a worker that say the
// same. One thread. Entries that no target refers to any more go when somebody asks what is in use,
// or at the latest when they are as many as the others and 1,000 more.
#pragma once

#include <cstdint>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "agent/series/series_metadata.h"

namespace tributary {

class MetadataPool {
 public:
  FamilyRef Intern(FamilyMetadata metadata);
  // What targets say now, sorted by family; drops the rest.
  std::vector<FamilyRef> InUse();
  size_t size() const { return entries_.size(); }

 private:
  void Sweep();

  size_t size_after_sweep_ = 0;
  boost::unordered_flat_map<uint64_t, FamilyRef> entries_;  // by hash of the whole entry
};

}  // namespace tributary
