// A set of a block's series, by their number less that of the block's first.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tributary {

using BlockBits = std::array<uint64_t, 4>;

inline bool HasBit(const BlockBits& bits, uint32_t i) { return (bits[i / 64] >> (i % 64)) & 1; }
inline void SetBit(BlockBits& bits, uint32_t i) { bits[i / 64] |= uint64_t{1} << (i % 64); }

inline uint32_t CountBits(const BlockBits& bits) {
  int count = 0;
  for (uint64_t word : bits) count += std::popcount(word);
  return static_cast<uint32_t>(count);
}

// Those of `a` that are not in `b`.
inline BlockBits Without(const BlockBits& a, const BlockBits& b) {
  return {a[0] & ~b[0], a[1] & ~b[1], a[2] & ~b[2], a[3] & ~b[3]};
}

inline BlockBits CommonBits(const BlockBits& a, const BlockBits& b) {
  return {a[0] & b[0], a[1] & b[1], a[2] & b[2], a[3] & b[3]};
}

// Those of either.
inline BlockBits AllBits(const BlockBits& a, const BlockBits& b) {
  return {a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3]};
}

inline bool IsEmpty(const BlockBits& bits) { return (bits[0] | bits[1] | bits[2] | bits[3]) == 0; }

// The bits [begin, end) of a bitmap, 256 at most.
inline BlockBits BitsOf(const std::vector<uint64_t>& words, uint32_t begin, uint32_t end) {
  BlockBits bits{};
  const uint32_t shift = begin % 64;
  for (uint32_t i = 0; i * 64 < end - begin; i++) {
    const size_t w = begin / 64 + i;
    bits[i] = words[w] >> shift;
    if (shift != 0 && w + 1 < words.size()) bits[i] |= words[w + 1] << (64 - shift);
    const uint32_t left = end - begin - i * 64;
    if (left < 64) bits[i] &= (uint64_t{1} << left) - 1;
  }
  return bits;
}

// Calls f(i) for each member, rising.
template <typename F>
void ForEachBit(const BlockBits& bits, F f) {
  for (uint32_t w = 0; w < bits.size(); w++) {
    for (uint64_t word = bits[w]; word != 0; word &= word - 1) {
      f(w * 64 + static_cast<uint32_t>(std::countr_zero(word)));
    }
  }
}

}  // namespace tributary
