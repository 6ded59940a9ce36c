// Gives series their places: new ones while a page is read, all of them when a target is regrouped.
// One thread; a builder is used for one page, or goes on from one to the next, with an index of all
// series, until the layout is regrouped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "agent/layout/target_layout.h"
#include "common/labels/labels.h"

namespace tributary {

class LayoutBuilder {
 public:
  enum class Use : uint8_t { kOnce, kGoesOn };
  explicit LayoutBuilder(TargetLayout& layout, Use use = Use::kOnce);

  // The place of the series with these labels: its own, if the layout or this page had it before,
  // else a provisional one from first_provisional() on.
  uint32_t PlaceOf(const Labels& labels);
  // The same without giving it one: TargetLayout::kNoPlace, if it has none.
  uint32_t Find(const Labels& labels);
  uint32_t first_provisional() const { return first_provisional_; }
  size_t new_series() const { return spans_.size(); }

  // Sorts the new series by similarity into new groups of the layout. Returns the final place for
  // each provisional one, by their difference to first_provisional().
  std::vector<uint32_t> Settle();
  // Forgets the new series.
  void Discard();

  // Whether the groups have become many and small, or hold much that is gone.
  static bool WantsRegroup(const TargetLayout& layout);
  // Sorts all living series into new groups: a new generation. Lines of series that are gone go
  // too. Returns the new place of each old one; kNoPlace: its series is gone, or it had none.
  static std::vector<uint32_t> Regroup(TargetLayout& layout);

 private:
  struct Span {
    size_t offset;
    size_t size;
  };
  // Appends groups for `packed` (sorted) and returns the place of each.
  static std::vector<uint32_t> AppendGroups(TargetLayout& layout,
                                            const std::vector<std::string_view>& packed);
  void IndexKnownSeries();

  TargetLayout& layout_;
  const Use use_;
  uint32_t first_provisional_;
  std::string packed_;  // of the new series, one after the other
  std::vector<Span> spans_;
  std::string scratch_;
  boost::unordered_flat_map<uint64_t, uint32_t> place_by_hash_;
  bool indexed_ = false;
};

}  // namespace tributary
