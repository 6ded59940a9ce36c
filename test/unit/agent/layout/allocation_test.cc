// Steady state costs no allocation per line.

#include "test/support/allocation_counter.h"
#include "test/support/catch.h"
#include "test/unit/agent/layout/layout_rig.h"

namespace tributary {
namespace {

constexpr int kLines = 2000;

std::string Page(int round, int own_every) {
  std::string page = "# HELP m a text\n# TYPE m counter\n";
  for (int i = 0; i < kLines; i++) {
    page += "m{number=\"" + std::to_string(i) + "\"} " + std::to_string(i * 7 + round * 3) + ".25";
    if (own_every > 0 && i % own_every == 0) {
      page += " " + std::to_string(1'000'000 + 15'000 * round);
    }
    page += "\n";
  }
  return page;
}

struct Counts {
  uint64_t reading = 0;
  uint64_t scrape = 0;
};

Counts Measure(LayoutRig& rig, const std::string& page, TimestampMs timestamp, size_t piece) {
  const uint64_t before = AllocationCount();
  PageReader reader = rig.Reader(timestamp);
  for (size_t at = 0; at < page.size(); at += piece) {
    reader.Push(std::string_view(page).substr(at, piece));
  }
  const bool good = reader.FinishPage().has_value();
  Counts counts;
  counts.reading = AllocationCount() - before;
  ScrapeReport report;
  const Commit commit = reader.MakeCommit(report);
  counts.scrape = AllocationCount() - before;
  REQUIRE(good);
  REQUIRE(reader.totals().samples_added == kLines);
  return counts;
}

TEST_CASE("layout: a page of known lines is read without an allocation per line") {
  const int own_every = GENERATE(0, 3);
  LayoutRig rig;
  for (int round = 0; round < 4; round++) {
    Measure(rig, Page(round, own_every), 1'000'000 + 15'000 * round, 16384);
  }
  const size_t groups = rig.layout_.groups().size();
  REQUIRE(groups == 5);
  const std::string whole = Page(4, own_every);
  const Counts counts = Measure(rig, whole, 1'000'000 + 15'000 * 4, whole.size());
  CHECK(counts.reading == 0);
  // For each group its bitmap and its values, and the list of groups; own samples grow theirs.
  CHECK(counts.scrape <= (own_every == 0 ? 3 * groups + 5 : 12 * groups + 10));

  // In pieces: the lines that lie across two are put together in buffers that stay.
  const Counts in_pieces = Measure(rig, Page(5, own_every), 1'000'000 + 15'000 * 5, 4096);
  CHECK(in_pieces.reading <= 4);
}

}  // namespace
}  // namespace tributary
