// Compiles blocks in the background of a loop, one after the other, so many series at a turn.
//
// One thread. Bounds: one block's labels are on the heap at a time, and the scratch of one
// compressor while there is work; a task waiting is what its functions hold. How many may wait is
// the caller's to say, by size().
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "agent/frame/block_job.h"
#include "agent/frame/frame_unit.h"

namespace tributary {

struct CompileTask {
  // What to compile, asked for when its turn has come; nullopt: nobody wants it any more.
  std::function<std::optional<BlockSource>()> source;
  // Gets what BlockJob::Take gives; not called if nobody wanted it. In remote write 2.0 the block
  // may be put into the unit and sent from then on.
  std::function<void(BlockRef)> done;
  // Of 2.0: whose symbols the block is to have. Tasks of one unit are cheapest side by side.
  std::shared_ptr<FrameUnit> unit = nullptr;
};

class FrameCompiler {
 public:
  FrameCompiler() = default;
  // What was not done is dropped without a word.
  ~FrameCompiler() = default;
  FrameCompiler(const FrameCompiler&) = delete;
  FrameCompiler& operator=(const FrameCompiler&) = delete;

  // Functions run inside Advance only, and may add tasks.
  void Add(CompileTask task) { tasks_.push_back(std::move(task)); }
  // That are waiting or under way.
  size_t size() const { return tasks_.size(); }
  // Compiles up to so many series, where the beginning of a block counts as kBeginSeries. True:
  // there is more to do.
  bool Advance(uint32_t series);

  size_t memory_bytes() const;

 private:
  // To fetch labels, and in 2.0 to read the table.
  static constexpr uint32_t kBeginSeries = 50;

  // Of 2.0: compiled, and waiting for the symbols to be committed.
  struct Pending {
    std::function<void(BlockRef)> done;
    BlockRef block;
  };

  void Begin();
  void Finish();
  // Ends the work on a unit, whose blocks can be sent now.
  void Commit();

  std::deque<CompileTask> tasks_;  // the first is under way if job_ is there
  HoleCompressor compressor_;
  std::unique_ptr<BlockJob> job_;
  std::shared_ptr<FrameUnit> unit_;  // of writer_
  std::unique_ptr<SymbolWriter> writer_;
  std::vector<Pending> pending_;
};

}  // namespace tributary
