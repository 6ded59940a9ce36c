// What Prometheus' scrape loop and agent storage do with the pages of one target, slow and obvious:
// maps of strings. The oracle of agent/layout.
//
// Follows prometheus/prometheus (3.16) scrape/scrape.go (scrapeCache, scrapeAndReport, report,
// sample mutation, label limits), scrape/scrape_append_v2.go (append, updateStaleMarkers),
// scrape/target.go (limits) and tsdb/agent (a sample is compared with what was committed before).
// Pages are read by the slow text parser. Metric names in UTF-8 only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/layout/page_reader.h"
#include "agent/layout/scrape_rules.h"

namespace tributary {

class SlowScrapeModel {
 public:
  struct Sample {
    Labels labels;
    TimestampMs timestamp = 0;
    uint64_t bits = 0;
    bool own = false;  // the page gave the timestamp
  };
  struct Outcome {
    bool good = true;  // the page, if it arrived
    PageTotals totals;
    std::vector<Sample> samples;  // in the order of appending
  };

  SlowScrapeModel(ScrapeRules rules, std::vector<RelabelConfig> relabel, Labels target)
      : rules_(std::move(rules)), relabel_(std::move(relabel)), target_(std::move(target)) {}

  // One scrape; no page: it did not arrive.
  Outcome Scrape(const std::optional<std::string>& page, TimestampMs timestamp, TimestampMs now,
                 const ScrapeReport& report);
  // The markers at the end of a target.
  std::vector<Sample> End(TimestampMs timestamp);
  // A new scrape loop for the same target, which still ends the series of the old one.
  void ForgetLines();
  // The storage forgets series, as its garbage collection does.
  void ForgetTimes(const std::function<bool(const Labels&)>& gone);

  // By series text.
  struct Cached {
    Labels labels;
    uint64_t last_iteration = 0;
  };
  const std::map<std::string, Cached>& known() const { return series_; }
  const std::map<std::string, uint64_t>& dropped() const { return dropped_; }
  // Families of the last good page: type and help.
  struct Family {
    MetricType type = MetricType::kUnknown;
    std::string help;
  };
  const std::map<std::string, Family>& families() const { return families_; }

 private:
  enum class Appended { kYes, kOverLimit, kOutOfBounds, kOutOfOrder };
  struct Page {
    std::string text;
    TimestampMs timestamp, now;
    uint64_t limited = 0;
    std::string type;
    std::map<std::string, Family> families;
  };

  bool AppendPage(Page& page, PageTotals& totals);
  void AppendEmpty(TimestampMs timestamp);
  bool TakeSample(Page& page, const struct TextEntry& entry, PageTotals& totals);
  std::optional<Labels> Mutate(const Page& page, const struct TextEntry& entry) const;
  bool BreaksRules(const Labels& labels, PageTotals& totals) const;
  Appended AppendLimited(Page& page, const Labels& labels, TimestampMs timestamp, uint64_t bits,
                         bool own);
  Appended Append(const Labels& labels, TimestampMs timestamp, uint64_t bits, bool own);
  void AddStaleMarkers(TimestampMs timestamp);
  void AddReports(TimestampMs timestamp, const std::vector<double>& values);
  void EndIteration(bool flush);
  std::vector<Sample> CommitPending();

  const ScrapeRules rules_;
  const std::vector<RelabelConfig> relabel_;
  const Labels target_;
  uint64_t iteration_ = 1;
  std::map<std::string, Cached> series_;
  std::map<std::string, uint64_t> dropped_;
  std::map<Labels, bool> tracked_now_, tracked_before_;
  std::map<Labels, TimestampMs> latest_;
  std::map<std::string, Family> families_;
  std::vector<Sample> pending_;
};

}  // namespace tributary
