#include "common/base/hash.h"

#include <sys/random.h>

#include "common/base/assert.h"

namespace tributary {

HashKey HashKey::Random() {
  HashKey key;
  size_t filled = 0;
  while (filled < key.secret_.size()) {
    ssize_t n = getrandom(key.secret_.data() + filled, key.secret_.size() - filled, 0);
    CHECK(n > 0);
    filled += static_cast<size_t>(n);
  }
  return key;
}

HashKey HashKey::FromSeed(uint64_t seed) {
  HashKey key;
  for (char& byte : key.secret_) {
    // splitmix64
    seed += 0x9e3779b97f4a7c15;
    uint64_t z = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    byte = static_cast<char>(z >> 56);
  }
  return key;
}

}  // namespace tributary
