// What Prometheus' scrape loop and agent storage do with the pages of one target, slow and obvious:
// maps of strings. The oracle of agent/layout.
//
// Follows prometheus/prometheus (3.16) scrape/scrape.go (scrapeCache, scrapeAndReport, report,
// sample mutation, label limits), scrape/scrape_append_v2.go (append, updateStaleMarkers),
// scrape/target.go (limits) and tsdb/agent (a sample is compared with what was committed before, an
// exemplar with the last of its series; but one of a page that failed is not remembered here).
// Pages are read by the slow parsers of their formats. Of a histogram's reduction and validation
// the functions of common/histogram are used, which have oracles of their own. Metric names in
// UTF-8 only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/layout/page_reader.h"
#include "agent/layout/scrape_rules.h"
#include "agent/target/histogram_mode.h"
#include "common/histogram/native_histogram.h"
#include "test/support/slow_page_entries.h"

namespace tributary {

class SlowScrapeModel {
 public:
  struct Sample {
    Labels labels;
    TimestampMs timestamp = 0;
    uint64_t bits = 0;
    bool own = false;       // the page gave the timestamp
    TimestampMs start = 0;  // 0: none
  };
  struct Histogram {
    Labels labels;
    TimestampMs timestamp = 0;
    TimestampMs start = 0;
    NativeHistogram histogram;
  };
  struct Exemplar {
    Labels series;
    Labels labels;
    double value = 0;
    TimestampMs timestamp = 0;
    bool has_own_time = false;
  };
  struct Commit {
    std::vector<Sample> samples;  // in the order of appending, as are these
    std::vector<Histogram> histograms;
    std::vector<Exemplar> exemplars;
  };
  struct Outcome {
    bool good = true;  // the page, if it arrived
    PageTotals totals;
    Commit commit;
  };

  SlowScrapeModel(ScrapeRules rules, std::vector<RelabelConfig> relabel, Labels target,
                  HistogramMode mode)
      : rules_(std::move(rules)),
        relabel_(std::move(relabel)),
        target_(std::move(target)),
        mode_(mode) {}

  // One scrape; no page: it did not arrive. A protobuf page must not be odd (slow_protobuf_page.h).
  Outcome Scrape(PageFormat format, const std::optional<std::string>& page, TimestampMs timestamp,
                 TimestampMs now, const ScrapeReport& report);
  // The markers at the end of a target.
  Commit End(TimestampMs timestamp);
  // A new scrape loop for the same target, which still ends the series of the old one.
  void ForgetLines();
  // The storage forgets series (their times and exemplars), as its garbage collection does.
  void ForgetTimes(const std::function<bool(const Labels&)>& gone);

  // By series text; of protobuf pages with a byte that no text has (kProtobufMark) in front. A
  // series without labels is another there, though Prometheus' cache knows it by the same name.
  static constexpr char kProtobufMark = '\xff';
  struct Cached {
    Labels labels;
    uint64_t last_iteration = 0;
  };
  const std::map<std::string, Cached>& known() const { return series_; }
  const std::map<std::string, uint64_t>& dropped() const { return dropped_; }
  // Families of the last good page: type and help.
  struct Family {
    MetricType type = MetricType::kUnknown;
    std::string help, unit;
  };
  // Families of which a protobuf page once said several things.
  const std::set<std::string>& contradicted() const { return contradicted_; }
  const std::map<std::string, Family>& families() const { return families_; }

 private:
  enum class Appended { kYes, kOverLimit, kOverBuckets, kOutOfBounds, kOutOfOrder, kInvalid };
  struct Page {
    TimestampMs timestamp, now;
    uint64_t limited = 0;
    std::map<std::string, Family> families;
  };

  bool AppendPage(PageFormat format, const std::string& text, Page& page, PageTotals& totals);
  bool AppendProtobuf(const std::string& text, Page& page, PageTotals& totals);
  void AppendEmpty(TimestampMs timestamp);
  // False: the page has failed.
  bool TakeEntry(Page& page, const SlowPageEntry& entry, PageTotals& totals);
  bool TakeSample(Page& page, const SlowPageEntry& entry, PageTotals& totals);
  bool WantsExemplars(const SlowPageEntry& entry) const;
  std::optional<Labels> Mutate(const SlowPageEntry& entry) const;
  bool BreaksRules(const Labels& labels, PageTotals& totals) const;
  Appended AppendLimited(Page& page, const Labels& labels, const SlowPageEntry& entry);
  Appended Append(const Labels& labels, TimestampMs timestamp, const SlowPageEntry& entry,
                  bool own);
  void AppendExemplars(const Labels& series, TimestampMs sample_time, const SlowPageEntry& entry);
  void AppendFloat(const Labels& labels, TimestampMs timestamp, double value);
  void AddStaleMarkers(TimestampMs timestamp);
  void AddReports(TimestampMs timestamp, const std::vector<double>& values);
  void EndIteration(bool flush);
  Commit CommitPending();

  const ScrapeRules rules_;
  const std::vector<RelabelConfig> relabel_;
  const Labels target_;
  const HistogramMode mode_;
  uint64_t iteration_ = 1;
  std::map<std::string, Cached> series_;
  std::map<std::string, uint64_t> dropped_;
  std::map<Labels, bool> tracked_now_, tracked_before_;
  std::map<Labels, TimestampMs> latest_;
  std::map<Labels, Exemplar> latest_exemplars_;  // by series
  std::map<std::string, Family> families_;
  std::set<std::string> contradicted_;
  Commit pending_;
};

}  // namespace tributary
