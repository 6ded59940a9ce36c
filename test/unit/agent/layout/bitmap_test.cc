#include "agent/layout/bitmap.h"

#include <random>
#include <set>

#include "test/support/catch.h"

namespace tributary {
namespace {

std::set<uint32_t> MembersOf(const Bitmap& bitmap) {
  std::set<uint32_t> members;
  bitmap.ForEach([&](uint32_t i) { members.insert(i); });
  return members;
}

TEST_CASE("bitmap: does what a set of numbers does") {
  const uint64_t seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  Bitmap bitmap, other;
  std::set<uint32_t> model, other_model;
  for (int i = 0; i < 20'000; i++) {
    const auto number = static_cast<uint32_t>(random() % 500);
    switch (random() % 12) {
      case 0:
      case 1:
      case 2:
        bitmap.Set(number);
        model.insert(number);
        break;
      case 3:
      case 4:
        bitmap.Reset(number);
        model.erase(number);
        break;
      case 5:
        other.Set(number);
        other_model.insert(number);
        break;
      case 6:
        if (random() % 20 != 0) break;
        bitmap.Clear(number);
        model.clear();
        break;
      case 7:
        if (random() % 10 != 0) break;
        bitmap.Truncate(number);
        model.erase(model.lower_bound(number), model.end());
        break;
      case 8:
        if (random() % 20 != 0) break;
        bitmap.Include(other);
        model.insert(other_model.begin(), other_model.end());
        break;
      case 9:
        bitmap.swap(other);
        model.swap(other_model);
        break;
      default:
        REQUIRE(bitmap.Test(number) == model.contains(number));
    }
    REQUIRE(bitmap.Any() == !model.empty());
    REQUIRE(bitmap.Count() == model.size());
  }
  CHECK(MembersOf(bitmap) == model);
  CHECK(MembersOf(other) == other_model);
}

TEST_CASE("bitmap: reading beyond its end is no") {
  const Bitmap empty;
  CHECK_FALSE(empty.Test(0));
  CHECK_FALSE(empty.Test(100'000));
  CHECK(empty.word(7) == 0);
  CHECK(empty.memory_bytes() == 0);
}

}  // namespace
}  // namespace tributary
