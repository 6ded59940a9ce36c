#include "agent/federate/series_sorter.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace tributary {

namespace {

// Keys compare bytewise as what they stand for: a text ends with what is below all that may follow
// in another, and a NUL in it, which few have, becomes two bytes that are above the end.
constexpr std::string_view kEnd("\0\1", 2);
constexpr std::string_view kNul("\0\xff", 2);

void AppendText(std::string_view text, std::string& key) {
  for (size_t nul = text.find('\0'); nul != std::string_view::npos; nul = text.find('\0')) {
    key += text.substr(0, nul);
    key += kNul;
    text.remove_prefix(nul + 1);
  }
  key += text;
  key += kEnd;
}

std::string_view TakeText(std::string_view& key, std::deque<std::string>& texts) {
  size_t nul = key.find('\0');
  std::string_view text = key.substr(0, nul);
  if (key[nul + 1] != kEnd[1]) {
    std::string& out = texts.emplace_back();
    while (key[nul + 1] != kEnd[1]) {
      out += key.substr(0, nul + 1);
      key.remove_prefix(nul + kNul.size());
      nul = key.find('\0');
    }
    out += key.substr(0, nul);
    text = out;
  }
  key.remove_prefix(nul + kEnd.size());
  return text;
}

}  // namespace

void ReadSeriesKey(std::string_view key, std::string_view& name, std::vector<LabelView>& labels,
                   std::deque<std::string>& texts) {
  labels.clear();
  texts.clear();
  name = TakeText(key, texts);
  while (!key.empty()) {
    const std::string_view label = TakeText(key, texts);
    labels.push_back({label, TakeText(key, texts)});
  }
}

SeriesSorter::SeriesSorter(std::vector<LatestOfGroup> groups, std::vector<SeriesSelector> selectors,
                           const SeriesSorterOptions& options)
    : options_(options), selectors_(std::move(selectors)) {
  groups_.reserve(groups.size());
  for (LatestOfGroup& group : groups) groups_.push_back({std::move(group), {}, 0});
}

std::vector<SortedSeries> SeriesSorter::Next() {
  std::vector<SortedSeries> series;
  // All that a pass finds may have ended.
  while (series.empty() && !done_) {
    Pass();
    series = GiveOut();
  }
  return series;
}

void SeriesSorter::Pass() {
  passes_++;
  keys_.clear();
  entries_.clear();
  limit_.clear();
  for (uint32_t i = 0; i < groups_.size(); i++) {
    if (groups_[i].selected.empty() || groups_[i].left > 0) Take(i);
  }
  done_ = limit_.empty();
}

bool SeriesSorter::Selects(const LatestSample& sample) const {
  return sample.found && sample.timestamp >= options_.now - options_.look_back_ms &&
         std::any_of(selectors_.begin(), selectors_.end(),
                     [&](const SeriesSelector& selector) { return selector.Matches(labels_); });
}

void SeriesSorter::Take(uint32_t number) {
  Group& group = groups_[number];
  const bool first = group.selected.empty();
  if (first) group.selected.resize((group.latest.group->series() + 63) / 64);
  FillLatest(group.latest, options_.now, of_group_);
  std::string buffer;
  uint32_t index = 0;
  for (const std::string_view packed : group.latest.group->Packed(buffer)) {
    const uint32_t i = index++;
    const uint64_t bit = uint64_t{1} << (i % 64);
    if (!first && (group.selected[i / 64] & bit) == 0) continue;
    UnpackLabels(packed, labels_);
    if (first) {
      // Its name is the last label, if it has one.
      if (labels_.empty() || labels_.back().name != kMetricName || !Selects(of_group_[i])) continue;
      group.selected[i / 64] |= bit;
      group.left++;
    }
    Offer(number, of_group_[i]);
  }
}

void SeriesSorter::Offer(uint32_t number, const LatestSample& sample) {
  const std::string_view name = labels_.back().value;
  // What is far off is seen by its name alone.
  if (!last_.empty() && name < last_name_) return;
  if (!limit_.empty() && name > limit_name_) return;
  const size_t offset = keys_.size();
  AppendText(name, keys_);
  for (size_t i = 0; i + 1 < labels_.size(); i++) {
    AppendText(labels_[i].name, keys_);
    AppendText(labels_[i].value, keys_);
  }
  const std::string_view key = std::string_view(keys_).substr(offset);
  if ((!last_.empty() && key <= last_) || (!limit_.empty() && key > limit_)) {
    keys_.resize(offset);
    return;
  }
  entries_.push_back({offset, static_cast<uint32_t>(key.size()), number, sample});
  bytes_peak_ = std::max(bytes_peak_, bytes());
  if (bytes() > options_.bytes_max) Cut();
}

std::string SeriesSorter::NameOf(std::string_view key) {
  texts_.clear();
  return std::string(TakeText(key, texts_));
}

void SeriesSorter::Cut() {
  const auto middle = entries_.begin() + static_cast<ptrdiff_t>(entries_.size() / 2);
  std::nth_element(entries_.begin(), middle, entries_.end(),
                   [&](const Entry& a, const Entry& b) { return KeyOf(a) < KeyOf(b); });
  limit_ = KeyOf(*middle);
  limit_name_ = NameOf(limit_);
  std::erase_if(entries_, [&](const Entry& entry) { return KeyOf(entry) > limit_; });
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.offset < b.offset; });
  size_t end = 0;
  for (Entry& entry : entries_) {
    std::memmove(keys_.data() + end, keys_.data() + entry.offset, entry.size);
    entry.offset = end;
    end += entry.size;
  }
  keys_.resize(end);
}

std::vector<SortedSeries> SeriesSorter::GiveOut() {
  std::sort(entries_.begin(), entries_.end(),
            [&](const Entry& a, const Entry& b) { return KeyOf(a) < KeyOf(b); });
  std::vector<SortedSeries> series;
  series.reserve(entries_.size());
  for (size_t i = 0; i < entries_.size();) {
    const std::string_view key = KeyOf(entries_[i]);
    LatestSample latest = entries_[i].sample;
    for (; i < entries_.size() && KeyOf(entries_[i]) == key; i++) {
      groups_[entries_[i].group].left--;
      const LatestSample& sample = entries_[i].sample;
      // At the same time it lives: a target that takes over a series goes on with it.
      const bool later = sample.timestamp > latest.timestamp;
      if (later || (sample.timestamp == latest.timestamp && latest.stale())) latest = sample;
    }
    if (latest.stale()) continue;
    series.push_back({key, latest.timestamp, latest.value, latest.histogram});
  }
  if (!entries_.empty()) {
    last_ = KeyOf(entries_.back());
    last_name_ = NameOf(last_);
  }
  return series;
}

}  // namespace tributary
