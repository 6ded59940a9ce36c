#include "agent/remote/request_split.h"

#include <algorithm>

#include "common/base/assert.h"

namespace tributary {

RequestSplit::RequestSplit(const std::vector<Series>& series, uint32_t requests_max)
    : series_(series), requests_max_(requests_max) {
  if (!series_.empty()) Push({0, series_.back().end}, false);
}

uint32_t RequestSplit::CutOf(const Piece& piece) const {
  auto is_before = [](const Series& one, uint32_t entry) { return one.end <= entry; };
  const auto first = std::lower_bound(series_.begin(), series_.end(), piece.begin, is_before);
  const auto last = std::lower_bound(series_.begin(), series_.end(), piece.end - 1, is_before);
  const uint32_t middle = piece.begin + (piece.end - piece.begin) / 2;
  if (first == last) return first->suspect ? piece.begin : middle;
  if (!first->suspect && last->suspect) {
    return std::find_if(first, last, [](const Series& one) { return one.suspect; })->begin;
  }
  // The nearest boundary between two series.
  const auto at = std::lower_bound(first, last, middle, is_before);
  if (at == first) return at->end;
  if (at == last) return at->begin;
  return middle - at->begin <= at->end - middle ? at->begin : at->end;
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
    if (current_.is_bad && Push(current_.piece, true)) continue;
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

bool RequestSplit::Divide(bool shared) { return Push(current_.piece, shared); }

}  // namespace tributary
