#include "common/selector/selector_lexer.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "common/base/unicode.h"

namespace tributary {
namespace {

// What a word is other than a name, and how Prometheus' messages put it.
enum class WordClass : uint8_t { kOperator, kAggregator, kKeyword, kPreprocessor, kNumber };
struct KnownWord {
  std::string_view text;
  WordClass word_class;
  bool names_metrics = true;
};
constexpr std::array<KnownWord, 39> kWords{{
    {"and", WordClass::kOperator},
    {"or", WordClass::kOperator},
    {"unless", WordClass::kOperator},
    {"atan2", WordClass::kOperator, false},
    {"sum", WordClass::kAggregator},
    {"avg", WordClass::kAggregator},
    {"count", WordClass::kAggregator},
    {"min", WordClass::kAggregator},
    {"max", WordClass::kAggregator},
    {"group", WordClass::kAggregator},
    {"stddev", WordClass::kAggregator},
    {"stdvar", WordClass::kAggregator},
    {"topk", WordClass::kAggregator},
    {"bottomk", WordClass::kAggregator},
    {"count_values", WordClass::kAggregator},
    {"quantile", WordClass::kAggregator},
    {"limitk", WordClass::kAggregator},
    {"limit_ratio", WordClass::kAggregator},
    {"offset", WordClass::kKeyword},
    {"smoothed", WordClass::kKeyword},
    {"anchored", WordClass::kKeyword},
    {"by", WordClass::kKeyword},
    {"without", WordClass::kKeyword},
    {"on", WordClass::kKeyword, false},
    {"ignoring", WordClass::kKeyword, false},
    {"group_left", WordClass::kKeyword, false},
    {"group_right", WordClass::kKeyword, false},
    {"fill", WordClass::kKeyword},
    {"fill_left", WordClass::kKeyword},
    {"fill_right", WordClass::kKeyword},
    {"bool", WordClass::kKeyword, false},
    {"start", WordClass::kPreprocessor},
    {"end", WordClass::kPreprocessor},
    {"step", WordClass::kPreprocessor},
    {"range", WordClass::kPreprocessor},
    {"max_of", WordClass::kPreprocessor},
    {"min_of", WordClass::kPreprocessor},
    {"inf", WordClass::kNumber, false},
    {"nan", WordClass::kNumber, false},
}};

bool IsSpace(int32_t rune) { return rune == ' ' || rune == '\t' || rune == '\n' || rune == '\r'; }
bool IsDigit(int32_t rune) { return rune >= '0' && rune <= '9'; }
bool IsAlpha(int32_t rune) {
  return rune == '_' || (rune >= 'a' && rune <= 'z') || (rune >= 'A' && rune <= 'Z');
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string Quote(std::string_view text) {
  std::string quoted;
  AppendQuoted(text, quoted);
  return quoted;
}

// Go's %q of a rune; the end of the input counts as an invalid one.
std::string QuoteRune(int32_t rune) {
  if (rune == '\'') return "'\\''";
  if (rune == '"') return "'\"'";
  std::string text;
  AppendRune(rune < 0 ? kReplacementRune : static_cast<char32_t>(rune), text);
  const std::string quoted = Quote(text);
  return "'" + quoted.substr(1, quoted.size() - 2) + "'";
}

// Go's %#U.
std::string NameRune(int32_t rune) {
  const auto code = static_cast<char32_t>(rune);
  std::string name = fmt::format("U+{:04X}", static_cast<uint32_t>(code));
  if (!IsPrintableRune(code)) return name;
  name += " '";
  AppendRune(code, name);
  return name + "'";
}

// Go's "%.10q..." for what is longer.
std::string QuoteBegin(std::string_view text) {
  constexpr size_t kShown = 10;
  if (text.size() <= kShown) return Quote(text);
  size_t bytes = 0;
  for (size_t runes = 0; runes < kShown && bytes < text.size(); runes++) {
    bytes += DecodeRune(text.substr(bytes)).width;
  }
  return Quote(text.substr(0, bytes)) + "...";
}

int HexDigit(int32_t rune) {
  if (IsDigit(rune)) return rune - '0';
  if (rune >= 'a' && rune <= 'f') return rune - 'a' + 10;
  if (rune >= 'A' && rune <= 'F') return rune - 'A' + 10;
  return 16;
}

}  // namespace

int32_t SelectorLexer::NextRune() {
  if (position_ >= input_.size()) {
    width_ = 0;
    return kEof;
  }
  const DecodedRune decoded = DecodeRune(input_.substr(position_));
  width_ = decoded.width;
  position_ += width_;
  return static_cast<int32_t>(decoded.rune);
}

int32_t SelectorLexer::PeekRune() {
  const int32_t rune = NextRune();
  Backup();
  return rune;
}

void SelectorLexer::SkipSpaceAndComments() {
  while (position_ < input_.size()) {
    const char c = input_[position_];
    if (c == '#') {
      position_ = std::min(input_.find_first_of("\r\n", position_), input_.size());
    } else if (IsSpace(c)) {
      position_++;
    } else {
      break;
    }
  }
  start_ = position_;
}

SelectorToken SelectorLexer::Error(std::string message) const {
  return {Kind::kError, start_, Text(), std::move(message)};
}

SelectorToken SelectorLexer::Token(Kind kind, std::string description) const {
  return {kind, start_, Text(), std::move(description)};
}

SelectorToken SelectorLexer::Sign(Kind kind) const { return Token(kind, Quote(Text())); }

SelectorToken SelectorLexer::Operator() const {
  return Token(Kind::kOther, fmt::format("<op:{}>", Text()));
}

SelectorToken SelectorLexer::Next() {
  SkipSpaceAndComments();
  return in_braces_ ? InsideBraces() : Outside();
}

SelectorToken SelectorLexer::InsideBraces() {
  const int32_t rune = NextRune();
  if (rune == kEof) return Error("unexpected end of input inside braces");
  if (IsAlpha(rune)) return Name(false);
  switch (rune) {
    case ',':
      return Sign(Kind::kComma);
    case '"':
    case '\'':
      return Quoted(rune);
    case '`':
      return RawQuoted();
    case '=':
      if (NextRune() == '~') {
        return Token(Kind::kMatches, "<op:=~>");
      }
      Backup();
      return Sign(Kind::kEqual);
    case '!': {
      const int32_t next = NextRune();
      if (next == '~') return Token(Kind::kNotMatches, "<op:!~>");
      if (next == '=') return Token(Kind::kNotEqual, "<op:!=>");
      return Error("unexpected character after '!' inside braces: " + QuoteRune(next));
    }
    case '{':
      return Error("unexpected left brace '{'");
    case '}':
      in_braces_ = false;
      return Sign(Kind::kRightBrace);
    default:
      return Error("unexpected character inside braces: " + QuoteRune(rune));
  }
}

SelectorToken SelectorLexer::Outside() {
  const int32_t rune = NextRune();
  if (rune == kEof) return Token(Kind::kEnd, "end of input");
  if (IsDigit(rune) || (rune == '.' && IsDigit(PeekRune()))) {
    position_ = start_;
    return NumberOrDuration();
  }
  if (IsAlpha(rune) || rune == ':') return Name(true);
  switch (rune) {
    case '{':
      in_braces_ = true;
      return Sign(Kind::kLeftBrace);
    case ',':
      return Sign(Kind::kComma);
    case '"':
    case '\'':
      return Quoted(rune);
    case '`':
      return RawQuoted();
    case '=':
      if (PeekRune() == '~') return Error("unexpected character after '=': '~'");
      if (PeekRune() != '=') return Sign(Kind::kEqual);
      NextRune();
      return Operator();
    case '!':
      if (const int32_t next = NextRune(); next != '=') {
        return Error("unexpected character after '!': " + QuoteRune(next));
      }
      return Operator();
    case '<':
    case '>':
      if (PeekRune() == '=' || PeekRune() == '/') NextRune();
      return Operator();
    case '*':
    case '/':
    case '%':
    case '+':
    case '-':
    case '^':
    case '@':
      return Operator();
    case '(':
    case '[':
      return Sign(Kind::kOther);
    case ')':
      // Nothing is open: what could have been has no place in a selector. It is found behind it.
      start_ = position_;
      return Error("unexpected right parenthesis ')'");
    case ']':
      return Error("unexpected right bracket ']'");
    default:
      return Error("unexpected character: " + QuoteRune(rune));
  }
}

// Its first rune has been read.
SelectorToken SelectorLexer::Name(bool colons_allowed) {
  int32_t rune = NextRune();
  while (IsAlpha(rune) || IsDigit(rune) || (colons_allowed && rune == ':')) rune = NextRune();
  Backup();
  if (colons_allowed) return Word(Text());
  return Token(Kind::kIdentifier, "identifier " + Quote(Text()));
}

SelectorToken SelectorLexer::Word(std::string_view word) const {
  const std::string lower = Lower(word);
  const auto* known = std::find_if(kWords.begin(), kWords.end(),
                                   [&](const KnownWord& entry) { return entry.text == lower; });
  bool is_known = known != kWords.end();
  if (is_known && lower.starts_with("fill")) {
    // A keyword only where a call follows.
    const size_t next = input_.find_first_not_of(" \t\n\r", position_);
    is_known = next != std::string_view::npos && input_[next] == '(';
  }
  if (!is_known) {
    const bool has_colon = word.find(':') != std::string_view::npos;
    return has_colon ? Token(Kind::kOtherName, "metric identifier " + Quote(word))
                     : Token(Kind::kIdentifier, "identifier " + Quote(word));
  }
  const Kind kind = known->names_metrics ? Kind::kOtherName : Kind::kOther;
  switch (known->word_class) {
    case WordClass::kOperator:
      return Token(kind, fmt::format("<op:{}>", word));
    case WordClass::kAggregator:
      return Token(kind, fmt::format("<aggr:{}>", word));
    case WordClass::kKeyword:
      return Token(kind, fmt::format("<{}>", word));
    case WordClass::kPreprocessor:
      return Token(kind, Quote(word));
    case WordClass::kNumber:
      break;
  }
  return Token(kind, "number " + Quote(word));
}

SelectorToken SelectorLexer::Quoted(int32_t quote) {
  while (true) {
    const int32_t rune = NextRune();
    if (rune == '\\') {
      if (std::string message = BrokenEscape(quote); !message.empty()) {
        return Error(std::move(message));
      }
      continue;
    }
    if (rune == static_cast<int32_t>(kReplacementRune)) return Error("invalid UTF-8 rune");
    if (rune == kEof || rune == '\n') return Error("unterminated quoted string");
    if (rune == quote) return Token(Kind::kString, "string " + QuoteBegin(Text()));
  }
}

SelectorToken SelectorLexer::RawQuoted() {
  while (true) {
    const int32_t rune = NextRune();
    if (rune == static_cast<int32_t>(kReplacementRune)) return Error("invalid UTF-8 rune");
    if (rune == kEof) return Error("unterminated raw string");
    if (rune == '`') return Token(Kind::kString, "string " + QuoteBegin(Text()));
  }
}

std::string SelectorLexer::BrokenEscape(int32_t quote) {
  int32_t rune = NextRune();
  if (rune == quote) return "";
  int digits = 0;
  int base = 16;
  uint32_t limit = 0x10FFFF;
  switch (rune) {
    case 'a':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
    case 'v':
    case '\\':
      return "";
    case 'x':
      digits = 2;
      limit = 255;
      rune = NextRune();
      break;
    case 'u':
      digits = 4;
      rune = NextRune();
      break;
    case 'U':
      digits = 8;
      rune = NextRune();
      break;
    case kEof:
      return "escape sequence not terminated";
    default:
      if (rune < '0' || rune > '7') return "unknown escape sequence " + NameRune(rune);
      digits = 3;
      base = 8;
      limit = 255;
  }
  uint32_t code = 0;
  for (int i = 0; i < digits; i++) {
    if (i > 0) rune = NextRune();
    if (rune == kEof) return "escape sequence not terminated";
    const int digit = HexDigit(rune);
    if (digit >= base)
      return fmt::format("illegal character {} in escape sequence", NameRune(rune));
    code = code * static_cast<uint32_t>(base) + static_cast<uint32_t>(digit);
  }
  if (code > limit || (code >= 0xD800 && code < 0xE000)) {
    return "escape sequence is an invalid Unicode code point";
  }
  return "";
}

bool SelectorLexer::Accept(std::string_view set) {
  const int32_t rune = NextRune();
  if (rune >= 0 && rune < 128 && set.find(static_cast<char>(rune)) != std::string_view::npos) {
    return true;
  }
  Backup();
  return false;
}

SelectorToken SelectorLexer::NumberOrDuration() {
  if (ScanNumber()) return Token(Kind::kOther, "number " + QuoteBegin(Text()));
  if (ScanRestOfDuration()) return Token(Kind::kOther, "duration " + QuoteBegin(Text()));
  return Error("bad number or duration syntax: " + Quote(Text()));
}

bool SelectorLexer::ScanNumber() {
  std::string_view digits = "0123456789";
  if (Accept("0") && Accept("xX")) {
    Accept("_");
    digits = "0123456789abcdefABCDEF";
  }
  Accept(".");
  Accept(digits);
  bool dot = false;
  bool exponent = false;
  while (true) {
    if (Accept(digits)) continue;
    if (Accept(".")) {
      if (std::exchange(dot, true) || Accept("_.") || digits.size() > 10) return false;
    } else if (Accept("eE")) {
      if (std::exchange(exponent, true)) return false;
      Accept("+-");
      if (Accept("._eE") || PeekRune() == kEof) return false;
    } else if (Accept("_")) {
      if (Accept("._eE") || PeekRune() == kEof) return false;
    } else {
      break;
    }
  }
  const int32_t next = PeekRune();
  return !IsAlpha(next) && !IsDigit(next);
}

bool SelectorLexer::ScanRestOfDuration() {
  if (!Accept("smhdwy")) return false;
  Accept("s");
  while (Accept("0123456789")) {
    while (Accept("0123456789")) {
    }
    if (!Accept("smhdw")) return false;
    Accept("s");
  }
  // As Prometheus: what must not follow is a part of what is shown as wrong.
  const int32_t next = NextRune();
  if (IsAlpha(next) || IsDigit(next)) return false;
  Backup();
  return true;
}

}  // namespace tributary
