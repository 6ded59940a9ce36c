// Pages on which every sample has a time of its own, as those of /federate.
#include "test/support/catch.h"
#include "test/unit/agent/layout/layout_rig.h"

namespace tributary {
namespace {

using Lines = std::vector<std::string>;

std::string Line(int number, TimestampMs time) {
  return "m{instance=\"other\",n=\"" + std::to_string(number) + "\"} 1 " + std::to_string(time) +
         "\n";
}

TEST_CASE("federation: samples are taken with their times, repeated and earlier ones are refused") {
  ScrapeRules rules;
  rules.honor_labels = true;
  LayoutRig rig(rules);
  std::string page;
  for (int i = 0; i < 500; i++) page += Line(i, 9000 + i % 7);
  const auto first = rig.Scrape(page, 10'000);
  CHECK(PageSamples(first.commit).size() == 500);
  CHECK(PageSamples(first.commit)[0] ==
        R"({__name__="m", instance="other", job="j", n="0"} = 1 @ 9000)");
  // The same page again: nothing is new, nothing ends.
  const auto again = rig.Scrape(page, 20'000);
  CHECK(again.totals.out_of_order == 500);
  CHECK(again.totals.series_added == 0);
  CHECK(again.totals.samples_added == 500);
  CHECK(PageSamples(again.commit).empty());
  // Some go on, one goes back, one has two samples.
  const auto mixed = rig.Scrape(
      Line(0, 9001) + Line(1, 9000) + Line(2, 9003) + Line(2, 9004) + Line(2, 9002), 30'000);
  CHECK(PageSamples(mixed.commit) ==
        Lines{R"({__name__="m", instance="other", job="j", n="0"} = 1 @ 9001)",
              R"({__name__="m", instance="other", job="j", n="2"} = 1 @ 9003)",
              R"({__name__="m", instance="other", job="j", n="2"} = 1 @ 9004)"});
  CHECK(mixed.totals.out_of_order == 2);
  // Those that are gone have no marker: their times were their own.
  CHECK(PageSamples(rig.Scrape("m 1\n", 40'000).commit).size() == 1);
  // And their latest times are still known.
  CHECK(rig.Scrape(Line(2, 9004), 50'000).totals.out_of_order == 1);
  CHECK(rig.Scrape(Line(2, 9005), 60'000).totals.out_of_order == 0);
}

TEST_CASE("federation: with the window, times before the first that there are do not wrap around") {
  ScrapeRules rules;
  rules.out_of_order_window_ms = 30'000;
  LayoutRig rig(rules);
  rig.format_ = PageFormat::kOpenMetrics;
  const std::string least = "m 1 -9223372036854775.807\n# EOF\n";
  CHECK(rig.Scrape(least, 10'000).totals.samples_added == 1);
  CHECK(rig.Scrape("m 1 5\n# EOF\n", 20'000).totals.out_of_order == 0);
  CHECK(rig.Scrape(least, 30'000).totals.out_of_order == 1);
}

}  // namespace
}  // namespace tributary
