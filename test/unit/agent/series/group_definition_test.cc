#include "agent/series/group_definition.h"

#include <algorithm>
#include <random>

#include "test/support/catch.h"

namespace tributary {
namespace {

std::string RandomText(std::mt19937_64& random, size_t size_min) {
  // Lengths around those where a varint grows, now and then.
  size_t size = size_min + random() % 8;
  if (random() % 20 == 0) size = 126 + random() % 4;
  if (random() % 200 == 0) size = 16'382 + random() % 4;
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random() % 256);
  return text;
}

Labels RandomLabels(std::mt19937_64& random) {
  std::vector<Label> labels;
  const size_t count = random() % 8;
  for (size_t i = 0; i < count; i++) {
    labels.push_back({RandomText(random, 0), RandomText(random, 1)});
  }
  // Names that sort before and after __name__.
  if (random() % 2 == 0) labels.push_back({"__name__", RandomText(random, 1)});
  if (random() % 2 == 0) labels.push_back({"A", "upper"});
  if (random() % 2 == 0) labels.push_back({"zone", "lower"});
  return Labels(std::move(labels));
}

TEST_CASE("group definition: labels come back as they were packed") {
  const uint64_t seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; round++) {
    const size_t count = 1 + random() % (round % 50 == 0 ? kGroupSeriesMax : 20);
    std::vector<Labels> labels;
    std::vector<std::string> packed(count);
    for (size_t i = 0; i < count; i++) {
      labels.push_back(RandomLabels(random));
      PackLabels(labels.back(), packed[i]);
      REQUIRE(UnpackLabels(packed[i]) == labels.back());
    }
    const std::vector<std::string_view> views(packed.begin(), packed.end());
    const GroupDefinition group(7, 3, views);
    REQUIRE(group.target_key() == 7);
    REQUIRE(group.generation() == 3);
    REQUIRE(group.series() == count);
    REQUIRE(group.Decode() == labels);
    std::string buffer;
    REQUIRE(group.Packed(buffer) == views);
  }
}

TEST_CASE("group definition: equal labels pack to equal bytes, others to others") {
  const auto pack = [](const Labels& labels) {
    std::string packed;
    PackLabels(labels, packed);
    return packed;
  };
  CHECK(pack({{"__name__", "m"}, {"a", "1"}}) == pack({{"a", "1"}, {"__name__", "m"}}));
  CHECK(pack({{"a", "1"}, {"b", "2"}}) != pack({{"a", "1b"}, {"b", "2"}}));
  CHECK(pack({{"a", "bc"}}) != pack({{"ab", "c"}}));
  // The name comes last: what differs in it alone is side by side.
  CHECK(pack({{"__name__", "z"}, {"pod", "1"}}) < pack({{"__name__", "a"}, {"pod", "2"}}));
}

TEST_CASE("group definition: each has a number of its own") {
  std::string packed;
  PackLabels({{"a", "1"}}, packed);
  const GroupDefinition one(1, 1, {packed}), other(1, 1, {packed});
  CHECK(one.id() != other.id());
}

TEST_CASE("group definition: what says that it is huge is refused before room is made for it") {
  const std::string four_gigabytes = "\xff\xff\xff\xff\x0f and little else";
  const auto group = GroupDefinition::FromCompressed(1, 1, 1, four_gigabytes);
  REQUIRE_FALSE(group);
  CHECK(group.error().message ==
        "the definition of a group says that 21 bytes of it are 4294967295");
}

TEST_CASE("group definition: likes take little room together") {
  std::vector<std::string> packed(kGroupSeriesMax);
  size_t raw = 0;
  for (size_t i = 0; i < packed.size(); i++) {
    PackLabels({{"__name__", "metric_" + std::to_string(i)},
                {"container", "a-container-with-a-name"},
                {"pod", "app-7f9c5d6b8-abcde"}},
               packed[i]);
    raw += packed[i].size();
  }
  const GroupDefinition group(1, 1, {packed.begin(), packed.end()});
  CHECK(group.memory_bytes() < raw / 3);
}

}  // namespace
}  // namespace tributary
