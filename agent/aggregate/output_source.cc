#include "agent/aggregate/output_source.h"

#include <algorithm>
#include <utility>

#include "agent/layout/commit_slice.h"
#include "common/base/hash.h"
#include "common/labels/pack_labels.h"

namespace tributary {

uint64_t OutputSource::KeyOf(uint32_t partition) {
  static const uint64_t kBase =
      StableHash("tributary aggregates") / kLogPartitions * kLogPartitions;
  return kBase + partition;
}

OutputSource::OutputSource(uint32_t partition)
    : key_(KeyOf(partition)),
      layout_(std::make_unique<TargetLayout>(key_)),
      builder_(std::make_unique<LayoutBuilder>(*layout_, LayoutBuilder::Use::kGoesOn)) {}

uint32_t OutputSource::Add(const std::string& packed) {
  if (const auto known = numbers_.find(packed); known != numbers_.end()) {
    all_[known->second].users++;
    return known->second;
  }
  auto number = static_cast<uint32_t>(all_.size());
  if (free_.empty()) {
    all_.emplace_back();
  } else {
    number = free_.back();
    free_.pop_back();
  }
  all_[number] = {packed, TargetLayout::kNoPlace, 1, LastTimes::kNever};
  numbers_.emplace(all_[number].packed, number);
  unplaced_.push_back(number);
  return number;
}

void OutputSource::Remove(uint32_t number) {
  // What was put of it is still to be written.
  if (--all_[number].users == 0) leaving_.push_back(number);
}

void OutputSource::ForgetLeaving() {
  for (const uint32_t number : leaving_) {
    Series& series = all_[number];
    if (series.users > 0 || series.packed.empty()) continue;
    gone_ += series.place != TargetLayout::kNoPlace ? 1 : 0;
    numbers_.erase(series.packed);
    std::erase(unplaced_, number);
    series = {};
    free_.push_back(number);
  }
  leaving_.clear();
}

bool OutputSource::Put(uint32_t number, TimestampMs time, OutputValue value) {
  Series& series = all_[number];
  if (time <= series.last_time) return false;
  series.last_time = time;
  samples_.push_back({time, number, std::move(value)});
  return true;
}

void OutputSource::SortAnew() {
  const uint32_t generation = layout_->generation() + 1;
  builder_.reset();
  layout_ = std::make_unique<TargetLayout>(key_, generation);
  builder_ = std::make_unique<LayoutBuilder>(*layout_, LayoutBuilder::Use::kGoesOn);
  unplaced_.clear();
  for (uint32_t i = 0; i < all_.size(); i++) {
    if (!all_[i].packed.empty()) unplaced_.push_back(i);
  }
  gone_ = 0;
}

void OutputSource::PlaceNew() {
  const uint32_t first = builder_->first_provisional();
  for (const uint32_t number : unplaced_) {
    all_[number].place = builder_->PlaceOf(UnpackLabels(all_[number].packed));
  }
  const std::vector<uint32_t> final = builder_->Settle();
  for (const uint32_t number : unplaced_) {
    // One that was there before and is back has the place that it had.
    uint32_t& place = all_[number].place;
    if (place >= first) {
      place = final[place - first];
    } else {
      gone_--;
    }
  }
  unplaced_.clear();
}

std::vector<Commit> OutputSource::TakeCommits() {
  std::vector<Commit> commits;
  if (samples_.empty()) {
    ForgetLeaving();
    return commits;
  }
  if (gone_ > numbers_.size() / 4 + 64) SortAnew();
  if (!unplaced_.empty()) PlaceNew();
  if (LayoutBuilder::WantsRegroup(*layout_)) {
    SortAnew();
    PlaceNew();
  }
  std::stable_sort(samples_.begin(), samples_.end(),
                   [](const Sample& a, const Sample& b) { return a.time < b.time; });
  const TargetLayout::Group& last = layout_->groups().back();
  const uint32_t place_end = last.first_place + last.definition->series();
  buffer_.Grow(place_end);
  for (size_t begin = 0; begin < samples_.size();) {
    buffer_.ClearSamples(place_end);
    size_t end = begin;
    for (; end < samples_.size() && samples_[end].time == samples_[begin].time; end++) {
      const uint32_t place = all_[samples_[end].series].place;
      const OutputValue& value = samples_[end].value;
      if (value.histogram != nullptr) {
        buffer_.histograms.push_back(
            {place, {0, samples_[end].time, 0, value.custom_buckets, *value.histogram}});
        continue;
      }
      buffer_.values[place] = value.number;
      buffer_.present.Set(place);
    }
    commits.push_back(SliceCommit(*layout_, samples_[begin].time, buffer_));
    begin = end;
  }
  samples_.clear();
  ForgetLeaving();
  return commits;
}

size_t OutputSource::memory_bytes() const {
  size_t bytes = layout_->memory_bytes() + samples_.capacity() * sizeof(Sample);
  bytes += all_.size() * sizeof(Series) + numbers_.size() * 48;
  for (const Series& series : all_) bytes += series.packed.capacity();
  return bytes;
}

}  // namespace tributary
