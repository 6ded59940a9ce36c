// What the random scrapes do not reach: bounds against hostile pages, ends of targets, and each
// rule that was once broken, by itself.
#include "agent/layout/page_reader.h"

#include "test/support/catch.h"
#include "test/unit/agent/layout/layout_rig.h"

namespace tributary {
namespace {

using Lines = std::vector<std::string>;

TEST_CASE("page reader: a line of the greatest length is taken, a longer one is not") {
  const std::string head = "m{a=\"", tail = "\"} 1";
  const size_t room = kLineBytesMax - head.size() - tail.size();
  const bool in_pieces = GENERATE(false, true);
  const auto scrape = [&](size_t value_size) {
    LayoutRig rig;
    PageReader reader = rig.Reader(1000);
    const std::string page = head + std::string(value_size, 'x') + tail + "\n";
    const size_t piece = in_pieces ? 100'000 : page.size();
    for (size_t at = 0; at < page.size(); at += piece) {
      reader.Push(std::string_view(page).substr(at, piece));
    }
    return reader.FinishPage().has_value();
  };
  CHECK(scrape(room));
  CHECK_FALSE(scrape(room + 1));
}

TEST_CASE("page reader: an endless line is given up before its end") {
  LayoutRig rig;
  PageReader reader = rig.Reader(1000);
  const std::string piece(1 << 16, 'x');
  for (int i = 0; i < 1000; i++) reader.Push(piece);
  CHECK(rig.buffer_.carry.capacity() <= 2 * kLineBytesMax);
  CHECK_FALSE(reader.FinishPage());
}

// A series with that many newlines in a label's value.
std::string Broken(int newlines) {
  std::string line = "m{a=\"";
  for (int i = 0; i < newlines; i++) line += "x\n";
  return line + "\"} 1\n";
}

TEST_CASE(
    "page reader: newlines inside quotes are followed up to a bound, however the page is cut") {
  const size_t piece = GENERATE(size_t{1}, size_t{7}, size_t{100'000});
  const auto scrape = [&](const std::string& page) {
    LayoutRig rig;
    PageReader reader = rig.Reader(1000);
    for (size_t at = 0; at < page.size(); at += piece) {
      reader.Push(std::string_view(page).substr(at, piece));
    }
    return reader.FinishPage().has_value();
  };
  CHECK(scrape(Broken(kJoinedLinesMax)));
  CHECK_FALSE(scrape(Broken(kJoinedLinesMax + 1)));
  CHECK_FALSE(scrape("a{b=\"\n\"} 1\n" + Broken(kJoinedLinesMax)));
  // Without a newline at the end.
  CHECK(scrape("m{a=\"x\ny\"} 1"));
  CHECK_FALSE(scrape("m{a=\"x\ny"));
}

TEST_CASE("page reader: nothing is read after the NUL byte that ends a page") {
  LayoutRig rig;
  const std::string page("a 1\n\0\nb 2\nc 3", 13);
  CHECK(PageSamples(rig.Scrape(page, 1000).commit) ==
        Lines{"{__name__=\"a\", instance=\"i\", job=\"j\"} = 1 @ 1000"});
  CHECK(rig.layout_.series() == 6);
}

TEST_CASE("page reader: texts that come and go do not pile up when their labels are the same") {
  ScrapeRules rules;
  RelabelConfig drop;
  drop.action = RelabelAction::kLabelDrop;
  drop.regex = "id";
  rules.metric_relabel = RelabelRules({drop}, NameValidation::kUtf8);
  LayoutRig rig(rules);
  for (int i = 0; i < 100; i++) {
    rig.Scrape("m{id=\"" + std::to_string(i) + "\"} 1\n", 1000 + i);
    REQUIRE(rig.layout_.lines().size() == 1);
  }
  CHECK(rig.layout_.series() == 6);
}

TEST_CASE("page reader: a series comes back under the type that its page gives it now") {
  LayoutRig rig;
  rig.Scrape("# TYPE h histogram\nh_bucket{le=\"1\"} 5\n", 1000);
  rig.Scrape("# TYPE h histogram\n", 2000);
  CHECK(PageSamples(rig.Scrape("# TYPE h gauge\nh_bucket{le=\"1\"} 5\n", 3000).commit) ==
        Lines{"{__name__=\"h_bucket\", instance=\"i\", job=\"j\", le=\"1\"} = 5 @ 3000"});
}

const std::string kLabels = ", instance=\"i\", job=\"j\"}";

TEST_CASE(
    "page reader: an own timestamp is compared with the series' latest sample, not the scrape") {
  LayoutRig rig;
  rig.Scrape("a 1\nb 1\n", 10'000);
  rig.Scrape("a 1\n", 20'000);  // b ends
  rig.Scrape("a 1\n", 30'000);
  // Later than b's end though earlier than the last scrape.
  const LayoutRig::Scraped back = rig.Scrape("a 1\nb 2 20001\n", 40'000);
  CHECK(back.totals.out_of_order == 0);
  CHECK(PageSamples(back.commit) == Lines{"{__name__=\"a\"" + kLabels + " = 1 @ 40000",
                                          "{__name__=\"b\"" + kLabels + " = 2 @ 20001"});
  CHECK(rig.Scrape("a 1\nb 2 20001\n", 50'000).totals.out_of_order == 1);
  CHECK(rig.Scrape("a 1 50000\n", 60'000).totals.out_of_order == 1);
  CHECK(rig.Scrape("a 1 50001\n", 70'000).totals.out_of_order == 1);  // its marker was at 60 s
  CHECK(rig.Scrape("a 1 60001\n", 80'000).totals.out_of_order == 0);
}

TEST_CASE("page reader: a series learned from a page that failed has no latest sample") {
  LayoutRig rig;
  rig.Scrape("a 1\n", 10'000);
  rig.Scrape("a 1\nb 1 19000\nnonsense", 20'000);
  CHECK(rig.Scrape("a 1\nb 1 5000\n", 30'000).totals.out_of_order == 0);
}

TEST_CASE("page reader: the window for samples out of order widens what is taken") {
  ScrapeRules rules;
  rules.out_of_order_window_ms = 5'000;
  LayoutRig rig(rules);
  rig.Scrape("a 1 10000\n", 10'000);
  CHECK(rig.Scrape("a 1 5000\n", 20'000).totals.out_of_order == 1);
  CHECK(rig.Scrape("a 1 5001\n", 30'000).totals.out_of_order == 0);
}

TEST_CASE("page reader: a page that only repeats old samples keeps its series") {
  LayoutRig rig;
  rig.Scrape("a 1 9000\nb 1\n", 10'000);
  for (int i = 1; i < 100; i++) {
    const LayoutRig::Scraped scraped = rig.Scrape("a 1 9000\nb 1\n", 10'000 + 1000 * i);
    REQUIRE(scraped.totals.out_of_order == 1);
    REQUIRE(scraped.totals.series_added == 0);
  }
  CHECK(rig.layout_.generation() == 1);
}

TEST_CASE("page reader: many lines of one new series are counted in reasonable time") {
  // Quadratic, this would take hours.
  LayoutRig rig;
  std::string page;
  for (int i = 0; i < 100'000; i++) page += "m{a=\"" + std::to_string(i) + "\"} 1 999\n";
  for (int i = 0; i < 200'000; i++) page += "m{a=\"99999\"} 1 " + std::to_string(1000 + i) + "\n";
  const LayoutRig::Scraped scraped = rig.Scrape(page, 1'000'000);
  CHECK(scraped.totals.series_added == 100'000);
  CHECK(scraped.totals.samples_added == 300'000);
}

TEST_CASE("page reader: families of pages that are gone, failed or broken off do not pile up") {
  LayoutRig rig;
  const int kind = GENERATE(0, 1, 2);
  for (int i = 0; i < 200; i++) {
    std::string page;
    for (int j = 0; j < 50; j++) {
      page += "# HELP m" + std::to_string(i * 50 + j) + " text\n";
    }
    page += "m 1\n";
    if (kind == 0) rig.Scrape(page, 1000 + i);
    if (kind == 1) rig.Scrape(page + "nonsense", 1000 + i);
    if (kind == 2) rig.Break(page, 1000 + i);
  }
  CHECK(rig.layout_.families() <= 300);
  CHECK(rig.pool_.size() <= 3000);
  CHECK(rig.pool_.InUse().size() == rig.layout_.families());
  // They are read again once the target behaves.
  rig.Scrape("# TYPE m gauge\n# HELP m good\nm 1\n", 5000);
  const std::vector<FamilyRef> in_use = rig.pool_.InUse();
  CHECK(std::any_of(in_use.begin(), in_use.end(), [](const FamilyRef& family) {
    return family->family == "m" && family->help == "good" && family->type == MetricType::kGauge;
  }));
}

TEST_CASE("page reader: a page that failed does not change what a family says for good") {
  LayoutRig rig;
  rig.Scrape("# HELP m right\nm 1\n", 1000);
  rig.Scrape("# HELP m wrong\nnonsense", 2000);
  rig.Scrape("# HELP m right\nm 1\n", 3000);
  REQUIRE(rig.pool_.InUse().size() == 1);
  CHECK(rig.pool_.InUse()[0]->help == "right");
}

TEST_CASE("page reader: pages that always fail, with ever new lines, do not grow the layout") {
  LayoutRig rig;
  rig.Scrape("m 1\n", 1000);
  size_t most = 0;
  for (int i = 0; i < 300; i++) {
    std::string page;
    for (int j = 0; j < 100; j++) page += "m{n=\"" + std::to_string(i * 100 + j) + "\"} 1\n";
    REQUIRE_FALSE(rig.Scrape(page + "nonsense", 2000 + i).error.empty());
    most = std::max(most, rig.layout_.memory_bytes());
    REQUIRE(rig.layout_.lines().size() <= 1200);
    REQUIRE(rig.layout_.series() <= 1300);
    REQUIRE(BrokenInvariant(rig.layout_).empty());
  }
  CHECK(most < 200'000);
  // One good page, and what the others left behind goes as soon as it is known to be gone.
  for (int i = 0; i < 5; i++) rig.Scrape("m 1\n", 3000 + i);
  CHECK(rig.layout_.lines().size() == 1);
  CHECK(rig.layout_.series() == 6);
}

TEST_CASE("page reader: the end of a target ends what it had last, and its reports") {
  LayoutRig rig;
  rig.Scrape("a 1\nb 1\n", 1000);
  rig.Scrape("b 1\nc 1\nd 1 1500\ne 1 3000\n", 2000);
  const Commit end = PageIntake::MakeEndCommit(rig.layout_, 2500, [](std::string_view packed) {
    return UnpackLabels(packed).Get(kMetricName) == "c";
  });
  // a has ended, c lives on, d and e are not tracked.
  CHECK(PageSamples(end) == Lines{"{__name__=\"b\"" + kLabels + " = stale @ 2500"});
  CHECK(Show(end).size() == 6);

  ScrapeRules rules;
  rules.track_timestamps_staleness = true;
  LayoutRig tracking(rules);
  tracking.Scrape("d 1 1500\ne 1 3000\n", 2000);
  const Commit later =
      PageIntake::MakeEndCommit(tracking.layout_, 2500, [](std::string_view) { return false; });
  // e has a sample later than the end.
  CHECK(PageSamples(later) == Lines{"{__name__=\"d\"" + kLabels + " = stale @ 2500"});
}

TEST_CASE(
    "page reader: a commit is refused nothing and forgets nothing when a scrape is taken back") {
  LayoutRig rig;
  rig.Scrape("# HELP m x\na 1\nb 1\n", 1000);
  const size_t lines = rig.layout_.lines().size();
  PageReader reader = rig.Reader(2000);
  reader.Push("a 1\nc 1\nd");
  reader.AbandonPage();
  reader.Withdraw();
  CHECK(rig.layout_.lines().size() == lines);
  CHECK(rig.layout_.last_scrape_ms() == 1000);
  // Neither marker nor new series come of it.
  const LayoutRig::Scraped next = rig.Scrape("# HELP m x\na 1\nb 1\n", 3000);
  CHECK(next.totals.series_added == 0);
  CHECK(PageSamples(next.commit).size() == 2);
}

}  // namespace
}  // namespace tributary
