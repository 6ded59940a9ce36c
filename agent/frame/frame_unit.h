// A unit of remote write 2.0: blocks and the table of symbols that they share. A request is filled
// from blocks of one unit, all or some of them, each as often as there are scrapes to send.
//
// When a block changes (its series, metadata or start times) it alone is compiled again, against
// the same table; what the table has in vain by then is thrown away by building another unit.
//
// One thread. Memory: the blocks and the table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "agent/frame/frame_block.h"
#include "agent/frame/frame_symbols.h"

namespace tributary {

class FrameUnit {
 public:
  explicit FrameUnit(size_t blocks) : blocks_(blocks) {}

  // For jobs (block_job.h) by way of a SymbolWriter, and for requests.
  FrameSymbols& symbols() { return symbols_; }
  const FrameSymbols& symbols() const { return symbols_; }
  size_t blocks() const { return blocks_.size(); }
  // Null: there is none, and its series go by the general path.
  const BlockRef& block(size_t i) const { return blocks_[i]; }
  // Once the writer that it was compiled with is committed.
  void Set(size_t i, BlockRef block);
  // All blocks have been set that there are at first: what the unit is measured by later.
  void Seal();
  // So much of the table may be in vain by now that another unit should take the place of this one.
  bool wants_rebuild() const;

  uint64_t series() const;
  size_t memory_bytes() const;

 private:
  FrameSymbols symbols_;
  std::vector<BlockRef> blocks_;
  uint32_t sealed_symbols_ = 0;  // 0: not sealed
  uint64_t sealed_series_ = 0;
};

}  // namespace tributary
