#include "agent/layout/known_lines.h"

#include <random>

#include "test/support/catch.h"

namespace tributary {
namespace {

struct Line {
  uint64_t hash;
  uint32_t place;
  bool accepted;
};

TEST_CASE("known lines: find, reorder and truncate do what a plain list does") {
  const uint64_t seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  KnownLines lines;
  std::vector<Line> model;
  uint64_t next_hash = 1;
  for (int i = 0; i < 5'000; i++) {
    const auto at = static_cast<uint32_t>(model.empty() ? 0 : random() % model.size());
    switch (random() % 10) {
      case 0:
      case 1:
      case 2: {
        const uint64_t hash = next_hash++ * 0x9e3779b97f4a7c15;
        const auto place = static_cast<uint32_t>(random() % KnownLines::kPlaceMax);
        REQUIRE(lines.Add(hash, random() % 100, place) == model.size());
        model.push_back({hash, place, false});
        break;
      }
      case 3:
        if (model.empty()) break;
        lines.SetAccepted(at);
        model[at].accepted = true;
        break;
      case 4:
        if (model.empty()) break;
        lines.ClearAccepted(at);
        model[at].accepted = false;
        break;
      case 5:
        if (model.empty()) break;
        lines.SetPlace(at, at);
        model[at].place = at;
        break;
      case 6:
        if (random() % 20 != 0) break;
        lines.Truncate(at);
        model.resize(at);
        break;
      case 7: {
        if (random() % 20 != 0) break;
        std::vector<uint32_t> order;
        for (uint32_t line = 0; line < model.size(); line++) {
          if (random() % 10 != 0) order.push_back(line);
        }
        std::shuffle(order.begin(), order.end(), random);
        lines.Reorder(order);
        std::vector<Line> reordered;
        for (uint32_t line : order) reordered.push_back(model[line]);
        model = reordered;
        break;
      }
      case 8:
        if (random() % 10 == 0) lines.DropIndex();
        break;
      default:
        if (model.empty()) break;
        REQUIRE(lines.Find(model[at].hash, static_cast<uint32_t>(random() % 300)) == at);
        REQUIRE(lines.Find(random() | 1, at) == KnownLines::kNone);
    }
    REQUIRE(lines.size() == model.size());
  }
  for (uint32_t line = 0; line < model.size(); line++) {
    REQUIRE(lines.hash(line) == model[line].hash);
    REQUIRE(lines.place(line) == model[line].place);
    REQUIRE(lines.accepted(line) == model[line].accepted);
  }
}

TEST_CASE("known lines: the length of a text that is too long is not kept") {
  KnownLines lines;
  lines.Add(1, KnownLines::kLengthMax, 0);
  lines.Add(2, KnownLines::kLengthMax + 1, 0);
  CHECK(lines.length(0) == KnownLines::kLengthMax);
  CHECK(lines.length(1) == 0);
}

}  // namespace
}  // namespace tributary
