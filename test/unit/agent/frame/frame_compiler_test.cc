#include "agent/frame/frame_compiler.h"

#include "test/support/catch.h"
#include "test/support/strict_write_request.h"
#include "test/unit/agent/frame/frame_world.h"

namespace tributary {
namespace {

constexpr TimestampMs kNow = 1'790'000'000'000;

WorldGroup Pods(size_t from, size_t series) {
  std::vector<Labels> labels;
  for (size_t i = from; i < from + series; i++) labels.push_back(PodLabels(i));
  return WorldGroup(labels);
}

}  // namespace

TEST_CASE("frame compiler: one block after the other, a bounded number of series at a turn") {
  const WorldGroup group = Pods(0, 500);
  FrameCompiler compiler;
  std::vector<BlockRef> blocks;
  int asked = 0;
  for (uint32_t chunk : {0, 1}) {
    compiler.Add({[&, chunk] {
                    asked++;
                    return std::optional(group.Source(chunk, FrameTimes::kShared));
                  },
                  [&](BlockRef block) { blocks.push_back(std::move(block)); }});
  }
  CHECK(compiler.size() == 2);
  const size_t idle_bytes = FrameCompiler().memory_bytes();
  int turns = 1;
  while (compiler.Advance(100)) {
    // Labels of one block at a time.
    CHECK(asked <= static_cast<int>(blocks.size()) + 1);
    CHECK(compiler.memory_bytes() > idle_bytes);
    REQUIRE(++turns < 100);
  }
  CHECK(turns >= 6);
  CHECK(compiler.size() == 0);
  CHECK(compiler.memory_bytes() < idle_bytes + 64);
  REQUIRE(blocks.size() == 2);
  for (const BlockRef& block : blocks) CHECK(block->series() == 250);
  CHECK_FALSE(compiler.Advance(100));
}

TEST_CASE("frame compiler: what nobody wants any more is not compiled") {
  const WorldGroup group = Pods(0, 10);
  FrameCompiler compiler;
  int done = 0;
  compiler.Add({[] { return std::optional<BlockSource>(); }, [&](BlockRef) { done += 100; }});
  compiler.Add({[&] { return std::optional(group.Source(0, FrameTimes::kShared)); },
                [&](BlockRef) { done++; }});
  while (compiler.Advance(30)) {
  }
  CHECK(done == 1);
}

TEST_CASE("frame compiler: blocks of units can be sent when it says that they are done") {
  const WorldGroup groups[] = {Pods(0, 500), Pods(1000, 500)};
  std::shared_ptr<FrameUnit> units[] = {std::make_shared<FrameUnit>(2),
                                        std::make_shared<FrameUnit>(2)};
  FrameCompiler compiler;
  int done = 0;
  std::function<void(size_t, uint32_t)> add = [&](size_t g, uint32_t chunk) {
    compiler.Add(
        {[&, g, chunk] { return std::optional(groups[g].Source(chunk, FrameTimes::kShared)); },
         [&, g, chunk](BlockRef block) {
           units[g]->Set(chunk, std::move(block));
           // Some are compiled once more.
           if (done++ < 3) add(g, chunk);
         },
         units[g]});
  };
  SECTION("unit by unit") {
    for (size_t g : {0, 1}) {
      for (uint32_t chunk : {0, 1}) add(g, chunk);
    }
  }
  SECTION("in turn") {
    for (uint32_t chunk : {0, 1}) {
      for (size_t g : {0, 1}) add(g, chunk);
    }
  }
  int turns = 0;
  while (compiler.Advance(70)) REQUIRE(++turns < 1000);
  CHECK(done == 7);
  for (size_t g : {0, 1}) {
    const GroupSamples samples = Everything(groups[g], kNow);
    GeneralPath general(true);
    FrameRequest request(units[g]->symbols());
    for (uint32_t chunk : {0, 1}) {
      const BlockRef& block = units[g]->block(chunk);
      general.Add(groups[g], chunk, samples);
      request.Add(block, samples, FitOf(*block, samples));
    }
    const std::string body = request.Finish();
    CHECK(ReadStrictly(body, true).error == "");
    CHECK(Received(body, true) == Received(general.Finish(), true));
  }
}

}  // namespace tributary
