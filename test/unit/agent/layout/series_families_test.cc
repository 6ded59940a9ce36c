// Which family a series belongs to, as remote write 2.0 tells it.
#include "agent/layout/series_families.h"

#include "test/support/catch.h"
#include "test/unit/agent/layout/layout_rig.h"

namespace tributary {
namespace {

TEST_CASE("series families: names are part of a family by the suffixes of its type") {
  const auto part = [](std::string_view series, std::string_view family, MetricType type) {
    return IsPartOfFamily(series, {std::string(family), type, "", ""});
  };
  using enum MetricType;
  CHECK(part("c", "c", kCounter));
  CHECK(part("c_total", "c", kCounter));
  CHECK(part("c_total", "c_total", kCounter));
  CHECK_FALSE(part("c", "c_total", kCounter));  // it has to begin with the family's name
  CHECK_FALSE(part("c_created", "c", kCounter));
  CHECK_FALSE(part("cc_total", "c", kCounter));
  for (const char* suffix : {"", "_bucket", "_sum", "_count"}) {
    CHECK(part(std::string("h") + suffix, "h", kHistogram));
  }
  CHECK_FALSE(part("h_gsum", "h", kHistogram));
  CHECK(part("h_gsum", "h", kGaugeHistogram));
  CHECK(part("h_gcount", "h", kGaugeHistogram));
  CHECK_FALSE(part("h_sum", "h", kGaugeHistogram));
  CHECK(part("s_sum", "s", kSummary));
  CHECK_FALSE(part("s_bucket", "s", kSummary));
  CHECK(part("i_info", "i", kInfo));
  CHECK(part("i_info", "i_info", kInfo));
  CHECK(part("g", "g", kGauge));
  CHECK_FALSE(part("g_total", "g", kGauge));
  CHECK_FALSE(part("u_x", "u", kUnknown));
}

class Rig : public LayoutRig {
 public:
  Rig() { families_ = &series_pool_; }
  std::map<std::string, FamilyMetadata> Tell(const std::string& page, TimestampMs timestamp) {
    return Families(Scrape(page, timestamp).commit);
  }
  MetadataPool series_pool_;
};

TEST_CASE("series families: a series has the family of the last line that speaks of one") {
  Rig rig;
  auto families = rig.Tell(
      "# HELP a text a\n# TYPE a counter\na_total 1\nb 1\na_total{x=\"1\"} 1\n"
      "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_count 1\n# a comment\nh_sum 1\n"
      "# TYPE g gauge\nother 1\ng 1\n",
      1000);
  CHECK(families["a_total"].family == "a");
  CHECK(families["a_total"].type == MetricType::kCounter);
  CHECK(families["a_total"].help == "text a");
  CHECK(families["b"].family.empty());
  CHECK(families["h_sum"].family == "h");
  // After one that is no part nothing is told until the next such line.
  CHECK(families["g"].family.empty());
  CHECK(families["up"].unit == "targets");
  CHECK(families["up"].type == MetricType::kGauge);
}

TEST_CASE("series families: reports have theirs though no page was ever good") {
  Rig rig;
  CHECK(Families(rig.Break("", 1000).commit)["scrape_duration_seconds"].unit == "seconds");
}

TEST_CASE("series families: interleaved families are told apart") {
  Rig rig;
  const std::string page =
      "# TYPE a gauge\na{x=\"1\"} 1\n# TYPE b gauge\nb{x=\"1\"} 1\n# HELP a text\na{x=\"2\"} 1\n";
  for (TimestampMs t : {1000, 2000}) {
    auto families = rig.Tell(page, t);
    CHECK(families["a"].family == "a");
    CHECK(families["b"].family == "b");
  }
}

TEST_CASE("series families: what changes is told, what is no longer said stays") {
  Rig rig;
  CHECK(rig.Tell("# HELP m old\nm 1\n", 1000)["m"].help == "old");
  CHECK(rig.Tell("# HELP m new\nm 1\n", 2000)["m"].help == "new");
  CHECK(rig.Tell("m 1\n", 3000)["m"].help == "new");
  CHECK(rig.Tell("m 1\nn 1\n", 4000)["m"].help == "new");
  CHECK(rig.Tell("n 1\n", 5000)["m"].help == "new");  // its stale marker
}

TEST_CASE("series families: a page that failed changes none") {
  Rig rig;
  rig.Tell("# HELP m old\nm 1\n", 1000);
  CHECK(rig.Tell("# HELP m wrong\nnonsense", 2000)["m"].help == "old");
  CHECK(rig.Tell("# HELP m old\nm 1\n", 3000)["m"].help == "old");
}

TEST_CASE("series families: who wants them only later is told as soon as the next page is read") {
  Rig rig;
  rig.families_ = nullptr;
  const std::string page = "# HELP m text\n# TYPE m gauge\nm 1\n";
  CHECK(rig.Tell(page, 1000)["m"].family.empty());
  rig.families_ = &rig.series_pool_;
  rig.layout_.TellFamiliesOfLines();
  CHECK(rig.Tell(page, 2000)["m"].help == "text");
}

TEST_CASE("series families: they are kept at a regrouping, also where no line speaks of them") {
  Rig rig;
  rig.Tell("# HELP m text\nm 1\n", 1000);
  std::string page = "m 1\n";
  for (int i = 0; rig.layout_.generation() == 1; i++) {
    REQUIRE(i < 100);
    page += "n{i=\"" + std::to_string(i) + "\"} 1\n";
    rig.Tell(page, 2000 + i);
  }
  SECTION("for the next page") { CHECK(rig.Tell(page, 3000)["m"].help == "text"); }
  SECTION("for the markers of a page that fails") {
    CHECK(rig.Tell("nonsense", 3000)["m"].help == "text");
  }
  SECTION("for the end of the target") {
    CHECK(Families(PageIntake::MakeEndCommit(rig.layout_, 3000,
                                             [](std::string_view) { return false; }))["m"]
              .help == "text");
  }
}

TEST_CASE("series families: starts are kept at a regrouping for the series that are absent") {
  LayoutRig rig;
  rig.rules_.keep_starts = true;
  rig.format_ = PageFormat::kOpenMetrics;
  std::string page = "# TYPE m counter\nm_total 1\nm_created 5\n";
  rig.Scrape(page + "# EOF\n", 1000);
  for (int i = 0; rig.layout_.generation() == 1; i++) {
    REQUIRE(i < 100);
    page += "n{i=\"" + std::to_string(i) + "\"} 1\n";
    rig.Scrape(page + "# EOF\n", 2000 + i);
  }
  const auto starts = Starts(rig.Scrape(page + "# EOF\n", 3000).commit);
  CHECK(starts.size() == 1);
  CHECK(starts.begin()->second == 5000);
}

}  // namespace
}  // namespace tributary
