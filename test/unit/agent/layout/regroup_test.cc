#include <algorithm>
#include <deque>

#include "test/support/catch.h"
#include "test/unit/agent/layout/layout_rig.h"

namespace tributary {
namespace {

// A target of `size` series of which some are replaced at every scrape.
class ChurningTarget {
 public:
  explicit ChurningTarget(size_t size) {
    for (size_t i = 0; i < size; i++) numbers_.push_back(next_++);
  }
  std::string Page(size_t replaced) {
    for (size_t i = 0; i < replaced; i++) {
      numbers_.pop_front();
      numbers_.push_back(next_++);
    }
    std::string page;
    for (size_t number : numbers_) {
      page += "m{n=\"" + std::to_string(number) + "\"} " + std::to_string(number) + "\n";
    }
    return page;
  }
  size_t series_ever() const { return next_; }

 private:
  std::deque<size_t> numbers_;
  size_t next_ = 0;
};

// Each sample has the value that its label says.
void RequireRightValues(const Commit& commit, size_t expected) {
  size_t samples = 0;
  for (const DecodedSample& sample : Decode(commit)) {
    const auto value = std::bit_cast<double>(sample.bits);
    if (sample.labels.Get(kMetricName) != "m" || IsStaleNan(value)) continue;
    REQUIRE(sample.labels.Get("n") == std::to_string(static_cast<size_t>(value)));
    samples++;
  }
  REQUIRE(samples == expected);
}

TEST_CASE("regroup: churn neither piles up groups nor regroups at every scrape") {
  const size_t size = GENERATE(20, 500, 2000);
  const size_t replaced = GENERATE_COPY(size_t{1}, size / 20);
  const size_t scrapes = 60;
  LayoutRig rig;
  ChurningTarget target(size);
  uint32_t generation = 1, regroupings = 0;
  for (size_t i = 0; i < scrapes; i++) {
    const LayoutRig::Scraped scraped =
        rig.Scrape(target.Page(replaced), 1000 + 10 * static_cast<TimestampMs>(i));
    RequireRightValues(scraped.commit, size);
    REQUIRE(BrokenInvariant(rig.layout_).empty());
    REQUIRE(rig.layout_.lines().size() == size);
    // Four scrapes' worth of absent series, a fourth of gone ones and a few.
    REQUIRE(rig.layout_.series() <= size + size / 4 + 5 * replaced + 80);
    REQUIRE(rig.layout_.groups().size() <= 2 * (size / kGroupSeriesMax + 1) + 16);
    REQUIRE(rig.layout_.generation() >= generation);
    regroupings += rig.layout_.generation() - generation;
    generation = rig.layout_.generation();
  }
  CHECK(regroupings > 0);
  CHECK(regroupings <= scrapes / 4);
}

TEST_CASE("regroup: a target that does not change is not regrouped") {
  LayoutRig rig;
  ChurningTarget target(1200);
  for (int i = 0; i < 50; i++) rig.Scrape(target.Page(0), 1000 + i);
  CHECK(rig.layout_.generation() == 1);
  CHECK(rig.layout_.groups().size() == 3);
}

TEST_CASE("regroup: a page that fails regroups nothing") {
  LayoutRig rig;
  ChurningTarget target(30);
  rig.Scrape(target.Page(0), 1000);
  for (int i = 0; i < 30; i++) rig.Scrape(target.Page(1) + "nonsense", 2000 + i);
  CHECK(rig.layout_.generation() == 1);
  RequireRightValues(rig.Scrape(target.Page(1), 3000).commit, 30);
  CHECK(rig.layout_.generation() == 2);
  RequireRightValues(rig.Scrape(target.Page(0), 4000).commit, 30);
}

TEST_CASE("regroup: series that are alike end up side by side") {
  LayoutRig rig;
  std::string page;
  for (int metric = 0; metric < 20; metric++) {
    for (int pod = 0; pod < 50; pod++) {
      page += "metric_" + std::to_string(metric) + "{pod=\"" + std::to_string(pod) + "\"} 1\n";
    }
  }
  rig.Scrape(page, 1000);
  size_t changes = 0, series = 0;
  std::string last;
  for (const TargetLayout::Group& group : rig.layout_.groups()) {
    for (const Labels& labels : group.definition->Decode()) {
      changes += labels.Get("pod") != last;
      last = labels.Get("pod");
      series++;
    }
  }
  CHECK(series == 1005);
  // The page has them by metric; groups have them by pod. One more for the reports.
  CHECK(changes <= 50 + 1);
}

}  // namespace
}  // namespace tributary
