// The simulator's WorkQueue: one piece at a time, each of which takes a while of virtual time.
//
// Dies with its process: pieces that were not executed when the queue is destroyed never are, as
// after kill -9. Where the end is an orderly one, call Finish before.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "common/event/work_queue.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_network.h"

namespace tributary {

class SimWorkQueue : public WorkQueue {
 public:
  // When in its time a piece is executed: a process that ends meanwhile has written, or has not.
  enum class Execution { kAtEnd, kAtStart, kRandom };

  // `loop` is the process; it must outlive it. All that happens by chance comes from the seed.
  explicit SimWorkQueue(EventLoop& loop, uint64_t seed = 1)
      : loop_(loop), timer_(loop), random_(seed) {}

  void Run(std::function<void()> work, std::function<void()> done) override;
  void RunQuietly(std::function<bool()> work, std::function<void()> done) override;

  // Of each piece that begins from now on. Minutes: a disk that stalls.
  void set_latency(nanoseconds latency) { set_latency(latency, latency); }
  void set_latency(nanoseconds min, nanoseconds max);
  // No piece is done before that, the one under way neither.
  void StallUntil(MonotonicTime time);
  void set_execution(Execution execution) { execution_ = execution; }
  // Pieces that are not done, the one under way with them.
  size_t waiting() const { return pieces_.size(); }
  // What is under way and was not executed, or null: for a process that ends in the midst of it.
  // Nothing else is done any more.
  std::function<void()> TakeUnderWay();
  // Executes all that was handed in, at once and without any `done`, as the destructor of an
  // IoThread does. Nothing may be handed in later.
  void Finish();

 private:
  struct Piece {
    std::function<bool()> work;  // null once it was executed
    std::function<void()> done;
    bool tells = true;
  };

  void Begin();
  void Wait();
  void End();
  void Execute();
  void Tell();

  EventLoop& loop_;
  Timer timer_;
  SimRandom random_;
  nanoseconds latency_min_ = std::chrono::microseconds(50);
  nanoseconds latency_max_ = latency_min_;
  Execution execution_ = Execution::kAtEnd;
  MonotonicTime stalled_until_{};
  MonotonicTime end_{};                     // of the piece under way, if the disk does not stall
  bool starting_ = false;                   // it will be executed at once
  std::deque<Piece> pieces_;                // the first is under way
  std::deque<std::function<void()>> done_;  // of which the loop has not heard
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tributary
