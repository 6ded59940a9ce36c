#include "agent/layout/target_layout.h"

#include <algorithm>
#include <string>

namespace tributary {

size_t TargetLayout::active_series() const {
  size_t others = 0;
  for (const auto& [place, absences] : absences_) others += absences >= kAbsencesMax;
  for (const uint32_t place : report_) others += place != kNoPlace;
  return series_ - std::min(series_, others);
}

void TargetLayout::ForgetLines() {
  lines_.Clear();
  has_over_limit_ = false;
  lines_at_success_ = 0;
  families_.clear();
  family_of_line_.clear();
  families_settled_ = false;
  // With extra_scrape_metrics these may be others from now on; they are found again by their
  // labels.
  for (uint32_t place : report_) {
    if (place != kNoPlace) last_times_.TryAdd(place, last_scrape_ms_);
  }
  last_times_max_ = std::max(last_times_max_, last_scrape_ms_);
  report_.fill(kNoPlace);
}

void TargetLayout::ForgetComments() {
  std::vector<uint32_t> kept;
  kept.reserve(lines_.size());
  for (uint32_t line = 0; line < lines_.size(); line++) {
    if (lines_.place(line) != KnownLines::kComment) kept.push_back(line);
  }
  if (kept.size() < lines_.size()) lines_.Reorder(kept);
}

bool TargetLayout::Has(std::string_view wanted) const {
  std::string buffer;
  for (const Group& group : groups_) {
    uint32_t place = group.first_place;
    for (std::string_view packed : group.definition->Packed(buffer)) {
      if (packed == wanted) {
        return tracked_.Test(place) ||
               std::find(report_.begin(), report_.end(), place) != report_.end();
      }
      place++;
    }
  }
  return false;
}

size_t TargetLayout::memory_bytes() const {
  size_t bytes = sizeof(*this) + lines_.memory_bytes() + tracked_.memory_bytes();
  bytes += last_times_.memory_bytes() + absences_.bucket_count() * 9;
  bytes += families_.bucket_count() * 25 + exemplars_.bucket_count() * 41;
  bytes += family_of_line_.bucket_count() * 17;
  for (const Group& group : groups_) {
    bytes += group.definition->memory_bytes();
    if (group.starts != nullptr) bytes += group.starts->capacity() * sizeof(TimestampMs);
    if (group.metadata != nullptr) bytes += group.metadata->memory_bytes();
  }
  return bytes;
}

}  // namespace tributary
