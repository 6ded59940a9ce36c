// Makes the blocks (agent/frame) that the queues of a worker send, in the background of its loop.
//
// One thread. Some hundred series are compiled in a turn of the loop, a fraction of a millisecond,
// and nothing is set while there is nothing to compile. Bounds: a lane of a queue has one task here
// at most (RemoteQueue::Observe). Holds which blocks queues share.
#pragma once

#include <cstddef>
#include <utility>

#include "agent/frame/frame_compiler.h"
#include "agent/remote/shared_blocks.h"
#include "common/event/event_loop.h"

namespace tributary {

class FrameStore {
 public:
  // Compiles nothing if told so: for tests, which compare.
  explicit FrameStore(EventLoop& loop, bool compiles = true) : compiles_(compiles), timer_(loop) {}

  // Its functions run from the loop, never from here, and may run after who has added it is gone.
  void Add(CompileTask task) {
    compiler_.Add(std::move(task));
    if (compiles_ && !timer_.active()) timer_.SetAfter(nanoseconds(0), [this] { Turn(); });
  }
  SharedBlocks& shared() { return shared_; }
  // Blocks that are to be compiled.
  size_t waiting() const { return compiler_.size(); }
  // For work under way; without what is made.
  size_t memory_bytes() const { return compiler_.memory_bytes() + shared_.memory_bytes(); }

 private:
  static constexpr uint32_t kSeriesPerTurn = 250;

  void Turn() {
    // A task that was added meanwhile may have set it.
    const bool more = compiler_.Advance(kSeriesPerTurn);
    if (more && !timer_.active()) timer_.SetAfter(nanoseconds(0), [this] { Turn(); });
  }

  const bool compiles_;
  FrameCompiler compiler_;
  SharedBlocks shared_;
  Timer timer_;
};

}  // namespace tributary
