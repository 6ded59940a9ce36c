#include "agent/daemon/loop_pulse.h"

#include <optional>

#include "test/support/catch.h"
#include "test/support/sim/sim_loop.h"

namespace tributary {
namespace {

// A loop whose thread can hang: it takes posts and runs them once it is well again.
class HangingLoop : public EventLoop {
 public:
  explicit HangingLoop(SimLoop& world) : world_(world) {}
  MonotonicTime Now() const override { return world_.Now(); }
  int64_t WallNs() const override { return world_.WallNs(); }
  TimerId AddTimer(MonotonicTime when, Callback callback) override {
    return world_.AddTimer(when, std::move(callback));
  }
  void CancelTimer(TimerId timer) override { world_.CancelTimer(timer); }
  void Post(Callback callback) override {
    hangs_ ? inbox_.push_back(std::move(callback)) : world_.Post(std::move(callback));
  }
  void PostQuietly(Callback callback) override { Post(std::move(callback)); }

  void Hang() { hangs_ = true; }
  void GetWell() {
    hangs_ = false;
    for (Callback& callback : std::exchange(inbox_, {})) world_.Post(std::move(callback));
  }
  void End() { inbox_.clear(); }
  size_t inbox() const { return inbox_.size(); }

 private:
  SimLoop& world_;
  bool hangs_ = false;
  std::vector<Callback> inbox_;
};

struct World {
  SimLoop control;
  HangingLoop one{control}, other{control};
  int alive = 0;
  std::optional<LoopPulse> pulse{std::in_place, control, std::vector<EventLoop*>{&one, &other},
                                 [this] { alive++; }};
};

TEST_CASE("loop pulse: calls at once and then each period, for as long as all loops turn") {
  World world;
  world.pulse->Start(seconds(10));
  world.control.RunDue();
  CHECK(world.alive == 1);
  world.control.RunFor(seconds(9));
  CHECK(world.alive == 1);
  world.control.RunFor(seconds(91));
  CHECK(world.alive == 11);
}

TEST_CASE("loop pulse: a loop that hangs ends the calls, however many others turn") {
  World world;
  world.pulse->Start(seconds(10));
  world.control.RunFor(seconds(25));
  REQUIRE(world.alive == 3);
  HangingLoop& hanging = GENERATE(0, 1) == 0 ? world.one : world.other;
  hanging.Hang();
  world.control.RunFor(seconds(3600));
  CHECK(world.alive == 3);
  CHECK(hanging.inbox() == 1);  // it is asked once, not each time
  hanging.GetWell();
  world.control.RunDue();
  CHECK(world.alive == 4);
  world.control.RunFor(seconds(20));
  CHECK(world.alive == 6);
}

TEST_CASE("loop pulse: a loop that ends with the question unanswered tells nothing") {
  World world;
  world.one.Hang();
  world.pulse->Start(seconds(10));
  world.control.RunDue();
  world.one.End();
  world.control.RunFor(seconds(5));
  CHECK(world.alive == 0);
}

TEST_CASE("loop pulse: answers that come after its end are nobody's") {
  World world;
  world.one.Hang();
  world.pulse->Start(seconds(10));
  world.control.RunDue();
  world.pulse.reset();
  world.one.GetWell();
  world.control.RunFor(seconds(60));
  CHECK(world.alive == 0);
  CHECK(world.control.pending() == 0);
}

TEST_CASE("loop pulse: without other loops the control loop's own turns count") {
  SimLoop control;
  int alive = 0;
  LoopPulse pulse(control, {}, [&] { alive++; });
  pulse.Start(seconds(1));
  control.RunFor(seconds(3));
  CHECK(alive == 4);
}

}  // namespace
}  // namespace tributary
