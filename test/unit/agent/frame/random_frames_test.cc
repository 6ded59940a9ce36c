// What frames send arrives as if the general path had sent it, whatever the layout, the gaps, the
// values and the times; and no receiver has a reason to complain.
#include <algorithm>

#include "agent/frame/thawed_block.h"
#include "common/base/varint.h"
#include "test/support/catch.h"
#include "test/support/strict_write_request.h"
#include "test/unit/agent/frame/frame_world.h"

namespace tributary {
namespace {

constexpr int kRounds = 150;

using Way = FrameFit::Way;

BlockSource RandomSource(RandomWorld& world, const WorldGroup& group, uint32_t chunk,
                         const GroupSamples& samples) {
  const bool own = !samples.own.empty() ? !world.OneIn(4) : world.OneIn(4);
  BlockSource source = group.Source(chunk, own ? FrameTimes::kOwn : FrameTimes::kShared);
  if (world.OneIn(3)) {
    source.wanted = BitsOf(samples.present, source.begin, source.end);
    for (const OwnSample& sample : samples.own) {
      if (sample.index >= source.begin && sample.index < source.end) {
        SetBit(source.wanted, sample.index - source.begin);
      }
    }
  }
  source.metadata = samples.metadata;
  source.starts = samples.starts;
  return source;
}

void CheckStrictly(const std::string& body, bool is_v2, uint64_t raw_bytes) {
  const StrictRequest strict = ReadStrictly(body, is_v2);
  CHECK(strict.error == "");
  CHECK(strict.raw.size() == raw_bytes);
}

}  // namespace

TEST_CASE("frames: of 1.0 and any groups, joined with the general path, arrive as that alone") {
  uint64_t patched = 0, rewritten = 0, others = 0;
  for (int round = 0; round < kRounds; round++) {
    const uint64_t seed = Catch::rngSeed() * 1'000'003ull + static_cast<uint64_t>(round);
    INFO("round " << round << " of seed " << Catch::rngSeed());
    RandomWorld world(seed);
    std::vector<WorldGroup> groups;
    for (uint64_t i = 0; i <= world.Below(3); i++) groups.push_back(world.Group());
    GeneralPath oracle(false);
    FrameRequest request;
    // Records of some scrapes, of the one group or another.
    std::vector<std::vector<BlockRef>> blocks(groups.size());
    std::vector<std::unique_ptr<GroupSamples>> records;
    for (uint64_t i = 0; i < groups.size() + world.Below(3); i++) {
      const size_t g = i % groups.size();
      const WorldGroup& group = groups[g];
      records.push_back(std::make_unique<GroupSamples>(world.Samples(group)));
      const GroupSamples& samples = *records.back();
      for (uint32_t chunk = 0; chunk < group.chunks(); chunk++) {
        oracle.Add(group, chunk, samples);
        if (blocks[g].size() <= chunk) {
          blocks[g].push_back(Compile(RandomSource(world, group, chunk, samples)));
        }
        const BlockRef& block = blocks[g][chunk];
        GeneralPath rest(false);
        if (block == nullptr) {
          rest.Add(group, chunk, samples);
        } else {
          const FrameFit fit = FitOf(*block, samples);
          REQUIRE(fit.way != Way::kGeneral);
          request.Add(block, samples, fit);
          rest.Add(group, chunk, samples, fit.others);
          patched += fit.way == Way::kPatch;
          rewritten += fit.way == Way::kRewrite && fit.samples > 0;
          others += !IsEmpty(fit.others);
        }
        request.Join(rest.Finish());
      }
    }
    const uint64_t raw_bytes = request.raw_bytes();
    const std::string body = request.Finish();
    CHECK(Received(body, false) == Received(oracle.Finish(), false));
    CheckStrictly(body, false, raw_bytes);
  }
  CHECK(patched > kRounds);
  CHECK(rewritten > kRounds / 2);
  CHECK(others > kRounds / 10);
}

TEST_CASE("frames: of 2.0 and any blocks of a unit arrive as by the general path") {
  uint64_t patched = 0, rewritten = 0, general = 0;
  for (int round = 0; round < kRounds; round++) {
    const uint64_t seed = Catch::rngSeed() * 1'000'003ull + static_cast<uint64_t>(round);
    INFO("round " << round << " of seed " << Catch::rngSeed());
    RandomWorld world(seed);
    const WorldGroup group = world.Group();
    GroupSamples samples = world.Samples(group);
    samples.metadata = world.Metadata(group);
    samples.starts = world.Starts(group);
    FrameUnit unit(group.chunks());
    auto compile = [&](uint32_t chunk) {
      SymbolWriter writer(unit.symbols());
      BlockRef block = Compile(RandomSource(world, group, chunk, samples), &writer);
      writer.Commit();
      unit.Set(chunk, std::move(block));
    };
    for (uint32_t chunk = 0; chunk < group.chunks(); chunk++) compile(chunk);
    // Another scrape, perhaps of other metadata, and blocks that were compiled again for it.
    if (world.OneIn(2)) {
      const GroupSamples before = samples;
      samples = world.Samples(group);
      samples.metadata = world.OneIn(3) ? world.Metadata(group) : before.metadata;
      samples.starts = world.OneIn(3) ? world.Starts(group) : before.starts;
      for (uint32_t chunk = 0; chunk < group.chunks(); chunk++) {
        if (world.OneIn(3)) compile(chunk);
      }
    }
    GeneralPath oracle(true);
    FrameRequest request(unit.symbols());
    for (uint32_t chunk = 0; chunk < group.chunks(); chunk++) {
      if (unit.block(chunk) == nullptr) continue;
      const FrameBlock& block = *unit.block(chunk);
      const FrameFit fit = FitOf(block, samples);
      if (fit.way == Way::kGeneral) {
        general++;
        continue;
      }
      oracle.Add(group, chunk, samples, block.origin().members);
      request.Add(unit.block(chunk), samples, fit);
      patched += fit.way == Way::kPatch;
      rewritten += fit.way == Way::kRewrite && fit.samples > 0;
    }
    const bool is_empty = request.empty();
    const uint64_t raw_bytes = request.raw_bytes();
    const std::string body = request.Finish();
    CHECK(Received(body, true) == Received(oracle.Finish(), true));
    if (!is_empty) CheckStrictly(body, true, raw_bytes);
  }
  CHECK(patched > kRounds / 2);
  CHECK(rewritten > kRounds / 4);
  CHECK(general > kRounds / 50);
}

TEST_CASE("frames: labels read back from blocks are those they were compiled from") {
  int compared = 0;
  for (int round = 0; round < kRounds / 4; round++) {
    const uint64_t seed = Catch::rngSeed() * 1'000'003ull + static_cast<uint64_t>(round);
    INFO("round " << round << " of seed " << Catch::rngSeed());
    RandomWorld world(seed);
    const WorldGroup group = world.Group();
    GroupSamples samples = world.Samples(group);
    samples.metadata = world.Metadata(group);
    FrameSymbols symbols;
    SymbolWriter writer(symbols);
    for (uint32_t chunk = 0; chunk < group.chunks(); chunk++) {
      const BlockSource source = RandomSource(world, group, chunk, samples);
      BlockRef v1 = Compile(source), v2 = Compile(source, &writer);
      writer.Commit();
      // What is too long for the one is a symbol in the other.
      if (v1 == nullptr || v2 == nullptr) continue;
      compared++;
      // Of the series that are in the block.
      std::string expected;
      for (uint32_t i = source.begin; i < source.end; i++) {
        const bool is_in = HasBit(v1->origin().members, i - source.begin);
        PutVarint(expected, is_in ? group.labels[i].size() : 0);
        if (is_in) expected += group.labels[i];
      }
      CHECK(ThawedBlock(*v1).Encoded() == expected);
      CHECK(ThawedBlock(*v2).Encoded(symbols) == expected);
    }
  }
  CHECK(compared > kRounds / 8);
}

}  // namespace tributary
