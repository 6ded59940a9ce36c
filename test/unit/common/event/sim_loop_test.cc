#include "test/support/sim/sim_loop.h"

#include <memory>
#include <stdexcept>
#include <vector>

#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("sim loop: runs timers and posts by time, then in the order of their making") {
  SimLoop loop;
  std::vector<int> order;
  const auto note = [&order](int value) { return [&order, value] { order.push_back(value); }; };
  loop.AddTimerAfter(seconds(2), note(5));
  loop.AddTimerAfter(seconds(1), note(3));
  loop.Post(note(1));
  loop.AddTimerAfter(seconds(-1), note(2));  // in the past: now, behind what is due now
  loop.AddTimerAfter(seconds(1), note(4));
  const TimerId cancelled = loop.AddTimerAfter(seconds(1), note(6));
  loop.CancelTimer(cancelled);
  REQUIRE(order.empty());
  REQUIRE(loop.pending() == 5);
  loop.RunDue();
  REQUIRE(order == std::vector<int>{1, 2});
  loop.RunFor(seconds(2));
  REQUIRE(order == std::vector<int>{1, 2, 3, 4, 5});
}

TEST_CASE("sim loop: time is that of the callback, and of the end of the run") {
  SimLoop loop(1'000'000);
  REQUIRE(loop.WallMs() == 1'000'000);
  MonotonicTime seen{};
  loop.AddTimerAfter(milliseconds(1500), [&] { seen = loop.Now(); });
  loop.RunFor(seconds(10));
  REQUIRE(seen == MonotonicTime(milliseconds(1500)));
  REQUIRE(loop.Now() == MonotonicTime(seconds(10)));
  REQUIRE(loop.WallMs() == 1'010'000);
  loop.StepWall(seconds(-3600));
  REQUIRE(loop.WallMs() == 1'010'000 - 3'600'000);
  REQUIRE(loop.Now() == MonotonicTime(seconds(10)));
}

TEST_CASE("sim loop: RunUntil a condition stops at once when it holds") {
  SimLoop loop;
  int count = 0;
  std::function<void()> tick = [&] {
    count++;
    loop.AddTimerAfter(seconds(1), tick);
  };
  loop.Post(tick);
  REQUIRE(loop.RunUntil([&] { return count == 3; }, seconds(100)));
  REQUIRE(loop.Now() == MonotonicTime(seconds(2)));
  REQUIRE_FALSE(loop.RunUntil([&] { return count == 1000; }, seconds(10)));
  REQUIRE(loop.Now() == MonotonicTime(seconds(12)));
}

TEST_CASE("sim loop: a callback that spins is a failure") {
  SimLoop loop;
  loop.set_storm_limit(1000);
  std::function<void()> spin = [&] { loop.Post(spin); };
  loop.Post(spin);
  REQUIRE_THROWS_AS(loop.RunFor(seconds(1)), std::runtime_error);
}

TEST_CASE("sim process: its end drops its timers and posts, and nobody else's") {
  SimLoop world;
  int ran = 0;
  SimProcess other(world);
  auto process = std::make_unique<SimProcess>(world);
  process->AddTimerAfter(seconds(1), [&] { ran++; });
  process->Post([&] { ran++; });
  const TimerId cancelled = process->AddTimerAfter(seconds(1), [&] { ran++; });
  process->CancelTimer(cancelled);
  other.AddTimerAfter(seconds(1), [&] { ran += 100; });
  REQUIRE(process->pending() == 2);
  process.reset();
  world.RunFor(seconds(5));
  REQUIRE(ran == 100);
  REQUIRE(world.pending() == 0);
}

TEST_CASE("sim process: may end in its own callback") {
  SimLoop world;
  auto process = std::make_unique<SimProcess>(world);
  bool ran = false;
  process->Post([&] {
    process.reset();
    ran = true;
  });
  process->Post([&] { FAIL("ran after the end of its process"); });
  world.RunDue();
  REQUIRE(ran);
}

TEST_CASE("sim process: has a wall clock of its own") {
  SimLoop world(1'000'000);
  SimProcess process(world);
  process.StepWall(seconds(-5));
  REQUIRE(process.WallMs() == 995'000);
  REQUIRE(world.WallMs() == 1'000'000);
  world.StepWall(seconds(1));
  REQUIRE(process.WallMs() == 996'000);
}

}  // namespace
}  // namespace tributary
