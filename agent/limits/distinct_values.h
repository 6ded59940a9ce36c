// How many different values there were, roughly, in 256 bytes.
//
// HyperLogLog (Flajolet, Fusy, Gandouet, Meunier: HyperLogLog, 2007) with 256 registers over 64-bit
// hashes, and linear counting while there are few: off by some 7 % (one standard error).
// Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tributary {

class DistinctValues {
 public:
  // `hash`: of the value, by a function whose bits are all as good as random.
  void Add(uint64_t hash);
  uint64_t Estimate() const;

 private:
  static constexpr int kIndexBits = 8;
  std::array<uint8_t, size_t{1} << kIndexBits> registers_{};
};

}  // namespace tributary
