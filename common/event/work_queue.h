// Work that may block for long (a disk may stall for minutes), done apart from a loop: one piece at
// a time, in the order in which it was handed in. The seam between the agent and its I/O threads;
// the simulator's twin takes virtual time.
#pragma once

#include <functional>

namespace tributary {

class WorkQueue {
 public:
  virtual ~WorkQueue() = default;
  // From the loop's thread. `work` runs on another thread, then `done` on the loop, also if the
  // owner of both is gone by then: what they need they must own, or ask for. Destroying the queue
  // lets what was handed in finish, but runs no `done`.
  virtual void Run(std::function<void()> work, std::function<void()> done) = 0;
  // The same where nobody waits: `work` returns whether the loop is to hear of it now, else `done`
  // runs with what wakes the loop next, which may be long after. Both kinds keep one order.
  virtual void RunQuietly(std::function<bool()> work, std::function<void()> done) = 0;
};

}  // namespace tributary
