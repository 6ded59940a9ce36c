#include "agent/frame/frame_unit.h"

#include <utility>

#include "common/base/assert.h"

namespace tributary {

namespace {

// A table may grow by half before it is built anew, and by this much in any case.
constexpr uint32_t kSpareSymbols = 64;

}  // namespace

void FrameUnit::Set(size_t i, BlockRef block) {
  CHECK(block == nullptr ||
        (block->origin().table == symbols_.id() && block->origin().symbols <= symbols_.count()));
  blocks_[i] = std::move(block);
}

void FrameUnit::Seal() {
  sealed_symbols_ = symbols_.count();
  sealed_series_ = series();
}

bool FrameUnit::wants_rebuild() const {
  if (sealed_symbols_ == 0) return false;
  return symbols_.count() > sealed_symbols_ + sealed_symbols_ / 2 + kSpareSymbols ||
         series() < sealed_series_ / 2;
}

uint64_t FrameUnit::series() const {
  uint64_t series = 0;
  for (const BlockRef& block : blocks_) series += block == nullptr ? 0 : block->series();
  return series;
}

size_t FrameUnit::memory_bytes() const {
  size_t bytes = sizeof(*this) - sizeof(symbols_) + symbols_.memory_bytes() +
                 blocks_.capacity() * sizeof(BlockRef);
  for (const BlockRef& block : blocks_) bytes += block == nullptr ? 0 : block->memory_bytes();
  return bytes;
}

}  // namespace tributary
