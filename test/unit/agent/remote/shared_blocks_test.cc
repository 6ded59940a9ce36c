#include "agent/remote/shared_blocks.h"

#include <string>
#include <utility>

#include "agent/frame/block_job.h"
#include "common/base/varint.h"
#include "common/wire/remote_write.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

BlockRef MakeBlock(uint32_t series, FrameTimes times = FrameTimes::kShared) {
  BlockSource source;
  for (uint32_t i = 0; i < series; i++) {
    const std::string labels = EncodeLabels({{"__name__", "m"}, {"i", std::to_string(i)}});
    PutVarint(source.encoded, labels.size());
    source.encoded += labels;
    SetBit(source.wanted, i);
  }
  source.end = series;
  source.times = times;
  HoleCompressor compressor;
  BlockJob job(compressor, std::move(source));
  REQUIRE(job.Advance(series));
  return job.Take();
}

BlockBits First(uint32_t count) {
  BlockBits bits{};
  for (uint32_t i = 0; i < count; i++) SetBit(bits, i);
  return bits;
}

TEST_CASE("shared blocks: found by who has the same rules and wants the same series") {
  SharedBlocks shared;
  const BlockRef block = MakeBlock(3);
  shared.Add({1, 10, 0}, block);
  CHECK(shared.Find({1, 10, 0}, First(3), FrameTimes::kShared) == block);
  CHECK(shared.Find({2, 10, 0}, First(3), FrameTimes::kShared) == nullptr);
  CHECK(shared.Find({1, 11, 0}, First(3), FrameTimes::kShared) == nullptr);
  CHECK(shared.Find({1, 10, 250}, First(3), FrameTimes::kShared) == nullptr);
  CHECK(shared.Find({1, 10, 0}, First(2), FrameTimes::kShared) == nullptr);
  CHECK(shared.Find({1, 10, 0}, First(3), FrameTimes::kOwn) == nullptr);
  const BlockRef next = MakeBlock(2);
  shared.Add({1, 10, 0}, next);
  CHECK(shared.Find({1, 10, 0}, First(3), FrameTimes::kShared) == nullptr);
  CHECK(shared.Find({1, 10, 0}, First(2), FrameTimes::kShared) == next);
}

TEST_CASE("shared blocks: those that nobody holds are gone, and leave no room taken") {
  SharedBlocks shared;
  const BlockRef kept = MakeBlock(2);
  shared.Add({1, 0, 0}, kept);
  for (uint64_t group = 1; group <= 10'000; group++) shared.Add({1, group, 0}, MakeBlock(1));
  CHECK(shared.Find({1, 10'000, 0}, First(1), FrameTimes::kShared) == nullptr);
  CHECK(shared.Find({1, 0, 0}, First(2), FrameTimes::kShared) == kept);
  CHECK(shared.memory_bytes() < 64 << 10);
}

}  // namespace
}  // namespace tributary
