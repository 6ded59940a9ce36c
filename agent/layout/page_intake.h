// Takes what a page of a target says of its series, whatever its format, and makes the commit.
//
// The reader of a format recognises lines (each what gives one sample, or a comment) by a hash, and
// tells here which came, in the page's order, and with which samples; a line that is not known is
// learned with its labels. Values are staged in a ScrapeBuffer and become a commit only if the page
// was read to its end without an error. What follows Prometheus to the letter is told in
// scrape_append_v2.go: append(), updateStaleMarkersV2(), and scrape.go: report(); the differences
// between a failed transfer, a page that does not parse and a good page are kept.
//
// A page that was read to its end without an error replaces what is known of the target's lines, as
// it does in Prometheus' cache; lines of a page with an error are added to it.
//
// One thread; an intake is used for one page. No allocation for a line that is known, unless it has
// an exemplar or a native histogram that is new.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/layout/layout_builder.h"
#include "agent/layout/scrape_buffer.h"
#include "agent/layout/scrape_rules.h"
#include "agent/layout/target_layout.h"
#include "agent/limits/target_quota.h"
#include "agent/series/samples.h"
#include "agent/target/histogram_mode.h"
#include "common/base/hash.h"
#include "common/base/status.h"
#include "common/exposition/exemplar.h"
#include "common/histogram/native_histogram.h"

namespace tributary {

struct PageTotals {
  uint64_t lines_total = 0;        // samples on the page
  uint64_t samples_added = 0;      // after relabeling
  uint64_t dropped = 0;            // by metric_relabel_configs
  uint64_t over_series_limit = 0;  // of samples_added: their series have no room
  uint64_t series_added = 0;
  uint64_t out_of_order = 0, duplicates = 0, out_of_bounds = 0;
  uint64_t exemplars_invalid = 0;
  bool over_sample_limit = false, over_label_limit = false, over_bucket_limit = false;
};

// What the scrape tells about itself beside the page's totals.
struct ScrapeReport {
  bool up = false;
  double duration_seconds = 0;
  double body_bytes = 0;  // -1: over the limit
  double timeout_seconds = 0;
  double sample_limit = 0;
};

class PageIntake {
 public:
  struct Context {
    TargetLayout& layout;
    const ScrapeRules& rules;
    const Labels& target_labels;
    const HashKey& hash;
    MetadataPool& metadata;
    ScrapeBuffer& buffer;
    HistogramMode histograms = {};
    // Where series' families are kept (series_families.h); null: they are not wanted.
    MetadataPool* series_families = nullptr;
    // The limits on the target's series; null: there are none. Outlives the page.
    TargetQuota* quota = nullptr;
  };

  // `timestamp` is the time of all samples without one of their own; `now` bounds those with one.
  PageIntake(const Context& context, TimestampMs timestamp, TimestampMs now);

  // The format of the page, as any number below 255: of which lines are known it is not a part.
  void SetFormat(uint8_t format) { format_ = format; }

  // Before the first line: the page is the agent's own, no limit on series holds for it.
  void LiftSeriesLimits() { quota_ = nullptr; }

  // For the reader of the page's format.

  ScrapeBuffer& buffer() { return buffer_; }
  const ScrapeRules& rules() const { return rules_; }
  const HashKey& hash() const { return hash_; }
  uint64_t Hash(std::string_view text) const { return hash_(text); }
  const KnownLines& lines() const { return layout_.lines_; }
  // The line that is expected next; lines().size() or more: none.
  uint32_t cursor() const { return cursor_; }
  // Whether a line may be taken for what it is by its text alone: not where it was read in another
  // format, in which it may be another thing, or refused. Then all lines have to be parsed.
  bool trusts_lines() const { return lines_before_ > 0 && layout_.lines_format_ == format_; }
  // A line by its hash; KnownLines::kNone if it is not known. Builds the index of lines when the
  // line is not near the cursor: for what is not the expected line.
  uint32_t Find(uint64_t hash) { return layout_.lines_.Find(hash, cursor_); }
  // Lines that stand together on a page may have their places far apart (/federate sorts by name, a
  // group holds what one target exposes): fetches what the line a few behind the cursor will need.
  // Inline by force: GCC takes a function that only prefetches for one without effect.
  [[gnu::always_inline]] void PrefetchAhead() const {
    if (cursor_ + kPrefetchLines >= lines_before_) return;
    const uint32_t place = layout_.lines_.place(cursor_ + kPrefetchLines);
    if (place > KnownLines::kPlaceMax) return;
    if (!layout_.last_times_.Prefetch(place)) {
      __builtin_prefetch(buffer_.values.data() + place, 1);
    } else if (place < buffer_.timed.size()) {
      __builtin_prefetch(buffer_.timed.data() + place, 1);
    }
  }
  // Something came; a page without any bytes is another thing than one without lines.
  void NoteBytes() { any_bytes_ = true; }
  bool any_bytes() const { return any_bytes_; }
  // The expected line came, and is a comment.
  void TakeExpectedComment() {
    if (!buffer_.seen.Test(cursor_)) VisitLine(cursor_);
  }
  // A comment. False: it was not known before. HELP, TYPE and UNIT are comments that speak of a
  // family.
  bool TakeComment(uint64_t hash, size_t text_size, std::string_view family = {});
  // Learns a line that gives samples of the series with these labels, as exposed: rules are applied
  // here. `emptied` names labels that the page gave with an empty value. kNone if it cannot be
  // taken: then the sample is counted, and the page has failed or is over a limit. `histogram`: the
  // sample, if it is one.
  uint32_t Learn(uint64_t hash, size_t text_size, Labels labels,
                 const std::vector<std::string>& emptied, NativeHistogram* histogram = nullptr);
  // What becomes of a sample if the page is good: it is committed; or it is refused, for its time
  // or a limit; or it is not even looked at, as its series is dropped or had one before. Prometheus
  // reads neither exemplar nor start of such a sample.
  enum class Taken : uint8_t { kYes, kRefused, kUnread };
  // Takes a sample of a line.
  Taken TakeFloat(uint32_t line, double value, const std::optional<TimestampMs>& timestamp);
  // As it came: the job's limits are applied here, in place. `start`: when its counts began; 0:
  // unknown.
  Taken TakeHistogram(uint32_t line, NativeHistogram& histogram,
                      const std::optional<TimestampMs>& timestamp, TimestampMs start);
  // Counts a sample whose line cannot be learned.
  void CountUntaken() { totals_.lines_total++; }
  // What came since the last Mark does not count, neither in the totals, nor is a series known by
  // it: for a page that is about to fail.
  void Mark();
  void ReturnToMark();
  // An exemplar of the sample just taken, as OpenMetrics writes it. One that equals the last of its
  // series is not taken again.
  void TakeExemplar(uint32_t line, std::string_view text,
                    const std::optional<TimestampMs>& sample_timestamp);
  void NoteInvalidExemplar() { totals_.exemplars_invalid++; }
  // Several, in any order; it is sorted.
  void TakeExemplars(uint32_t line, std::vector<ParsedExemplar>& exemplars,
                     const std::optional<TimestampMs>& sample_timestamp);
  // When the counts of the series began for which a sample was just taken. A series for which none
  // is told has none from now on.
  void TakeStart(uint32_t place, TimestampMs start);
  // Families' metadata, as the page gives it.
  void TakeType(std::string_view family, MetricType type);
  void TakeHelp(std::string_view family, std::string_view help);
  void TakeUnit(std::string_view family, std::string_view unit);
  // The page cannot be taken; the rest is not read.
  void Stop(std::string message);
  bool failed() const { return failed_; }

  // For the scrape.

  // The page has arrived whole. An error, if it cannot be taken (malformed, over a limit).
  Status FinishPage();
  // The page did not arrive: nothing of it counts.
  void AbandonPage();
  const PageTotals& totals() const { return totals_; }
  // Instead of MakeCommit, after AbandonPage: leaves the layout as it was before the page.
  void Withdraw();
  // After FinishPage or AbandonPage: stale markers and report series are added and the commit is
  // made. `report`: the same totals unless the scrape failed for another reason.
  Commit MakeCommit(const ScrapeReport& report);
  // A commit that ends all series of a target that is gone, report series included. Series for
  // which `lives_on` says so (by packed labels) are left alone.
  static Commit MakeEndCommit(TargetLayout& layout, TimestampMs timestamp,
                              const std::function<bool(std::string_view packed)>& lives_on);

 private:
  static constexpr uint32_t kPrefetchLines = 8;

  // What keeps a sample from being taken; each counts it.
  bool IsSecond(uint32_t line, const TimestampMs* own, bool seen);
  bool IsOverSampleLimit();
  bool IsTooFarAhead(TimestampMs time);
  bool IsOutOfOrder(uint32_t place, TimestampMs time);
  const TimestampMs* OwnTime(const std::optional<TimestampMs>& timestamp) const {
    return timestamp && rules_.honor_timestamps ? &*timestamp : nullptr;
  }
  void NoteAccepted(uint32_t line);
  // Whether the limits have room for the series, or it has its room already.
  bool HasRoom(const Labels& labels);
  // Counts a sample of a line that stands for no place.
  void CountPlaceless(uint32_t place);
  void Track(uint32_t place);
  // Whether the limits on buckets let the histogram through, which may become coarser by them.
  bool BucketsAllow(NativeHistogram& histogram);
  // And all others.
  bool LimitsAllow(NativeHistogram& histogram, TimestampMs time);
  // `text`: a hash of how the page writes it, or 0.
  void StageExemplar(uint32_t place, const ParsedExemplar& exemplar, TimestampMs sample_time,
                     uint64_t text);
  // The last exemplar of the place, on this page or before; null: none.
  const ExemplarMark* LastExemplar(uint32_t place) const;
  void VisitLine(uint32_t line) {
    if (line != cursor_ && !recording_order_) StartRecordingOrder();
    buffer_.seen.Set(line);
    if (recording_order_) buffer_.order.push_back(line);
    // After a new line that was put in between, the one that was expected in its place may follow.
    if (line < lines_before_ || line == cursor_) cursor_ = line + 1;
  }
  void StartRecordingOrder();
  template <typename F>
  void ChangeFamily(std::string_view name, F change);
  // The latest time of the series' samples that were committed before this scrape.
  TimestampMs LatestTime(uint32_t place) const {
    if (place >= builder_.first_provisional()) return LastTimes::kNever;
    const TimestampMs* own = layout_.last_times_.Find(place);
    return own != nullptr ? *own : SharedTime(place);
  }
  // That of a place which has none of its own.
  TimestampMs SharedTime(uint32_t place) const;
  bool IsLater(uint32_t place, TimestampMs time) const;
  void ForgetPage();
  void AddStaleMarkers();
  void AddReport(const ScrapeReport& report);
  void SettleNewSeries();
  void NoteFormat();
  void SettleLines();
  void NoteTime(uint32_t place, TimestampMs time);
  void SettleTimes(bool page_has_samples);
  void SettleFamilies();
  void CountAbsences();
  // Calls f(place) for the places of the layout's groups that are in neither bitmap.
  template <typename F>
  void ForEachMissing(const Bitmap& present, const Bitmap* also, F f) const;

  TargetLayout& layout_;
  const ScrapeRules& rules_;
  const Labels& target_labels_;
  const HashKey& hash_;
  MetadataPool& metadata_;
  MetadataPool* const series_families_;
  TargetQuota* quota_;
  ScrapeBuffer& buffer_;
  LayoutBuilder builder_;
  const TimestampMs timestamp_;
  const TimestampMs latest_allowed_;

  uint8_t format_ = 0;
  uint32_t cursor_ = 0;
  const uint32_t lines_before_;  // lines known before this page
  bool recording_order_ = false;
  bool failed_ = false;
  bool arrived_ = false;
  bool any_bytes_ = false;
  bool metadata_read_ = false;
  const bool times_matter_;  // some series may have samples later than this scrape
  uint64_t limited_ = 0;     // samples that count towards sample_limit
  bool marks_ = false;       // whether what changes is written down in the buffer
  PageTotals marked_totals_;
  uint32_t marked_lines_ = 0;
  std::string error_;
  std::string identity_;  // scratch
  PageTotals totals_;
};

}  // namespace tributary
