// Random worlds (random_world.h). TRIBUTARY_SIM_SEED=n replays one seed, TRIBUTARY_SIM_SEEDS=n plays so many
// (1000), TRIBUTARY_SIM_PART=i/n the i-th of n parts of them.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "test/sim/random_world.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void PlayOne(uint64_t seed) {
  INFO("replay with TRIBUTARY_SIM_SEED=" << seed);
  RandomWorld world(seed);
  const std::string problems = world.Play();
  CHECK_THAT(problems, Catch::Equals(""));
}

TEST_CASE("random worlds: what was scraped arrives everywhere, once, in order and in time") {
  const uint64_t one = FromEnvironment("TRIBUTARY_SIM_SEED", 0);
  if (one != 0) return PlayOne(one);
  const uint64_t seeds = FromEnvironment("TRIBUTARY_SIM_SEEDS", 1000);
  unsigned part = 1, parts = 1;
  if (const char* text = std::getenv("TRIBUTARY_SIM_PART"); text != nullptr) {
    REQUIRE(std::sscanf(text, "%u/%u", &part, &parts) == 2);
    REQUIRE((part >= 1 && part <= parts));
  }
  for (uint64_t seed = part; seed <= seeds; seed += parts) PlayOne(seed);
}

}  // namespace
}  // namespace tributary
