// What becomes of the disk, the process and the power in a random world.
#include <utility>

#include <fmt/format.h>

#include "test/sim/random_world.h"

namespace tributary {

using std::chrono::minutes;

void RandomWorld::DrawDisk(SimRandom& random, WorldOptions& options) {
  const auto pick = [&](std::initializer_list<uint64_t> values) {
    return values.begin()[random.Below(values.size())];
  };
  DiskLogOptions disk;
  disk.path = "/data/log";
  disk.segment_bytes = pick({4 << 10, 16 << 10, 64 << 10, 1 << 20});
  if (random.Chance(0.2)) disk.retention_bytes = (50 + random.Below(250)) << 10;
  if (random.Chance(0.1)) disk.retention_time = minutes(5);
  if (random.Chance(0.5)) disk.free_min = 0;
  const uint64_t sync = random.Below(5);
  disk.fsync = sync == 0 ? Fsync::kAlways : sync == 1 ? Fsync::kNever : Fsync::kInterval;
  options.disk = disk;
  options.disk_latency = std::chrono::microseconds(pick({50, 1000, 10'000}));
  options.log.window_bytes = pick({1, 2000, 50'000, options.log.window_bytes});
}

void RandomWorld::BreakDisk() {
  if (!on_disk_) return;
  if (world_.doubts().disk_ill()) return HealDisk();
  const nanoseconds duration = random_.Between(milliseconds(100), seconds(Pick({5, 60, 200})));
  std::string what;
  switch (random_.Below(8)) {
    case 0:
      world_.FailDisk(SimDisk::kWrite, "Input/output error");
      what = "writes fail";
      break;
    case 1:
      world_.FailDisk(SimDisk::kSync, "Input/output error");
      what = "syncs fail";
      break;
    case 2:
      world_.FailDisk(SimDisk::kRead, "Input/output error");
      what = "reads fail";
      break;
    case 3:
      world_.FailDisk(SimDisk::kRemove, "Input/output error");
      what = "removals fail";
      break;
    case 4:
      world_.FailDisk(SimDisk::kWrite | SimDisk::kRemove, "Read-only file system");
      what = "it is read-only";
      break;
    case 5:
      world_.FillDisk(random_.Below(20'000));
      what = "it is full";
      break;
    case 6:
      world_.StallDisk(duration);
      what = "it stalls";
      break;
    default:
      world_.SlowDisk(random_.Between(milliseconds(10), milliseconds(1500)));
      what = "it is slow";
  }
  if (Chance(0.1)) world_.disk().FailNth(1 + random_.Below(100));
  world_.Note(
      fmt::format("disk: {} for {:.1f} s", what, std::chrono::duration<double>(duration).count()));
  disk_heals_.SetAfter(duration, [this] { HealDisk(); });
}

void RandomWorld::HealDisk() {
  disk_heals_.Cancel();
  if (!world_.doubts().disk_ill()) return;
  world_.HealDisk();
  world_.Note("disk: all is well");
}

void RandomWorld::EndProcess() {
  if (!on_disk_) return;
  // In the midst of something, if that comes soon.
  for (uint64_t i = random_.Below(6); i > 0; i--) world_.RunUntilDiskBusy(seconds(1));
  const uint64_t how = random_.Below(4);
  if (how == 0) {
    world_.Note("shutdown");
    const World::End end = world_.Shutdown(random_.Between(milliseconds(1), seconds(10)));
    if (!end.done) world_.Problem("Shutdown never called back");
    world_.Exit();
  } else if (how == 1) {
    world_.Note("the power is lost");
    world_.LosePower();
  } else {
    world_.Note("kill");
    world_.Kill();
  }
  world_.Run(random_.Between(milliseconds(10), seconds(Pick({1, 5, 60}))));
  if (Chance(0.2)) StepClock();
  Restart();
}

void RandomWorld::Restart() {
  // Not: a single read that fails while the log is opened, which leaves out a segment.
  world_.disk().FailNth(0);
  if (Chance(0.7)) HealDisk();
  // How many workers there are may change from process to process.
  if (Chance(0.3)) world_.SetWorkers(1 + random_.Below(kWorkersMax));
  world_.Note(fmt::format("start, {} workers", world_.workers()));
  auto started = world_.Start(Config());
  if (started) return;
  world_.Note(started.error().message);
  if (!world_.doubts().disk_ill()) world_.Problem(started.error().message);
  HealDisk();
  started = world_.Start(Config());
  if (!started) world_.Problem(started.error().message);
}

}  // namespace tributary
