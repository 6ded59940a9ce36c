// A plain set of small numbers. Reading beyond its size is 'no'; setting grows it.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace tributary {

class Bitmap {
 public:
  bool Test(uint32_t i) const {
    return i / 64 < words_.size() && ((words_[i / 64] >> (i % 64)) & 1) != 0;
  }
  void Set(uint32_t i) {
    if (i / 64 >= words_.size()) Grow(i / 64 + 1);
    words_[i / 64] |= uint64_t{1} << (i % 64);
  }
  void Reset(uint32_t i) {
    if (i / 64 < words_.size()) words_[i / 64] &= ~(uint64_t{1} << (i % 64));
  }
  // Empty, with room for numbers below `size` without growing.
  void Clear(uint32_t size) { words_.assign((size + 63) / 64, 0); }
  // Removes `size` and all above.
  void Truncate(uint32_t size) {
    if (size / 64 >= words_.size()) return;
    words_[size / 64] &= (uint64_t{1} << (size % 64)) - 1;
    std::fill(words_.begin() + size / 64 + 1, words_.end(), 0);
  }
  // Adds all of `other`.
  void Include(const Bitmap& other) {
    if (words_.size() < other.words_.size()) words_.resize(other.words_.size());
    for (size_t i = 0; i < other.words_.size(); i++) words_[i] |= other.words_[i];
  }
  bool Any() const {
    return std::any_of(words_.begin(), words_.end(), [](uint64_t word) { return word != 0; });
  }
  uint64_t word(size_t i) const { return i < words_.size() ? words_[i] : 0; }
  size_t words() const { return words_.size(); }
  size_t Count() const {
    size_t count = 0;
    for (uint64_t word : words_) count += static_cast<size_t>(std::popcount(word));
    return count;
  }
  // Calls f(i) for each member, rising.
  template <typename F>
  void ForEach(F f) const {
    for (size_t w = 0; w < words_.size(); w++) {
      for (uint64_t bits = words_[w]; bits != 0; bits &= bits - 1) {
        f(static_cast<uint32_t>(w * 64 + static_cast<size_t>(std::countr_zero(bits))));
      }
    }
  }
  void swap(Bitmap& other) { words_.swap(other.words_); }
  void ShrinkToFit() { words_.shrink_to_fit(); }
  size_t memory_bytes() const { return words_.capacity() * 8; }

 private:
  // Apart, so that Set is small enough to be inlined.
  [[gnu::noinline, gnu::cold]] void Grow(size_t words) { words_.resize(words); }

  std::vector<uint64_t> words_;
};

}  // namespace tributary
