#include "agent/series/series_metadata.h"

#include <boost/unordered/unordered_flat_map.hpp>

#include "agent/series/group_definition.h"
#include "common/base/assert.h"

namespace tributary {

SeriesMetadata::SeriesMetadata(const std::vector<FamilyRef>& of_series) {
  CHECK(of_series.size() <= kGroupSeriesMax);
  boost::unordered_flat_map<const FamilyMetadata*, uint16_t> known;
  family_of_.reserve(of_series.size());
  for (const FamilyRef& family : of_series) {
    if (family == nullptr) {
      family_of_.push_back(0);
      continue;
    }
    const auto [it, is_new] = known.try_emplace(family.get(), 0);
    if (is_new) {
      families_.push_back(family);
      it->second = static_cast<uint16_t>(families_.size());
      text_bytes_ += family->help.size() + family->unit.size();
    }
    family_of_.push_back(it->second);
  }
  families_.shrink_to_fit();
}

}  // namespace tributary
