#include "agent/federate/series_sorter.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/base/assert.h"

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

// What AppendText appends.
size_t TextBytes(std::string_view text) {
  const auto nuls = std::count(text.begin(), text.end(), '\0');
  return text.size() + static_cast<size_t>(nuls) + kEnd.size();
}

// The next place from `from` on for whose name the predicate holds; names.size(): there is none.
template <typename Names, typename Predicate>
uint32_t NextOf(const Names& names, uint32_t from, Predicate fits) {
  const auto found = std::find_if(names.begin() + from, names.end(), fits);
  return static_cast<uint32_t>(found - names.begin());
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
  while (series.empty() && (passes_ == 0 || left_ > 0)) {
    keys_.clear();
    entries_.clear();
    limit_.clear();
    limit_name_.clear();
    if (passes_++ == 0) {
      for (uint32_t i = 0; i < groups_.size(); i++) Select(i);
      RankMetrics();
    } else {
      ChooseMetrics();
      for (uint32_t i = 0; i < groups_.size(); i++) {
        if (groups_[i].left > 0) Take(i);
      }
    }
    CHECK(!entries_.empty() || left_ == 0);
    series = GiveOut();
  }
  return series;
}

bool SeriesSorter::IsSelected(const LatestSample& sample) const {
  // The name is the last label, if there is one.
  return sample.found && sample.timestamp >= options_.now - options_.look_back_ms &&
         !labels_.empty() && labels_.back().name == kMetricName &&
         std::any_of(selectors_.begin(), selectors_.end(),
                     [&](const SeriesSelector& selector) { return selector.Matches(labels_); });
}

SeriesSorter::NameId SeriesSorter::IdOf(std::string_view name) {
  name_.assign(name);
  auto found = ids_.find(name_);
  if (found != ids_.end()) return found->second;
  if (metrics_.size() >= kNamesMax) return kOtherName;
  const auto id = static_cast<NameId>(metrics_.size());
  metrics_.push_back({name_, 0, 0});
  ids_.emplace(name_, id);
  return id;
}

void SeriesSorter::Select(uint32_t number) {
  Group& group = groups_[number];
  FillLatest(group.latest, options_.now, of_group_);
  cursor_.Begin(*group.latest.group);
  std::string_view packed;
  for (uint32_t i = 0; cursor_.Next(packed); i++) {
    if (!of_group_[i].found) continue;
    UnpackLabels(packed, labels_);
    if (!IsSelected(of_group_[i])) continue;
    if (group.names.empty()) group.names.resize(group.latest.group->series(), kNotSelected);
    const NameId id = IdOf(labels_.back().value);
    group.names[i] = id;
    group.left++;
    left_++;
    if (id < metrics_.size()) metrics_[id].bytes += EntryBytes();
    Offer(number, i, of_group_[i]);
  }
}

void SeriesSorter::RankMetrics() {
  ids_ = {};
  by_rank_.resize(metrics_.size());
  for (size_t i = 0; i < by_rank_.size(); i++) by_rank_[i] = static_cast<NameId>(i);
  std::sort(by_rank_.begin(), by_rank_.end(),
            [&](NameId a, NameId b) { return metrics_[a].name < metrics_[b].name; });
  for (uint32_t rank = 0; rank < by_rank_.size(); rank++) metrics_[by_rank_[rank]].rank = rank;
}

// From the lowest on as many as fit, at least one.
void SeriesSorter::ChooseMetrics() {
  uint64_t sum = 0;
  limit_rank_ = 0xffffffff;
  for (uint32_t rank = 0; rank < by_rank_.size(); rank++) {
    const Metric& metric = metrics_[by_rank_[rank]];
    if (metric.bytes == 0) continue;
    sum += metric.bytes;
    if (limit_rank_ != 0xffffffff && sum > options_.bytes_max) return;
    limit_rank_ = rank;
    limit_name_ = metric.name;
  }
  // The last is among them, and what has another name may be above it.
  limit_rank_ = 0xffffffff;
  limit_name_.clear();
}

void SeriesSorter::Take(uint32_t number) {
  Group& group = groups_[number];
  const auto fits = [this](NameId id) { return id != kNotSelected && MayFit(id); };
  uint32_t next = NextOf(group.names, 0, fits);
  if (next == group.names.size()) return;
  FillLatest(group.latest, options_.now, of_group_);
  cursor_.Begin(*group.latest.group);
  std::string_view packed;
  for (uint32_t i = 0; next < group.names.size() && cursor_.Next(packed); i++) {
    if (i < next) continue;
    UnpackLabels(packed, labels_);
    Offer(number, i, of_group_[i]);
    next = NextOf(group.names, i + 1, fits);
  }
}

void SeriesSorter::Offer(uint32_t number, uint32_t index, const LatestSample& sample) {
  const std::string_view name = labels_.back().value;
  if (!limit_name_.empty() && name > limit_name_) return;
  const size_t offset = keys_.size();
  AppendText(name, keys_);
  for (size_t i = 0; i + 1 < labels_.size(); i++) {
    AppendText(labels_[i].name, keys_);
    AppendText(labels_[i].value, keys_);
  }
  const std::string_view key = std::string_view(keys_).substr(offset);
  if (!limit_.empty() && key > limit_) {
    keys_.resize(offset);
    return;
  }
  entries_.push_back(
      {static_cast<uint32_t>(offset), static_cast<uint32_t>(key.size()), number, index, sample});
  bytes_peak_ = std::max(bytes_peak_, bytes());
  if (bytes() > options_.bytes_max) Cut();
}

void SeriesSorter::Cut() {
  const auto middle = entries_.begin() + static_cast<ptrdiff_t>(entries_.size() / 2);
  std::nth_element(entries_.begin(), middle, entries_.end(),
                   [&](const Entry& a, const Entry& b) { return KeyOf(a) < KeyOf(b); });
  limit_ = KeyOf(*middle);
  texts_.clear();
  std::string_view rest = limit_;
  limit_name_ = TakeText(rest, texts_);
  std::erase_if(entries_, [&](const Entry& entry) { return KeyOf(entry) > limit_; });
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.offset < b.offset; });
  uint32_t end = 0;
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
      Done(entries_[i]);
      const LatestSample& sample = entries_[i].sample;
      // At the same time it lives: a target that takes over a series goes on with it.
      const bool later = sample.timestamp > latest.timestamp;
      if (later || (sample.timestamp == latest.timestamp && latest.stale())) latest = sample;
    }
    if (latest.stale()) continue;
    series.push_back({key, latest.timestamp, latest.value, latest.histogram});
  }
  return series;
}

void SeriesSorter::Done(const Entry& entry) {
  Group& group = groups_[entry.group];
  const NameId id = std::exchange(group.names[entry.index], kNotSelected);
  if (id < metrics_.size()) metrics_[id].bytes -= entry.size + sizeof(Entry);
  left_--;
  if (--group.left == 0) group.names = {};
}

size_t SeriesSorter::EntryBytes() const {
  size_t bytes = sizeof(Entry);
  for (const LabelView& label : labels_) bytes += TextBytes(label.name) + TextBytes(label.value);
  // Of the name there is the value only.
  return bytes - TextBytes(labels_.back().name);
}

}  // namespace tributary
