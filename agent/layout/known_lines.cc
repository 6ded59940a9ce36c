#include "agent/layout/known_lines.h"

#include <algorithm>

#include "agent/layout/free_memory.h"
#include "common/base/assert.h"

namespace tributary {

uint32_t KnownLines::Add(uint64_t hash, size_t text_size, uint32_t place) {
  const uint32_t line = size();
  hashes_.push_back(hash);
  places_.push_back(place);
  lengths_.push_back(text_size <= kLengthMax ? static_cast<uint16_t>(text_size) : uint16_t{0});
  if (indexed_) index_.emplace(hash, line);
  return line;
}

uint32_t KnownLines::Find(uint64_t hash, uint32_t near) {
  // Most often some lines have vanished and the next one is only a little further.
  const uint32_t end = std::min<uint64_t>(size(), uint64_t{near} + 8);
  for (uint32_t line = near; line < end; line++) {
    if (hashes_[line] == hash) return line;
  }
  if (!indexed_) {
    indexed_ = true;
    index_.reserve(hashes_.size());
    for (uint32_t line = 0; line < size(); line++) index_.emplace(hashes_[line], line);
  }
  auto it = index_.find(hash);
  return it == index_.end() ? kNone : it->second;
}

void KnownLines::DropIndex() {
  indexed_ = false;
  FreeMemory(index_);
}

void KnownLines::Truncate(uint32_t count) {
  DCHECK(count <= size());
  hashes_.resize(count);
  places_.resize(count);
  lengths_.resize(count);
  DropIndex();
}

bool KnownLines::ForgetOverLimit(uint64_t count) {
  std::vector<uint32_t> kept;
  kept.reserve(size());
  bool any_left = false;
  for (uint32_t line = 0; line < size(); line++) {
    const bool over = place(line) == kOverLimit;
    if (over && count > 0) {
      count--;
      continue;
    }
    any_left |= over;
    kept.push_back(line);
  }
  if (kept.size() < size()) Reorder(kept);
  return any_left;
}

void KnownLines::Reorder(const std::vector<uint32_t>& order) {
  std::vector<uint64_t> hashes;
  std::vector<uint32_t> places;
  std::vector<uint16_t> lengths;
  hashes.reserve(order.size());
  places.reserve(order.size());
  lengths.reserve(order.size());
  for (uint32_t line : order) {
    hashes.push_back(hashes_[line]);
    places.push_back(places_[line]);
    lengths.push_back(lengths_[line]);
  }
  hashes_ = std::move(hashes);
  places_ = std::move(places);
  lengths_ = std::move(lengths);
  DropIndex();
}

void KnownLines::Clear() {
  FreeMemory(hashes_);
  FreeMemory(places_);
  FreeMemory(lengths_);
  DropIndex();
}

void KnownLines::ShrinkToFit() {
  hashes_.shrink_to_fit();
  places_.shrink_to_fit();
  lengths_.shrink_to_fit();
}

}  // namespace tributary
