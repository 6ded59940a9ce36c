#include "common/exposition/openmetrics_parser.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "common/base/unicode.h"
#include "common/base/utf8.h"
#include "common/exposition/float_text.h"
#include "common/exposition/line_scanner.h"
#include "common/exposition/raw_series.h"
#include "common/exposition/series_labels.h"

namespace tributary {
namespace {

// One pass over one line, or over a part of it.
//
// NUL bytes: the lexer skips them when it steps to the next byte of a series label's value, of a
// metadata line's word or of its text, and nowhere else.
class OpenMetricsParser : public LineScanner {
 public:
  explicit OpenMetricsParser(std::string_view line, RawSeries* series = nullptr)
      : LineScanner(line), raw_(series) {}

  bool Parse(ParsedLine& out, std::string& buffer) {
    if (At('#')) return Metadata(out, buffer);
    out.kind = LineKind::kSample;
    if (!Series()) return false;
    out.series = View(begin_, p_);
    return Sample(out.sample, out.exemplar, out.refused_behind);
  }

  // The series alone, which must be the whole text.
  bool ParseSeriesOnly() { return Series() && (AtEnd() || Expect("expected no more")); }

  // From the blank behind the series to the end of the line.
  bool Sample(ValueAndTimestamp& out, std::string_view& exemplar,
              std::string_view& refused_behind) {
    if (!Number(out.value, "expected a blank and a value")) return false;
    if (AtEnd()) return true;
    if (!IsTokenAhead()) {
      // Prometheus sees no fault in the line here, and cannot start the next one.
      refused_behind = "expected one blank and a timestamp or an exemplar after the value";
      return true;
    }
    if (!IsExemplarAhead()) {
      out.timestamp.emplace();
      if (!Seconds(*out.timestamp)) return false;
      if (AtEnd()) return true;
      if (!IsTokenAhead() || !IsExemplarAhead()) {
        return Expect("expected an exemplar or the end of the line after the timestamp");
      }
    }
    p_ += kBeforeExemplar;
    const char* start = p_;
    double value = 0;
    std::optional<TimestampMs> timestamp;
    if (!Exemplar(value, timestamp)) return false;
    exemplar = View(start, p_);
    return true;
  }

  // From its '{' to the end of the line.
  bool Exemplar(double& value, std::optional<TimestampMs>& timestamp) {
    LookForOddBytes();
    ++p_;
    while (!At('}')) {
      std::string_view name;
      if (!LabelName<Newlines::kRefuse>(name) || !LabelValue<Nuls::kRefuse>(name)) return false;
    }
    ++p_;
    if (!Number(value, "expected a blank and the exemplar's value")) return false;
    if (AtEnd()) return true;
    timestamp.emplace();
    return Seconds(*timestamp) &&
           (AtEnd() || Expect("expected the end of the line after the exemplar"));
  }

 private:
  static constexpr ptrdiff_t kBeforeExemplar = 3;

  // At a blank (not known yet) that a token follows. A token "#" that a blank follows is none, but
  // for the beginning of an exemplar.
  bool IsTokenAhead() const {
    if (!At(' ') || end_ - p_ < 2 || p_[1] == ' ' || p_[1] == '\0') return false;
    return p_[1] != '#' || end_ - p_ < kBeforeExemplar || p_[2] != ' ' || IsExemplarAhead();
  }
  bool IsExemplarAhead() const {
    return end_ - p_ > kBeforeExemplar && p_[1] == '#' && p_[2] == ' ' && p_[3] == '{';
  }

  // A blank and a float, which takes all of its token: up to a blank or a NUL byte.
  bool Number(double& out, const char* problem) {
    if (!At(' ')) return Expect(problem);
    const char* start = p_ + 1;
    // Most tokens are no longer than what the float parser's fast path takes.
    constexpr ptrdiff_t kUsualBytes = 17;
    const char* bound = end_;
    if (end_ - start > kUsualBytes) {
      bound = static_cast<const char*>(std::memchr(start, ' ', kUsualBytes + 1));
      if (bound == nullptr) return LongNumber(out, problem);
    }
    const char* stop = ParseSampleValue(start, bound, out);
    if (stop == nullptr || (stop != end_ && *stop != ' ')) return LongNumber(out, problem);
    p_ = stop;
    return true;
  }

  bool LongNumber(double& out, const char* problem) {
    const char* start = p_ + 1;
    const char* stop = std::find_if(start, end_, [](char c) { return c == ' ' || c == '\0'; });
    if (start == stop) return Expect(problem);
    if (ParseSampleValue(start, stop, out) != stop) return Expect("expected a float");
    p_ = stop;
    return true;
  }

  bool Seconds(TimestampMs& out) {
    const char* start = p_;
    double value = 0;
    if (!Number(value, "expected a timestamp in seconds")) return false;
    if (!std::isfinite(value)) {
      p_ = start;
      return Expect("expected a timestamp that is neither NaN nor infinite");
    }
    out = MillisecondsOfSeconds(value);
    return true;
  }

  bool Series() {
    if (AtClass(kMetricStart)) {
      SetName(TakeClass(kMetricByte));
      return !At('{') || Braces();
    }
    if (!At('{'))
      return Expect("expected a metric name, '{', or # and one of HELP, TYPE, UNIT and EOF");
    if (!Braces()) return false;
    return has_name_ || Expect("expected a metric name inside or before the braces");
  }

  void SetName(std::string_view name) {
    has_name_ = true;
    if (raw_ != nullptr) raw_->name = name;
  }

  bool Braces() {
    LookForOddBytes();
    ++p_;
    while (!At('}')) {
      const bool quoted = At('"');
      std::string_view name;
      if (!LabelName<Newlines::kTake>(name)) return false;
      if (!quoted || (!At(',') && !At('}'))) {
        if (!LabelValue<Nuls::kSkip>(name)) return false;
        continue;
      }
      if (has_name_) return Expect("expected '=' (the metric has its name already)");
      SetName(name);
      if (At(',')) ++p_;
    }
    ++p_;
    return true;
  }

  template <Newlines newlines>
  bool LabelName(std::string_view& name) {
    if (At('"')) return Quoted<newlines>(name);
    if (!AtClass(kLabelStart)) return Expect("expected a label name");
    name = TakeClass(kLabelByte);
    return true;
  }

  // With the comma after it; the last one may have one too.
  template <Nuls nuls>
  bool LabelValue(std::string_view name) {
    if (!At('=')) return Expect("expected '='");
    ++p_;
    if (!At('"')) return Expect("expected a label value in double quotes");
    std::string_view value;
    if (!QuotedValue<Newlines::kRefuse, nuls>(value)) return false;
    if (raw_ != nullptr) raw_->labels.push_back({name, value});
    if (At(',')) {
      ++p_;
    } else if (!At('}')) {
      return Expect("expected ',' or '}'");
    }
    return true;
  }

  bool Metadata(ParsedLine& out, std::string& buffer) {
    ++p_;
    if (!At(' ')) return Expect("expected a blank after #");
    ++p_;
    if (At('E')) {
      out.kind = LineKind::kEof;
      if (!Word("EOF")) return false;
      return AtEnd() || Expect("expected nothing after # EOF");
    }
    if (At('T')) {
      out.kind = LineKind::kType;
      return Word("TYPE ") && FamilyAndText(out) && Type(out);
    }
    if (At('U')) {
      out.kind = LineKind::kUnit;
      return Word("UNIT ") && FamilyAndText(out) && Unit(out);
    }
    out.kind = LineKind::kHelp;
    return Word("HELP ") && FamilyAndText(out) && Help(out, buffer);
  }

  bool Word(std::string_view word) {
    for (const char c : word) {
      if (!At(c)) return Expect("expected TYPE, HELP or UNIT and a blank, or EOF");
      StepOverNuls();
    }
    return true;
  }

  bool FamilyAndText(ParsedLine& out) {
    if (At('"')) {
      if (!Quoted(out.family)) return false;
    } else {
      if (!AtClass(kMetricStart)) return Expect("expected a metric name");
      out.family = TakeClass(kMetricByte);
    }
    if (!At(' ')) return Expect("expected a blank after the metric name");
    out.text = View(++p_, end_);
    return true;
  }

  bool Type(const ParsedLine& out) {
    constexpr std::array<std::string_view, 8> kTypes = {"counter",        "gauge",   "histogram",
                                                        "gaugehistogram", "summary", "info",
                                                        "stateset",       "unknown"};
    return std::find(kTypes.begin(), kTypes.end(), out.text) != kTypes.end() ||
           Expect(
               "expected counter, gauge, histogram, gaugehistogram, summary, info, stateset or "
               "unknown");
  }

  bool Unit(const ParsedLine& out) {
    if (out.text.empty()) return true;
    std::string_view family = out.family;
    if (family.ends_with(out.text)) {
      family.remove_suffix(out.text.size());
      if (family.ends_with('_')) return true;
    }
    return Expect("expected a unit that ends the metric's name");
  }

  bool Help(ParsedLine& out, std::string& buffer) {
    if (!IsValidUtf8(out.text)) return Expect("expected a HELP text in UTF-8");
    if (out.text.find('\\') == std::string_view::npos) return true;
    buffer = UnescapeLabelText(out.text);
    out.text = buffer;
    return true;
  }

  RawSeries* raw_;  // null: only the syntax is of interest
  bool has_name_ = false;
};

// The place behind the quotes that are open before `i`, and behind NUL bytes after them.
size_t EndOfQuotes(std::string_view line, size_t i) {
  size_t quote = line.find('"', i);
  // By far most values have no escape, and are left by the first quote.
  const bool escaped = line.substr(i, quote - i).find('\\') != std::string_view::npos;
  if (quote != std::string_view::npos && escaped) {
    for (quote = i; quote < line.size() && line[quote] != '"'; ++quote) {
      if (line[quote] != '\\') continue;
      while (quote + 1 < line.size() && line[quote + 1] == '\0') ++quote;
      ++quote;
    }
  }
  if (quote >= line.size()) return line.size();
  return std::min(line.find_first_not_of('\0', quote + 1), line.size());
}

// The place behind the '}' of braces that open at `i` and are known to be good.
size_t EndOfBraces(std::string_view line, size_t i) {
  ++i;
  while (i < line.size() && line[i] != '}') {
    // A name without quotes, a comma or '=' come before the next quotes.
    i = EndOfQuotes(line, std::min(line.find('"', i), line.size() - 1) + 1);
    if (i < line.size() && line[i] == ',') ++i;
  }
  return std::min(i + 1, line.size());
}

}  // namespace

Result<ParsedLine> ParseOpenMetricsLine(std::string_view line, std::string& buffer) {
  ParsedLine out;
  OpenMetricsParser parser(line);
  if (!parser.Parse(out, buffer)) return Fail(parser.Describe());
  return out;
}

bool OpenMetricsNeedsNextLine(std::string_view line) {
  ParsedLine out;
  std::string buffer;
  OpenMetricsParser parser(line);
  return !parser.Parse(out, buffer) && parser.ended_in_quotes();
}

Result<Labels> ParseOpenMetricsSeries(std::string_view series, std::string_view type,
                                      std::vector<std::string>* emptied) {
  RawSeries raw;
  OpenMetricsParser parser(series, &raw);
  if (!parser.ParseSeriesOnly()) return Fail(parser.Describe());
  return ResolveSeries(raw, series, type, emptied);
}

std::string_view OpenMetricsSeriesText(std::string_view line) {
  // Where no exemplar can be, only the series has braces.
  const size_t last = line.rfind('}');
  if (last != std::string_view::npos && line.find('#') == std::string_view::npos) {
    return line.substr(0, last + 1);
  }
  size_t name_end = 0;
  while (name_end < line.size() && line[name_end] != '{' && line[name_end] != ' ') ++name_end;
  if (name_end == line.size() || line[name_end] == ' ') return line.substr(0, name_end);
  return line.substr(0, EndOfBraces(line, name_end));
}

bool ParseOpenMetricsValue(std::string_view rest, ValueAndTimestamp& out,
                           std::string_view& exemplar) {
  out.timestamp.reset();
  exemplar = {};
  std::string_view refused_behind;
  OpenMetricsParser parser(rest);
  return parser.Sample(out, exemplar, refused_behind) && refused_behind.empty();
}

Result<ParsedExemplar> ParseExemplar(std::string_view text) {
  RawSeries raw;
  ParsedExemplar out;
  OpenMetricsParser parser(text, &raw);
  if (!text.starts_with('{')) return Fail("expected an exemplar that starts with '{'");
  if (!parser.Exemplar(out.value, out.timestamp)) return Fail(parser.Describe());
  std::vector<Label> pairs;
  pairs.reserve(raw.labels.size());
  for (const RawLabel& label : raw.labels) {
    pairs.push_back({std::string(label.name), std::string(label.value)});
  }
  Result<Labels> labels = MakeExemplarLabels(std::move(pairs));
  if (!labels) return Fail(labels.error().message + ": " + Printable(text.substr(0, 200)));
  out.labels = std::move(*labels);
  return out;
}

}  // namespace tributary
