// Eight decimal digits at once, as values and timestamps mostly have that many.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace tributary {

// Reads the number that eight characters from `text` on write. False, and nothing is read, unless
// all are digits; always so on a big-endian machine.
inline bool ReadEightDigits(const char* text, uint64_t& number) {
  if constexpr (std::endian::native != std::endian::little) return false;
  uint64_t bytes;
  std::memcpy(&bytes, text, sizeof(bytes));
  constexpr uint64_t kZeros = 0x3030303030303030;
  // A byte below '0' borrows, one above '9' reaches the top bit.
  if ((((bytes + 0x4646464646464646) | (bytes - kZeros)) & 0x8080808080808080) != 0) return false;
  bytes -= kZeros;
  // Neighbours are joined: to 4 numbers of two digits, then all of them by their weights.
  bytes = bytes * 10 + (bytes >> 8);
  constexpr uint64_t kPairs = 0x000000ff000000ff;
  number = ((bytes & kPairs) * (100 + (uint64_t{1'000'000} << 32)) +
            ((bytes >> 16) & kPairs) * (1 + (uint64_t{10'000} << 32))) >>
           32;
  return true;
}

}  // namespace tributary
