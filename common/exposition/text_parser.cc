#include "common/exposition/text_parser.h"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "common/base/utf8.h"
#include "common/exposition/digits.h"
#include "common/exposition/float_text.h"
#include "common/exposition/line_scanner.h"
#include "common/exposition/raw_series.h"

namespace tributary {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t'; }
bool IsDigit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

// One pass over one line. Functions that return bool leave the place at what they refused.
//
// NUL bytes: the lexer skips them when it steps to the next byte of a label's value, of a HELP text
// or of a comment, and nowhere else; hence two ways to step.
class LineParser : public LineScanner {
 public:
  explicit LineParser(std::string_view line, RawSeries* series = nullptr)
      : LineScanner(line), raw_(series) {}

  bool Parse(ParsedLine& out, std::string& buffer) {
    SkipBlanks();
    if (AtEnd()) return true;
    if (*p_ == '\0') {
      out.kind = LineKind::kEnd;
      return true;
    }
    if (*p_ == '#') return Comment(out, buffer);
    out.kind = LineKind::kSample;
    if (!Series()) return false;
    out.series = View(begin_, p_);
    return Sample(out.sample);
  }

  // The series alone, which must be the whole text.
  bool ParseSeriesOnly() {
    SkipBlanks();
    return Series() && (AtEnd() || Expect("the end of the series"));
  }

 private:
  bool AtBlank() const { return p_ != end_ && IsSpace(*p_); }

  void SkipBlanks() {
    while (AtBlank()) ++p_;
  }
  void SkipBlanksAndNuls() {
    while (AtBlank()) StepOverNuls();
  }

  bool Series() {
    if (AtClass(kMetricStart)) {
      TakeClass(kMetricByte);
      SetName(View(begin_, p_));
      const char* after_name = p_;
      SkipBlanks();
      if (At('{')) return Braces();
      p_ = after_name;
      return true;
    }
    if (!At('{')) return Expect("expected a metric name, '{' or a comment");
    if (!Braces()) return false;
    return has_name_ || Expect("expected a metric name inside or before the braces");
  }

  void SetName(std::string_view name) {
    has_name_ = true;
    if (raw_ != nullptr) raw_->name = name;
  }

  bool Braces() {
    ++p_;
    SkipBlanks();
    while (!At('}')) {
      if (!BraceItem()) return false;
    }
    ++p_;
    return true;
  }

  // A label, or the metric's name in quotes; with the comma after it.
  bool BraceItem() {
    std::string_view name;
    const bool quoted = At('"');
    if (quoted) {
      if (!Quoted(name)) return false;
    } else {
      if (!AtClass(kLabelStart)) return Expect("expected a label name");
      name = TakeClass(kLabelByte);
    }
    SkipBlanks();
    if (quoted && (At(',') || At('}'))) {
      if (has_name_) return Expect("expected '=' (the metric has its name already)");
      SetName(name);
    } else {
      if (!LabelValue(name)) return false;
      SkipBlanks();
    }
    if (At(',')) {
      ++p_;
      SkipBlanks();
    }
    return true;
  }

  bool LabelValue(std::string_view name) {
    if (!At('=')) return Expect("expected '='");
    ++p_;
    SkipBlanksAndNuls();
    if (!At('"')) return Expect("expected a label value in double quotes");
    std::string_view value;
    if (!QuotedValue<Newlines::kTake, Nuls::kSkip>(value)) return false;
    if (raw_ != nullptr) raw_->labels.push_back({name, value});
    return true;
  }

  bool Sample(ValueAndTimestamp& out) {
    SkipBlanks();
    if (AtEnd()) return Expect("expected a value");
    const char* after = ParseSampleValue(p_, end_, out.value);
    if (after == nullptr || (after != end_ && !IsSpace(*after))) {
      return Expect("expected a value that is a float");
    }
    p_ = after;
    SkipBlanks();
    return AtEnd() || Timestamp(out.timestamp);
  }

  bool Timestamp(std::optional<TimestampMs>& out) {
    constexpr TimestampMs kMax = std::numeric_limits<TimestampMs>::max();
    if (!IsDigit(*p_)) return Expect("expected a timestamp in milliseconds or the end of the line");
    TimestampMs timestamp = 0;
    for (; !AtEnd() && IsDigit(*p_); ++p_) {
      const TimestampMs digit = *p_ - '0';
      if (timestamp > (kMax - digit) / 10) return Expect("expected a timestamp of 64 bits");
      timestamp = timestamp * 10 + digit;
    }
    SkipBlanks();
    if (!AtEnd()) return Expect("expected the end of the line after the timestamp");
    out = timestamp;
    return true;
  }

  bool Comment(ParsedLine& out, std::string& buffer) {
    out.kind = LineKind::kComment;
    ++p_;
    if (!AtBlank()) {
      if (std::find(p_, end_, '\0') != end_) out.kind = LineKind::kEnd;
      return true;
    }
    SkipBlanks();
    if (At('\0')) {
      out.kind = LineKind::kEnd;
      return true;
    }
    if (At('H')) {
      if (!Keyword("HELP")) return true;
      out.kind = LineKind::kHelp;
      return Metadata(out) && Help(out, buffer);
    }
    if (!At('T') || !Keyword("TYPE")) return true;
    out.kind = LineKind::kType;
    return Metadata(out) && Type(out);
  }

  // The word and the blanks that must follow it; else the line is a plain comment.
  bool Keyword(std::string_view word) {
    for (const char c : word) {
      if (!At(c)) return false;
      StepOverNuls();
    }
    if (!AtBlank()) return false;
    SkipBlanksAndNuls();
    return true;
  }

  // The family's name, and the text after it without the one byte (any) that parts them.
  bool Metadata(ParsedLine& out) {
    if (At('"')) {
      if (!Quoted(out.family)) return false;
    } else {
      if (!AtClass(kMetricStart)) return Expect("expected a metric name");
      out.family = TakeClass(kMetricByte);
    }
    if (At('\0')) return Expect("expected a blank after the metric name");
    const char* start = p_;
    SkipBlanksAndNuls();
    // Of nothing but blanks there is no text.
    if (!AtEnd()) out.text = View(start + 1, end_);
    return true;
  }

  bool Help(ParsedLine& out, std::string& buffer) {
    if (!IsValidUtf8(out.text)) return Expect("expected a HELP text in UTF-8");
    if (out.text.find('\\') == std::string_view::npos) return true;
    buffer.clear();
    for (size_t i = 0; i < out.text.size(); ++i) {
      const char next = i + 1 < out.text.size() ? out.text[i + 1] : '\0';
      if (out.text[i] == '\\' && (next == '\\' || next == 'n')) {
        buffer += next == 'n' ? '\n' : '\\';
        ++i;
      } else {
        buffer += out.text[i];
      }
    }
    out.text = buffer;
    return true;
  }

  bool Type(const ParsedLine& out) {
    constexpr std::array<std::string_view, 5> kTypes = {"counter", "gauge", "histogram", "summary",
                                                        "untyped"};
    return std::find(kTypes.begin(), kTypes.end(), out.text) != kTypes.end() ||
           Expect("expected counter, gauge, histogram, summary or untyped");
  }

  RawSeries* raw_;  // null: only the syntax is of interest
  bool has_name_ = false;
};

}  // namespace

Result<ParsedLine> ParseLine(std::string_view line, std::string& buffer) {
  ParsedLine out;
  LineParser parser(line);
  if (!parser.Parse(out, buffer)) return Fail(parser.Describe());
  return out;
}

bool NeedsNextLine(std::string_view line) {
  ParsedLine out;
  std::string buffer;
  LineParser parser(line);
  return !parser.Parse(out, buffer) && parser.ended_in_quotes();
}

Result<Labels> ParseSeries(std::string_view series, std::string_view type,
                           std::vector<std::string>* emptied) {
  RawSeries raw;
  LineParser parser(series, &raw);
  if (!parser.ParseSeriesOnly()) return Fail(parser.Describe());
  return ResolveSeries(raw, series, type, emptied);
}

std::string_view SeriesText(std::string_view line) {
  // Only the series of a good line can have a '}', and only as its end or inside.
  const size_t brace = line.rfind('}');
  if (brace != std::string_view::npos) return line.substr(0, brace + 1);
  size_t end = 0;
  while (end < line.size() && IsSpace(line[end])) ++end;
  while (end < line.size() && !IsSpace(line[end])) ++end;
  return line.substr(0, end);
}

bool ParseValueAndTimestamp(std::string_view rest, ValueAndTimestamp& out) {
  const char* p = rest.data();
  const char* end = p + rest.size();
  if (p == end || !IsSpace(*p)) return false;
  do {
    ++p;
  } while (p != end && IsSpace(*p));
  if (p == end) return false;
  p = ParseSampleValue(p, end, out.value);
  if (p == nullptr) return false;
  out.timestamp.reset();
  if (p == end) return true;
  if (!IsSpace(*p)) return false;
  while (p != end && IsSpace(*p)) ++p;
  if (p == end) return true;
  // A timestamp of up to 18 digits cannot overflow; longer ones are ParseLine's.
  constexpr ptrdiff_t kSafeDigits = 18;
  const char* start = p;
  uint64_t digits = 0;
  if (end - p >= 8 && ReadEightDigits(p, digits)) p += 8;
  auto timestamp = static_cast<TimestampMs>(digits);
  for (; p != end && IsDigit(*p) && p - start < kSafeDigits; ++p) {
    timestamp = timestamp * 10 + (*p - '0');
  }
  if (p == start) return false;
  while (p != end && IsSpace(*p)) ++p;
  out.timestamp = timestamp;
  return p == end;
}

}  // namespace tributary
