#include "agent/limits/distinct_values.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tributary {

void DistinctValues::Add(uint64_t hash) {
  uint8_t& longest = registers_[hash >> (64 - kIndexBits)];
  // The lowest bit of the index stands behind the rest, so that it is never all zeros.
  const uint64_t rest = (hash << kIndexBits) | (uint64_t{1} << (kIndexBits - 1));
  const auto rank = static_cast<uint8_t>(std::countl_zero(rest) + 1);
  longest = std::max(longest, rank);
}

uint64_t DistinctValues::Estimate() const {
  const auto registers = static_cast<double>(registers_.size());
  double sum = 0;
  size_t empty = 0;
  for (const uint8_t rank : registers_) {
    sum += std::ldexp(1.0, -rank);
    empty += rank == 0;
  }
  const double bias = 0.7213 / (1 + 1.079 / registers);
  double estimate = bias * registers * registers / sum;
  if (estimate <= 2.5 * registers && empty > 0) {
    estimate = registers * std::log(registers / static_cast<double>(empty));
  }
  return static_cast<uint64_t>(std::llround(estimate));
}

}  // namespace tributary
