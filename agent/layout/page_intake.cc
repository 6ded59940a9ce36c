#include "agent/layout/page_intake.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "agent/layout/free_memory.h"
#include "common/base/assert.h"
#include "common/base/varint.h"
#include "common/exposition/openmetrics_parser.h"
#include "common/histogram/validate.h"
#include "common/wire/histogram.h"

namespace tributary {

namespace {

// Samples may be that far ahead of the clock (scrape.go maxAheadTime).
constexpr TimestampMs kAheadMaxMs = 10 * 60 * 1000;

// tsdb/agent: minValidTime. Pages may give any time.
TimestampMs BeforeWindow(TimestampMs latest, TimestampMs window) {
  return latest < LastTimes::kNever + window ? LastTimes::kNever : latest - window;
}

}  // namespace

PageIntake::PageIntake(const Context& context, TimestampMs timestamp, TimestampMs now)
    : layout_(context.layout),
      rules_(context.rules),
      target_labels_(context.target_labels),
      hash_(context.hash),
      metadata_(context.metadata),
      series_families_(context.series_families),
      quota_(context.quota),
      buffer_(context.buffer),
      builder_(context.layout),
      timestamp_(timestamp),
      latest_allowed_(now + kAheadMaxMs),
      lines_before_(context.layout.lines_.size()),
      times_matter_(context.layout.last_times_max_ != LastTimes::kNever &&
                    BeforeWindow(context.layout.last_times_max_,
                                 context.rules.out_of_order_window_ms) >= timestamp) {
  buffer_.values.resize(std::max<size_t>(buffer_.values.size(), layout_.place_end_));
  buffer_.ClearSamples(layout_.place_end_);
  buffer_.mentioned.Clear(layout_.place_end_);
  buffer_.tracked.Clear(layout_.place_end_);
  buffer_.seen.Clear(lines_before_);
  buffer_.accepted.Clear(0);
  buffer_.order.clear();
  buffer_.carry.clear();
}

void PageIntake::Stop(std::string message) {
  failed_ = true;
  error_ = std::move(message);
  FreeMemory(buffer_.carry);
}

bool PageIntake::TakeComment(uint64_t hash, size_t text_size, std::string_view family) {
  if (series_families_ != nullptr && !family.empty()) layout_.family_of_line_[hash] = hash_(family);
  uint32_t line = Find(hash);
  const bool known = line != KnownLines::kNone;
  if (!known) line = layout_.lines_.Add(hash, text_size, KnownLines::kComment);
  if (!buffer_.seen.Test(line)) VisitLine(line);
  return known;
}

template <typename F>
void PageIntake::ChangeFamily(std::string_view name, F change) {
  metadata_read_ = true;
  FamilyRef& entry = layout_.families_[hash_(name)];
  FamilyMetadata family;
  if (entry != nullptr) family = *entry;
  family.family = name;
  change(family);
  entry = metadata_.Intern(std::move(family));
}

void PageIntake::TakeType(std::string_view family, MetricType type) {
  ChangeFamily(family, [type](FamilyMetadata& metadata) { metadata.type = type; });
}

void PageIntake::TakeHelp(std::string_view family, std::string_view help) {
  ChangeFamily(family, [help](FamilyMetadata& metadata) { metadata.help = help; });
}

void PageIntake::TakeUnit(std::string_view family, std::string_view unit) {
  ChangeFamily(family, [unit](FamilyMetadata& metadata) { metadata.unit = unit; });
}

void PageIntake::StartRecordingOrder() {
  recording_order_ = true;
  // So far every line came where it was expected.
  buffer_.order.resize(cursor_);
  for (uint32_t line = 0; line < cursor_; line++) buffer_.order[line] = line;
}

uint32_t PageIntake::Learn(uint64_t hash, size_t text_size, Labels labels,
                           const std::vector<std::string>& emptied, NativeHistogram* histogram) {
  uint32_t place = KnownLines::kDropped;
  if (MutateSampleLabels(rules_, target_labels_, emptied, labels)) {
    Status valid = CheckSeriesLabels(rules_, labels, totals_.over_label_limit);
    if (!valid) {
      CountUntaken();
      Stop(std::move(valid.error().message));
      return KnownLines::kNone;
    }
    if (rules_.sample_limit > 0 && limited_ >= rules_.sample_limit) {
      // The page is refused anyway: what is beyond the limit is counted but not learned.
      CountUntaken();
      totals_.over_sample_limit |= histogram == nullptr || BucketsAllow(*histogram);
      totals_.samples_added += failed_ ? 0 : 1;
      return KnownLines::kNone;
    }
    place = KnownLines::kOverLimit;
    if (quota_ == nullptr || HasRoom(labels)) {
      place = builder_.PlaceOf(labels);
      CHECK(place <= KnownLines::kPlaceMax);
      buffer_.Grow(place + 1);
    }
    layout_.has_over_limit_ |= place == KnownLines::kOverLimit;
  }
  return layout_.lines_.Add(hash, text_size, place);
}

bool PageIntake::HasRoom(const Labels& labels) {
  const uint32_t place = builder_.Find(labels);
  const bool is_gone = layout_.IsGone(place);
  if (place != TargetLayout::kNoPlace && !is_gone) return true;
  if (!quota_->Admit(labels, target_labels_, timestamp_)) return false;
  if (is_gone) layout_.absences_.erase(place);
  return true;
}

void PageIntake::CountPlaceless(uint32_t place) {
  if (place == KnownLines::kOverLimit) {
    totals_.over_series_limit++;
    totals_.samples_added++;
  } else {
    totals_.dropped++;
  }
}

void PageIntake::Mark() {
  marks_ = true;
  marked_totals_ = totals_;
  marked_lines_ = layout_.lines_.size();
  buffer_.since_mark.clear();
}

void PageIntake::ReturnToMark() {
  totals_ = marked_totals_;
  for (const auto& [bitmap, number] : buffer_.since_mark) (buffer_.*bitmap).Reset(number);
  layout_.lines_.Truncate(marked_lines_);
}

inline bool PageIntake::IsSecond(uint32_t line, const TimestampMs* own, bool seen) {
  const bool second =
      seen && own == nullptr && (layout_.lines_.accepted(line) || buffer_.accepted.Test(line));
  totals_.duplicates += second;
  return second;
}

inline bool PageIntake::IsOverSampleLimit() {
  if (rules_.sample_limit == 0 || ++limited_ <= rules_.sample_limit) return false;
  totals_.over_sample_limit = true;
  return true;
}

inline bool PageIntake::IsTooFarAhead(TimestampMs time) {
  if (time <= latest_allowed_) return false;
  totals_.out_of_bounds++;
  return true;
}

inline void PageIntake::NoteAccepted(uint32_t line) {
  if (layout_.lines_.accepted(line) || buffer_.accepted.Test(line)) return;
  buffer_.accepted.Set(line);
  if (marks_) buffer_.since_mark.emplace_back(&ScrapeBuffer::accepted, line);
  if (!totals_.over_sample_limit && !totals_.over_bucket_limit) totals_.series_added++;
}

// As tsdb/agent: by what was committed before; samples of one page are not compared with each
// other.
inline bool PageIntake::IsOutOfOrder(uint32_t place, TimestampMs time) {
  if (IsLater(place, time)) return false;
  totals_.out_of_order++;
  return true;
}

PageIntake::Taken PageIntake::TakeFloat(uint32_t line, double value,
                                        const std::optional<TimestampMs>& timestamp) {
  totals_.lines_total++;
  const uint32_t place = layout_.lines_.place(line);
  const TimestampMs* own = OwnTime(timestamp);
  const bool drops = place > KnownLines::kPlaceMax;
  const bool seen = buffer_.seen.Test(line);
  const bool second = !drops && IsSecond(line, own, seen);
  if (!seen) VisitLine(line);
  if (drops) {
    CountPlaceless(place);
    return Taken::kUnread;
  }
  totals_.samples_added++;
  if (second) return Taken::kUnread;
  if (IsOverSampleLimit()) return Taken::kRefused;
  if (own != nullptr || times_matter_) {
    buffer_.mentioned.Set(place);
    const TimestampMs time = own != nullptr ? *own : timestamp_;
    if (IsTooFarAhead(time) || IsOutOfOrder(place, time)) return Taken::kRefused;
  }
  if (own == nullptr && !buffer_.present.Test(place)) {
    buffer_.values[place] = value;
    buffer_.present.Set(place);
    if (marks_) buffer_.since_mark.emplace_back(&ScrapeBuffer::present, place);
  } else if (own != nullptr && !buffer_.has_timed.Test(place) && !buffer_.has_further.Test(place)) {
    if (place >= buffer_.timed.size()) buffer_.timed.resize(buffer_.values.size());
    buffer_.timed[place] = {*own, value};
    buffer_.has_timed.Set(place);
  } else {
    buffer_.further.push_back({place, own == nullptr ? timestamp_ : *own, value});
    buffer_.has_further.Set(place);
  }
  if (own != nullptr && rules_.track_timestamps_staleness) Track(place);
  NoteAccepted(line);
  return Taken::kYes;
}

PageIntake::Taken PageIntake::TakeHistogram(uint32_t line, NativeHistogram& histogram,
                                            const std::optional<TimestampMs>& timestamp,
                                            TimestampMs start) {
  totals_.lines_total++;
  const uint32_t place = layout_.lines_.place(line);
  const TimestampMs* own = OwnTime(timestamp);
  const bool drops = place > KnownLines::kPlaceMax;
  const bool seen = buffer_.seen.Test(line);
  const bool second = !drops && IsSecond(line, own, seen);
  if (!seen) VisitLine(line);
  if (drops) {
    CountPlaceless(place);
    return Taken::kUnread;
  }
  const TimestampMs time = own != nullptr ? *own : timestamp_;
  const bool takes = !second && LimitsAllow(histogram, time);
  if (failed_) return Taken::kRefused;
  totals_.samples_added++;
  buffer_.mentioned.Set(place);
  if (second) return Taken::kUnread;
  if (!takes || IsOutOfOrder(place, time)) return Taken::kRefused;
  ScrapeBuffer::PlacedHistogram placed{place, {}};
  placed.sample.timestamp = time;
  placed.sample.start = start;
  placed.sample.custom_buckets = histogram.schema == kCustomBucketsSchema;
  EncodeHistogram(histogram, placed.sample.encoded);
  buffer_.histograms.push_back(std::move(placed));
  if (own == nullptr || rules_.track_timestamps_staleness) Track(place);
  NoteAccepted(line);
  return Taken::kYes;
}

bool PageIntake::BucketsAllow(NativeHistogram& histogram) {
  switch (LimitHistogram(rules_.histogram_limits, histogram)) {
    case HistogramLimitOutcome::kTaken:
      return true;
    case HistogramLimitOutcome::kTooManyBuckets:
      totals_.over_bucket_limit = true;
      return false;
    case HistogramLimitOutcome::kInvalid:
      Stop("a native histogram's spans and buckets do not fit each other");
      return false;
  }
  return false;
}

// In Prometheus' order: what is over one limit is not counted for the next.
bool PageIntake::LimitsAllow(NativeHistogram& histogram, TimestampMs time) {
  if (!BucketsAllow(histogram)) return false;
  if (IsOverSampleLimit() || IsTooFarAhead(time)) return false;
  if (Status valid = ValidateHistogram(histogram); !valid) {
    Stop(std::move(valid.error().message));
    return false;
  }
  return true;
}

void PageIntake::Track(uint32_t place) {
  if (buffer_.tracked.Test(place)) return;
  buffer_.tracked.Set(place);
  if (marks_) buffer_.since_mark.emplace_back(&ScrapeBuffer::tracked, place);
}

const ExemplarMark* PageIntake::LastExemplar(uint32_t place) const {
  auto staged = buffer_.last_exemplars.find(place);
  if (staged != buffer_.last_exemplars.end()) return &buffer_.exemplars[staged->second].mark;
  auto known = layout_.exemplars_.find(place);
  return known == layout_.exemplars_.end() ? nullptr : &known->second;
}

void PageIntake::TakeExemplar(uint32_t line, std::string_view text,
                              const std::optional<TimestampMs>& sample_timestamp) {
  const uint32_t place = layout_.lines_.place(line);
  const ExemplarMark* last = LastExemplar(place);
  const uint64_t text_hash = hash_(text);
  if (last != nullptr && last->text == text_hash) return;
  Result<ParsedExemplar> exemplar = ParseExemplar(text);
  if (!exemplar) {
    totals_.exemplars_invalid++;
    return;
  }
  const TimestampMs* own = OwnTime(sample_timestamp);
  StageExemplar(place, *exemplar, own != nullptr ? *own : timestamp_, text_hash);
}

void PageIntake::TakeExemplars(uint32_t line, std::vector<ParsedExemplar>& exemplars,
                               const std::optional<TimestampMs>& sample_timestamp) {
  const TimestampMs* own = OwnTime(sample_timestamp);
  const TimestampMs sample_time = own != nullptr ? *own : timestamp_;
  // NaN is no order of numbers: it goes first.
  std::sort(exemplars.begin(), exemplars.end(),
            [&](const ParsedExemplar& a, const ParsedExemplar& b) {
              const TimestampMs a_time = a.timestamp.value_or(sample_time);
              const TimestampMs b_time = b.timestamp.value_or(sample_time);
              if (a_time != b_time) return a_time < b_time;
              if (std::isnan(a.value) != std::isnan(b.value)) return std::isnan(a.value);
              if (a.value < b.value || a.value > b.value) return a.value < b.value;
              return a.labels < b.labels;
            });
  for (const ParsedExemplar& exemplar : exemplars) {
    StageExemplar(layout_.lines_.place(line), exemplar, sample_time, 0);
  }
}

void PageIntake::StageExemplar(uint32_t place, const ParsedExemplar& exemplar,
                               TimestampMs sample_time, uint64_t text) {
  ScrapeBuffer::PlacedExemplar placed;
  placed.place = place;
  placed.sample.timestamp = exemplar.timestamp.value_or(sample_time);
  placed.sample.value = exemplar.value;
  PackLabels(exemplar.labels, placed.sample.labels);
  const bool is_nan = std::isnan(exemplar.value);
  identity_.assign(placed.sample.labels);
  PutVarint(identity_, std::bit_cast<uint64_t>(exemplar.value + 0.0));
  placed.mark = {is_nan ? 0 : text, hash_(identity_), placed.sample.timestamp,
                 exemplar.timestamp.has_value()};
  if (const ExemplarMark* last = LastExemplar(place)) {
    // As Prometheus compares two: times count if either came with one; NaN is never the same.
    const bool times_count = last->has_own_time || placed.mark.has_own_time;
    const bool same_time = !times_count || last->timestamp == placed.mark.timestamp;
    if (last->value == placed.mark.value && same_time && !is_nan) return;
  }
  buffer_.last_exemplars[place] = buffer_.exemplars.size();
  buffer_.exemplars.push_back(std::move(placed));
}

void PageIntake::TakeStart(uint32_t place, TimestampMs start) {
  if (place >= buffer_.starts.size()) buffer_.starts.resize(buffer_.values.size());
  buffer_.starts[place] = start;
  buffer_.any_starts = true;
}

TimestampMs PageIntake::SharedTime(uint32_t place) const {
  const auto& reports = layout_.report_;
  const bool is_report = std::find(reports.begin(), reports.end(), place) != reports.end();
  return is_report ? layout_.last_scrape_ms_ : layout_.page_time_ms_;
}

bool PageIntake::IsLater(uint32_t place, TimestampMs time) const {
  return time > BeforeWindow(LatestTime(place), rules_.out_of_order_window_ms);
}

Status PageIntake::FinishPage() {
  arrived_ = true;
  if (!failed_ && totals_.over_sample_limit) {
    Stop(fmt::format("sample_limit exceeded (more than {} samples after relabeling)",
                     rules_.sample_limit));
  }
  if (!failed_ && totals_.over_bucket_limit) {
    Stop(fmt::format("native_histogram_bucket_limit exceeded (more than {} buckets)",
                     rules_.histogram_limits.buckets_max));
  }
  if (failed_) return Fail(error_);
  return {};
}

void PageIntake::AbandonPage() {
  arrived_ = false;
  failed_ = true;
  totals_ = {};
}

}  // namespace tributary
