// When an exemplar is one that its series had last.
#include "test/support/catch.h"
#include "test/unit/agent/layout/layout_rig.h"

namespace tributary {
namespace {

using Lines = std::vector<std::string>;

class Rig : public LayoutRig {
 public:
  Rig() { format_ = PageFormat::kOpenMetrics; }
  // The exemplars taken of a page with one sample of m_total.
  Lines Take(const std::string& behind_sample, TimestampMs timestamp) {
    return ShowExemplars(Scrape("m_total 1" + behind_sample + "\n# EOF\n", timestamp).commit);
  }
};

TEST_CASE("exemplars: the same one is taken once, whatever its time of the scrape") {
  Rig rig;
  CHECK(rig.Take(" # {t=\"1\"} 2", 1000) == Lines{"m_total {t=\"1\"} 2 @ 1000"});
  CHECK(rig.Take(" # {t=\"1\"} 2", 2000).empty());
  CHECK(rig.Take("", 3000).empty());
  CHECK(rig.Take(" # {t=\"1\"} 2", 4000).empty());
}

TEST_CASE("exemplars: another text that means the same is the same") {
  Rig rig;
  rig.Take(" # {t=\"1\",u=\"x\"} 2", 1000);
  CHECK(rig.Take(" # {u=\"x\",t=\"1\"} 2.0", 2000).empty());
  CHECK(rig.Take(" # {u=\"x\",t=\"1\",v=\"\"} 2e0", 3000).empty());
  rig.Take(" # {} 0", 4000);
  CHECK(rig.Take(" # {} -0", 5000).empty());
}

TEST_CASE(
    "exemplars: another label, value or own time is another; the one before then counts again") {
  Rig rig;
  rig.Take(" # {t=\"1\"} 2 5", 1000);
  CHECK(rig.Take(" # {t=\"2\"} 2 5", 2000) == Lines{"m_total {t=\"2\"} 2 @ 5000"});
  CHECK(rig.Take(" # {t=\"2\"} 3 5", 3000) == Lines{"m_total {t=\"2\"} 3 @ 5000"});
  CHECK(rig.Take(" # {t=\"2\"} 3 6", 4000) == Lines{"m_total {t=\"2\"} 3 @ 6000"});
  CHECK(rig.Take(" # {t=\"1\"} 2 5", 5000) == Lines{"m_total {t=\"1\"} 2 @ 5000"});
}

TEST_CASE("exemplars: own times count if either has one, and a scrape's time may equal it") {
  Rig rig;
  rig.Take(" # {} 1", 1000);
  CHECK(rig.Take(" # {} 1 1", 2000).empty());  // at 1000, as the first
  CHECK(rig.Take(" # {} 1 2", 3000) == Lines{"m_total {} 1 @ 2000"});
  CHECK(rig.Take(" # {} 1", 4000) == Lines{"m_total {} 1 @ 4000"});
}

TEST_CASE("exemplars: NaN is never the same") {
  Rig rig;
  CHECK(rig.Take(" # {} NaN", 1000).size() == 1);
  CHECK(rig.Take(" # {} NaN", 2000).size() == 1);
}

TEST_CASE("exemplars: one of a page that failed is not the last") {
  Rig rig;
  rig.Scrape("m_total 1 # {} 1\nnonsense\n", 1000);
  CHECK(rig.Take(" # {} 1", 2000).size() == 1);
}

TEST_CASE("exemplars: one of a refused sample is not taken, an invalid one is counted") {
  Rig rig;
  rig.Take("", 10'000);
  CHECK(rig.Take(" 5 # {} 1", 20'000).empty());
  const auto scraped = rig.Scrape("m_total 1 # {t=\"1\",t=\"2\"} 1\n# EOF\n", 30'000);
  CHECK(scraped.totals.exemplars_invalid == 1);
  CHECK(PageSamples(scraped.commit).size() == 1);
  CHECK(ShowExemplars(scraped.commit).empty());
}

TEST_CASE(
    "exemplars: the last one is remembered when the page's format changes and at regroupings") {
  Rig rig;
  rig.Take(" # {t=\"1\"} 2", 1000);
  rig.format_ = PageFormat::kPrometheusText;
  // New series by and by, until there are many small groups.
  std::string page = "m_total 1\n";
  for (int i = 0; rig.layout_.generation() == 1; i++) {
    REQUIRE(i < 100);
    page += "n{i=\"" + std::to_string(i) + "\"} 1\n";
    rig.Scrape(page, 2000 + i);
  }
  rig.format_ = PageFormat::kOpenMetrics;
  CHECK(rig.Take(" # {t=\"1\"} 2", 3000).empty());
  CHECK(rig.Take(" # {t=\"1\"} 2.0", 4000).empty());
  CHECK(rig.Take(" # {t=\"1\"} 3", 5000).size() == 1);
}

TEST_CASE("exemplars: a page of many new ones is read in reasonable time") {
  // Quadratic, this would take minutes.
  Rig rig;
  std::string page;
  for (int i = 0; i < 200'000; i++) {
    page += "m{a=\"" + std::to_string(i) + "\"} 1 # {} " + std::to_string(i) + "\n";
  }
  CHECK(ShowExemplars(rig.Scrape(page + "# EOF\n", 1000).commit).size() == 200'000);
}

}  // namespace
}  // namespace tributary
