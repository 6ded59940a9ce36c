#include "agent/layout/commit_slice.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <utility>
#include <vector>

#include "common/base/assert.h"

namespace tributary {

namespace {

// The group's part of the bitmap over places, and its values.
GroupSamples SliceGroup(const TargetLayout::Group& group, TimestampMs timestamp,
                        const Bitmap& present, const std::vector<double>& values) {
  GroupSamples samples;
  samples.group = group.definition;
  samples.timestamp = timestamp;
  const uint32_t series = group.definition->series();
  samples.present.resize((series + 63) / 64);
  size_t count = 0;
  for (size_t w = 0; w < samples.present.size(); w++) {
    samples.present[w] = present.word(group.first_place / 64 + w);
    count += static_cast<size_t>(std::popcount(samples.present[w]));
  }
  const double* from = values.data() + group.first_place;
  if (count == series) {
    samples.values.assign(from, from + series);
    return samples;
  }
  samples.values.reserve(count);
  for (uint32_t i = 0; i < series; i++) {
    if (samples.Has(i)) samples.values.push_back(from[i]);
  }
  return samples;
}

// The group's samples with times of their own: the first of each place.
void SliceTimed(const TargetLayout::Group& group, const ScrapeBuffer& buffer,
                GroupSamples& samples) {
  const uint32_t series = group.definition->series();
  size_t count = 0;
  for (uint32_t i = 0; i < series; i += 64) {
    count +=
        static_cast<size_t>(std::popcount(buffer.has_timed.word((group.first_place + i) / 64)));
  }
  if (count == 0) return;
  samples.own.reserve(count);
  for (uint32_t i = 0; i < series; i += 64) {
    uint64_t bits = buffer.has_timed.word((group.first_place + i) / 64);
    for (; bits != 0; bits &= bits - 1) {
      const uint32_t index = i + static_cast<uint32_t>(std::countr_zero(bits));
      const ScrapeBuffer::TimedValue& timed = buffer.timed[group.first_place + index];
      samples.own.push_back({index, timed.timestamp, timed.value});
    }
  }
}

// Whether a place of the group has a float.
bool HasFloats(const TargetLayout::Group& group, const ScrapeBuffer& buffer) {
  const size_t begin = group.first_place / 64;
  const size_t end = begin + (group.definition->series() + 63) / 64;
  for (size_t w = begin; w < end; w++) {
    if ((buffer.present.word(w) | buffer.has_timed.word(w)) != 0) return true;
  }
  return false;
}

size_t GroupIndexOf(const std::vector<TargetLayout::Group>& groups, uint32_t place) {
  auto after = std::upper_bound(
      groups.begin(), groups.end(), place,
      [](uint32_t p, const TargetLayout::Group& group) { return p < group.first_place; });
  CHECK(after != groups.begin());
  return static_cast<size_t>(after - groups.begin()) - 1;
}

// Of what few places have: moves it out of `placed` into the groups' records.
template <typename Placed, typename Sample>
void SliceIrregular(const std::vector<TargetLayout::Group>& groups, std::vector<Placed>& placed,
                    std::vector<Sample> IrregularSamples::*list,
                    std::vector<std::shared_ptr<IrregularSamples>>& irregular) {
  for (Placed& entry : placed) {
    const size_t g = GroupIndexOf(groups, entry.place);
    if (irregular[g] == nullptr) irregular[g] = std::make_shared<IrregularSamples>();
    entry.sample.index = entry.place - groups[g].first_place;
    ((*irregular[g]).*list).push_back(std::move(entry.sample));
  }
  placed.clear();
}

}  // namespace

void UpdateStarts(TargetLayout::Group& group, const ScrapeBuffer& buffer) {
  const uint32_t series = group.definition->series();
  std::shared_ptr<StartTimes> changed;
  for (uint32_t i = 0; i < series; i++) {
    const uint32_t place = group.first_place + i;
    if (!buffer.present.Test(place) && !buffer.has_timed.Test(place)) continue;
    const TimestampMs start = place < buffer.starts.size() ? buffer.starts[place] : 0;
    const TimestampMs before = group.starts == nullptr ? 0 : (*group.starts)[i];
    if (start == before) continue;
    if (changed == nullptr) {
      changed = group.starts == nullptr ? std::make_shared<StartTimes>(series)
                                        : std::make_shared<StartTimes>(*group.starts);
    }
    (*changed)[i] = start;
  }
  if (changed != nullptr) group.starts = std::move(changed);
}

Commit SliceCommit(const TargetLayout& layout, TimestampMs timestamp, ScrapeBuffer& buffer) {
  const std::vector<TargetLayout::Group>& groups = layout.groups();
  Commit commit;
  commit.target_key = layout.target_key();
  commit.groups.reserve(groups.size());
  const bool any_timed = buffer.has_timed.Any();
  // What stands in lists is put into the group's record by the group's number.
  const bool wants_all =
      !buffer.further.empty() || !buffer.histograms.empty() || !buffer.exemplars.empty();
  for (const TargetLayout::Group& group : groups) {
    if (!wants_all && !HasFloats(group, buffer)) continue;
    commit.groups.push_back(SliceGroup(group, timestamp, buffer.present, buffer.values));
    if (any_timed) SliceTimed(group, buffer, commit.groups.back());
    commit.groups.back().starts = group.starts;
    commit.groups.back().metadata = group.metadata;
  }
  for (const ScrapeBuffer::PlacedSample& sample : buffer.further) {
    const size_t g = GroupIndexOf(groups, sample.place);
    commit.groups[g].own.push_back(
        {sample.place - groups[g].first_place, sample.timestamp, sample.value});
  }
  if (!buffer.histograms.empty() || !buffer.exemplars.empty()) {
    std::vector<std::shared_ptr<IrregularSamples>> irregular(groups.size());
    SliceIrregular(groups, buffer.histograms, &IrregularSamples::histograms, irregular);
    SliceIrregular(groups, buffer.exemplars, &IrregularSamples::exemplars, irregular);
    for (size_t g = 0; g < groups.size(); g++) commit.groups[g].irregular = std::move(irregular[g]);
  }
  std::erase_if(commit.groups, [](const GroupSamples& samples) { return samples.empty(); });
  return commit;
}

}  // namespace tributary
