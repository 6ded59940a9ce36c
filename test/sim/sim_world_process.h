// The agent's process in the world: what ends with it. For the world's own sources.
#pragma once

#include <cstdint>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "test/sim/sim_world.h"
#include "test/support/sim/sim_work_queue.h"

namespace tributary {

struct World::WorkerProcess {
  // Of the world's `number`-th process.
  WorkerProcess(World& world, uint64_t number, size_t index);
  Status Open(World& world, uint64_t random_seed);

  const size_t index;
  SimProcess loop;
  SimWorkQueue io, slow_io;
  std::array<SimWorkQueue*, 2> queues() { return {&io, &slow_io}; }
  SimTransport transport;
  HashKey hash;
  std::optional<Worker> worker;
  uint32_t over_retention = 0;  // so many checks in a row
};

struct World::Process {
  explicit Process(World& world)
      : loop(world.time_), http(world.network_, loop, "control"), dns(world.dns_, loop) {}

  SimProcess loop;
  SimTransport http;
  SimDnsTransport dns;
  std::vector<std::unique_ptr<WorkerProcess>> workers;
  std::unique_ptr<Agent> agent;
};

}  // namespace tributary
