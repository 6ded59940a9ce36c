#include "common/selector/series_selector.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "common/base/assert.h"
#include "common/base/unicode.h"
#include "common/relabel/regex_error.h"
#include "common/selector/selector_lexer.h"

namespace tributary {
namespace {

using Kind = SelectorToken::Kind;

constexpr char kInMatching[] = "label matching";

tl::unexpected<Error> ErrorAt(std::string_view text, size_t position, std::string_view message) {
  if (text.empty()) return Fail(fmt::format("unknown position: parse error: {}", message));
  const std::string_view before = text.substr(0, position);
  const size_t line_break = before.rfind('\n');
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t column = line_break == std::string_view::npos ? position + 1 : position - line_break;
  return Fail(fmt::format("{}:{}: parse error: {}", line, column, message));
}

tl::unexpected<Error> Unexpected(std::string_view text, const SelectorToken& token,
                                 std::string_view context, std::string_view expected) {
  if (token.kind == Kind::kError) return ErrorAt(text, token.position, token.description);
  std::string message = "unexpected " + token.description;
  if (!context.empty()) message += fmt::format(" in {}", context);
  if (!expected.empty()) message += fmt::format(", expected {}", expected);
  return ErrorAt(text, token.position, message);
}

int HexDigit(char c) {
  if (c >= 'a') return c - 'a' + 10;
  return c >= 'A' ? c - 'A' + 10 : c - '0';
}

// Takes `count` digits.
uint32_t TakeDigits(std::string_view& text, size_t count, uint32_t base) {
  uint32_t code = 0;
  for (const char c : text.substr(0, count))
    code = code * base + static_cast<uint32_t>(HexDigit(c));
  text.remove_prefix(count);
  return code;
}

// What follows a backslash.
void TakeEscape(std::string_view& text, std::string& out) {
  constexpr std::string_view kLetters = "abfnrtv";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v";
  const char c = text[0];
  if (const size_t letter = kLetters.find(c); letter != std::string_view::npos) {
    out += kMeanings[letter];
    text.remove_prefix(1);
  } else if (c == 'x') {
    text.remove_prefix(1);
    out += static_cast<char>(static_cast<unsigned char>(TakeDigits(text, 2, 16)));
  } else if (c == 'u' || c == 'U') {
    text.remove_prefix(1);
    AppendRune(TakeDigits(text, c == 'u' ? 4 : 8, 16), out);
  } else if (c >= '0' && c <= '7') {
    out += static_cast<char>(static_cast<unsigned char>(TakeDigits(text, 3, 8)));
  } else {
    out += c;  // a backslash or the quote
    text.remove_prefix(1);
  }
}

// Of a string token, whose escapes the lexer has checked.
std::string Unquote(std::string_view quoted) {
  const char quote = quoted[0];
  std::string_view text = quoted.substr(1, quoted.size() - 2);
  if (quote == '`') return std::string(text);
  std::string out;
  while (!text.empty()) {
    const size_t plain = std::min(text.find('\\'), text.size());
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    text.remove_prefix(1);
    TakeEscape(text, out);
  }
  return out;
}

std::optional<LabelMatcher::Type> TypeOf(Kind kind) {
  switch (kind) {
    case Kind::kEqual:
      return LabelMatcher::Type::kEqual;
    case Kind::kNotEqual:
      return LabelMatcher::Type::kNotEqual;
    case Kind::kMatches:
      return LabelMatcher::Type::kMatches;
    case Kind::kNotMatches:
      return LabelMatcher::Type::kNotMatches;
    default:
      return std::nullopt;
  }
}

// What follows the left brace.
class MatcherList {
 public:
  MatcherList(std::string_view text, SelectorLexer& lexer, std::vector<LabelMatcher>& matchers)
      : text_(text), lexer_(lexer), matchers_(matchers) {}

  Status Parse() {
    token_ = lexer_.Next();
    while (token_.kind != Kind::kRightBrace) {
      if (auto taken = ParseMatcher(); !taken) return taken;
      if (token_.kind == Kind::kRightBrace) break;
      if (token_.kind != Kind::kComma) {
        return Unexpected(text_, token_, kInMatching, "\",\" or \"}\"");
      }
      token_ = lexer_.Next();
    }
    return {};
  }

 private:
  // Ends with the token behind it.
  Status ParseMatcher() {
    const SelectorToken name = token_;
    const bool quoted = name.kind == Kind::kString;
    if (!quoted && name.kind != Kind::kIdentifier) {
      return Unexpected(text_, name, kInMatching, "identifier or \"}\"");
    }
    std::string label = quoted ? Unquote(name.text) : std::string(name.text);
    token_ = lexer_.Next();
    const auto type = TypeOf(token_.kind);
    if (!type && !quoted) {
      return Unexpected(text_, token_, kInMatching, "label matching operator");
    }
    if (!type) {
      return Add(LabelMatcher::Type::kEqual, std::string(kMetricName), std::move(label), name);
    }
    token_ = lexer_.Next();
    if (token_.kind != Kind::kString) return Unexpected(text_, token_, kInMatching, "string");
    if (auto added = Add(*type, std::move(label), Unquote(token_.text), name); !added) {
      return added;
    }
    token_ = lexer_.Next();
    return {};
  }

  Status Add(LabelMatcher::Type type, std::string label, std::string value,
             const SelectorToken& at) {
    auto matcher = LabelMatcher::Make(type, std::move(label), std::move(value));
    if (!matcher) return ErrorAt(text_, at.position, matcher.error().message);
    matchers_.push_back(std::move(*matcher));
    return {};
  }

  std::string_view text_;
  SelectorLexer& lexer_;
  std::vector<LabelMatcher>& matchers_;
  SelectorToken token_;
};

}  // namespace

LabelMatcher::LabelMatcher(Type type, std::string name, std::string value)
    : type_(type), name_(std::move(name)), value_(std::move(value)) {
  if (type_ == Type::kMatches || type_ == Type::kNotMatches) regex_.emplace(value_);
}

Result<LabelMatcher> LabelMatcher::Make(Type type, std::string name, std::string value) {
  if (type == Type::kMatches || type == Type::kNotMatches) {
    if (auto error = RegexError(value)) return Fail(*std::move(error));
  }
  return LabelMatcher(type, std::move(name), std::move(value));
}

bool LabelMatcher::Matches(std::string_view value) const {
  switch (type_) {
    case Type::kEqual:
      return value == value_;
    case Type::kNotEqual:
      return value != value_;
    case Type::kMatches:
      return regex_->Matches(value);
    case Type::kNotMatches:
      return !regex_->Matches(value);
  }
  BUG("no such matcher");
  return false;
}

Result<SeriesSelector> SeriesSelector::Parse(std::string_view text) {
  SeriesSelector selector;
  SelectorLexer lexer(text);
  SelectorToken token = lexer.Next();
  std::optional<std::string> name;
  if (token.kind == Kind::kIdentifier || token.kind == Kind::kOtherName) {
    name = token.text;
    token = lexer.Next();
  } else if (token.kind != Kind::kLeftBrace) {
    return Unexpected(text, token, "", "");
  }
  if (token.kind == Kind::kLeftBrace) {
    if (auto list = MatcherList(text, lexer, selector.matchers_).Parse(); !list) {
      return tl::unexpected(std::move(list.error()));
    }
    token = lexer.Next();
  }
  if (token.kind != Kind::kEnd) return Unexpected(text, token, "", "");
  if (name) {
    auto matcher =
        LabelMatcher::Make(LabelMatcher::Type::kEqual, std::string(kMetricName), *std::move(name));
    selector.matchers_.push_back(std::move(*matcher));
  }
  return selector;
}

bool SeriesSelector::Matches(std::span<const LabelView> labels) const {
  if (matchers_.empty()) return false;
  return std::all_of(matchers_.begin(), matchers_.end(), [&](const LabelMatcher& matcher) {
    const auto found = std::find_if(labels.begin(), labels.end(), [&](const LabelView& label) {
      return label.name == matcher.name();
    });
    return matcher.Matches(found == labels.end() ? std::string_view() : found->value);
  });
}

}  // namespace tributary
