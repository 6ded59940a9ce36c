#include "agent/discovery/refresher.h"

#include "test/support/catch.h"
#include "test/support/sim/sim_loop.h"

namespace tributary {
namespace {

// Refreshes that take as long as the test says, and the moments at which they began, in ms.
struct RefresherWorld {
  RefresherWorld() { refresher.Start(); }
  SimLoop loop;
  SdCounters counters;
  std::vector<int64_t> begun;
  milliseconds takes{0};
  Refresher refresher{loop, counters, {"m", "j"}, seconds(10), [this] {
                        begun.push_back(loop.Now().time_since_epoch() / milliseconds(1));
                        loop.AddTimerAfter(takes, [this] { refresher.Ended(true); });
                      }};
};

TEST_CASE("refresher: the first is at once, and the interval counts from its end") {
  RefresherWorld world;
  CHECK_FALSE(world.refresher.ended_once());
  world.loop.RunDue();
  CHECK(world.refresher.ended_once());
  world.takes = milliseconds(300);
  world.loop.RunFor(seconds(35));
  CHECK(world.begun == std::vector<int64_t>{0, 10'000, 20'000, 30'000});
}

TEST_CASE("refresher: ticks that fall into a refresh are made up for by one") {
  SimLoop loop;
  SdCounters counters;
  std::vector<int64_t> begun;
  Refresher refresher(loop, counters, {"m", "j"}, seconds(10),
                      [&] { begun.push_back(loop.Now().time_since_epoch() / milliseconds(1)); });
  const auto end_at = [&](int64_t ms) {
    loop.RunUntil(MonotonicTime(milliseconds(ms)));
    refresher.Ended(true);
  };
  refresher.Start();
  end_at(1'500);   // ticks are at 11.5 s, 21.5 s, ...
  end_at(12'000);  //
  end_at(35'000);  // that of 21.5 s; meanwhile it was 31.5 s
  end_at(36'000);  //
  end_at(66'000);  // that of 41.5 s; meanwhile it was 51.5 s and 61.5 s
  end_at(71'500);  // it is just 71.5 s
  loop.RunDue();
  CHECK(begun == std::vector<int64_t>{0, 11'500, 21'500, 35'000, 41'500, 66'000, 71'500});
}

}  // namespace
}  // namespace tributary
