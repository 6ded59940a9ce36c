// HELP, TYPE and UNIT of a metric family, and which family each series of a group belongs to: what
// remote write 2.0 sends beside every series.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/wire/remote_write.h"

namespace tributary {

struct FamilyMetadata {
  std::string family;
  MetricType type = MetricType::kUnknown;
  std::string help;
  std::string unit;
  auto operator<=>(const FamilyMetadata&) const = default;
};
using FamilyRef = std::shared_ptr<const FamilyMetadata>;

// The families of a group's series, by the series' index: 2 bytes each, and each family once.
// Immutable.
class SeriesMetadata {
 public:
  // One entry for each series of the group, kGroupSeriesMax at most; null: nothing is known of it.
  // Entries that point to the same object share it; others are not compared.
  explicit SeriesMetadata(const std::vector<FamilyRef>& of_series);

  const FamilyMetadata* Of(uint32_t index) const {
    const uint16_t family = family_of_[index];
    return family == 0 ? nullptr : families_[family - 1].get();
  }
  FamilyRef RefOf(uint32_t index) const {
    const uint16_t family = family_of_[index];
    return family == 0 ? nullptr : families_[family - 1];
  }
  // Of helps and units, each family once.
  size_t text_bytes() const { return text_bytes_; }
  // Without the families themselves, which others share.
  size_t memory_bytes() const {
    return sizeof(*this) + families_.capacity() * sizeof(FamilyRef) +
           family_of_.capacity() * sizeof(uint16_t);
  }

 private:
  std::vector<FamilyRef> families_;
  std::vector<uint16_t> family_of_;  // index in families_ and 1; 0: none
  size_t text_bytes_ = 0;
};

}  // namespace tributary
