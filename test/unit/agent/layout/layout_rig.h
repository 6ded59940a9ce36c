// One target's layout with all that a page needs, and its commits decoded.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "agent/layout/page_reader.h"

namespace tributary {

struct DecodedSample {
  Labels labels;
  TimestampMs timestamp = 0;
  uint64_t bits = 0;
};

// In the order in which a remote sends them: of a series, own times before the scrape's come first.
std::vector<DecodedSample> Decode(const Commit& commit);

struct DecodedHistogram {
  Labels labels;
  HistogramSample sample;
};
struct DecodedExemplar {
  Labels series;
  Labels labels;
  double value = 0;
  TimestampMs timestamp = 0;
};
// In the order in which a remote sends them.
std::vector<DecodedHistogram> Histograms(const Commit& commit);
std::vector<DecodedExemplar> Exemplars(const Commit& commit);
// "m {t="1"} 2 @ 1000", m the series' name.
std::vector<std::string> ShowExemplars(const Commit& commit);
// Of the series that have floats in the commit and a start.
std::map<Labels, TimestampMs> Starts(const Commit& commit);
// The family that the commit tells of each series, by the series' name ("" if none): of those with
// floats in it.
std::map<std::string, FamilyMetadata> Families(const Commit& commit);

// "name{a=\"b\"} = 1 @ 1000", for messages and for plain comparisons.
std::string Show(const DecodedSample& sample);
std::vector<std::string> Show(const Commit& commit);

// What must hold for a layout between two scrapes. Returns what does not, or "".
std::string BrokenInvariant(const TargetLayout& layout);

// Labels by place.
std::map<uint32_t, Labels> PlacesOf(const TargetLayout& layout);

class LayoutRig {
 public:
  struct Scraped {
    Commit commit;
    PageTotals totals;
    std::string error;  // of the page
  };

  LayoutRig() = default;
  explicit LayoutRig(ScrapeRules rules) : rules_(std::move(rules)) {}

  PageReader Reader(TimestampMs timestamp) {
    if (quota_ != nullptr) {
      quota_->SetActive(layout_.active_series());
      layout_.ForgetOverLimit(quota_->room());
    }
    return PageReader({layout_, rules_, target_, hash_, pool_, buffer_, mode_, families_, quota_},
                      timestamp, timestamp);
  }
  // The whole page in one piece, or in random ones.
  Scraped Scrape(std::string_view page, TimestampMs timestamp, std::mt19937_64* cut = nullptr,
                 const ScrapeReport* report = nullptr);
  // A transfer that breaks after these bytes.
  Scraped Break(std::string_view page, TimestampMs timestamp, const ScrapeReport* report = nullptr);

  TargetLayout layout_{42};
  ScrapeRules rules_;
  Labels target_{{"instance", "i"}, {"job", "j"}};
  HashKey hash_ = HashKey::FromSeed(7);
  MetadataPool pool_;
  ScrapeBuffer buffer_;
  PageFormat format_ = PageFormat::kPrometheusText;
  HistogramMode mode_;
  MetadataPool* families_ = nullptr;
  TargetQuota* quota_ = nullptr;
};

// Samples of the page alone: without the report series.
std::vector<std::string> PageSamples(const Commit& commit);

}  // namespace tributary
