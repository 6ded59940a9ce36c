#include "agent/frame/frame_unit.h"

#include "test/support/catch.h"
#include "test/support/strict_write_request.h"
#include "test/unit/agent/frame/frame_world.h"

namespace tributary {
namespace {

constexpr TimestampMs kNow = 1'790'000'000'000;

using Way = FrameFit::Way;

WorldGroup Pods(size_t from, size_t series) {
  std::vector<Labels> labels;
  for (size_t i = from; i < from + series; i++) labels.push_back(PodLabels(i));
  return WorldGroup(labels);
}

FamilyRef Family(MetricType type, std::string help) {
  return std::make_shared<const FamilyMetadata>(FamilyMetadata{"f", type, std::move(help), "s"});
}

std::shared_ptr<const SeriesMetadata> AllOf(const WorldGroup& group, FamilyRef family) {
  return std::make_shared<const SeriesMetadata>(
      std::vector<FamilyRef>(group.series(), std::move(family)));
}

BlockSource SourceFor(const WorldGroup& group, uint32_t chunk, const GroupSamples& samples) {
  BlockSource source = group.Source(chunk, FrameTimes::kShared);
  source.metadata = samples.metadata;
  source.starts = samples.starts;
  return source;
}

void CompileInto(FrameUnit& unit, size_t i, BlockSource source) {
  SymbolWriter writer(unit.symbols());
  BlockRef block = Compile(std::move(source), &writer);
  writer.Commit();
  unit.Set(i, std::move(block));
}

std::string BodyOf(const FrameUnit& unit, const GroupSamples& samples) {
  FrameRequest request(unit.symbols());
  for (size_t i = 0; i < unit.blocks(); i++) {
    request.Add(unit.block(i), samples, FitOf(*unit.block(i), samples));
  }
  return request.Finish();
}

std::string OracleOf(const WorldGroup& group, const GroupSamples& samples) {
  GeneralPath general(true);
  for (uint32_t chunk = 0; chunk < group.chunks(); chunk++) general.Add(group, chunk, samples);
  return general.Finish();
}

}  // namespace

TEST_CASE("frame unit: its blocks and one table of symbols are a request") {
  const WorldGroup group = Pods(0, 500);
  GroupSamples samples = Everything(group, kNow);
  samples.metadata = AllOf(group, Family(MetricType::kCounter, "What it counts."));
  FrameUnit unit(2);
  // One writer for all that are compiled at first.
  SymbolWriter writer(unit.symbols());
  const BlockRef blocks[] = {Compile(SourceFor(group, 0, samples), &writer),
                             Compile(SourceFor(group, 1, samples), &writer)};
  writer.Commit();
  for (size_t i : {0, 1}) unit.Set(i, blocks[i]);
  const std::string body = BodyOf(unit, samples);
  const StrictRequest strict = ReadStrictly(body, true);
  CHECK(strict.error == "");
  CHECK(strict.series == 500);
  CHECK(Received(body, true) == Received(OracleOf(group, samples), true));
  CHECK(body.size() < 32 * 500);
}

TEST_CASE("frame unit: a series more or less compiles one block, and the others stay") {
  const WorldGroup group = Pods(0, 500);
  GroupSamples samples = Everything(group, kNow);
  FrameUnit unit(2);
  for (uint32_t i : {0, 1}) CompileInto(unit, i, SourceFor(group, i, samples));
  unit.Seal();
  const BlockRef second = unit.block(1);
  const uint32_t symbols = unit.symbols().count();
  Remove(samples, 100);
  CHECK(FitOf(*unit.block(0), samples).way == Way::kRewrite);
  CHECK(Received(BodyOf(unit, samples), true) == Received(OracleOf(group, samples), true));
  BlockSource source = SourceFor(group, 0, samples);
  source.wanted = BitsOf(samples.present, 0, 250);
  CompileInto(unit, 0, std::move(source));
  CHECK(unit.symbols().count() == symbols);
  CHECK(unit.block(1) == second);
  CHECK(FitOf(*unit.block(0), samples).way == Way::kPatch);
  CHECK(Received(BodyOf(unit, samples), true) == Received(OracleOf(group, samples), true));
  // New labels come behind the known ones.
  const GroupSamples all = Everything(group, kNow);
  CompileInto(unit, 0, SourceFor(group, 0, all));
  CHECK(unit.symbols().count() == symbols);
  CHECK(Received(BodyOf(unit, all), true) == Received(OracleOf(group, all), true));
  CHECK_FALSE(unit.wants_rebuild());
}

TEST_CASE("frame unit: what pages say of families changes one block after the other") {
  const WorldGroup group = Pods(0, 500);
  GroupSamples samples = Everything(group, kNow);
  samples.metadata = AllOf(group, Family(MetricType::kCounter, "Old."));
  FrameUnit unit(2);
  for (uint32_t i : {0, 1}) CompileInto(unit, i, SourceFor(group, i, samples));
  // Another object that says the same, as records that come from disk have.
  samples.metadata = AllOf(group, Family(MetricType::kCounter, "Old."));
  CHECK(FitOf(*unit.block(0), samples).way == Way::kPatch);
  samples.metadata = AllOf(group, Family(MetricType::kCounter, "New."));
  CHECK(FitOf(*unit.block(0), samples).way == Way::kGeneral);
  samples.metadata = nullptr;
  CHECK(FitOf(*unit.block(0), samples).way == Way::kGeneral);
  samples.metadata = AllOf(group, Family(MetricType::kGauge, "New."));
  CompileInto(unit, 0, SourceFor(group, 0, samples));
  CHECK(FitOf(*unit.block(0), samples).way == Way::kPatch);
  CHECK(FitOf(*unit.block(1), samples).way == Way::kGeneral);
  CompileInto(unit, 1, SourceFor(group, 1, samples));
  const std::string body = BodyOf(unit, samples);
  CHECK(ReadStrictly(body, true).error == "");
  CHECK(Received(body, true) == Received(OracleOf(group, samples), true));
}

TEST_CASE("frame unit: start times are constants, which stale markers do not have") {
  const WorldGroup group = Pods(0, 40);
  GroupSamples samples = Everything(group, kNow);
  StartTimes starts(40, kNow - 1000);
  starts[3] = 0;
  starts[4] = -5;
  samples.starts = std::make_shared<const StartTimes>(starts);
  FrameUnit unit(1);
  CompileInto(unit, 0, SourceFor(group, 0, samples));
  CHECK(FitOf(*unit.block(0), samples).way == Way::kPatch);
  CHECK(Received(BodyOf(unit, samples), true) == Received(OracleOf(group, samples), true));
  samples.values[7] = StaleNan();
  CHECK(FitOf(*unit.block(0), samples).way == Way::kRewrite);
  CHECK(Received(BodyOf(unit, samples), true) == Received(OracleOf(group, samples), true));
  CHECK(ReadStrictly(BodyOf(unit, samples), true).error == "");
  starts[8] = kNow - 3;
  samples.starts = std::make_shared<const StartTimes>(starts);
  CHECK(FitOf(*unit.block(0), samples).way == Way::kGeneral);
}

TEST_CASE("frame unit: a unit whose table is in vain to a great part wants to be built anew") {
  const WorldGroup group = Pods(0, 250);
  const GroupSamples samples = Everything(group, kNow);
  FrameUnit unit(1);
  CompileInto(unit, 0, SourceFor(group, 0, samples));
  CHECK_FALSE(unit.wants_rebuild());
  unit.Seal();
  SECTION("because most of its series are gone") {
    BlockSource source = SourceFor(group, 0, samples);
    source.wanted = {~uint64_t{0}, 0, 0, 0};
    CompileInto(unit, 0, std::move(source));
    CHECK(unit.wants_rebuild());
  }
  SECTION("because others have taken their place again and again") {
    size_t from = 0;
    while (!unit.wants_rebuild()) {
      from += 250;
      REQUIRE(from < 2000);
      const WorldGroup other = Pods(from, 250);
      CompileInto(unit, 0, SourceFor(other, 0, Everything(other, kNow)));
      const std::string body = BodyOf(unit, Everything(other, kNow));
      CHECK(ReadStrictly(body, true).error == "");
    }
  }
}

TEST_CASE("frame unit: memory is that of its blocks and of the table") {
  const WorldGroup group = Pods(0, 500);
  const GroupSamples samples = Everything(group, kNow);
  FrameUnit unit(2);
  for (uint32_t i : {0, 1}) CompileInto(unit, i, SourceFor(group, i, samples));
  size_t parts = unit.symbols().memory_bytes();
  for (size_t i : {0, 1}) parts += unit.block(i)->memory_bytes();
  CHECK(unit.memory_bytes() >= parts);
  CHECK(unit.memory_bytes() <= parts + 200);
}

}  // namespace tributary
