#include "agent/layout/layout_builder.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "agent/layout/free_memory.h"
#include "common/base/assert.h"
#include "common/base/hash.h"

namespace tributary {

namespace {

uint32_t AlignPlace(uint32_t place) { return (place + 63) / 64 * 64; }

}  // namespace

LayoutBuilder::LayoutBuilder(TargetLayout& layout, Use use)
    : layout_(layout), use_(use), first_provisional_(AlignPlace(layout.place_end_)) {}

void LayoutBuilder::IndexKnownSeries() {
  indexed_ = true;
  place_by_hash_.reserve(layout_.series_ + 64);
  std::string buffer;
  for (const TargetLayout::Group& group : layout_.groups_) {
    uint32_t place = group.first_place;
    for (std::string_view packed : group.definition->Packed(buffer)) {
      place_by_hash_.emplace(StableHash(packed), place++);
    }
  }
}

uint32_t LayoutBuilder::Find(const Labels& labels) {
  if (!indexed_) IndexKnownSeries();
  scratch_.clear();
  PackLabels(labels, scratch_);
  auto it = place_by_hash_.find(StableHash(scratch_));
  return it == place_by_hash_.end() ? TargetLayout::kNoPlace : it->second;
}

uint32_t LayoutBuilder::PlaceOf(const Labels& labels) {
  if (!indexed_) IndexKnownSeries();
  scratch_.clear();
  PackLabels(labels, scratch_);
  const auto next = first_provisional_ + static_cast<uint32_t>(spans_.size());
  auto [it, is_new] = place_by_hash_.emplace(StableHash(scratch_), next);
  if (is_new) {
    spans_.push_back({packed_.size(), scratch_.size()});
    packed_ += scratch_;
  }
  return it->second;
}

std::vector<uint32_t> LayoutBuilder::AppendGroups(TargetLayout& layout,
                                                  const std::vector<std::string_view>& packed) {
  std::vector<uint32_t> places;
  places.reserve(packed.size());
  for (size_t begin = 0; begin < packed.size(); begin += kGroupSeriesMax) {
    const size_t end = std::min(begin + kGroupSeriesMax, packed.size());
    const uint32_t first = AlignPlace(layout.place_end_);
    layout.groups_.push_back(
        {std::make_shared<const GroupDefinition>(
             layout.target_key_, layout.generation_,
             std::vector<std::string_view>(packed.begin() + static_cast<ptrdiff_t>(begin),
                                           packed.begin() + static_cast<ptrdiff_t>(end))),
         first, nullptr, nullptr});
    for (size_t i = begin; i < end; i++) {
      places.push_back(first + static_cast<uint32_t>(i - begin));
    }
    layout.place_end_ = first + static_cast<uint32_t>(end - begin);
  }
  layout.series_ += packed.size();
  return places;
}

std::vector<uint32_t> LayoutBuilder::Settle() {
  std::vector<std::string_view> packed;
  packed.reserve(spans_.size());
  for (const Span& span : spans_) {
    packed.push_back(std::string_view(packed_).substr(span.offset, span.size));
  }
  std::vector<uint32_t> order(packed.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return packed[a] < packed[b]; });
  std::vector<std::string_view> sorted;
  sorted.reserve(packed.size());
  for (uint32_t i : order) sorted.push_back(packed[i]);
  const std::vector<uint32_t> places = AppendGroups(layout_, sorted);
  std::vector<uint32_t> final_places(packed.size());
  for (size_t i = 0; i < order.size(); i++) final_places[order[i]] = places[i];
  if (use_ == Use::kOnce) {
    Discard();
  } else {
    for (size_t i = 0; i < packed.size(); i++) {
      place_by_hash_[StableHash(packed[i])] = final_places[i];
    }
    FreeMemory(packed_);
    FreeMemory(spans_);
    first_provisional_ = AlignPlace(layout_.place_end_);
  }
  return final_places;
}

void LayoutBuilder::Discard() {
  FreeMemory(packed_);
  FreeMemory(spans_);
  FreeMemory(place_by_hash_);
  indexed_ = false;
}

namespace {

// What new groups know of their series' families: what the old ones did.
void MoveMetadata(const std::vector<TargetLayout::Group>& old_groups,
                  const std::vector<uint32_t>& final_place,
                  std::vector<TargetLayout::Group>& groups) {
  std::vector<FamilyRef> families;
  for (const TargetLayout::Group& group : old_groups) {
    if (group.metadata == nullptr) continue;
    for (uint32_t i = 0; i < group.definition->series(); i++) {
      const uint32_t place = final_place[group.first_place + i];
      if (place == TargetLayout::kNoPlace || group.metadata->Of(i) == nullptr) continue;
      if (place >= families.size()) families.resize(place + 1);
      families[place] = group.metadata->RefOf(i);
    }
  }
  if (families.empty()) return;
  for (TargetLayout::Group& group : groups) {
    std::vector<FamilyRef> of_series(group.definition->series());
    bool any = false;
    for (uint32_t i = 0; i < of_series.size() && group.first_place + i < families.size(); i++) {
      of_series[i] = families[group.first_place + i];
      any |= of_series[i] != nullptr;
    }
    if (any) group.metadata = std::make_shared<const SeriesMetadata>(of_series);
  }
}

}  // namespace

bool LayoutBuilder::WantsRegroup(const TargetLayout& layout) {
  size_t gone = 0;
  for (const auto& [place, absences] : layout.absences_)
    gone += absences >= TargetLayout::kAbsencesMax;
  const size_t living = layout.series_ - gone;
  const size_t groups_needed = (living + kGroupSeriesMax - 1) / kGroupSeriesMax;
  // A group of a few series costs a lane and a definition; a place of a gone series costs its
  // values. The larger the target, the more it costs to regroup it for a trickle of new series.
  const size_t spare = 4 + std::min<size_t>(living / 100, 12);
  const bool many_groups = layout.groups_.size() > groups_needed + groups_needed / 4 + spare;
  return many_groups || gone > living / 4 + 64;
}

std::vector<uint32_t> LayoutBuilder::Regroup(TargetLayout& layout) {
  struct Living {
    std::string_view packed;
    uint32_t place;
  };
  std::vector<std::string> buffers(layout.groups_.size());
  std::vector<Living> living;
  living.reserve(layout.series_);
  for (size_t g = 0; g < layout.groups_.size(); g++) {
    uint32_t place = layout.groups_[g].first_place;
    for (std::string_view packed : layout.groups_[g].definition->Packed(buffers[g])) {
      auto it = layout.absences_.find(place);
      if (it == layout.absences_.end() || it->second < TargetLayout::kAbsencesMax) {
        living.push_back({packed, place});
      }
      place++;
    }
  }
  std::sort(living.begin(), living.end(),
            [](const Living& a, const Living& b) { return a.packed < b.packed; });

  std::vector<std::string_view> sorted;
  sorted.reserve(living.size());
  for (const Living& series : living) sorted.push_back(series.packed);
  std::vector<uint32_t> final_place(layout.place_end_, TargetLayout::kNoPlace);
  const std::vector<TargetLayout::Group> old_groups = std::exchange(layout.groups_, {});
  layout.place_end_ = 0;
  layout.series_ = 0;
  layout.generation_++;
  layout.families_settled_ = false;
  const std::vector<uint32_t> places = AppendGroups(layout, sorted);
  for (size_t i = 0; i < living.size(); i++) final_place[living[i].place] = places[i];

  MoveMetadata(old_groups, final_place, layout.groups_);

  std::vector<uint32_t> kept;
  kept.reserve(layout.lines_.size());
  for (uint32_t line = 0; line < layout.lines_.size(); line++) {
    const uint32_t place = layout.lines_.place(line);
    if (place <= KnownLines::kPlaceMax) {
      if (final_place[place] == TargetLayout::kNoPlace) continue;
      layout.lines_.SetPlace(line, final_place[place]);
    }
    kept.push_back(line);
  }
  if (kept.size() < layout.lines_.size()) layout.lines_.Reorder(kept);

  Bitmap tracked;
  layout.tracked_.ForEach([&](uint32_t place) {
    if (final_place[place] != TargetLayout::kNoPlace) tracked.Set(final_place[place]);
  });
  layout.tracked_.swap(tracked);
  for (uint32_t& place : layout.report_) {
    if (place != TargetLayout::kNoPlace) place = final_place[place];
  }
  LastTimes last_times;
  layout.last_times_.ForEach([&](uint32_t place, TimestampMs time) {
    if (final_place[place] != TargetLayout::kNoPlace) last_times.TryAdd(final_place[place], time);
  });
  layout.last_times_ = std::move(last_times);
  boost::unordered_flat_map<uint32_t, uint8_t> absences;
  for (const auto& [place, count] : layout.absences_) {
    if (final_place[place] != TargetLayout::kNoPlace) absences.emplace(final_place[place], count);
  }
  layout.absences_ = std::move(absences);
  boost::unordered_flat_map<uint32_t, ExemplarMark> exemplars;
  for (const auto& [place, mark] : layout.exemplars_) {
    if (final_place[place] != TargetLayout::kNoPlace) exemplars.emplace(final_place[place], mark);
  }
  layout.exemplars_ = std::move(exemplars);
  return final_place;
}

}  // namespace tributary
