// Random pages in all formats with a limit on series: beside a layout that has none, one with it
// takes some of the same.
#include <bit>
#include <set>

#include "agent/limits/series_limits.h"
#include "test/support/catch.h"
#include "test/unit/agent/layout/layout_rig.h"
#include "test/unit/agent/layout/random_pages.h"

namespace tributary {
namespace {

struct Taken {
  std::map<std::string, Labels> all;  // samples, markers and histograms, as text
  std::set<Labels> living;            // series with a sample that is no marker
};

// Bounds are written by what the page said of the type when their line was learned, which one that
// has waited for room was at another time.
bool IsCompared(const Labels& labels) {
  return !IsAgentMetric(labels.Get(kMetricName)) && !labels.Has("le") && !labels.Has("quantile");
}

Taken TakenOf(const Commit& commit) {
  Taken taken;
  for (const DecodedSample& sample : Decode(commit)) {
    if (!IsCompared(sample.labels)) continue;
    taken.all.emplace(Show(sample), sample.labels);
    if (!IsStaleNan(std::bit_cast<double>(sample.bits))) taken.living.insert(sample.labels);
  }
  for (const DecodedHistogram& histogram : Histograms(commit)) {
    taken.all.emplace(histogram.labels.ToString() + std::to_string(histogram.sample.timestamp) +
                          histogram.sample.encoded,
                      histogram.labels);
    taken.living.insert(histogram.labels);
  }
  // Which of a series' exemplars is not the last one again depends on what came before.
  for (const DecodedExemplar& exemplar : Exemplars(commit)) {
    if (!IsCompared(exemplar.series)) continue;
    REQUIRE(taken.living.contains(exemplar.series));
  }
  return taken;
}

// By how many texts a series was written on pages of one format. Where that is more than one, a
// text that was over the limit stays so until there is room, though its series has come by another.
using Texts = std::map<Labels, std::set<uint64_t>>;

void NoteTexts(const TargetLayout& layout, Texts& texts) {
  const std::map<uint32_t, Labels> places = PlacesOf(layout);
  for (uint32_t line = 0; line < layout.lines().size(); line++) {
    if (auto it = places.find(layout.lines().place(line)); it != places.end()) {
      texts[it->second].insert(layout.lines().hash(line));
    }
  }
}

void CheckRandomPages(uint64_t seed) {
  INFO("seed " << seed);
  Random random(seed);
  const size_t series = 1 + random() % 80;
  auto limit = std::make_shared<SeriesLimit>(LimitScope::kTarget, "j");
  limit->SetLimit(1 + random() % (series + 10));
  TargetQuota quota(limit, nullptr);
  LayoutRig all, limited;
  limited.quota_ = &quota;
  for (LayoutRig* rig : {&all, &limited}) {
    // What is late for a series that is known is not for one that is new.
    rig->rules_.honor_timestamps = false;
    rig->mode_.native = true;
    rig->mode_.convert_classic = OneIn(random, 3);
    rig->mode_.keep_classic = true;
  }
  limited.mode_ = all.mode_;
  RandomPages pages(random, series, all.mode_, 0, true);
  std::set<Labels> before;
  Texts texts;
  PageFormat format = PageFormat::kPrometheusText;
  for (int i = 0; i < 60; i++) {
    const TimestampMs timestamp = 1000 + 1000 * i;
    const RandomPages::Page page = pages.Next(timestamp);
    all.format_ = limited.format_ = page.format;
    const bool breaks = OneIn(random, 20);
    const auto scrape = [&](LayoutRig& rig) {
      return breaks ? rig.Break(page.text, timestamp) : rig.Scrape(page.text, timestamp);
    };
    const LayoutRig::Scraped with_all = scrape(all), with_limit = scrape(limited);
    INFO("page " << i << ": " << page.text);
    // An invalid histogram over the limit is not looked at, as one that relabeling drops.
    if (with_all.error != with_limit.error) return;
    REQUIRE(with_all.totals.lines_total == with_limit.totals.lines_total);
    REQUIRE(with_all.totals.samples_added == with_limit.totals.samples_added);
    REQUIRE(BrokenInvariant(limited.layout_).empty());
    REQUIRE(limited.layout_.active_series() <= limit->limit());
    if (page.format != format) texts.clear();
    format = page.format;
    NoteTexts(all.layout_, texts);
    const Taken expected = TakenOf(with_all.commit), got = TakenOf(with_limit.commit);
    for (const auto& [sample, labels] : got.all) {
      INFO(sample);
      if (texts[labels].size() <= 1) REQUIRE(expected.all.contains(sample));
    }
    for (const Labels& labels : before) {
      INFO(labels.ToString());
      if (texts[labels].size() > 1 || !expected.living.contains(labels)) continue;
      REQUIRE(got.living.contains(labels));
    }
    before = got.living;
    if (OneIn(random, 10)) limit->SetLimit(limit->limit() + random() % 5);
  }
}

TEST_CASE(
    "series limit: of random pages in all formats a part is taken, and what is known goes on") {
  std::mt19937_64 seeds(Catch::rngSeed());
  for (int i = 0; i < 100; i++) CheckRandomPages(seeds());
}

}  // namespace
}  // namespace tributary
