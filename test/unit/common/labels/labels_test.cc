#include "common/labels/labels.h"

#include <map>
#include <random>
#include <set>
#include <string>

#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("labels: any order in, sorted out; the last of equal names wins; empty values go") {
  Labels labels{{"b", "1"}, {"a", "2"}, {"b", "3"}, {"c", ""}, {"d", "4"}, {"d", ""}};
  CHECK(labels.items() == std::vector<Label>{{"a", "2"}, {"b", "3"}});
}

TEST_CASE("labels: names sort by their bytes") {
  Labels labels{{"é", "1"}, {"z", "2"}, {"Z", "3"}, {"_", "4"}};
  CHECK(labels.ToString() == R"({Z="3", _="4", z="2", "é"="1"})");
}

TEST_CASE("labels: do what a map does") {
  unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  Labels labels;
  std::map<std::string, std::string> model;
  for (int step = 0; step < 5000; ++step) {
    std::string name(1, static_cast<char>('a' + random() % 12));
    std::string value = random() % 4 == 0 ? "" : std::to_string(random() % 100);
    if (random() % 5 == 0) {
      labels.Remove(name);
      model.erase(name);
    } else {
      labels.Set(name, value);
      model.erase(name);
      if (!value.empty()) model[name] = value;
    }
    std::vector<Label> expected;
    for (const auto& [n, v] : model) expected.push_back({n, v});
    REQUIRE(labels.items() == expected);
    REQUIRE(labels.Get(name) == (model.contains(name) ? model[name] : ""));
    REQUIRE(labels.Has(name) == model.contains(name));
  }
}

TEST_CASE("labels: a value may be set from another label's view") {
  Labels labels{{"b", std::string(100, 'x')}};
  labels.Set("a", labels.Get("b"));
  CHECK(labels.Get("a") == std::string(100, 'x'));
}

TEST_CASE("labels: the hash depends on names and values and where they end") {
  const std::vector<Labels> different = {
      {},
      {{"a", "b"}},
      {{"a", "c"}},
      {{"ab", "c"}},
      {{"a", "bc"}},
      {{"a", "b"}, {"c", "d"}},
      {{"a", "bc"}, {"d", "e"}},
      {{"a", "b"}, {"cd", "e"}},
  };
  std::set<uint64_t> hashes;
  for (const Labels& labels : different) hashes.insert(labels.Hash());
  CHECK(hashes.size() == different.size());
  CHECK(Labels{{"a", "b"}, {"c", "d"}}.Hash() == Labels{{"c", "d"}, {"a", "b"}}.Hash());
}

TEST_CASE("labels: the hash never changes between versions") {
  CHECK(Labels{{"__name__", "up"}, {"job", "node"}}.Hash() == 0x85d666c28b445bb9u);
}

TEST_CASE("labels: printed as Prometheus prints them") {
  CHECK(Labels().ToString() == "{}");
  CHECK(Labels{{"__name__", "up"}, {"path", "C:\\x \"y\"\n"}}.ToString() ==
        R"({__name__="up", path="C:\\x \"y\"\n"})");
  CHECK(Labels{{"with space", "1"}, {"9a", "2"}, {"a:b", "3"}}.ToString() ==
        R"({"9a"="2", "a:b"="3", "with space"="1"})");
}

}  // namespace
}  // namespace tributary
