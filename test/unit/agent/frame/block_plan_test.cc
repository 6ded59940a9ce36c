#include "agent/frame/block_plan.h"

#include "test/support/catch.h"
#include "test/unit/agent/frame/frame_world.h"

namespace tributary {
namespace {

constexpr TimestampMs kNow = 1'790'000'000'000;
constexpr uint64_t kOnes = ~uint64_t{0};
constexpr BlockBits kAll = {kOnes, kOnes, kOnes, kOnes};

// A lane of remote write, of the second chunk of a group, whose wishes are fulfilled at once.
class Lane {
 public:
  explicit Lane(bool is_v2)
      : group_(Pods()), unit_(1), is_v2_(is_v2), plan_(group_.begin(1), group_.end(1), is_v2) {}

  GroupSamples Scrape() const { return Everything(group_, kNow); }
  // The record is sent. True: a block was compiled for the next ones.
  bool Send(const GroupSamples& samples, const BlockBits& kept = kAll) {
    const std::optional<BlockWish> wish = plan_.Observe(block_.get(), samples, kept);
    if (!wish) return false;
    BlockSource source = group_.Source(1, wish->times);
    source.wanted = wish->series;
    source.metadata = samples.metadata;
    source.starts = samples.starts;
    SymbolWriter writer(unit_.symbols());
    block_ = Compile(std::move(source), is_v2_ ? &writer : nullptr);
    writer.Commit();
    return true;
  }
  FrameFit Fit(const GroupSamples& samples) const { return FitOf(*block_, samples); }
  const FrameBlock* block() const { return block_.get(); }
  uint32_t first() const { return group_.begin(1); }

 private:
  static WorldGroup Pods() {
    std::vector<Labels> labels;
    for (size_t i = 0; i < 350; i++) labels.push_back(PodLabels(i));
    return WorldGroup(labels);
  }

  WorldGroup group_;
  FrameUnit unit_;
  bool is_v2_;
  BlockRef block_;
  BlockPlan plan_;
};

}  // namespace

TEST_CASE("block plan: what comes a second time is compiled, once") {
  const bool is_v2 = GENERATE(false, true);
  Lane lane(is_v2);
  CHECK_FALSE(lane.Send(lane.Scrape()));
  CHECK(lane.Send(lane.Scrape()));
  CHECK(lane.block()->series() == 100);
  for (int i = 0; i < 5; i++) CHECK_FALSE(lane.Send(lane.Scrape()));
}

TEST_CASE("block plan: in 1.0 a series leaves when it is gone and is back when it stays") {
  Lane lane(false);
  for (int i = 0; i < 2; i++) lane.Send(lane.Scrape());
  GroupSamples without = lane.Scrape();
  Remove(without, lane.first() + 7);
  CHECK(lane.Send(without));
  CHECK(lane.block()->series() == 99);
  CHECK(lane.Fit(without).way == FrameFit::Way::kPatch);
  for (int i = 0; i < 5; i++) {
    // It comes and goes: the others are as they were.
    CHECK(lane.Fit(lane.Scrape()).way == FrameFit::Way::kPatch);
    CHECK_FALSE(lane.Send(lane.Scrape()));
    CHECK_FALSE(lane.Send(without));
  }
  CHECK_FALSE(lane.Send(lane.Scrape()));
  CHECK(lane.Send(lane.Scrape()));
  CHECK(lane.block()->series() == 100);
}

TEST_CASE("block plan: in 2.0 a series leaves when it stays away, and comes at once") {
  Lane lane(true);
  for (int i = 0; i < 2; i++) lane.Send(lane.Scrape());
  GroupSamples without = lane.Scrape();
  Remove(without, lane.first() + 7);
  for (int i = 0; i < 5; i++) {
    CHECK_FALSE(lane.Send(without));
    CHECK_FALSE(lane.Send(lane.Scrape()));
  }
  CHECK_FALSE(lane.Send(without));
  CHECK(lane.Send(without));
  CHECK(lane.block()->series() == 99);
  CHECK(lane.Send(lane.Scrape()));
  CHECK(lane.block()->series() == 100);
}

TEST_CASE("block plan: times of their own, while one of two records has them") {
  Lane lane(false);
  for (int i = 0; i < 2; i++) lane.Send(lane.Scrape());
  GroupSamples own = lane.Scrape();
  Remove(own, lane.first() + 3);
  own.own.push_back({lane.first() + 3, kNow - 5, 1});
  CHECK(lane.Send(own));
  CHECK(lane.block()->origin().times == FrameTimes::kOwn);
  CHECK_FALSE(lane.Send(lane.Scrape()));
  CHECK_FALSE(lane.Send(own));
  CHECK_FALSE(lane.Send(lane.Scrape()));
  CHECK(lane.Send(lane.Scrape()));
  CHECK(lane.block()->origin().times == FrameTimes::kShared);
}

TEST_CASE("block plan: what the remote does not take is no reason to compile") {
  Lane lane(false);
  BlockBits kept = kAll;
  kept[0] &= ~uint64_t{1 << 7};
  for (int i = 0; i < 2; i++) lane.Send(lane.Scrape(), kept);
  CHECK(lane.block()->series() == 99);
  GroupSamples without = lane.Scrape();
  Remove(without, lane.first() + 7);
  // Nor what the other chunk has.
  Remove(without, 3);
  CHECK_FALSE(lane.Send(without, kept));
  CHECK_FALSE(lane.Send(lane.Scrape(), kept));
}

TEST_CASE("block plan: start times that change with every record are not followed") {
  Lane lane(true);
  auto with_start = [&](TimestampMs start) {
    GroupSamples samples = lane.Scrape();
    samples.starts = std::make_shared<const StartTimes>(350, start);
    return samples;
  };
  for (TimestampMs start = 1; start < 6; start++) CHECK_FALSE(lane.Send(with_start(start)));
  const GroupSamples steady = with_start(9);
  CHECK_FALSE(lane.Send(steady));
  CHECK(lane.Send(steady));
  CHECK_FALSE(lane.Send(steady));
  const GroupSamples reset = with_start(10);
  CHECK_FALSE(lane.Send(reset));
  CHECK(lane.Fit(reset).way == FrameFit::Way::kGeneral);
  CHECK(lane.Send(reset));
  CHECK(lane.Fit(reset).way == FrameFit::Way::kPatch);
}

}  // namespace tributary
