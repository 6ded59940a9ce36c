// Hashes: keyed for text that comes from outside, fixed for identities that outlive the process.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

// The hot path hashes every line: the code is inlined rather than called.
#define XXH_INLINE_ALL
// Its reads are plain loads. By default they are calls of a function around memcpy, which g++ does
// not inline once _FORTIFY_SOURCE is on: for each eight bytes one call.
#define XXH_FORCE_MEMORY_ACCESS 1
#include <xxhash.h>

namespace tributary {

// A secret per process: whoever writes a page cannot aim at collisions. Immutable, any thread.
class HashKey {
 public:
  // From the system's random numbers.
  static HashKey Random();
  // The same key for the same seed: for tests and the simulator.
  static HashKey FromSeed(uint64_t seed);

  uint64_t operator()(std::string_view text) const {
    return XXH3_64bits_withSecret(text.data(), text.size(), secret_.data(), secret_.size());
  }

 private:
  HashKey() = default;
  std::array<char, XXH3_SECRET_SIZE_MIN> secret_{};
};

// The same on every run and machine.
inline uint64_t StableHash(std::string_view text) {
  return XXH3_64bits(text.data(), text.size());
}

}  // namespace tributary
