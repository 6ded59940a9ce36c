#include "agent/layout/last_times.h"

#include <map>
#include <random>

#include "test/support/catch.h"

namespace tributary {
namespace {

void RequireEqual(const LastTimes& times, const std::map<uint32_t, TimestampMs>& expected) {
  REQUIRE(times.size() == expected.size());
  REQUIRE(times.empty() == expected.empty());
  std::map<uint32_t, TimestampMs> all;
  times.ForEach([&](uint32_t place, TimestampMs time) { all[place] = time; });
  REQUIRE(all == expected);
  for (uint32_t place = 0; place < 2100; place += 7) {
    auto it = expected.find(place);
    const TimestampMs* found = times.Find(place);
    REQUIRE((found == nullptr) == (it == expected.end()));
    if (found != nullptr) REQUIRE(*found == it->second);
  }
}

TEST_CASE("last times: a map and an array keep the same, through all changes between them") {
  const uint64_t seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int sequence = 0; sequence < 30; sequence++) {
    LastTimes times;
    std::map<uint32_t, TimestampMs> expected;
    const uint32_t places = 1 + static_cast<uint32_t>(random() % 2000);
    for (int step = 0; step < 40; step++) {
      // Few or many at a time, so that both forms come and go.
      const size_t count = random() % (random() % 3 == 0 ? 2 * places : 20);
      for (size_t i = 0; i < count; i++) {
        const auto place = static_cast<uint32_t>(random() % places);
        const TimestampMs time =
            random() % 20 == 0 ? LastTimes::kNever : static_cast<TimestampMs>(random() % 1000);
        const auto [it, is_new] = expected.emplace(place, time);
        TimestampMs& kept = times.TryAdd(place, time);
        REQUIRE(kept == it->second);
        if (random() % 4 == 0) kept = it->second = static_cast<TimestampMs>(random() % 1000);
      }
      if (random() % 3 == 0) {
        const uint64_t kept_of_ten = random() % 11;
        const auto drop = [&](uint32_t place, TimestampMs time) {
          return (place * 31 + static_cast<uint64_t>(time)) % 10 >= kept_of_ten;
        };
        times.EraseIf(drop);
        std::erase_if(expected, [&](const auto& entry) { return drop(entry.first, entry.second); });
      }
      RequireEqual(times, expected);
    }
  }
}

TEST_CASE("last times: many neighbouring places take 8 bytes each, and few go back to little") {
  LastTimes times;
  for (uint32_t place = 0; place < 10'000; place++) times.TryAdd(place, place);
  CHECK(times.memory_bytes() <= 10'000 * 8 * 9 / 8 + 1000);
  times.EraseIf([](uint32_t place, TimestampMs) { return place % 100 != 0; });
  CHECK(times.size() == 100);
  CHECK(times.memory_bytes() < 10'000);
  times.EraseIf([](uint32_t, TimestampMs) { return true; });
  CHECK(times.memory_bytes() == 0);
}

}  // namespace
}  // namespace tributary
