#include "agent/layout/page_reader.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "common/base/assert.h"
#include "common/exposition/text_parser.h"

namespace tributary {

namespace {

// Samples may be that far ahead of the clock (scrape.go maxAheadTime).
constexpr TimestampMs kAheadMaxMs = 10 * 60 * 1000;

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

// Moves what was staged under provisional places to the final ones.
void Remap(ScrapeBuffer& buffer, uint32_t first, const std::vector<uint32_t>& final_places) {
  const auto count = static_cast<uint32_t>(final_places.size());
  std::vector<double> values(count);
  std::vector<bool> present(count), tracked(count);
  uint32_t place_end = first;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t place = first + i;
    if (place < buffer.values.size()) values[i] = buffer.values[place];
    present[i] = buffer.present.Test(place);
    tracked[i] = buffer.tracked.Test(place);
    buffer.present.Reset(place);
    buffer.tracked.Reset(place);
    place_end = std::max(place_end, final_places[i] + 1);
  }
  if (buffer.values.size() < place_end) buffer.values.resize(place_end);
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t place = final_places[i];
    buffer.values[place] = values[i];
    if (present[i]) buffer.present.Set(place);
    if (tracked[i]) buffer.tracked.Set(place);
  }
  for (ScrapeBuffer::PlacedSample& sample : buffer.own) {
    if (sample.place >= first) sample.place = final_places[sample.place - first];
  }
}

// The group's part of the bitmap over places, and its values.
GroupSamples SliceGroup(const TargetLayout::Group& group, TimestampMs timestamp,
                        const Bitmap& present, const std::vector<double>& values) {
  GroupSamples samples;
  samples.group = group.definition;
  samples.timestamp = timestamp;
  const uint32_t series = group.definition->series();
  samples.present.resize((series + 63) / 64);
  size_t count = 0;
  for (size_t w = 0; w < samples.present.size(); w++) {
    samples.present[w] = present.word(group.first_place / 64 + w);
    count += static_cast<size_t>(std::popcount(samples.present[w]));
  }
  const double* from = values.data() + group.first_place;
  if (count == series) {
    samples.values.assign(from, from + series);
    return samples;
  }
  samples.values.reserve(count);
  for (uint32_t i = 0; i < series; i++) {
    if (samples.Has(i)) samples.values.push_back(from[i]);
  }
  return samples;
}

Commit SliceCommit(const TargetLayout& layout, TimestampMs timestamp, const Bitmap& present,
                   const std::vector<double>& values,
                   const std::vector<ScrapeBuffer::PlacedSample>& own) {
  Commit commit;
  commit.target_key = layout.target_key();
  commit.groups.reserve(layout.groups().size());
  for (const TargetLayout::Group& group : layout.groups()) {
    commit.groups.push_back(SliceGroup(group, timestamp, present, values));
  }
  for (const ScrapeBuffer::PlacedSample& sample : own) {
    auto after = std::upper_bound(layout.groups().begin(), layout.groups().end(), sample.place,
                                  [](uint32_t place, const TargetLayout::Group& group) {
                                    return place < group.first_place;
                                  });
    CHECK(after != layout.groups().begin());
    const auto index = static_cast<size_t>(after - layout.groups().begin()) - 1;
    commit.groups[index].own.push_back(
        {sample.place - layout.groups()[index].first_place, sample.timestamp, sample.value});
  }
  std::erase_if(commit.groups, [](const GroupSamples& samples) { return samples.samples() == 0; });
  return commit;
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
      lines_before_(context.layout.lines_.size()) {
  buffer_.values.resize(std::max<size_t>(buffer_.values.size(), layout_.place_end_));
  buffer_.present.Clear(layout_.place_end_);
  buffer_.tracked.Clear(layout_.place_end_);
  buffer_.seen.Clear(lines_before_);
  buffer_.own.clear();
  buffer_.order.clear();
  buffer_.accepted.clear();
  buffer_.carry.clear();
}

void PageReader::Stop(std::string message) {
  failed_ = true;
  error_ = std::move(message);
  buffer_.carry = {};
}

void PageReader::Push(std::string_view bytes) {
  if (bytes.empty()) return;
  any_bytes_ = true;
  const char* begin = bytes.data();
  const char* end = begin + bytes.size();
  std::string line;
  while (begin < end && !failed_ && !ended_) {
    if (buffer_.carry.empty()) {
      const auto* last =
          static_cast<const char*>(memrchr(begin, '\n', static_cast<size_t>(end - begin)));
      if (last != nullptr) {
        ReadLines(begin, last + 1);
        begin = last + 1;
      }
      if (!failed_) buffer_.carry.append(begin, end);
      begin = end;
    } else {
      const char* newline = FindNewline(begin, end);
      const char* stop = newline == nullptr ? end : newline + 1;
      buffer_.carry.append(begin, stop);
      begin = stop;
      if (newline != nullptr) {
        line.clear();
        line.swap(buffer_.carry);
        ReadLines(line.data(), line.data() + line.size());
      }
    }
    if (buffer_.carry.size() > kLineBytesMax) {
      Stop(fmt::format("a line of the page is longer than {} bytes", kLineBytesMax));
    }
  }
}

void PageReader::ReadLines(const char* begin, const char* end) {
  const KnownLines& lines = layout_.lines_;
  const char* at = begin;
  while (at < end) {
    if (cursor_ < lines.size()) {
      const size_t length = lines.length(cursor_);
      const char* rest = at + length;
      if (length != 0 && length < static_cast<size_t>(end - at) &&
          hash_({at, length}) == lines.hash(cursor_)) {
        const uint32_t place = lines.place(cursor_);
        if (place == KnownLines::kComment) {
          if (*rest == '\n') {
            ReadKnownComment({at, length});
            at = rest + 1;
            continue;
          }
        } else if (*rest == ' ' || *rest == '\t') {
          const char* newline = FindNewline(rest, end);
          ValueAndTimestamp sample;
          if (ParseValueAndTimestamp({rest, static_cast<size_t>(newline - rest)}, sample)) {
            totals_.lines_total++;
            TakeSample(cursor_, place, sample);
            at = newline + 1;
            continue;
          }
        }
      }
    }
    const char* newline = ReadUnknownLine(at, end);
    if (failed_ || ended_) return;
    if (newline == nullptr) {
      buffer_.carry.assign(at, end);
      return;
    }
    at = newline + 1;
  }
}

const char* PageReader::ReadUnknownLine(const char* begin, const char* end) {
  const char* newline = FindNewline(begin, end);
  while (true) {
    const std::string_view line(begin, static_cast<size_t>(newline - begin));
    auto parsed = ParseLine(line, buffer_.text);
    if (parsed) {
      ReadLine(line, *parsed);
      return newline;
    }
    // A newline inside quotes: the line goes on with the next one. Each try reads it from its start, so
    // their number is bounded.
    if (last_line_ || !NeedsNextLine(line) || ++joined_lines_ > kJoinedLinesMax) {
      Stop(std::move(parsed.error().message));
      return newline;
    }
    const char* next = newline + 1 < end ? FindNewline(newline + 1, end) : nullptr;
    if (next == nullptr) return nullptr;
    newline = next;
  }
}

// Only what later lines depend on is read again: the type decides how `le` and `quantile` are written.
void PageReader::ReadKnownComment(std::string_view line) {
  VisitLine(cursor_);
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
  if (known == KnownLines::kNone) known = layout_.lines_.Add(hash, line.size(), KnownLines::kComment);
  if (!buffer_.seen.Test(known)) VisitLine(known);
}

void PageReader::ReadMetadata(const ParsedLine& parsed) {
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
  if (line >= cursor_) cursor_ = line + 1;
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
  const bool again = line != cursor_ && buffer_.seen.Test(line);
  if (!again) VisitLine(line);
  if (place == KnownLines::kDropped) return;
  totals_.samples_added++;
  const bool own = sample.timestamp.has_value() && rules_.honor_timestamps;
  if (again && !own) {
    totals_.duplicates++;
    return;
  }
  if (rules_.sample_limit > 0 && ++limited_ > rules_.sample_limit) {
    totals_.over_sample_limit = true;
    return;
  }
  if (own || !layout_.own_times_.empty()) {
    const TimestampMs time = own ? *sample.timestamp : timestamp_;
    if (time > latest_allowed_) {
      totals_.out_of_bounds++;
      return;
    }
    if (!IsLater(place, time, own)) {
      totals_.out_of_order++;
      return;
    }
    if (own) buffer_.own.push_back({place, time, sample.value});
  }
  if (!own) {
    if (buffer_.present.Test(place)) {
      buffer_.own.push_back({place, timestamp_, sample.value});
    } else {
      buffer_.values[place] = sample.value;
      buffer_.present.Set(place);
    }
  }
  if (!own || rules_.track_timestamps_staleness) buffer_.tracked.Set(place);
  if (!layout_.lines_.accepted(line)) {
    const bool counted = again && std::find(buffer_.accepted.begin(), buffer_.accepted.end(), line) !=
                                      buffer_.accepted.end();
    if (!counted) {
      buffer_.accepted.push_back(line);
      if (!totals_.over_sample_limit) totals_.series_added++;
    }
  }
}

bool PageReader::IsLater(uint32_t place, TimestampMs time, bool own) const {
  auto it = layout_.own_times_.find(place);
  if (it != layout_.own_times_.end()) return time > it->second - rules_.out_of_order_window_ms;
  // A series with the scrapes' times only has none later than the last scrape's.
  if (!own || place >= builder_.first_provisional()) return true;
  return time > layout_.last_scrape_ms_ - rules_.out_of_order_window_ms;
}

Status PageReader::FinishPage() {
  arrived_ = true;
  if (!failed_ && !buffer_.carry.empty()) {
    std::string line;
    line.swap(buffer_.carry);
    line += '\n';
    last_line_ = true;
    ReadLines(line.data(), line.data() + line.size());
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

void PageReader::ForgetPage() {
  layout_.lines_.Truncate(lines_before_);
  builder_.Discard();
  buffer_.tracked.Clear(layout_.place_end_);
  buffer_.accepted.clear();
  recording_order_ = false;
}

void PageReader::AddStaleMarkers() {
  layout_.tracked_.ForEach([&](uint32_t place) {
    if (buffer_.tracked.Test(place) || buffer_.present.Test(place)) return;
    if (!IsLater(place, timestamp_, false)) return;
    buffer_.values[place] = StaleNan();
    buffer_.present.Set(place);
  });
}

void PageReader::AddReport(const ScrapeReport& report) {
  const double values[kReportSeries] = {
      report.up ? 1.0 : 0.0,
      report.duration_seconds,
      static_cast<double>(totals_.lines_total),
      static_cast<double>(totals_.samples_added),
      static_cast<double>(totals_.series_added),
      report.timeout_seconds,
      report.sample_limit,
      report.body_bytes,
  };
  const size_t count = rules_.extra_metrics ? kReportSeries : kReportSeriesPlain;
  for (size_t i = 0; i < count; i++) {
    uint32_t& place = layout_.report_[i];
    if (place == TargetLayout::kNoPlace) {
      place = builder_.PlaceOf(
          ReportLabels(ReportSeriesName(static_cast<ReportSeries>(i)), target_labels_));
      if (place >= buffer_.values.size()) buffer_.values.resize(place + 1);
    }
    if (buffer_.present.Test(place)) {
      buffer_.own.push_back({place, timestamp_, values[i]});
    } else {
      buffer_.values[place] = values[i];
      buffer_.present.Set(place);
    }
  }
}

void PageReader::SettleNewSeries() {
  if (builder_.new_series() == 0) return;
  const uint32_t first = builder_.first_provisional();
  const std::vector<uint32_t> places = builder_.Settle();
  Remap(buffer_, first, places);
  // Lines learned from this page, and older ones whose series got its place only now, refer to them.
  for (uint32_t line = lines_before_; line < layout_.lines_.size(); line++) {
    const uint32_t place = layout_.lines_.place(line);
    if (place >= first && place <= KnownLines::kPlaceMax) {
      layout_.lines_.SetPlace(line, places[place - first]);
    }
  }
  for (uint32_t& place : layout_.report_) {
    if (place != TargetLayout::kNoPlace && place >= first) place = places[place - first];
  }
}

// A good page decides which lines are known from now on, and in which order they are expected.
void PageReader::SettleLines() {
  KnownLines& lines = layout_.lines_;
  for (uint32_t line : buffer_.accepted) lines.SetAccepted(line);
  lines.DropIndex();
  if (failed_ || !any_bytes_) return;
  if (recording_order_ || cursor_ < lines.size()) {
    std::vector<uint32_t>& order = buffer_.order;
    if (!recording_order_) StartRecordingOrder();
    for (uint32_t line = 0; line < lines.size(); line++) {
      if (buffer_.seen.Test(line)) continue;
      lines.ClearAccepted(line);
      // Series may come back soon; comments and dropped lines are cheap to read again.
      if (lines.place(line) <= KnownLines::kPlaceMax && !IsGone(lines.place(line))) {
        order.push_back(line);
      }
    }
    lines.Reorder(order);
  }
  if (lines.size() > lines_before_) lines.ShrinkToFit();
  if (layout_.families_.size() > lines.size() + 100) layout_.families_.clear();
  layout_.lines_at_success_ = lines.size();
}

bool PageReader::IsGone(uint32_t place) const {
  auto it = layout_.absences_.find(place);
  return it != layout_.absences_.end() && it->second >= LayoutBuilder::kAbsencesMax;
}

// Before markers and reports are added: what the page itself has. A word of the bitmaps at a time, as
// mostly nothing is missing.
void PageReader::CountAbsences() {
  auto is_here = [&](uint32_t place) {
    return buffer_.present.Test(place) || buffer_.tracked.Test(place);
  };
  boost::unordered::erase_if(layout_.absences_,
                             [&](const auto& entry) { return is_here(entry.first); });
  for (const TargetLayout::Group& group : layout_.groups_) {
    const uint32_t series = group.definition->series();
    for (uint32_t i = 0; i < series; i += 64) {
      const size_t word = (group.first_place + i) / 64;
      const uint64_t members = series - i >= 64 ? ~uint64_t{0} : (uint64_t{1} << (series - i)) - 1;
      uint64_t missing = members & ~(buffer_.present.word(word) | buffer_.tracked.word(word));
      for (; missing != 0; missing &= missing - 1) {
        uint8_t& count = layout_.absences_[static_cast<uint32_t>(word * 64) +
                                           static_cast<uint32_t>(std::countr_zero(missing))];
        if (count < 255) count++;
      }
    }
  }
  // Samples with own times alone keep a series alive, and reports always come.
  for (const ScrapeBuffer::PlacedSample& sample : buffer_.own) layout_.absences_.erase(sample.place);
  for (uint32_t place : layout_.report_) layout_.absences_.erase(place);
}

Commit PageReader::MakeCommit(const ScrapeReport& report) {
  const bool overgrown = layout_.lines_.size() > 2 * layout_.lines_at_success_ + 1000;
  if (failed_) {
    buffer_.present.Clear(layout_.place_end_);
    buffer_.own.clear();
    // Pages that fail for ever with ever new lines must not make the layout grow.
    if (!arrived_ || overgrown) ForgetPage();
  }
  if (!failed_ && any_bytes_) CountAbsences();
  AddStaleMarkers();
  AddReport(report);
  SettleNewSeries();
  SettleLines();
  if (!failed_) {
    for (const ScrapeBuffer::PlacedSample& sample : buffer_.own) {
      if (sample.timestamp == timestamp_) continue;
      TimestampMs& latest = layout_.own_times_[sample.place];
      latest = std::max(latest, sample.timestamp);
    }
  }
  layout_.tracked_.swap(buffer_.tracked);
  layout_.last_scrape_ms_ = timestamp_;
  Commit commit =
      SliceCommit(layout_, timestamp_, buffer_.present, buffer_.values, buffer_.own);
  if (!failed_ && LayoutBuilder::WantsRegroup(layout_)) LayoutBuilder::Regroup(layout_);
  return commit;
}

Commit PageReader::MakeEndCommit(TargetLayout& layout, TimestampMs timestamp,
                                 const std::function<bool(std::string_view)>& lives_on) {
  Bitmap ending = layout.tracked_;
  for (uint32_t place : layout.report_) {
    if (place != TargetLayout::kNoPlace) ending.Set(place);
  }
  Bitmap present;
  present.Clear(layout.place_end_);
  std::string buffer;
  for (const TargetLayout::Group& group : layout.groups_) {
    uint32_t place = group.first_place;
    for (std::string_view packed : group.definition->Packed(buffer)) {
      auto own = layout.own_times_.find(place);
      const bool later = own == layout.own_times_.end() || timestamp > own->second;
      if (ending.Test(place) && later && !lives_on(packed)) present.Set(place);
      place++;
    }
  }
  const std::vector<double> values(layout.place_end_, StaleNan());
  return SliceCommit(layout, timestamp, present, values, {});
}

}  // namespace tributary
