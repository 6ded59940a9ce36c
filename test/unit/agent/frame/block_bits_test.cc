#include "agent/frame/block_bits.h"

#include <algorithm>
#include <random>

#include "test/support/catch.h"

namespace tributary {

TEST_CASE("block bits: a stretch of a bitmap, wherever it begins") {
  std::mt19937_64 random(Catch::rngSeed());
  for (int round = 0; round < 1000; round++) {
    std::vector<uint64_t> words(1 + random() % 8);
    for (uint64_t& word : words) word = random();
    const auto size = static_cast<uint32_t>(words.size() * 64);
    const auto begin = static_cast<uint32_t>(random() % size);
    const uint32_t end =
        begin + static_cast<uint32_t>(random() % std::min<uint64_t>(257, size - begin + 1));
    INFO("[" << begin << ", " << end << ") of " << size << ", seed " << Catch::rngSeed());
    const BlockBits bits = BitsOf(words, begin, end);
    uint32_t count = 0;
    for (uint32_t i = 0; i < 256; i++) {
      const uint32_t at = begin + i;
      const bool expected = at < end && ((words[at / 64] >> (at % 64)) & 1) != 0;
      REQUIRE(HasBit(bits, i) == expected);
      count += expected;
    }
    CHECK(CountBits(bits) == count);
    std::vector<uint32_t> seen;
    ForEachBit(bits, [&](uint32_t i) { seen.push_back(i); });
    CHECK(seen.size() == count);
    CHECK(std::is_sorted(seen.begin(), seen.end()));
    CHECK(IsEmpty(bits) == (count == 0));
    CHECK(IsEmpty(Without(bits, bits)));
  }
}

}  // namespace tributary
