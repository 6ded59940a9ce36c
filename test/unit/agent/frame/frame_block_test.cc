#include "agent/frame/frame_block.h"

#include <cmath>

#include "agent/frame/frame_time.h"
#include "agent/frame/thawed_block.h"
#include "test/support/catch.h"
#include "test/support/strict_write_request.h"
#include "test/unit/agent/frame/frame_world.h"

namespace tributary {
namespace {

constexpr TimestampMs kNow = 1'790'000'000'000;

WorldGroup Pods(size_t series) {
  std::vector<Labels> labels;
  for (size_t i = 0; i < series; i++) labels.push_back(PodLabels(i));
  return WorldGroup(labels);
}

std::string BodyOf(const BlockRef& block, const GroupSamples& samples) {
  FrameRequest request;
  request.Add(block, samples, FitOf(*block, samples));
  return request.Finish();
}

FrameFit::Way WayOf(const FrameBlock& block, const GroupSamples& samples) {
  return FitOf(block, samples).way;
}

std::string OracleOf(const WorldGroup& group, uint32_t chunk, const GroupSamples& samples) {
  GeneralPath general(false);
  general.Add(group, chunk, samples);
  return general.Finish();
}

}  // namespace

TEST_CASE("frame block: two blocks of a group make one request, in any order") {
  const WorldGroup group = Pods(500);
  const GroupSamples samples = Everything(group, kNow);
  const BlockRef first = Compile(group.Source(0, FrameTimes::kShared));
  const BlockRef second = Compile(group.Source(1, FrameTimes::kShared));
  REQUIRE(first->series() == 250);
  GeneralPath general(false);
  for (uint32_t chunk : {0, 1}) general.Add(group, chunk, samples);
  const std::vector<std::string> expected = Received(general.Finish(), false);
  for (const auto& blocks : {std::pair(first, second), std::pair(second, first)}) {
    FrameRequest request;
    for (const BlockRef& block : {blocks.first, blocks.second}) {
      const FrameFit fit = FitOf(*block, samples);
      CHECK(fit.way == FrameFit::Way::kPatch);
      CHECK(fit.samples == 250);
      CHECK(fit.earliest == kNow);
      CHECK(fit.latest == kNow);
      request.Add(block, samples, fit);
    }
    CHECK(request.raw_bytes() == first->raw_bytes() + second->raw_bytes());
    const std::string body = request.Finish();
    CHECK(Received(body, false) == expected);
    CHECK(ReadStrictly(body, false).error == "");
    CHECK(body.size() < 40 * 500);
  }
}

TEST_CASE("frame block: the values that are no ordinary numbers, bit by bit") {
  const WorldGroup group = Pods(6);
  GroupSamples samples = Everything(group, kNow);
  samples.values = {StaleNan(), std::nan("7"), HUGE_VAL, -HUGE_VAL, -0.0, 0.0};
  const BlockRef block = Compile(group.Source(0, FrameTimes::kShared));
  CHECK(WayOf(*block, samples) == FrameFit::Way::kPatch);
  CHECK(Received(BodyOf(block, samples), false) == Received(OracleOf(group, 0, samples), false));
}

TEST_CASE("frame block: only times of six bytes are patched, others arrive all the same") {
  const WorldGroup group = Pods(10);
  const BlockRef block = Compile(group.Source(0, FrameTimes::kShared));
  constexpr TimestampMs kFirst = TimestampMs{1} << 35, kEnd = TimestampMs{1} << 42;
  for (TimestampMs time : {kFirst, kEnd - 1, kNow}) {
    CHECK(FitsFrame(time));
    CHECK(WayOf(*block, Everything(group, time)) == FrameFit::Way::kPatch);
  }
  for (TimestampMs time : {TimestampMs{0}, TimestampMs{-1}, kFirst - 1, kEnd, -kNow}) {
    CHECK_FALSE(FitsFrame(time));
    CHECK(WayOf(*block, Everything(group, time)) == FrameFit::Way::kRewrite);
  }
  for (TimestampMs time : {kFirst, kEnd - 1, TimestampMs{0}, TimestampMs{-1}, kFirst - 1, kEnd}) {
    const GroupSamples samples = Everything(group, time);
    const std::string body = BodyOf(block, samples);
    CHECK(Received(body, false) == Received(OracleOf(group, 0, samples), false));
    CHECK(ReadStrictly(body, false).error == "");
  }
}

TEST_CASE("frame block: a series that is not there leaves the others to be sent") {
  const WorldGroup group = Pods(300);
  const BlockRef block = Compile(group.Source(0, FrameTimes::kShared));
  GroupSamples samples = Everything(group, kNow);
  Remove(samples, 17);
  const FrameFit fit = FitOf(*block, samples);
  CHECK(fit.way == FrameFit::Way::kRewrite);
  CHECK(fit.samples == 249);
  CHECK(IsEmpty(fit.others));
  CHECK(Received(BodyOf(block, samples), false) == Received(OracleOf(group, 0, samples), false));
  // In the other chunk nothing is missing.
  const BlockRef second = Compile(group.Source(1, FrameTimes::kShared));
  CHECK(WayOf(*second, samples) == FrameFit::Way::kPatch);
  CHECK(Received(BodyOf(second, samples), false) == Received(OracleOf(group, 1, samples), false));
  // It has gone for good: the labels come from the block itself, one block is compiled.
  BlockSource source = group.Source(0, FrameTimes::kShared);
  source.encoded = ThawedBlock(*block).Encoded();
  source.wanted = BitsOf(samples.present, 0, 250);
  const BlockRef without = Compile(std::move(source));
  CHECK(without->series() == 249);
  CHECK(WayOf(*without, samples) == FrameFit::Way::kPatch);
  CHECK(Received(BodyOf(without, samples), false) == Received(OracleOf(group, 0, samples), false));
  // It is back.
  const FrameFit back = FitOf(*without, Everything(group, kNow));
  CHECK(back.way == FrameFit::Way::kPatch);
  CHECK(back.samples == 249);
  CHECK(CountBits(back.others) == 1);
  CHECK(HasBit(back.others, 17));
}

TEST_CASE("frame block: own times are patched in where the block has room for them") {
  const WorldGroup group = Pods(100);
  GroupSamples samples = Everything(group, kNow);
  for (uint32_t series : {90u, 3u, 41u}) {
    Remove(samples, series);
    samples.own.push_back({series, kNow - series, 1.0 * series});
  }
  const BlockRef own = Compile(group.Source(0, FrameTimes::kOwn));
  const BlockRef shared = Compile(group.Source(0, FrameTimes::kShared));
  CHECK(WayOf(*own, samples) == FrameFit::Way::kPatch);
  CHECK(FitOf(*own, samples).earliest == kNow - 90);
  CHECK(FitOf(*own, samples).latest == kNow);
  CHECK(WayOf(*shared, samples) == FrameFit::Way::kRewrite);
  const std::vector<std::string> expected = Received(OracleOf(group, 0, samples), false);
  CHECK(Received(BodyOf(own, samples), false) == expected);
  CHECK(Received(BodyOf(shared, samples), false) == expected);
  // Own times are patched in, no matter that none is there.
  CHECK(WayOf(*own, Everything(group, kNow)) == FrameFit::Way::kPatch);

  SECTION("not two of a series") {
    samples.own.push_back({3, kNow + 1, 5.0});
    CHECK(WayOf(*own, samples) == FrameFit::Way::kRewrite);
    CHECK(FitOf(*own, samples).samples == 101);
    CHECK(Received(BodyOf(own, samples), false) == Received(OracleOf(group, 0, samples), false));
  }
  SECTION("nor two of one in place of another's") {
    samples.own[0] = {3, kNow + 1, 5.0};
    CHECK(FitOf(*own, samples).samples == 100);
    CHECK(WayOf(*own, samples) == FrameFit::Way::kRewrite);
    CHECK(Received(BodyOf(own, samples), false) == Received(OracleOf(group, 0, samples), false));
  }
  SECTION("nor a time of another length") {
    samples.own[1].timestamp = 5;
    CHECK(WayOf(*own, samples) == FrameFit::Way::kRewrite);
    CHECK(Received(BodyOf(own, samples), false) == Received(OracleOf(group, 0, samples), false));
  }
}

TEST_CASE("frame block: the remote's rules leave series out") {
  std::vector<Labels> labels;
  for (size_t i = 0; i < 100; i++) labels.push_back(PodLabels(i));
  std::vector<bool> dropped(100);
  for (size_t i = 0; i < 100; i += 3) dropped[i] = true;
  const WorldGroup group(labels, dropped);
  const GroupSamples samples = Everything(group, kNow);
  const BlockRef block = Compile(group.Source(0, FrameTimes::kShared));
  CHECK(block->series() == 66);
  CHECK(WayOf(*block, samples) == FrameFit::Way::kPatch);
  CHECK(Received(BodyOf(block, samples), false) == Received(OracleOf(group, 0, samples), false));
  // None is left.
  const WorldGroup nothing(labels, std::vector<bool>(100, true));
  CHECK(Compile(nothing.Source(0, FrameTimes::kShared)) == nullptr);
}

TEST_CASE("frame block: labels beyond its bounds are for the general path") {
  const WorldGroup group({PodLabels(1), {{"__name__", "m"}, {"l", std::string(70'000, 'x')}}});
  CHECK(Compile(group.Source(0, FrameTimes::kShared)) == nullptr);
}

TEST_CASE("frame block: a job takes no more series at a turn than it may") {
  const WorldGroup group = Pods(100);
  HoleCompressor compressor;
  BlockJob job(compressor, group.Source(0, FrameTimes::kShared));
  int turns = 1;
  while (!job.Advance(30)) turns++;
  CHECK(turns == 4);
  CHECK(job.Take()->series() == 100);
}

TEST_CASE("frame block: memory is its bytes but for the values, two a series, and a fixed part") {
  const WorldGroup group = Pods(250);
  const BlockRef block = Compile(group.Source(0, FrameTimes::kShared));
  CHECK(block->memory_bytes() >= block->wire_bytes() - 6 * 250);
  CHECK(block->memory_bytes() <= block->wire_bytes() - 6 * 250 + 256);
}

}  // namespace tributary
