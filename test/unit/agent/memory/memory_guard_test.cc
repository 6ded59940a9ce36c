#include "agent/memory/memory_guard.h"
#include "test/support/catch.h"
#include "test/support/sim/sim_loop.h"

namespace tributary {
namespace {

TEST_CASE("memory guard: steps begin at 70, 80 and 90 percent and end five points below") {
  using enum ShedStep;
  struct Case {
    ShedStep now;
    uint64_t used;
    ShedStep next;
  };
  for (const auto& [now, used, next] : {Case{kNone, 0, kNone},
                                        {kNone, 699, kNone},
                                        {kNone, 700, kGiveBack},
                                        {kNone, 950, kThinOut},
                                        {kGiveBack, 650, kGiveBack},
                                        {kGiveBack, 649, kNone},
                                        {kGiveBack, 800, kRefuseNew},
                                        {kRefuseNew, 750, kRefuseNew},
                                        {kRefuseNew, 749, kGiveBack},
                                        {kRefuseNew, 100, kNone},
                                        {kThinOut, 850, kThinOut},
                                        {kThinOut, 849, kRefuseNew},
                                        {kThinOut, 2000, kThinOut}}) {
    INFO(static_cast<int>(now) << " " << used);
    CHECK(NextShedStep(now, used, 1000) == next);
  }
}

TEST_CASE("memory guard: what giving back frees is not shed for") {
  SimLoop loop;
  Logger logger = Logger::Silent();
  uint64_t used = 500, freed = 0;
  int given_back = 0;
  MemoryGuard guard(loop, logger, 1000,
                    {[&] { return used; },
                     [&] {
                       given_back++;
                       used -= std::min(freed, used);
                     }});
  guard.Start();
  loop.RunFor(seconds(10));
  CHECK(given_back == 0);
  used = 950;
  freed = 400;
  loop.RunFor(seconds(1));
  CHECK(given_back == 1);
  CHECK(guard.step() == ShedStep::kNone);
  used = 950;
  freed = 100;
  loop.RunFor(seconds(1));
  CHECK(guard.step() == ShedStep::kRefuseNew);
  freed = 0;
  const int before = given_back;
  loop.RunFor(seconds(60));
  CHECK(guard.step() == ShedStep::kRefuseNew);
  CHECK(given_back - before <= 12);  // it walks over the heap
  used = 100;
  loop.RunFor(seconds(1));
  CHECK(guard.step() == ShedStep::kNone);
}

TEST_CASE("memory guard: who takes much at once need not wait for the next look") {
  SimLoop loop;
  Logger logger = Logger::Silent();
  uint64_t used = 100;
  MemoryGuard guard(loop, logger, 1000, {[&] { return used; }, [] {}});
  guard.Start();
  used = 810;
  guard.Raise();
  CHECK(guard.step() == ShedStep::kRefuseNew);
  used = 100;
  guard.Raise();  // ends nothing
  CHECK(guard.step() == ShedStep::kRefuseNew);
  loop.RunFor(seconds(1));
  CHECK(guard.step() == ShedStep::kNone);
}

TEST_CASE("memory guard: without a limit nothing is looked at") {
  SimLoop loop;
  Logger logger = Logger::Silent();
  MemoryGuard guard(loop, logger, 0, {[] { return uint64_t{1} << 40; }, [] { FAIL(); }});
  guard.Start();
  loop.RunFor(seconds(60));
  CHECK(guard.step() == ShedStep::kNone);
  CHECK(loop.pending() == 0);
}

}  // namespace
}  // namespace tributary
