#include "agent/limits/heavy_hitters.h"

#include <map>
#include <random>

#include <fmt/format.h>

#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("heavy hitters: counts are exact as long as there are no more names than counters") {
  HeavyHitters names;
  for (size_t i = 0; i < HeavyHitters::kCounters; i++) {
    for (size_t n = 0; n <= i; n++) names.Add(fmt::format("n{}", i));
  }
  const auto top = names.Top(3);
  REQUIRE(top.size() == 3);
  CHECK(top[0].name == fmt::format("n{}", HeavyHitters::kCounters - 1));
  CHECK(top[0].count == HeavyHitters::kCounters);
  CHECK(top[0].error == 0);
  CHECK(top[2].count == HeavyHitters::kCounters - 2);
}

TEST_CASE("heavy hitters: those that are frequent are found among any number of others") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  HeavyHitters names;
  std::map<std::string, uint64_t> exact;
  for (int i = 0; i < 200'000; i++) {
    // Of ten names one in twenty each, else one that has never been.
    const uint64_t which = random() % 20;
    const std::string name = which < 10 ? fmt::format("heavy{}", which) : fmt::format("light{}", i);
    names.Add(name);
    exact[name]++;
  }
  CHECK(names.entries().size() == HeavyHitters::kCounters);
  for (const HeavyHitters::Entry& entry : names.Top(10)) {
    CHECK(entry.name.starts_with("heavy"));
    CHECK(entry.count >= exact[entry.name]);
    CHECK(entry.count - entry.error <= exact[entry.name]);
  }
}

TEST_CASE("heavy hitters: long names are cut") {
  HeavyHitters names;
  names.Add(std::string(100'000, 'x'));
  CHECK(names.Top(1)[0].name == std::string(HeavyHitters::kNameBytesMax, 'x'));
}

}  // namespace
}  // namespace tributary
