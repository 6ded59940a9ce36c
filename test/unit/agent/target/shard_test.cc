#include "agent/target/shard.h"

#include <random>
#include <vector>

#include "test/support/catch.h"

namespace tributary {
namespace {

constexpr int kTargets = 20'000;

std::vector<uint64_t> Keys() {
  std::mt19937_64 random(7);
  std::vector<uint64_t> keys(kTargets);
  for (uint64_t& key : keys) key = random();
  return keys;
}

TEST_CASE("shard: each target has as many members as it should, and they have equal parts") {
  const uint32_t members = GENERATE(1U, 2U, 3U, 7U), replicas = GENERATE(1U, 2U);
  if (replicas > members) return;
  std::vector<int> parts(members);
  for (const uint64_t key : Keys()) {
    uint32_t have = 0;
    for (uint32_t member = 0; member < members; member++) {
      if (!Shard{member, members, replicas}.Has(key)) continue;
      have++;
      parts[member]++;
    }
    REQUIRE(have == replicas);
  }
  const double even = 1.0 * kTargets * replicas / members;
  for (const int part : parts) CHECK(part == Approx(even).epsilon(0.06));
}

TEST_CASE("shard: another member takes targets from all, and none moves between the others") {
  for (const uint64_t key : Keys()) {
    for (uint32_t member = 0; member < 4; member++) {
      const bool before = Shard{member, 4, 1}.Has(key), after = Shard{member, 5, 1}.Has(key);
      REQUIRE((before || !after));
      REQUIRE(((before == after) || Shard{4, 5, 1}.Has(key)));
    }
  }
}

// Two versions that share targets have to agree.
TEST_CASE("shard: who has which target does not change") {
  uint32_t bits = 0;
  for (uint64_t key = 0; key < 32; key++) {
    bits |= static_cast<uint32_t>(Shard{1, 3, 1}.Has(key)) << key;
  }
  CHECK(bits == 0x8c08c886U);
}

TEST_CASE("shard: the flag") {
  const auto parse = [](std::string_view text, uint32_t replicas = 1) {
    return ParseShard(text, replicas, "agent-12.tributary.svc");
  };
  auto shard = parse("2/3");
  REQUIRE(shard);
  CHECK(shard->member == 2);
  CHECK(shard->members == 3);
  CHECK_FALSE(shard->is_whole());
  shard = parse("hostname/20", 2);
  REQUIRE(shard);
  CHECK(shard->member == 12);
  CHECK(shard->replicas == 2);
  CHECK(parse("0/1")->is_whole());

  const auto error = [&](std::string_view text, uint32_t replicas = 1) {
    auto parsed = parse(text, replicas);
    return parsed ? "" : parsed.error().message;
  };
  CHECK(error("3") == "\"3\" is not MEMBER/MEMBERS, such as 0/3 or hostname/3");
  CHECK(error("3/3") == "there is no member 3 of 3: they are counted from 0");
  CHECK(error("hostname/12") == "there is no member 12 of 12: they are counted from 0");
  CHECK(error("a/3") == "\"a\" is no member's number, nor \"hostname\"");
  CHECK(error("-1/3") == "\"-1\" is no member's number, nor \"hostname\"");
  CHECK(error("0/0") == "\"0\" is no number of members: 1 to 10000");
  CHECK(error("0/99999999999") == "\"99999999999\" is no number of members: 1 to 10000");
  CHECK(error("0/3", 4) == "4 of 3 members cannot scrape each target");
  CHECK(ParseShard("hostname/3", 1, "ip-10-0-0-7x").error().message ==
        "the host's name \"ip-10-0-0-7x\" does not end in a dash and a number, as a StatefulSet's "
        "do");
}

}  // namespace
}  // namespace tributary
