#include "agent/layout/page_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "common/base/assert.h"
#include "common/exposition/text_parser.h"

namespace tributary {

namespace {

// Samples may be that far ahead of the clock (scrape.go maxAheadTime).
constexpr TimestampMs kAheadMaxMs = 10 * 60 * 1000;

constexpr size_t kScratchLineMax = 64 << 10;

const char* FindNewline(const char* begin, const char* end) {
  return static_cast<const char*>(memchr(begin, '\n', static_cast<size_t>(end - begin)));
}

MetricType TypeOf(std::string_view word) {
  if (word == "counter") return MetricType::kCounter;
  if (word == "gauge") return MetricType::kGauge;
  if (word == "histogram") return MetricType::kHistogram;
  if (word == "gaugehistogram") return MetricType::kGaugeHistogram;
  if (word == "summary") return MetricType::kSummary;
  if (word == "info") return MetricType::kInfo;
  if (word == "stateset") return MetricType::kStateset;
  return MetricType::kUnknown;
}

// Of these the text parser writes `le` and `quantile` in one form.
std::string_view TypeWord(MetricType type) {
  if (type == MetricType::kHistogram) return "histogram";
  if (type == MetricType::kSummary) return "summary";
  return "";
}

}  // namespace

PageReader::PageReader(const Context& context, TimestampMs timestamp, TimestampMs now)
    : layout_(context.layout),
      rules_(context.rules),
      target_labels_(context.target_labels),
      hash_(context.hash),
      metadata_(context.metadata),
      buffer_(context.buffer),
      builder_(context.layout),
      timestamp_(timestamp),
      latest_allowed_(now + kAheadMaxMs),
      lines_before_(context.layout.lines_.size()),
      times_matter_(context.layout.last_times_max_ != TargetLayout::kNever &&
                    context.layout.last_times_max_ - context.rules.out_of_order_window_ms >=
                        timestamp) {
  buffer_.values.resize(std::max<size_t>(buffer_.values.size(), layout_.place_end_));
  buffer_.present.Clear(layout_.place_end_);
  buffer_.mentioned.Clear(layout_.place_end_);
  buffer_.tracked.Clear(layout_.place_end_);
  buffer_.seen.Clear(lines_before_);
  buffer_.accepted.Clear(0);
  buffer_.own.clear();
  buffer_.order.clear();
  buffer_.carry.clear();
}

void PageReader::Stop(std::string message) {
  failed_ = true;
  error_ = std::move(message);
  buffer_.carry = {};
}

void PageReader::StopForLongLine() {
  Stop(fmt::format("a line of the page is longer than {} bytes", kLineBytesMax));
}

void PageReader::Push(std::string_view bytes) {
  if (bytes.empty()) return;
  any_bytes_ = true;
  const char* begin = bytes.data();
  const char* end = begin + bytes.size();
  while (begin < end && !failed_ && !ended_) {
    if (buffer_.carry.empty()) {
      const auto* last =
          static_cast<const char*>(memrchr(begin, '\n', static_cast<size_t>(end - begin)));
      if (last != nullptr) {
        ReadLines(begin, last + 1);
        begin = last + 1;
      }
      if (!failed_ && !ended_) buffer_.carry.append(begin, end);
      begin = end;
    } else {
      const char* newline = FindNewline(begin, end);
      const char* stop = newline == nullptr ? end : newline + 1;
      buffer_.carry.append(begin, stop);
      begin = stop;
      if (newline != nullptr) {
        ReadCarry();
        if (buffer_.carry.empty()) joined_bytes_ = 0;
      }
    }
    if (buffer_.carry.size() > kLineBytesMax) StopForLongLine();
  }
}

// What does not end a line yet is carried on.
void PageReader::ReadCarry() {
  buffer_.line.clear();
  buffer_.line.swap(buffer_.carry);
  ReadLines(buffer_.line.data(), buffer_.line.data() + buffer_.line.size());
  // Scratch is kept from scrape to scrape: not for one line of megabytes.
  if (buffer_.line.capacity() > kScratchLineMax) buffer_.line = {};
}

void PageReader::ReadLines(const char* begin, const char* end) {
  const char* at = begin;
  while (at < end) {
    const char* newline = ReadExpectedLine(at, end);
    if (newline == nullptr) newline = ReadMovedLine(at, end);
    if (newline == nullptr) {
      newline = ReadUnknownLine(at, end);
      if (failed_ || ended_) return;
    }
    if (newline == nullptr) {
      buffer_.carry.assign(at, end);
      return;
    }
    at = newline + 1;
  }
}

const char* PageReader::ReadExpectedLine(const char* begin, const char* end) {
  const KnownLines& lines = layout_.lines_;
  if (cursor_ >= lines.size()) return nullptr;
  const size_t length = lines.length(cursor_);
  if (length == 0 || length >= static_cast<size_t>(end - begin)) return nullptr;
  const char* rest = begin + length;
  if (*rest != ' ' && *rest != '\n' && *rest != '\t') return nullptr;
  if (hash_({begin, length}) != lines.hash(cursor_)) return nullptr;
  const uint32_t place = lines.place(cursor_);
  if (place == KnownLines::kComment) {
    if (*rest != '\n') return nullptr;
    ReadKnownComment({begin, length});
    return rest;
  }
  const char* newline = FindNewline(rest, end);
  ValueAndTimestamp sample;
  if (!ParseValueAndTimestamp({rest, static_cast<size_t>(newline - rest)}, sample)) return nullptr;
  totals_.lines_total++;
  TakeSample(cursor_, place, sample);
  return newline;
}

const char* PageReader::ReadMovedLine(const char* begin, const char* end) {
  if (lines_before_ == 0 || *begin == '#') return nullptr;
  const char* newline = FindNewline(begin, end);
  const std::string_view line(begin, static_cast<size_t>(newline - begin));
  const std::string_view series = SeriesText(line);
  const uint32_t known = layout_.lines_.Find(hash_(series), cursor_);
  if (known == KnownLines::kNone) return nullptr;
  const uint32_t place = layout_.lines_.place(known);
  ValueAndTimestamp sample;
  if (place == KnownLines::kComment ||
      !ParseValueAndTimestamp(line.substr(series.size()), sample)) {
    return nullptr;
  }
  totals_.lines_total++;
  TakeSample(known, place, sample);
  return newline;
}

const char* PageReader::ReadUnknownLine(const char* begin, const char* end) {
  const char* newline = FindNewline(begin + std::exchange(joined_bytes_, 0), end);
  while (true) {
    const std::string_view line(begin, static_cast<size_t>(newline - begin));
    if (line.size() > kLineBytesMax) {
      StopForLongLine();
      return newline;
    }
    auto parsed = ParseLine(line, buffer_.text);
    if (parsed) {
      ReadLine(line, *parsed);
      return newline;
    }
    // A newline inside quotes: the line goes on with the next one. Each try reads it from its
    // start, so their number is bounded.
    const char* next = newline + 1 < end ? FindNewline(newline + 1, end) : nullptr;
    if ((next == nullptr && last_line_) || !NeedsNextLine(line) ||
        ++joined_lines_ > kJoinedLinesMax) {
      Stop(std::move(parsed.error().message));
      return newline;
    }
    if (next == nullptr) {
      joined_bytes_ = line.size() + 1;
      return nullptr;
    }
    newline = next;
  }
}

// Only what later lines depend on is read again: the type decides how `le` and `quantile` are
// written.
void PageReader::ReadKnownComment(std::string_view line) {
  if (!buffer_.seen.Test(cursor_)) VisitLine(cursor_);
  if (line.find("TYPE") == std::string_view::npos) return;
  auto parsed = ParseLine(line, buffer_.text);
  if (parsed && parsed->kind == LineKind::kType) type_ = TypeOf(parsed->text);
}

void PageReader::ReadLine(std::string_view line, const ParsedLine& parsed) {
  switch (parsed.kind) {
    case LineKind::kEnd:
      ended_ = true;
      return;
    case LineKind::kBlank:
      return;
    case LineKind::kSample:
      return ReadSample(parsed.series, parsed.sample);
    case LineKind::kType:
    case LineKind::kHelp:
      ReadMetadata(parsed);
      break;
    case LineKind::kComment:
      break;
  }
  const uint64_t hash = hash_(line);
  uint32_t known = layout_.lines_.Find(hash, cursor_);
  if (known == KnownLines::kNone)
    known = layout_.lines_.Add(hash, line.size(), KnownLines::kComment);
  if (!buffer_.seen.Test(known)) VisitLine(known);
}

void PageReader::ReadMetadata(const ParsedLine& parsed) {
  metadata_read_ = true;
  const uint64_t name = hash_(parsed.family);
  auto it = layout_.families_.find(name);
  FamilyMetadata family;
  if (it != layout_.families_.end()) family = *it->second;
  family.family = parsed.family;
  if (parsed.kind == LineKind::kType) {
    type_ = TypeOf(parsed.text);
    family.type = type_;
  } else {
    family.help = parsed.text;
  }
  layout_.families_[name] = metadata_.Intern(std::move(family));
}

void PageReader::StartRecordingOrder() {
  recording_order_ = true;
  // So far every line came where it was expected.
  buffer_.order.resize(cursor_);
  for (uint32_t line = 0; line < cursor_; line++) buffer_.order[line] = line;
}

void PageReader::VisitLine(uint32_t line) {
  if (line != cursor_ && !recording_order_) StartRecordingOrder();
  buffer_.seen.Set(line);
  if (recording_order_) buffer_.order.push_back(line);
  // After a new line that was put in between, the one that was expected in its place may follow.
  if (line < lines_before_ || line == cursor_) cursor_ = line + 1;
}

void PageReader::ReadSample(std::string_view series, const ValueAndTimestamp& sample) {
  totals_.lines_total++;
  const uint64_t hash = hash_(series);
  uint32_t line = layout_.lines_.Find(hash, cursor_);
  if (line == KnownLines::kNone) line = LearnSeries(series, hash);
  if (line != KnownLines::kNone) TakeSample(line, layout_.lines_.place(line), sample);
}

uint32_t PageReader::LearnSeries(std::string_view series, uint64_t hash) {
  std::vector<std::string> emptied;
  Result<Labels> labels = ParseSeries(series, TypeWord(type_), &emptied);
  if (!labels) {
    Stop(std::move(labels.error().message));
    return KnownLines::kNone;
  }
  uint32_t place = KnownLines::kDropped;
  if (MutateSampleLabels(rules_, target_labels_, emptied, *labels)) {
    Status valid = CheckSeriesLabels(rules_, *labels, totals_.over_label_limit);
    if (!valid) {
      Stop(std::move(valid.error().message));
      return KnownLines::kNone;
    }
    if (rules_.sample_limit > 0 && limited_ >= rules_.sample_limit) {
      // The page is refused anyway: what is beyond the limit is counted but not learned.
      totals_.over_sample_limit = true;
      totals_.samples_added++;
      return KnownLines::kNone;
    }
    place = builder_.PlaceOf(*labels);
    CHECK(place <= KnownLines::kPlaceMax);
    if (place >= buffer_.values.size()) {
      buffer_.values.resize(std::max<size_t>(place + 1, buffer_.values.size() * 2));
    }
  }
  return layout_.lines_.Add(hash, series.size(), place);
}

void PageReader::TakeSample(uint32_t line, uint32_t place, const ValueAndTimestamp& sample) {
  const bool again = buffer_.seen.Test(line);
  if (!again) VisitLine(line);
  if (place == KnownLines::kDropped) return;
  totals_.samples_added++;
  const bool own = sample.timestamp.has_value() && rules_.honor_timestamps;
  const bool known = layout_.lines_.accepted(line) || buffer_.accepted.Test(line);
  if (again && known && !own) {
    totals_.duplicates++;
    return;
  }
  if (rules_.sample_limit > 0 && ++limited_ > rules_.sample_limit) {
    totals_.over_sample_limit = true;
    return;
  }
  if (own || times_matter_) {
    buffer_.mentioned.Set(place);
    const TimestampMs time = own ? *sample.timestamp : timestamp_;
    if (time > latest_allowed_) {
      totals_.out_of_bounds++;
      return;
    }
    if (!IsLater(place, time)) {
      totals_.out_of_order++;
      return;
    }
  }
  if (own) {
    buffer_.own.push_back({place, *sample.timestamp, sample.value});
    if (rules_.track_timestamps_staleness) buffer_.tracked.Set(place);
  } else if (buffer_.present.Test(place)) {
    buffer_.own.push_back({place, timestamp_, sample.value});
  } else {
    buffer_.values[place] = sample.value;
    buffer_.present.Set(place);
  }
  if (!known) {
    buffer_.accepted.Set(line);
    if (!totals_.over_sample_limit) totals_.series_added++;
  }
}

TimestampMs PageReader::LatestTime(uint32_t place) const {
  if (place >= builder_.first_provisional()) return TargetLayout::kNever;
  auto it = layout_.last_times_.find(place);
  if (it != layout_.last_times_.end()) return it->second;
  const auto& reports = layout_.report_;
  const bool is_report = std::find(reports.begin(), reports.end(), place) != reports.end();
  return is_report ? layout_.last_scrape_ms_ : layout_.page_time_ms_;
}

// As tsdb/agent: by what was committed before; samples of one page are not compared with each
// other.
bool PageReader::IsLater(uint32_t place, TimestampMs time) const {
  const TimestampMs latest = LatestTime(place);
  return latest == TargetLayout::kNever || time > latest - rules_.out_of_order_window_ms;
}

Status PageReader::FinishPage() {
  arrived_ = true;
  if (!failed_ && !ended_ && !buffer_.carry.empty()) {
    buffer_.carry += '\n';
    last_line_ = true;
    ReadCarry();
  }
  if (!failed_ && totals_.over_sample_limit) {
    Stop(fmt::format("sample_limit exceeded (more than {} samples after relabeling)",
                     rules_.sample_limit));
  }
  if (failed_) return Fail(error_);
  return {};
}

void PageReader::AbandonPage() {
  arrived_ = false;
  failed_ = true;
  totals_ = {};
}

}  // namespace tributary
