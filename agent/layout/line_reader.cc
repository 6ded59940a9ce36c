#include "agent/layout/line_reader.h"

#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "agent/layout/free_memory.h"
#include "common/exposition/openmetrics_parser.h"
#include "common/exposition/text_parser.h"

namespace tributary {

// What a line reader has to know of its format.
struct PrometheusTextFormat {
  static constexpr bool kHasEndLine = false;  // the page's last line says that it is the last
  static constexpr bool kHasStarts = false;   // _created lines may say when counts began
  static auto Parse(std::string_view line, std::string& buffer) { return ParseLine(line, buffer); }
  static bool NeedsNext(std::string_view line) { return NeedsNextLine(line); }
  static std::string_view SeriesText(std::string_view line) { return tributary::SeriesText(line); }
  static bool ParseValue(std::string_view rest, ValueAndTimestamp& sample, std::string_view&) {
    return ParseValueAndTimestamp(rest, sample);
  }
  static auto ParseSeries(std::string_view series, std::string_view type,
                          std::vector<std::string>* emptied) {
    return tributary::ParseSeries(series, type, emptied);
  }
};

struct OpenMetricsFormat {
  static constexpr bool kHasEndLine = true;
  static constexpr bool kHasStarts = true;
  static auto Parse(std::string_view line, std::string& buffer) {
    return ParseOpenMetricsLine(line, buffer);
  }
  static bool NeedsNext(std::string_view line) { return OpenMetricsNeedsNextLine(line); }
  static std::string_view SeriesText(std::string_view line) { return OpenMetricsSeriesText(line); }
  static bool ParseValue(std::string_view rest, ValueAndTimestamp& sample,
                         std::string_view& exemplar) {
    return ParseOpenMetricsValue(rest, sample, exemplar);
  }
  static auto ParseSeries(std::string_view series, std::string_view type,
                          std::vector<std::string>* emptied) {
    return ParseOpenMetricsSeries(series, type, emptied);
  }
};

template <typename Format>
LineReader<Format>::LineReader(PageIntake& intake, const HistogramMode& mode)
    : intake_(intake),
      buffer_(intake.buffer()),
      keeps_starts_(Format::kHasStarts && intake.rules().keep_starts) {
  if (mode.convert_classic) collator_.emplace(intake, mode.keep_classic);
}

namespace {

constexpr size_t kScratchLineMax = 64 << 10;

// Stands for a refused sample where others have the number of their place.
constexpr uint32_t kNobody = KnownLines::kNone;

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

// Of the types that make a difference to how lines are read.
std::string_view TypeWord(MetricType type) {
  if (type == MetricType::kCounter) return "counter";
  if (type == MetricType::kHistogram) return "histogram";
  if (type == MetricType::kSummary) return "summary";
  return "";
}

}  // namespace

template <typename Format>
void LineReader<Format>::StopForLongLine() {
  intake_.Stop(fmt::format("a line of the page is longer than {} bytes", kLineBytesMax));
}

template <typename Format>
void LineReader<Format>::Push(std::string_view bytes) {
  if (bytes.empty()) return;
  intake_.NoteBytes();
  const char* begin = bytes.data();
  const char* end = begin + bytes.size();
  while (begin < end && !done()) {
    if (buffer_.carry.empty()) {
      const auto* last =
          static_cast<const char*>(memrchr(begin, '\n', static_cast<size_t>(end - begin)));
      if (last != nullptr) {
        ReadLines(begin, last + 1);
        begin = last + 1;
      }
      if (!done()) buffer_.carry.append(begin, end);
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
  if (ended_ && begin < end) ReadBehindEnd({begin, static_cast<size_t>(end - begin)});
}

template <typename Format>
void LineReader<Format>::ReadBehindEnd(std::string_view bytes) {
  if (!Format::kHasEndLine || intake_.failed()) return;
  if (bytes.find_first_not_of('\0') == std::string_view::npos) return;
  intake_.Stop("the page goes on after # EOF");
}

template <typename Format>
void LineReader<Format>::Finish() {
  last_line_ = true;
  if (!done()) FinishLastLine();
  if (collator_ && !intake_.failed()) collator_->TakeOther();
}

template <typename Format>
void LineReader<Format>::FinishLastLine() {
  if (Format::kHasEndLine) return FinishWithEndLine();
  if (buffer_.carry.empty()) return;
  buffer_.carry += '\n';
  ReadCarry();
}

// Without a newline only the line that ends the page is a line; what is refused behind its sample
// has a sample all the same.
template <typename Format>
void LineReader<Format>::FinishWithEndLine() {
  if (!intake_.any_bytes()) return;
  auto parsed = Format::Parse(buffer_.carry, buffer_.text);
  if (parsed && parsed->kind == LineKind::kEof) return;
  if (parsed && !parsed->refused_behind.empty()) return ReadLine(buffer_.carry, *parsed);
  intake_.Stop("the page does not end with # EOF");
}

// What does not end a line yet is carried on.
template <typename Format>
void LineReader<Format>::ReadCarry() {
  buffer_.line.clear();
  buffer_.line.swap(buffer_.carry);
  ReadLines(buffer_.line.data(), buffer_.line.data() + buffer_.line.size());
  // Scratch is kept from scrape to scrape: not for one line of megabytes.
  if (buffer_.line.capacity() > kScratchLineMax) FreeMemory(buffer_.line);
}

template <typename Format>
void LineReader<Format>::ReadLines(const char* begin, const char* end) {
  const char* at = begin;
  while (at < end) {
    const char* newline = ReadExpectedLine(at, end);
    if (newline == nullptr) newline = ReadMovedLine(at, end);
    if (newline == nullptr) {
      newline = ReadUnknownLine(at, end);
      if (intake_.failed()) return;
      if (ended_) return ReadBehindEnd({newline + 1, static_cast<size_t>(end - newline - 1)});
    }
    if (newline == nullptr) {
      buffer_.carry.assign(at, end);
      return;
    }
    at = newline + 1;
  }
}

template <typename Format>
const char* LineReader<Format>::ReadExpectedLine(const char* begin, const char* end) {
  const KnownLines& lines = intake_.lines();
  const uint32_t line = intake_.cursor();
  if (line >= lines.size() || !intake_.trusts_lines()) return nullptr;
  intake_.PrefetchAhead();
  const size_t length = lines.length(line);
  if (length == 0 || length >= static_cast<size_t>(end - begin)) return nullptr;
  const char* rest = begin + length;
  if (*rest != ' ' && *rest != '\n' && *rest != '\t') return nullptr;
  if (intake_.Hash({begin, length}) != lines.hash(line)) return nullptr;
  if (lines.place(line) == KnownLines::kComment) {
    if (*rest != '\n') return nullptr;
    ReadKnownComment({begin, length});
    return rest;
  }
  if (Collates() || IsCreated({begin, length})) return nullptr;
  const char* newline = FindNewline(rest, end);
  ValueAndTimestamp sample;
  std::string_view exemplar;
  if (!Format::ParseValue({rest, static_cast<size_t>(newline - rest)}, sample, exemplar)) {
    return nullptr;
  }
  Take(line, {begin, length}, sample, exemplar);
  return newline;
}

template <typename Format>
const char* LineReader<Format>::ReadMovedLine(const char* begin, const char* end) {
  if (!intake_.trusts_lines() || *begin == '#' || Collates()) return nullptr;
  const char* newline = FindNewline(begin, end);
  const std::string_view text(begin, static_cast<size_t>(newline - begin));
  const std::string_view series = Format::SeriesText(text);
  if (IsCreated(series)) return nullptr;
  const uint32_t line = intake_.Find(intake_.Hash(series));
  if (line == KnownLines::kNone) return nullptr;
  ValueAndTimestamp sample;
  std::string_view exemplar;
  if (intake_.lines().place(line) == KnownLines::kComment ||
      !Format::ParseValue(text.substr(series.size()), sample, exemplar)) {
    return nullptr;
  }
  Take(line, series, sample, exemplar);
  return newline;
}

template <typename Format>
const char* LineReader<Format>::ReadUnknownLine(const char* begin, const char* end) {
  const char* newline = FindNewline(begin + std::exchange(joined_bytes_, 0), end);
  while (true) {
    const std::string_view line(begin, static_cast<size_t>(newline - begin));
    if (line.size() > kLineBytesMax) {
      StopForLongLine();
      return newline;
    }
    auto parsed = Format::Parse(line, buffer_.text);
    if (parsed) {
      ReadLine(line, *parsed);
      return newline;
    }
    // A newline inside quotes: the line goes on with the next one. Each try reads it from its
    // start, so their number is bounded.
    const char* next = newline + 1 < end ? FindNewline(newline + 1, end) : nullptr;
    if ((next == nullptr && last_line_) || !Format::NeedsNext(line) ||
        ++joined_lines_ > kJoinedLinesMax) {
      intake_.Stop(std::move(parsed.error().message));
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
// written, and the family to which series a start belongs.
template <typename Format>
void LineReader<Format>::ReadKnownComment(std::string_view line) {
  intake_.TakeExpectedComment();
  if (!keeps_starts_ && !collator_ && line.find("TYPE") == std::string_view::npos) return;
  auto parsed = Format::Parse(line, buffer_.text);
  if (!parsed) return;
  NoteFamily(*parsed);
}

template <typename Format>
void LineReader<Format>::ReadLine(std::string_view line, const ParsedLine& parsed) {
  switch (parsed.kind) {
    case LineKind::kEnd:
    case LineKind::kEof:
      ended_ = true;
      return;
    case LineKind::kBlank:
      return;
    case LineKind::kSample:
      return ReadSample(parsed);
    case LineKind::kType:
    case LineKind::kHelp:
    case LineKind::kUnit:
    case LineKind::kComment:
      return ReadComment(line, parsed);
  }
}

template <typename Format>
void LineReader<Format>::ReadComment(std::string_view line, const ParsedLine& parsed) {
  NoteFamily(parsed);
  if (parsed.kind == LineKind::kType) {
    intake_.TakeType(parsed.family, type_);
  } else if (parsed.kind == LineKind::kHelp) {
    intake_.TakeHelp(parsed.family, parsed.text);
  } else if (parsed.kind == LineKind::kUnit) {
    intake_.TakeUnit(parsed.family, parsed.text);
  }
  const bool of_family = parsed.kind != LineKind::kComment;
  intake_.TakeComment(intake_.Hash(line), line.size(),
                      of_family ? parsed.family : std::string_view());
}

template <typename Format>
void LineReader<Format>::NoteFamily(const ParsedLine& parsed) {
  if (parsed.kind == LineKind::kType) {
    type_ = TypeOf(parsed.text);
    if (collator_) collator_->TakeType(parsed.family, type_);
  } else if (collator_) {
    collator_->TakeOther();
  }
  if (parsed.kind == LineKind::kComment) return;
  family_bytes_ = parsed.family.size();
  if (keeps_starts_) starts_.TakeMetadata();
}

template <typename Format>
ClassicCollator::Outcome LineReader<Format>::Collate(const ParsedLine& parsed) {
  std::vector<std::string> emptied;
  Result<Labels> labels = Format::ParseSeries(parsed.series, TypeWord(type_), &emptied);
  if (!labels) {
    // It fails the page where it would be learned; but is none of what is being collected.
    collator_->TakeOther();
    return ClassicCollator::Outcome::kNoPart;
  }
  const auto outcome = collator_->TakeSeries(*labels, emptied, parsed.sample, parsed.exemplar);
  if (keeps_starts_ && collator_->begun()) {
    starts_.TakeSample(collator_->number(), StartTimestampKey(parsed.series, TypeWord(type_),
                                                              family_bytes_, intake_.hash()));
    TakeStarts();
  }
  return outcome;
}

// Such a series may be known all the same, from a page that gave its family another type.
template <typename Format>
bool LineReader<Format>::IsCreated(std::string_view series) const {
  return keeps_starts_ && IsCreatedSeries(series, TypeWord(type_));
}

template <typename Format>
void LineReader<Format>::ReadSample(const ParsedLine& parsed) {
  if (IsCreated(parsed.series)) {
    starts_.TakeCreated(CreatedKey(parsed.series, TypeWord(type_), intake_.hash()),
                        parsed.sample.value);
    return TakeStarts();
  }
  std::string_view exemplar = parsed.exemplar;
  if (Collates()) {
    const auto outcome = Collate(parsed);
    if (outcome == ClassicCollator::Outcome::kSwallowed || intake_.failed()) return;
    if (outcome == ClassicCollator::Outcome::kKeptPart) exemplar = {};  // the histogram's now
  }
  const uint64_t hash = intake_.Hash(parsed.series);
  uint32_t line = intake_.Find(hash);
  if (line == KnownLines::kNone) {
    std::vector<std::string> emptied;
    Result<Labels> labels = Format::ParseSeries(parsed.series, TypeWord(type_), &emptied);
    if (!labels) {
      intake_.CountUntaken();
      return intake_.Stop(std::move(labels.error().message));
    }
    line = intake_.Learn(hash, parsed.series.size(), std::move(*labels), emptied);
    if (line == KnownLines::kNone) return;
  }
  Take(line, parsed.series, parsed.sample, exemplar);
  if (!parsed.refused_behind.empty()) intake_.Stop(std::string(parsed.refused_behind));
}

template <typename Format>
void LineReader<Format>::Take(uint32_t line, std::string_view series,
                              const ValueAndTimestamp& sample, std::string_view exemplar) {
  const PageIntake::Taken taken = intake_.TakeFloat(line, sample.value, sample.timestamp);
  if (taken == PageIntake::Taken::kUnread) return;
  const bool refused = taken == PageIntake::Taken::kRefused;
  if (!exemplar.empty() && !refused) intake_.TakeExemplar(line, exemplar, sample.timestamp);
  if (keeps_starts_) {
    // Of a refused one too: what is found for it may be another's.
    starts_.TakeSample(refused ? kNobody : intake_.lines().place(line),
                       StartTimestampKey(series, TypeWord(type_), family_bytes_, intake_.hash()));
    TakeStarts();
  }
}

template <typename Format>
void LineReader<Format>::TakeStarts() {
  for (const StartTimestamps::Found& found : starts_.found()) {
    if (found.sample == kNobody) continue;
    if (found.sample > KnownLines::kPlaceMax) {
      collator_->SetStart(found.sample, found.start);
    } else {
      intake_.TakeStart(found.sample, found.start);
    }
  }
  starts_.ClearFound();
}

template class LineReader<PrometheusTextFormat>;
template class LineReader<OpenMetricsFormat>;

}  // namespace tributary
