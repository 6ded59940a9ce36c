#include "agent/scrape/scrape_environment.h"

namespace tributary {

namespace {

constexpr size_t kFreeMax = 8;
// Scratch of larger targets is not kept: it is cheap beside their scrape.
constexpr size_t kKeptValues = 64 << 10;

}  // namespace

std::unique_ptr<ScrapeScratch> ScratchPool::Take() {
  if (free_.empty()) return std::make_unique<ScrapeScratch>();
  std::unique_ptr<ScrapeScratch> scratch = std::move(free_.back());
  free_.pop_back();
  return scratch;
}

void ScratchPool::Give(std::unique_ptr<ScrapeScratch> scratch) {
  if (free_.size() < kFreeMax && scratch->buffer.values.capacity() <= kKeptValues) {
    free_.push_back(std::move(scratch));
  }
}

}  // namespace tributary
