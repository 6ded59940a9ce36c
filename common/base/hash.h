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
#ifdef __x86_64__
// The library's own, by the widest vectors that the processor has. Its header
// (xxh_x86dispatch.h) cannot be had beside inlined code.
extern "C" XXH64_hash_t XXH3_64bits_withSecret_dispatch(const void* input, size_t size,
                                                        const void* secret, size_t secret_size);
#endif

namespace tributary {

// A secret per process: whoever writes a page cannot aim at collisions. Immutable, any thread.
class HashKey {
 public:
  // From the system's random numbers.
  static HashKey Random();
  // The same key for the same seed: for tests and the simulator.
  static HashKey FromSeed(uint64_t seed);

  uint64_t operator()(std::string_view text) const {
#ifdef __x86_64__
    // Of long texts a call costs less than it gains.
    if (text.size() > XXH3_MIDSIZE_MAX) {
      return XXH3_64bits_withSecret_dispatch(text.data(), text.size(), secret_.data(),
                                             secret_.size());
    }
#endif
    return XXH3_64bits_withSecret(text.data(), text.size(), secret_.data(), secret_.size());
  }

 private:
  HashKey() = default;
  std::array<char, XXH3_SECRET_SIZE_MIN> secret_{};
};

// The same on every run and machine.
inline uint64_t StableHash(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

}  // namespace tributary
