#include "agent/frame/frame_compiler.h"

#include <algorithm>
#include <utility>

namespace tributary {

bool FrameCompiler::Advance(uint32_t series) {
  while (!tasks_.empty() && series > 0) {
    if (job_ == nullptr) {
      Begin();
      series -= std::min(series, kBeginSeries);
      continue;
    }
    const uint32_t step = std::min<uint32_t>(series, kBlockEntriesMax);
    series -= step;
    if (job_->Advance(step)) Finish();
  }
  if (!tasks_.empty()) return true;
  Commit();
  // What waits for the symbols may have had more to add.
  if (!tasks_.empty()) return true;
  compressor_.Release();
  return false;
}

void FrameCompiler::Begin() {
  if (unit_ != tasks_.front().unit) return Commit();
  std::optional<BlockSource> source = tasks_.front().source();
  if (!source) return tasks_.pop_front();
  if (unit_ != nullptr && writer_ == nullptr) {
    writer_ = std::make_unique<SymbolWriter>(unit_->symbols());
  }
  job_ = std::make_unique<BlockJob>(compressor_, std::move(*source), writer_.get());
}

void FrameCompiler::Finish() {
  Pending pending{std::move(tasks_.front().done), job_->Take()};
  job_.reset();
  tasks_.pop_front();
  if (writer_ == nullptr) return pending.done(std::move(pending.block));
  pending_.push_back(std::move(pending));
}

void FrameCompiler::Commit() {
  if (writer_ != nullptr) writer_->Commit();
  writer_.reset();
  unit_ = tasks_.empty() ? nullptr : tasks_.front().unit;
  for (Pending& pending : std::exchange(pending_, {})) pending.done(std::move(pending.block));
}

size_t FrameCompiler::memory_bytes() const {
  size_t bytes = sizeof(*this) + tasks_.size() * sizeof(CompileTask) + compressor_.memory_bytes();
  for (const Pending& pending : pending_) {
    bytes += sizeof(pending) + (pending.block == nullptr ? 0 : pending.block->memory_bytes());
  }
  return bytes;
}

}  // namespace tributary
