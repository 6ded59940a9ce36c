// Reads one page of a target, as it streams in, against the target's layout, and makes its commit.
//
// All or nothing: values are staged in a ScrapeBuffer and become a commit only if the page was read
// to its end without an error. What follows Prometheus to the letter is told in scrape.go:
// append(), updateStaleMarkers(), report(); the differences between a failed transfer, a page that
// does not parse and a good page are kept.
//
// A page that was read to its end without an error replaces what is known of the target's lines, as
// it does in Prometheus' cache; lines of a page with an error are added to it.
//
// Cost in steady state: a hash of the line's series text and a float parse; no allocation per line.
// One thread; a reader is used for one page.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/layout/layout_builder.h"
#include "agent/layout/scrape_rules.h"
#include "agent/layout/target_layout.h"
#include "agent/series/samples.h"
#include "common/base/hash.h"

namespace tributary {

// Scratch for one page; reused from scrape to scrape, one for each scrape in flight.
struct ScrapeBuffer {
  struct PlacedSample {
    uint32_t place;
    TimestampMs timestamp;
    double value;
  };

  std::vector<double> values;     // by place
  Bitmap present;                 // places with a value
  Bitmap mentioned;               // places whose lines came, but did not give that value
  Bitmap tracked;                 // places without one whose end is to be marked all the same
  Bitmap seen;                    // lines
  Bitmap accepted;                // lines that were not accepted before
  std::vector<PlacedSample> own;  // in page order
  std::vector<uint32_t> order;    // lines as they came, once they differ from the layout's order
  std::string carry;              // the beginning of a line whose end has not arrived
  std::string line;               // one that was put together from carry and what followed
  std::string text;               // scratch of the parser
};

struct PageTotals {
  uint64_t lines_total = 0;    // samples on the page
  uint64_t samples_added = 0;  // after relabeling
  uint64_t series_added = 0;
  uint64_t out_of_order = 0, duplicates = 0, out_of_bounds = 0;
  bool over_sample_limit = false, over_label_limit = false;
};

// What the scrape tells about itself beside the page's totals.
struct ScrapeReport {
  bool up = false;
  double duration_seconds = 0;
  double body_bytes = 0;  // -1: over the limit
  double timeout_seconds = 0;
  double sample_limit = 0;
};

class PageReader {
 public:
  struct Context {
    TargetLayout& layout;
    const ScrapeRules& rules;
    const Labels& target_labels;
    const HashKey& hash;
    MetadataPool& metadata;
    ScrapeBuffer& buffer;
  };

  // A line may be this long; a page with a longer one is refused.
  static constexpr size_t kLineBytesMax = 4 << 20;
  // So many newlines may stand inside quotes on a page, which Prometheus takes though the format
  // does not.
  static constexpr int kJoinedLinesMax = 100;

  // `timestamp` is the time of all samples without one of their own; `now` bounds those with one.
  PageReader(const Context& context, TimestampMs timestamp, TimestampMs now);

  // The next bytes of the page. After an error of the page the rest is only taken, not read.
  void Push(std::string_view bytes);

  // The page has arrived whole. An error, if it cannot be taken (malformed, over a limit).
  Status FinishPage();
  // The page did not arrive: nothing of it counts.
  void AbandonPage();

  const PageTotals& totals() const { return totals_; }

  // Instead of MakeCommit, after AbandonPage: leaves the layout as it was before the page.
  void Withdraw();

  // After FinishPage or AbandonPage: stale markers and report series are added and the commit is
  // made. `reported`: the same totals unless the scrape failed for another reason.
  Commit MakeCommit(const ScrapeReport& report);

  // A commit that ends all series of a target that is gone, report series included. Series for
  // which `lives_on` says so (by packed labels) are left alone.
  static Commit MakeEndCommit(TargetLayout& layout, TimestampMs timestamp,
                              const std::function<bool(std::string_view packed)>& lives_on);

 private:
  void ReadCarry();
  void ReadLines(const char* begin, const char* end);
  // These read the line at `begin` and return its newline. The first: if it is the one expected,
  // else null. The second: if it is a sample of a known series, else null. The third: any; null if
  // it has to wait for more.
  const char* ReadExpectedLine(const char* begin, const char* end);
  const char* ReadMovedLine(const char* begin, const char* end);
  const char* ReadUnknownLine(const char* begin, const char* end);
  void ReadLine(std::string_view line, const struct ParsedLine& parsed);
  void ReadKnownComment(std::string_view line);
  void ReadSample(std::string_view series, const struct ValueAndTimestamp& sample);
  void TakeSample(uint32_t line, uint32_t place, const struct ValueAndTimestamp& sample);
  // The line's number, new or known; kNone after an error.
  uint32_t LearnSeries(std::string_view series, uint64_t hash);
  void ReadMetadata(const struct ParsedLine& parsed);
  void VisitLine(uint32_t line);
  void StartRecordingOrder();
  void Stop(std::string message);
  void StopForLongLine();
  // The latest time of the series' samples that were committed before this scrape.
  TimestampMs LatestTime(uint32_t place) const;
  bool IsLater(uint32_t place, TimestampMs time) const;
  void ForgetPage();
  void AddStaleMarkers();
  void AddReport(const ScrapeReport& report);
  void SettleNewSeries();
  void SettleLines();
  void SettleTimes(bool page_has_samples);
  void CountAbsences();
  // Calls f(place) for the places of the layout's groups that are in neither bitmap.
  template <typename F>
  void ForEachMissing(const Bitmap& present, const Bitmap* also, F f) const;

  TargetLayout& layout_;
  const ScrapeRules& rules_;
  const Labels& target_labels_;
  const HashKey& hash_;
  MetadataPool& metadata_;
  ScrapeBuffer& buffer_;
  LayoutBuilder builder_;
  const TimestampMs timestamp_;
  const TimestampMs latest_allowed_;

  uint32_t cursor_ = 0;          // the line expected next
  const uint32_t lines_before_;  // lines known before this page
  bool recording_order_ = false;
  bool failed_ = false;
  bool arrived_ = false;
  bool any_bytes_ = false;
  bool ended_ = false;      // by a NUL byte: Prometheus reads no further
  bool last_line_ = false;  // nothing follows what is being read
  bool metadata_read_ = false;
  const bool times_matter_;  // some series may have samples later than this scrape
  int joined_lines_ = 0;
  size_t joined_bytes_ = 0;  // of the carry, which were found to be the beginning of a longer line
  uint64_t limited_ = 0;     // samples that count towards sample_limit
  MetricType type_ = MetricType::kUnknown;
  std::string error_;
  PageTotals totals_;
};

}  // namespace tributary
