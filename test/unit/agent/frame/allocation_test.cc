// To patch allocates nothing, and a request its body and the list of its parts.
#include "test/support/allocation_counter.h"

#include "test/support/catch.h"
#include "test/unit/agent/frame/frame_world.h"

namespace tributary {

TEST_CASE("frames: what is sent allocates by request, not by sample") {
  std::vector<Labels> labels;
  for (size_t i = 0; i < 500; i++) labels.push_back(PodLabels(i));
  const WorldGroup group(labels);
  GroupSamples samples = Everything(group, 1'790'000'000'000);
  const FrameTimes times = GENERATE(FrameTimes::kShared, FrameTimes::kOwn);
  if (times == FrameTimes::kOwn) {
    for (uint32_t i = 0; i < 500; i += 2) {
      Remove(samples, i);
      samples.own.push_back({i, samples.timestamp - i, 1});
    }
  }
  std::vector<BlockRef> blocks;
  for (uint32_t chunk : {0, 1}) blocks.push_back(Compile(group.Source(chunk, times)));
  std::string body;
  body.reserve(blocks[0]->wire_bytes() + blocks[1]->wire_bytes() + 5);
  uint64_t before = AllocationCount();
  FrameRequest request;
  for (const BlockRef& block : blocks) {
    const FrameFit fit = FitOf(*block, samples);
    request.Add(block, samples, fit);
  }
  body = request.Finish();
  CHECK(AllocationCount() - before <= 3);
  CHECK(Received(body, false).size() == 500);
}

TEST_CASE("frames: once it has been used, a compiler allocates by block, not by series") {
  std::vector<Labels> labels;
  for (size_t i = 0; i < 250; i++) labels.push_back(PodLabels(i));
  const WorldGroup group(labels);
  HoleCompressor compressor;
  uint64_t allocations = 0;
  for (int round = 0; round < 2; round++) {
    BlockSource source = group.Source(0, FrameTimes::kShared);
    const uint64_t before = AllocationCount();
    BlockJob job(compressor, std::move(source));
    while (!job.Advance(50)) {
    }
    REQUIRE(job.Take() != nullptr);
    allocations = AllocationCount() - before;
  }
  // Bytes and holes grow by doubling.
  CHECK(allocations < 40);
}

}  // namespace tributary
