#include "agent/remote/series_share.h"

#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "test/support/catch.h"

namespace tributary {
namespace {

constexpr int kSeries = 10'000;

Labels Series(int number) {
  return {{"__name__", "m" + std::to_string(number % 50)},
          {"instance", "host-" + std::to_string(number / 50) + ":9100"},
          {"job", "node"}};
}

std::vector<SeriesShare> Shares(RemoteShareConfig config, uint32_t members) {
  for (uint32_t i = 0; i < members; i++) config.members.push_back("name m" + std::to_string(i));
  std::vector<SeriesShare> shares;
  for (const std::string& member : config.members) shares.emplace_back(config, member);
  return shares;
}

uint32_t Bits(const std::vector<SeriesShare>& shares, const Labels& labels) {
  uint32_t bits = 0;
  for (size_t i = 0; i < shares.size(); i++) {
    bits |= static_cast<uint32_t>(shares[i].Has(labels)) << i;
  }
  return bits;
}

TEST_CASE("share: each series has as many members as it should, and they have equal parts") {
  const uint32_t members = GENERATE(2U, 3U, 5U, 8U), replicas = GENERATE(1U, 2U, 3U);
  if (replicas > members) return;
  RemoteShareConfig config;
  config.replicas = replicas;
  const std::vector<SeriesShare> shares = Shares(config, members);
  std::vector<int> parts(members);
  for (int i = 0; i < kSeries; i++) {
    const uint32_t bits = Bits(shares, Series(i));
    REQUIRE(static_cast<uint32_t>(std::popcount(bits)) == replicas);
    for (uint32_t member = 0; member < members; member++) parts[member] += (bits >> member) & 1;
  }
  // Of parts that are drawn by chance: an eighth is exact to 2.6 %.
  const double share = 1.0 * replicas / members;
  const double deviation = std::sqrt(kSeries * share * (1 - share));
  CAPTURE(members, replicas);
  for (const int part : parts) CHECK(std::abs(part - kSeries * share) <= 4 * deviation);
}

TEST_CASE("share: another member takes series from all, and none moves between the others") {
  RemoteShareConfig config;
  config.replicas = GENERATE(1U, 2U);
  const auto before = Shares(config, 4), after = Shares(config, 5);
  int moved = 0;
  for (int i = 0; i < kSeries; i++) {
    const uint32_t was = Bits(before, Series(i)), is = Bits(after, Series(i));
    moved += (is >> 4) & 1;
    // One gave it up for the new one, or nothing changed.
    REQUIRE((is & 15 & ~was) == 0);
    REQUIRE(std::popcount(is) == std::popcount(was));
  }
  CHECK(moved == Approx(kSeries * config.replicas / 5.0).epsilon(0.08));
}

TEST_CASE("share: only the labels that decide do") {
  RemoteShareConfig config;
  SECTION("those that are named") { config.labels = {"instance"}; }
  SECTION("all but those that are named") { config.ignore_labels = {"__name__", "le"}; }
  const auto shares = Shares(config, 5);
  uint32_t used = 0;
  for (int host = 0; host < 100; host++) {
    const uint32_t first = Bits(shares, Series(host * 50));
    used |= first;
    for (int i = 1; i < 50; i++) {
      Labels labels = Series(host * 50 + i);
      labels.Set("le", std::to_string(i));
      REQUIRE(Bits(shares, labels) == first);
    }
  }
  CHECK(used == 31);
}

// What is in the file in another order, and another process, must find the same.
TEST_CASE("share: who has which series does not change") {
  uint32_t bits = 0;
  const auto shares = Shares({}, 3);
  for (int i = 0; i < 32; i++) bits |= static_cast<uint32_t>(shares[1].Has(Series(i))) << i;
  CHECK(bits == 0x46cde00U);
  RemoteShareConfig config;
  config.members = {"name m2", "name m0", "name m1"};
  CHECK(SeriesShare(config, "name m1") == shares[1]);
  CHECK_FALSE(SeriesShare(config, "name m2") == shares[1]);
}

}  // namespace
}  // namespace tributary
