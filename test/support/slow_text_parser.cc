#include "test/support/slow_text_parser.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

#include "common/base/utf8.h"
#include "common/exposition/float_text.h"

namespace tributary {
namespace {

enum class Token {
  kInvalid,
  kEof,
  kLinebreak,
  kBlank,
  kHelp,
  kType,
  kText,
  kComment,
  kMetricName,
  kQuoted,
  kBraceOpen,
  kBraceClose,
  kLabelName,
  kLabelValue,
  kComma,
  kEqual,
  kTimestamp,
  kValue
};

enum class State { kInit, kComment, kMeta1, kMeta2, kLabels, kLabelValue, kValue, kTimestamp };

bool IsBlank(int c) { return c == ' ' || c == '\t'; }
bool IsDigit(int c) { return c >= '0' && c <= '9'; }
bool IsLetter(int c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsMetricLetter(int c) { return IsLetter(c) || c == ':'; }

class SlowLexer {
 public:
  explicit SlowLexer(std::string page) : page_(std::move(page)) {
    if (page_.empty() || page_.back() != '\n') page_ += '\n';
  }

  size_t position() const { return position_; }
  size_t token_start() const { return start_; }
  const std::string& page() const { return page_; }
  std::string token() const { return page_.substr(start_, position_ - start_); }

  Token NextButBlanks() {
    Token token = Next();
    while (token == Token::kBlank) token = Next();
    return token;
  }

 private:
  static constexpr size_t kNoMatch = std::string::npos;

  // A NUL stands for the end of the page too.
  int At(size_t i) const { return i < page_.size() ? static_cast<unsigned char>(page_[i]) : 0; }

  // The next byte's place; where NUL bytes are welcome, they are jumped over.
  size_t Step(size_t i) const {
    ++i;
    if (state_ == State::kLabelValue || state_ == State::kMeta2 || state_ == State::kComment) {
      while (i < page_.size() && page_[i] == '\0') ++i;
    }
    return i;
  }

  // Each matcher gives the place after what it matches at the position.
  template <typename Predicate>
  size_t While(size_t i, Predicate is) const {
    while (i < page_.size() && is(At(i))) i = Step(i);
    return i;
  }
  size_t Blanks(size_t i) const { return IsBlank(At(i)) ? While(i, IsBlank) : kNoMatch; }
  size_t Byte(char c) const {
    return At(position_) == c && position_ < page_.size() ? Step(position_) : kNoMatch;
  }
  size_t Word(const char* word) const {
    size_t i = position_;
    for (; *word != '\0'; ++word) {
      if (At(i) != *word) return kNoMatch;
      i = Step(i);
    }
    return i;
  }
  size_t Name(bool (*is_letter)(int)) const {
    if (!is_letter(At(position_))) return kNoMatch;
    return While(position_, [is_letter](int c) { return is_letter(c) || IsDigit(c); });
  }
  size_t QuotedString() const {
    if (At(position_) != '"') return kNoMatch;
    size_t i = Step(position_);
    while (At(i) != '"') {
      if (At(i) == '\\') {
        i = Step(i);
        if (At(i) == '\n') return kNoMatch;
      }
      if (At(i) == 0) return kNoMatch;
      i = Step(i);
    }
    return Step(i);
  }

  bool Take(size_t end, State next) {
    if (end == kNoMatch) return false;
    position_ = end;
    state_ = next;
    return true;
  }

  Token RestOfComment() {
    while (At(position_) != '\n') {
      if (At(position_) == 0) return Token::kEof;
      position_ = Step(position_);
    }
    state_ = State::kInit;
    return Token::kComment;
  }

  Token Next() {
    start_ = position_;
    if (position_ >= page_.size()) return Token::kEof;
    if (state_ == State::kMeta2) return MetaText();
    if (Take(Blanks(position_), state_)) return Token::kBlank;
    switch (state_) {
      case State::kInit:
        return Init();
      case State::kComment:
        break;
      case State::kMeta1:
        if (Take(QuotedString(), State::kMeta2)) return Token::kMetricName;
        if (Take(Name(IsMetricLetter), State::kMeta2)) return Token::kMetricName;
        break;
      case State::kLabels:
        return InBraces();
      case State::kLabelValue:
        if (Take(QuotedString(), State::kLabels)) return Token::kLabelValue;
        break;
      case State::kValue:
        return Value();
      case State::kTimestamp:
        if (Take(Byte('\n'), State::kInit)) return Token::kLinebreak;
        if (IsDigit(At(position_)) && Take(While(position_, IsDigit), state_))
          return Token::kTimestamp;
        break;
      case State::kMeta2:
        break;
    }
    return Token::kInvalid;
  }

  Token Init() {
    if (At(position_) == 0) return Token::kEof;
    if (Take(Byte('\n'), State::kInit)) return Token::kLinebreak;
    if (Take(Name(IsMetricLetter), State::kValue)) return Token::kMetricName;
    if (Take(Byte('{'), State::kLabels)) return Token::kBraceOpen;
    if (!Take(Byte('#'), State::kInit)) return Token::kInvalid;
    const size_t after_blanks = Blanks(position_);
    if (after_blanks == kNoMatch) return RestOfComment();
    position_ = after_blanks;
    state_ = State::kComment;
    for (const auto& [word, token] :
         {std::pair("HELP", Token::kHelp), std::pair("TYPE", Token::kType)}) {
      const size_t after_word = Word(word);
      if (after_word != kNoMatch && Take(Blanks(after_word), State::kComment)) {
        state_ = State::kMeta1;
        return token;
      }
    }
    return RestOfComment();
  }

  // All up to the newline; of blanks alone, blanks.
  Token MetaText() {
    const size_t blanks = Blanks(position_);
    if (blanks != kNoMatch && At(blanks) == '\n') {
      position_ = blanks;
      return Token::kBlank;
    }
    position_ = While(position_, [](int c) { return c != '\n' && c != 0; });
    state_ = State::kInit;
    return Token::kText;
  }

  Token InBraces() {
    if (Take(Name(IsLetter), State::kLabels)) return Token::kLabelName;
    if (Take(QuotedString(), State::kLabels)) return Token::kQuoted;
    if (Take(Byte('}'), State::kValue)) return Token::kBraceClose;
    if (Take(Byte('='), State::kLabels)) {
      state_ = State::kLabelValue;
      return Token::kEqual;
    }
    if (Take(Byte(','), State::kLabels)) return Token::kComma;
    return Token::kInvalid;
  }

  Token Value() {
    if (Take(Byte('{'), State::kLabels)) return Token::kBraceOpen;
    const auto is_value = [](int c) { return c != '{' && c != '\n' && c != 0 && !IsBlank(c); };
    if (!is_value(At(position_))) return Token::kInvalid;
    position_ = While(position_, is_value);
    state_ = State::kTimestamp;
    return Token::kValue;
  }

  std::string page_;
  size_t start_ = 0;
  size_t position_ = 0;
  State state_ = State::kInit;
};

std::string Replace(std::string text, const std::map<char, char>& escapes) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && escapes.contains(text[i + 1])) {
      out += escapes.at(text[++i]);
    } else {
      out += text[i];
    }
  }
  return out;
}

const std::map<char, char> kValueEscapes = {{'"', '"'}, {'\\', '\\'}, {'n', '\n'}};
const std::map<char, char> kHelpEscapes = {{'\\', '\\'}, {'n', '\n'}};

// The fewest digits that read back the same; an exponent below 1e-4 and from 1e6 on.
std::string SlowFormat(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Inf" : "+Inf";
  if (value == 0) return "0.0";
  char text[400];
  int precision = 0;
  do {
    std::snprintf(text, sizeof text, "%.*e", precision++, value);
  } while (std::strtod(text, nullptr) != value);
  const int exponent = std::atoi(std::string(text).substr(std::string(text).find('e') + 1).c_str());
  if (exponent < -4 || exponent >= 6) return text;
  const int decimals = precision - 1 - exponent;
  std::snprintf(text, sizeof text, "%.*f", std::max(decimals, 1), value);
  return text;
}

class SlowPageParser {
 public:
  explicit SlowPageParser(std::string_view page) : lexer_(std::string(page)) {}

  TextPage Parse() {
    TextPage page;
    while (true) {
      line_start_ = lexer_.position();
      const Token token = lexer_.NextButBlanks();
      if (token == Token::kEof) return page;
      if (token == Token::kLinebreak) continue;
      TextEntry entry;
      if (!Entry(token, entry)) {
        page.good = false;
        return page;
      }
      page.entries.push_back(entry);
    }
  }

 private:
  using RawLabels = TextLabels;

  bool Entry(Token token, TextEntry& entry) {
    switch (token) {
      case Token::kHelp:
        entry.kind = LineKind::kHelp;
        return Metadata(entry);
      case Token::kType:
        entry.kind = LineKind::kType;
        return Metadata(entry);
      case Token::kComment:
        return lexer_.NextButBlanks() == Token::kLinebreak;
      case Token::kMetricName: {
        entry.kind = LineKind::kSample;
        name_ = Since(line_start_);
        entry.series = *name_;
        return Series(lexer_.NextButBlanks(), entry);
      }
      case Token::kBraceOpen:
        entry.kind = LineKind::kSample;
        name_.reset();
        return Series(token, entry);
      default:
        return false;
    }
  }

  std::string Since(size_t start) const {
    return lexer_.page().substr(start, lexer_.position() - start);
  }

  bool Metadata(TextEntry& entry) {
    if (lexer_.NextButBlanks() != Token::kMetricName) return false;
    entry.family = lexer_.token();
    if (entry.family[0] == '"') entry.family = entry.family.substr(1, entry.family.size() - 2);
    if (lexer_.NextButBlanks() != Token::kText) return false;
    if (!lexer_.token().empty()) entry.text = lexer_.token().substr(1);
    if (entry.kind == LineKind::kHelp) {
      if (!IsValidUtf8(entry.text)) return false;
      entry.text = Replace(entry.text, kHelpEscapes);
    } else {
      const std::set<std::string> types = {"counter", "gauge", "histogram", "summary", "untyped"};
      if (!types.contains(entry.text)) return false;
      type_ = entry.text;
    }
    return lexer_.NextButBlanks() == Token::kLinebreak;
  }

  bool Series(Token token, TextEntry& entry) {
    RawLabels labels;
    if (token == Token::kBraceOpen) {
      if (!Braces(labels) || !name_) return false;
      entry.series = Since(line_start_);
      token = lexer_.NextButBlanks();
    }
    if (token != Token::kValue) return false;
    const std::optional<double> value = SlowParseValue(lexer_.token());
    if (!value) return false;
    entry.value_bits = std::bit_cast<uint64_t>(*value);
    token = lexer_.NextButBlanks();
    if (token == Token::kTimestamp) {
      errno = 0;
      entry.timestamp = std::strtoll(lexer_.token().c_str(), nullptr, 10);
      if (errno != 0) return false;
      token = lexer_.NextButBlanks();
    }
    entry.labels = SlowFinalLabels(*name_, labels, type_);
    return token == Token::kLinebreak;
  }

  bool Braces(RawLabels& labels) {
    Token token = lexer_.NextButBlanks();
    while (token != Token::kBraceClose) {
      if (token != Token::kLabelName && token != Token::kQuoted) return false;
      std::string name = lexer_.token();
      const bool quoted = token == Token::kQuoted;
      if (quoted) name = name.substr(1, name.size() - 2);
      token = lexer_.NextButBlanks();
      if (quoted && (token == Token::kComma || token == Token::kBraceClose)) {
        if (name_) return false;
        name_ = name;
        if (token == Token::kComma) token = lexer_.NextButBlanks();
        continue;
      }
      if (token != Token::kEqual) return false;
      if (lexer_.NextButBlanks() != Token::kLabelValue) return false;
      const std::string value = lexer_.token();
      if (!IsValidUtf8(value)) return false;
      labels.emplace_back(name, value.substr(1, value.size() - 2));
      token = lexer_.NextButBlanks();
      if (token == Token::kComma) token = lexer_.NextButBlanks();
    }
    return true;
  }

  SlowLexer lexer_;
  size_t line_start_ = 0;
  std::optional<std::string> name_;
  std::string type_;
};

// Lines, and what a target's layout would know of them.
class FastPageParser {
 public:
  bool Line(std::string_view line, TextPage& page) {
    TextEntry entry;
    ValueAndTimestamp sample;
    const std::string_view text = SeriesText(line);
    if (known_.contains(text) && ParseValueAndTimestamp(line.substr(text.size()), sample)) {
      entry.kind = LineKind::kSample;
      Fill(text, sample, entry);
      page.entries.push_back(entry);
      return true;
    }
    const Result<ParsedLine> parsed = ParseLine(line, buffer_);
    if (!parsed) return false;
    entry.kind = parsed->kind;
    switch (parsed->kind) {
      case LineKind::kBlank:
        return true;
      case LineKind::kEnd:
        ended_ = true;
        return true;
      case LineKind::kSample:
        known_.emplace(parsed->series);
        Fill(parsed->series, parsed->sample, entry);
        break;
      case LineKind::kType:
        type_ = parsed->text;
        [[fallthrough]];
      case LineKind::kHelp:
        entry.family = parsed->family;
        entry.text = parsed->text;
        break;
      case LineKind::kComment:
        break;
      case LineKind::kUnit:
      case LineKind::kEof:
        return false;  // OpenMetrics' alone
    }
    page.entries.push_back(entry);
    return true;
  }

  bool ended() const { return ended_; }

 private:
  void Fill(std::string_view series, const ValueAndTimestamp& sample, TextEntry& entry) const {
    entry.series = series;
    entry.value_bits = std::bit_cast<uint64_t>(sample.value);
    entry.timestamp = sample.timestamp;
    if (const Result<Labels> labels = ParseSeries(series, type_)) {
      entry.labels.emplace();
      for (const Label& label : *labels) entry.labels->emplace_back(label.name, label.value);
    }
  }

  std::set<std::string, std::less<>> known_;
  std::string buffer_;
  std::string type_;
  bool ended_ = false;
};

}  // namespace

std::string SlowUnescape(const std::string& text) { return Replace(text, kValueEscapes); }

std::optional<TextLabels> SlowFinalLabels(const std::string& name, const TextLabels& raw,
                                          const std::string& type) {
  std::map<std::string, std::vector<std::string>> by_name;
  by_name["__name__"].push_back(SlowUnescape(name));
  for (const auto& [raw_name, raw_value] : raw) {
    const std::string label = SlowUnescape(raw_name);
    std::string value = SlowUnescape(raw_value);
    if ((type == "histogram" && label == "le") || (type == "summary" && label == "quantile")) {
      // Hex and underscores, which samples do not know, have tests of their own.
      const bool odd = value.find_first_of("pP_") != std::string::npos;
      const std::optional<double> number = odd ? ParseGoFloat(value) : SlowParseValue(value);
      if (number) value = SlowFormat(*number);
    }
    by_name[label].push_back(value);
  }
  TextLabels final_labels;
  for (const auto& [label, values] : by_name) {
    if (std::find(values.begin(), values.end(), "") != values.end()) continue;
    if (values.size() > 1) return std::nullopt;
    final_labels.emplace_back(label, values[0]);
  }
  return final_labels;
}

std::optional<double> SlowParseValue(const std::string& text) {
  std::string lower;
  for (const char c : text) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (lower == "nan") return std::bit_cast<double>(uint64_t{0x7ff8000000000001});
  const std::string sign =
      !text.empty() && (text[0] == '+' || text[0] == '-') ? lower.substr(0, 1) : "";
  const std::string number = lower.substr(sign.size());
  if (number == "inf" || number == "infinity") return sign == "-" ? -INFINITY : INFINITY;
  enum { kInteger, kFraction, kExponentSign, kExponentFirst, kExponent } place = kInteger;
  bool digits = false;
  for (const char c : number) {
    if (IsDigit(c)) {
      if (place <= kFraction) digits = true;
      if (place > kFraction) place = kExponent;
    } else if (c == '.' && place == kInteger) {
      place = kFraction;
    } else if (c == 'e' && place <= kFraction && digits) {
      place = kExponentSign;
    } else if ((c == '+' || c == '-') && place == kExponentSign) {
      place = kExponentFirst;
    } else {
      return std::nullopt;
    }
  }
  if (!digits || place == kExponentSign || place == kExponentFirst) return std::nullopt;
  const double value = std::strtod(text.c_str(), nullptr);
  if (std::isinf(value)) return std::nullopt;
  return value;
}

TextPage SlowParsePage(std::string_view page) { return SlowPageParser(page).Parse(); }

TextPage FastParsePage(std::string_view page) {
  TextPage result;
  FastPageParser parser;
  std::string joined;  // lines that belong together because a quote is open
  while (!page.empty() && !parser.ended()) {
    const size_t newline = page.find('\n');
    const std::string_view line = page.substr(0, newline);
    page.remove_prefix(newline == std::string_view::npos ? page.size() : newline + 1);
    joined += line;
    if (parser.Line(joined, result)) {
      joined.clear();
    } else if (NeedsNextLine(joined) && !page.empty()) {
      joined += '\n';
    } else {
      result.good = false;
      break;
    }
  }
  return result;
}

std::string ToString(const TextPage& page) {
  std::string out = page.good ? "good\n" : "refused\n";
  for (const TextEntry& entry : page.entries) {
    out += "kind " + std::to_string(static_cast<int>(entry.kind)) + " " + entry.family + " [" +
           entry.text + "] " + entry.series + " = " + std::to_string(entry.value_bits) +
           (entry.timestamp ? " @" + std::to_string(*entry.timestamp) : "");
    if (!entry.labels) out += " duplicate";
    for (const auto& [name, value] :
         entry.labels.value_or(std::vector<std::pair<std::string, std::string>>())) {
      out += " " + name + "=" + value;
    }
    out += "\n";
  }
  return out;
}

}  // namespace tributary
