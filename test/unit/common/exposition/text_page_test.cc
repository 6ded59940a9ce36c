#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "common/exposition/text_parser.h"
#include "test/support/catch.h"
#include "test/support/slow_text_parser.h"
#include "test/support/text_page_generator.h"
#include "test/unit/common/exposition/text_cases.h"

namespace tributary {
namespace {

std::string Describe(const Labels& labels, const std::string& value,
                     std::optional<TimestampMs> timestamp) {
  return labels.ToString() + " " + value + (timestamp ? " @" + std::to_string(*timestamp) : "");
}

std::string Shown(double value) {
  char text[64];
  if (std::bit_cast<uint64_t>(value) == 0x7ff8000000000001) return "NaN";
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

// Cuts the page into lines and does what a scrape does with them.
struct Scraped {
  bool good = true;
  size_t samples = 0;
  std::vector<std::string> accepted;
};

Scraped Scrape(const std::string& page) {
  Scraped scraped;
  std::string buffer;
  std::string type;
  size_t start = 0;
  while (start < page.size()) {
    const size_t newline = std::min(page.find('\n', start), page.size());
    const std::string_view line = std::string_view(page).substr(start, newline - start);
    start = newline + 1;
    const Result<ParsedLine> parsed = ParseLine(line, buffer);
    if (!parsed) {
      scraped.good = false;
      return scraped;
    }
    if (parsed->kind == LineKind::kType) type = parsed->text;
    if (parsed->kind != LineKind::kSample) continue;
    ++scraped.samples;
    const Result<Labels> labels = ParseSeries(parsed->series, type);
    if (!labels || !labels->Has(kMetricName)) {
      scraped.good = false;
      return scraped;
    }
    scraped.accepted.push_back(
        Describe(*labels, Shown(parsed->sample.value), parsed->sample.timestamp));
  }
  return scraped;
}

TEST_CASE("text page: what Prometheus made of the conformance suite's pages") {
  for (const TextCase& test : TextCases()) {
    INFO(test.name << ": " << test.page.substr(0, 300));
    Scraped scraped = Scrape(test.page);
    CHECK(scraped.good == test.good);
    CHECK(scraped.samples == test.samples_scraped);
    if (!test.good) continue;
    std::vector<std::string> expected;
    for (const TextCaseSample& sample : test.samples) {
      const bool nan = sample.value.starts_with("NaN");
      std::string value = nan ? "NaN" : Shown(std::strtod(sample.value.c_str(), nullptr));
      // Prometheus' side does not show the sign of a zero.
      if (test.name == "value-forms" && value == "0") value = "-0";
      expected.push_back(Describe(Labels(sample.labels), value, sample.timestamp));
    }
    std::sort(expected.begin(), expected.end());
    std::sort(scraped.accepted.begin(), scraped.accepted.end());
    CHECK(scraped.accepted == expected);
  }
}

TEST_CASE("text page: the slow parser agrees on the conformance suite's pages") {
  for (const TextCase& test : TextCases()) {
    INFO(test.name);
    CHECK((SlowParsePage(test.page) == FastParsePage(test.page)));
  }
}

TEST_CASE("text page: fast and slow parser agree on random pages, good and broken") {
  const uint64_t seed = std::random_device()();
  std::mt19937_64 random(seed);
  size_t good = 0;
  size_t samples = 0;
  constexpr int kRounds = 60'000;
  for (int round = 0; round < kRounds; ++round) {
    const std::string page = RandomTextPage(random);
    const TextPage slow = SlowParsePage(page);
    const TextPage fast = FastParsePage(page);
    if (!(slow == fast)) {
      FAIL("seed " << seed << " round " << round << "\n"
                   << page << "\nslow " << ToString(slow) << "fast " << ToString(fast));
    }
    good += slow.good ? 1 : 0;
    samples += slow.entries.size();
  }
  // The generator must give both kinds, or the test shows nothing.
  CHECK(good > kRounds / 5);
  CHECK(good < kRounds * 4 / 5);
  CHECK(samples > kRounds);
}

}  // namespace
}  // namespace tributary
