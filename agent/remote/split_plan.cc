#include "agent/remote/split_plan.h"

#include <algorithm>

#include <utility>

#include <boost/unordered/unordered_flat_map.hpp>

namespace tributary {

SplitPlan::SplitPlan(std::vector<Part> parts, Unit unit, TimestampMs oldest,
                     const std::function<uint64_t(std::string_view)>& hash,
                     const std::function<bool(uint64_t)>& is_suspect)
    : parts_(std::move(parts)), numbers_(parts_.size()) {
  // The series of a chunk or the parts, by their first appearance.
  boost::unordered_flat_map<std::pair<const PreparedGroup*, uint32_t>, size_t> known;
  std::vector<std::vector<size_t>> series_of(parts_.size());  // by part and entry
  std::vector<std::vector<uint8_t>> old(parts_.size());
  std::string buffer;
  std::vector<std::string_view> labels;
  for (size_t p = 0; p < parts_.size(); p++) {
    const Part& part = parts_[p];
    part.prepared->Encoded(part.chunk, buffer, labels);
    uint64_t entry = 0;
    ForEachEntry(*part.samples, *part.prepared, part.chunk, [&](uint32_t index, TimestampMs time) {
      if (!part.range.Has(entry++)) return;
      const uint32_t number = unit == Unit::kSeries ? index : static_cast<uint32_t>(p);
      const auto [at, is_new] = known.try_emplace(
          {unit == Unit::kSeries ? part.prepared : nullptr, number}, series_.size());
      if (is_new) {
        Series series;
        series.labels = labels[index - part.prepared->begin(part.chunk)];
        series.hash = hash(series.labels);
        series.part = p;
        series.index = index;
        series.suspect = unit == Unit::kSeries && is_suspect(series.hash);
        series_.push_back(std::move(series));
      }
      series_of[p].push_back(at->second);
      old[p].push_back(time < oldest ? 1 : 0);
      series_[at->second].end++;
    });
  }
  std::vector<size_t> order(series_.size());
  for (size_t i = 0; i < order.size(); i++) order[i] = i;
  std::stable_partition(order.begin(), order.end(), [&](size_t i) { return !series_[i].suspect; });
  // `end` was the count until here; from here it is where the next entry goes.
  std::vector<Series> sorted;
  std::vector<size_t> place(order.size());
  uint32_t next = 0;
  for (size_t i : order) {
    place[i] = sorted.size();
    const uint32_t count = series_[i].end;
    sorted.push_back(std::move(series_[i]));
    sorted.back().begin = sorted.back().end = next;
    next += count;
  }
  series_ = std::move(sorted);
  gone_.resize(next);
  for (size_t p = 0; p < parts_.size(); p++) {
    for (size_t i = 0; i < series_of[p].size(); i++) {
      const uint32_t number = series_[place[series_of[p][i]]].end++;
      numbers_[p].push_back(number);
      gone_[number] = old[p][i];
    }
  }
}

std::vector<RequestSplit::Series> SplitPlan::ForSplit() const {
  std::vector<RequestSplit::Series> series;
  for (const Series& one : series_) series.push_back({one.begin, one.end, one.suspect});
  return series;
}

EntrySelection SplitPlan::Select(size_t part, RequestSplit::Piece piece) {
  return {&numbers_[part], &gone_, piece.begin, piece.end};
}

std::pair<size_t, size_t> SplitPlan::SeriesIn(RequestSplit::Piece piece) const {
  auto first = std::partition_point(series_.begin(), series_.end(),
                                    [&](const Series& one) { return one.end <= piece.begin; });
  auto last = std::partition_point(first, series_.end(),
                                   [&](const Series& one) { return one.begin < piece.end; });
  return {first - series_.begin(), last - series_.begin()};
}

void SplitPlan::SetGone(RequestSplit::Piece piece) {
  std::fill(gone_.begin() + piece.begin, gone_.begin() + piece.end, 1);
}

}  // namespace tributary
