#include "agent/discovery/kubernetes/json_cutter.h"

#include <random>
#include <vector>

#include <nlohmann/json.hpp>

#include "test/support/catch.h"

namespace tributary {
namespace {

using Json = nlohmann::json;
using Where = JsonCutter::Where;
using Outcome = JsonCutter::Outcome;

struct Cut {
  std::vector<std::string> objects;
  std::string rest;
  Outcome outcome = Outcome::kMore;
  bool inside = false;
};

Cut CutText(Where where, const std::string& text, size_t piece) {
  Cut cut;
  JsonCutter cutter(where);
  for (size_t at = 0; at < text.size() && cut.outcome == Outcome::kMore; at += piece) {
    cut.outcome = cutter.Feed(std::string_view(text).substr(at, piece), [&](std::string_view one) {
      cut.objects.emplace_back(one);
      return true;
    });
  }
  cut.rest = cutter.rest();
  cut.inside = cutter.inside();
  return cut;
}

TEST_CASE("json cutter: the elements of a list, and what is around them") {
  const std::string text =
      R"({"kind": "L", "x": {"items": [{"a": 1}]}, "items": [ {"b": "}]\"{"}, {"c": [{}, {}]} ,{} ],
          "metadata": {"continue": "t"}})";
  for (const size_t piece : {size_t{1}, size_t{7}, text.size()}) {
    const Cut cut = CutText(Where::kItems, text, piece);
    CHECK(cut.objects == std::vector<std::string>{R"({"b": "}]\"{"})", R"({"c": [{}, {}]})", "{}"});
    const Json rest = Json::parse(cut.rest);
    CHECK(rest["items"].empty());
    CHECK(rest["x"]["items"].size() == 1);
    CHECK(rest["metadata"]["continue"] == "t");
  }
}

TEST_CASE("json cutter: a value \"items\" is no key") {
  const Cut cut = CutText(Where::kItems, R"({"x": "items", "y": [{"a": 1}], "items": null})", 3);
  CHECK(cut.objects.empty());
  CHECK(Json::parse(cut.rest)["y"].size() == 1);
}

TEST_CASE("json cutter: the documents of a stream") {
  const Cut cut = CutText(Where::kDocuments, "{\"a\":{}}\n{\"b\":\"{\"}\r\n\n  {\"c", 2);
  CHECK(cut.objects == std::vector<std::string>{"{\"a\":{}}", "{\"b\":\"{\"}"});
  CHECK(cut.rest.empty());
  CHECK(cut.inside);
  CHECK(CutText(Where::kDocuments, "{}garbage", 4).rest == "garbage");
}

TEST_CASE("json cutter: objects and what is around them are bounded") {
  const std::string big(JsonCutter::kObjectBytesMax, 'x');
  const std::string text = "{\"items\": [{\"a\": \"" + big + "\"}]}";
  CHECK(CutText(Where::kItems, text, text.size()).outcome == Outcome::kTooLarge);
  const std::string around = "{\"a\": \"" + big.substr(0, JsonCutter::kRestBytesMax) + "\"}";
  CHECK(CutText(Where::kItems, around, 1000).outcome == Outcome::kTooLarge);
  const std::string deep = "{\"items\": [{\"a\": " + std::string(200, '[');
  CHECK(CutText(Where::kItems, deep, 10).outcome == Outcome::kTooLarge);
  const std::string many = "{\"items\": [{\"a\": \"" + big.substr(50) + "\"},{},{}]}";
  CHECK(CutText(Where::kItems, many, 10'000).objects.size() == 3);
}

Json RandomValue(std::mt19937& random, int depth) {
  static const std::vector<std::string> kTexts = {"items", "}",  "{", "]", "[",
                                                  "\"",    "\\", ",", "é"};
  switch (random() % (depth > 3 ? 3 : 5)) {
    case 0:
      return kTexts[random() % kTexts.size()];
    case 1:
      return random() % 100;
    case 2:
      return nullptr;
    case 3: {
      Json list = Json::array();
      for (auto n = random() % 4; n > 0; n--) list.push_back(RandomValue(random, depth + 1));
      return list;
    }
    default: {
      Json map = Json::object();
      for (auto n = random() % 4; n > 0; n--) {
        map[kTexts[random() % kTexts.size()]] = RandomValue(random, depth + 1);
      }
      return map;
    }
  }
}

TEST_CASE("json cutter: any list is cut as a parser of the whole would") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 500; round++) {
    Json list = Json::object();
    for (int i = 0; i < 3; i++) list["k" + std::to_string(i)] = RandomValue(random, 0);
    Json items = Json::array();
    for (auto n = random() % 5; n > 0; n--) items.push_back({{"v", RandomValue(random, 0)}});
    list["items"] = items;
    const std::string text = list.dump(random() % 2 == 0 ? -1 : 2);
    const Cut cut = CutText(Where::kItems, text, 1 + random() % 20);
    REQUIRE(cut.objects.size() == items.size());
    for (size_t i = 0; i < items.size(); i++) REQUIRE(Json::parse(cut.objects[i]) == items[i]);
    list["items"] = Json::array();
    REQUIRE(Json::parse(cut.rest) == list);
  }
}

}  // namespace
}  // namespace tributary
