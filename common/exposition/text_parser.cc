#include "common/exposition/text_parser.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "common/base/utf8.h"
#include "common/exposition/float_text.h"
#include "common/exposition/series_labels.h"

namespace tributary {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t'; }
bool IsDigit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

enum : uint8_t { kLabelStart = 1, kLabelByte = 2, kMetricStart = 4, kMetricByte = 8 };

constexpr std::array<uint8_t, 256> MakeClasses() {
  std::array<uint8_t, 256> classes{};
  constexpr uint8_t kLetter = kLabelStart | kLabelByte | kMetricStart | kMetricByte;
  for (unsigned c = 'a'; c <= 'z'; ++c) classes[c] = kLetter;
  for (unsigned c = 'A'; c <= 'Z'; ++c) classes[c] = kLetter;
  for (unsigned c = '0'; c <= '9'; ++c) classes[c] = kLabelByte | kMetricByte;
  classes['_'] = kLetter;
  classes[':'] = kMetricStart | kMetricByte;
  return classes;
}

constexpr std::array<uint8_t, 256> kClasses = MakeClasses();

bool IsOf(char c, uint8_t kind) { return (kClasses[static_cast<unsigned char>(c)] & kind) != 0; }

std::string_view View(const char* begin, const char* end) {
  return {begin, static_cast<size_t>(end - begin)};
}

// Whether any of the eight bytes is `c`.
bool HasByte(uint64_t word, char c) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHighs = 0x8080808080808080;
  const uint64_t x = word ^ (kOnes * static_cast<unsigned char>(c));
  return ((x - kOnes) & ~x & kHighs) != 0;
}

// A label as the text has it: escapes not yet resolved.
struct RawLabel {
  std::string_view name;
  std::string_view value;
};

struct RawSeries {
  std::string_view name;
  std::vector<RawLabel> labels;
};

// One pass over one line. Functions that return bool leave the place at what they refused.
//
// NUL bytes: the lexer skips them when it steps to the next byte of a label's value, of a HELP text
// or of a comment, and nowhere else; hence two ways to step.
class LineParser {
 public:
  explicit LineParser(std::string_view line, RawSeries* series = nullptr)
      : begin_(line.data()), p_(begin_), end_(begin_ + line.size()), raw_(series) {}

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

  bool ended_in_quotes() const { return ended_in_quotes_; }

  std::string Describe() const {
    constexpr ptrdiff_t kBefore = 120;
    constexpr ptrdiff_t kAfter = 20;
    const char* from = p_ - std::min(kBefore, p_ - begin_);
    const char* to = p_ + std::min(kAfter, end_ - p_);
    std::string message = std::string(problem_) + " at byte " + std::to_string(p_ - begin_ + 1);
    message += AtEnd() ? ", got the end of the line: " : ", got '" + Printable({p_, 1}) + "': ";
    return message + Printable(View(from, p_)) + " >>>" + Printable(View(p_, to));
  }

 private:
  bool AtEnd() const { return p_ == end_; }
  bool At(char c) const { return p_ != end_ && *p_ == c; }
  bool AtBlank() const { return p_ != end_ && IsSpace(*p_); }
  bool AtClass(uint8_t kind) const { return p_ != end_ && IsOf(*p_, kind); }

  void SkipBlanks() {
    while (AtBlank()) ++p_;
  }
  void SkipNuls() {
    while (At('\0')) ++p_;
  }
  void StepOverNuls() {
    ++p_;
    SkipNuls();
  }
  void SkipBlanksAndNuls() {
    while (AtBlank()) StepOverNuls();
  }
  void SkipClass(uint8_t kind) {
    while (AtClass(kind)) ++p_;
  }
  bool Expect(const char* problem) {
    problem_ = problem;
    return false;
  }

  bool Series() {
    if (AtClass(kMetricStart)) {
      SkipClass(kMetricByte);
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
      const char* start = p_;
      SkipClass(kLabelByte);
      name = View(start, p_);
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
    if (!QuotedValue(value)) return false;
    if (raw_ != nullptr) raw_->labels.push_back({name, value});
    return true;
  }

  // Quotes around a name; NUL bytes are refused.
  bool Quoted(std::string_view& inside) {
    const char* start = ++p_;
    for (; !At('"'); ++p_) {
      if (At('\\')) {
        ++p_;
        if (AtEnd() || *p_ == '\n') return Expect("expected the rest of an escape");
      }
      if (AtEnd()) return UnclosedQuote();
      if (*p_ == '\0') return Expect("expected no NUL byte in a name");
    }
    inside = View(start, p_);
    ++p_;
    return true;
  }

  // Quotes around a label's value: UTF-8, NUL bytes welcome. Those after the closing quote are
  // taken for part of the token, of which the last byte is then cut off instead of the quote.
  bool QuotedValue(std::string_view& inside) {
    const char* start = ++p_;
    uint64_t all = 0;
    while (true) {
      for (uint64_t word = 0; end_ - p_ >= 8; p_ += 8) {
        std::memcpy(&word, p_, 8);
        if (HasByte(word, '"') || HasByte(word, '\\')) break;
        all |= word;
      }
      if (AtEnd()) return UnclosedQuote();
      all |= static_cast<unsigned char>(*p_);
      if (*p_ == '"') break;
      if (*p_ == '\\') {
        StepOverNuls();
        if (AtEnd() || *p_ == '\n') return Expect("expected the rest of an escape");
        all |= static_cast<unsigned char>(*p_);
      }
      ++p_;
    }
    StepOverNuls();
    inside = View(start, p_ - 1);
    if ((all & 0x8080808080808080) != 0 && !IsValidUtf8(inside)) {
      return Expect("expected valid UTF-8 in the label value before");
    }
    return true;
  }

  bool UnclosedQuote() {
    ended_in_quotes_ = true;
    return Expect("expected a closing quote");
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
      const char* start = p_;
      SkipClass(kMetricByte);
      out.family = View(start, p_);
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

  const char* begin_;
  const char* p_;
  const char* end_;
  RawSeries* raw_;  // null: only the syntax is of interest
  bool has_name_ = false;
  bool ended_in_quotes_ = false;
  const char* problem_ = "";
};

// \" \\ and \n; any other backslash stands for itself.
std::string Unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] == '\\' && (next == '"' || next == '\\' || next == 'n')) {
      out += next == 'n' ? '\n' : next;
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string CanonicalValue(std::string_view type, std::string_view name, std::string value) {
  if ((type == "histogram" && name == "le") || (type == "summary" && name == "quantile")) {
    if (const std::optional<double> number = ParseGoFloat(value)) {
      return FormatOpenMetricsFloat(*number);
    }
  }
  return value;
}

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

  std::vector<Label> labels;
  labels.reserve(raw.labels.size() + 1);
  labels.push_back({std::string(kMetricName), Unescape(raw.name)});
  for (const RawLabel& label : raw.labels) {
    std::string name = Unescape(label.name);
    std::string value = CanonicalValue(type, name, Unescape(label.value));
    labels.push_back({std::move(name), std::move(value)});
  }
  Result<Labels> unique = UniqueLabels(std::move(labels), emptied);
  if (!unique) return Fail(unique.error().message + ": " + Printable(series.substr(0, 200)));
  return unique;
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
  TimestampMs timestamp = 0;
  for (; p != end && IsDigit(*p) && p - start < kSafeDigits; ++p) {
    timestamp = timestamp * 10 + (*p - '0');
  }
  if (p == start) return false;
  while (p != end && IsSpace(*p)) ++p;
  out.timestamp = timestamp;
  return p == end;
}

}  // namespace tributary
