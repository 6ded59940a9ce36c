#include "agent/remote/request_split.h"

#include <algorithm>

#include "common/base/assert.h"

namespace tributary {

RequestSplit::RequestSplit(const std::vector<Series>& series, uint32_t requests_max)
    : series_(series), requests_max_(requests_max) {
  if (series_.empty() || (series_.size() == 1 && series_[0].suspect)) return;
  Push({0, series_.back().end}, false);
}

std::pair<const RequestSplit::Series*, const RequestSplit::Series*> RequestSplit::EndsOf(
    const Piece& piece) const {
  auto of = [&](uint32_t entry) {
    return &*std::lower_bound(
        series_.begin(), series_.end(), entry,
        [](const Series& series, uint32_t value) { return series.end <= value; });
  };
  return {of(piece.begin), of(piece.end - 1)};
}

bool RequestSplit::IsWholeSeries(const Piece& piece) const {
  const Series& first = *EndsOf(piece).first;
  return first.begin == piece.begin && first.end == piece.end;
}

uint32_t RequestSplit::CutOf(const Piece& piece) const {
  const auto [first, last] = EndsOf(piece);
  const uint32_t middle = piece.begin + (piece.end - piece.begin) / 2;
  if (first == last) return middle;
  if (!first->suspect && last->suspect) {
    return std::find_if(first, last, [](const Series& one) { return one.suspect; })->begin;
  }
  // The nearest boundary between two series.
  const Series& at = *EndsOf({middle, middle + 1}).first;
  if (&at == first) return at.end;
  if (&at == last) return at.begin;
  return middle - at.begin <= at.end - middle ? at.begin : at.end;
}

bool RequestSplit::Push(const Piece& piece, bool shared) {
  const uint32_t cut = CutOf(piece);
  if (cut == piece.begin || sent_ + left_.size() + 2 > requests_max_) return false;
  left_.push_back({{cut, piece.end}, false, false});
  left_.push_back({{piece.begin, cut}, shared, false});
  return true;
}

std::optional<RequestSplit::Piece> RequestSplit::Next() {
  while (!left_.empty()) {
    current_ = left_.back();
    left_.pop_back();
    // One series is always sent alone before it is called refused.
    if (current_.is_bad && Divide(true)) continue;
    sent_++;
    return current_.piece;
  }
  return std::nullopt;
}

void RequestSplit::Accepted() {
  if (!current_.first_half) return;
  DCHECK(!left_.empty());
  left_.back().is_bad = true;
}

bool RequestSplit::Divide(bool shared) {
  return !IsWholeSeries(current_.piece) && Push(current_.piece, shared);
}

bool RequestSplit::Reopen(const Piece& piece) {
  return IsWholeSeries(piece) && !EndsOf(piece).first->suspect && Push(piece, false);
}

}  // namespace tributary
