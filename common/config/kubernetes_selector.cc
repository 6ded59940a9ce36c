#include "common/config/kubernetes_selector.h"

#include <algorithm>
#include <string>

namespace tributary {
namespace {

constexpr size_t kNameBytesMax = 63;
constexpr size_t kPrefixBytesMax = 253;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsAlnum(char c) { return IsDigit(c) || IsLower(c) || (c >= 'A' && c <= 'Z'); }
bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool IsSymbol(char c) { return std::string_view("=!(),><").find(c) != std::string_view::npos; }

// Letters, digits, and between them also - _ and .
bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax && IsAlnum(text.front()) &&
         IsAlnum(text.back()) && std::all_of(text.begin(), text.end(), [](char c) {
           return IsAlnum(c) || c == '-' || c == '_' || c == '.';
         });
}

// RFC 1123, in lower case.
bool IsSubdomain(std::string_view text) {
  if (text.size() > kPrefixBytesMax) return false;
  const auto ends_label = [](char c) { return IsLower(c) || IsDigit(c); };
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('.', begin), text.size());
    const std::string_view label = text.substr(begin, end - begin);
    if (label.empty() || !ends_label(label.front()) || !ends_label(label.back()) ||
        !std::all_of(label.begin(), label.end(),
                     [&](char c) { return ends_label(c) || c == '-'; })) {
      return false;
    }
    begin = end + 1;
  }
  return true;
}

bool IsKey(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return IsName(text);
  return IsSubdomain(text.substr(0, slash)) && IsName(text.substr(slash + 1));
}

// Of 64 bits. Signs are no part of a label's value.
bool IsInteger(std::string_view text) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), IsDigit)) return false;
  text.remove_prefix(std::min(text.find_first_not_of('0'), text.size()));
  return text.size() < 19 || (text.size() == 19 && text <= "9223372036854775807");
}

std::string Quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

struct Token {
  enum class Kind { kWord, kSymbol, kEnd, kBad };
  Kind kind = Kind::kEnd;
  std::string_view text;
  bool Is(std::string_view symbol) const { return kind == Kind::kSymbol && text == symbol; }
  std::string Found() const {
    return kind == Kind::kEnd ? "found the end" : "found " + Quoted(text);
  }
};

class LabelSelectorParser {
 public:
  explicit LabelSelectorParser(std::string_view text) : rest_(text) { Next(); }

  Status Parse() {
    if (token_.kind == Token::Kind::kEnd) return {};
    while (true) {
      if (Status good = Requirement(); !good) return good;
      if (token_.kind == Token::Kind::kEnd) return {};
      if (!token_.Is(",")) return Fail(token_.Found() + " where ',' or the end belongs");
      Next();
    }
  }

 private:
  void Next() {
    while (!rest_.empty() && IsSpace(rest_[0])) rest_.remove_prefix(1);
    if (rest_.empty() || rest_[0] == '\0') {
      token_ = {};
      return;
    }
    if (IsSymbol(rest_[0])) {
      const bool two = rest_.starts_with("==") || rest_.starts_with("!=");
      token_ = {Token::Kind::kSymbol, rest_.substr(0, two ? 2 : 1)};
    } else {
      size_t end = 0;
      while (end < rest_.size() && !IsSpace(rest_[end]) && !IsSymbol(rest_[end])) end++;
      token_ = {Token::Kind::kWord, rest_.substr(0, end)};
    }
    rest_.remove_prefix(token_.text.size());
  }
  bool AtEndOfRequirement() const { return token_.kind == Token::Kind::kEnd || token_.Is(","); }

  Status Requirement() {
    const bool absent = token_.Is("!");
    if (absent) Next();
    if (token_.kind != Token::Kind::kWord) {
      return Fail(token_.Found() + " where the name of a label belongs");
    }
    if (!IsKey(token_.text)) return Fail(Quoted(token_.text) + " is no name of a label");
    Next();
    if (absent || AtEndOfRequirement()) return {};
    const std::string operation(token_.text);
    if (operation == "in" || operation == "notin") {
      Next();
      return Values();
    }
    constexpr std::string_view kBinary[] = {"=", "==", "!=", ">", "<"};
    if (std::find(std::begin(kBinary), std::end(kBinary), operation) == std::end(kBinary)) {
      return Fail(token_.Found() + " where one of = == != > < in notin belongs");
    }
    Next();
    std::string_view value;
    if (!AtEndOfRequirement()) {
      if (token_.kind != Token::Kind::kWord) return Fail(token_.Found() + " where a value belongs");
      value = token_.text;
      Next();
    }
    if ((operation == ">" || operation == "<") && !IsInteger(value)) {
      return Fail("'" + operation + "' compares with a whole number, not with " + Quoted(value));
    }
    return CheckValue(value);
  }

  // "(a,b)"; values may be empty.
  Status Values() {
    if (!token_.Is("(")) return Fail(token_.Found() + " where '(' belongs");
    Next();
    while (!token_.Is(")")) {
      if (token_.kind == Token::Kind::kWord) {
        if (Status good = CheckValue(token_.text); !good) return good;
        Next();
        if (token_.Is(")")) break;
      }
      if (!token_.Is(",")) return Fail(token_.Found() + " where ',' or ')' belongs");
      Next();
    }
    Next();
    return {};
  }

  static Status CheckValue(std::string_view value) {
    if (value.empty() || IsName(value)) return {};
    return Fail(Quoted(value) + " is no value of a label");
  }

  std::string_view rest_;
  Token token_;
};

Status CheckFieldTerm(std::string_view term) {
  const size_t at = term.find_first_of("=!");
  size_t operation = at;
  while (operation != std::string_view::npos && term[operation] == '!' &&
         !term.substr(operation).starts_with("!=")) {
    operation = term.find_first_of("=!", operation + 1);
  }
  if (operation == std::string_view::npos) {
    return Fail(Quoted(term) + " has none of the operators = == !=");
  }
  const std::string_view from = term.substr(operation);
  std::string_view value = from.substr(from.starts_with("!=") || from.starts_with("==") ? 2 : 1);
  while (!value.empty()) {
    if (value[0] == '=') return Fail("'=' in a value has to be written as '\\='");
    if (value[0] == '\\') {
      value.remove_prefix(1);
      if (value.empty() || std::string_view("\\,=").find(value[0]) == std::string_view::npos) {
        return Fail("'\\' in a value stands before '\\', ',' or '=' only");
      }
    }
    value.remove_prefix(1);
  }
  return {};
}

}  // namespace

Status CheckLabelSelector(std::string_view text) { return LabelSelectorParser(text).Parse(); }

Status CheckFieldSelector(std::string_view text) {
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); i++) {
    if (i + 1 < text.size() && text[i] == '\\') {
      i++;
    } else if (i >= text.size() || text[i] == ',') {
      const std::string_view term = text.substr(begin, i - begin);
      if (Status good = term.empty() ? Status() : CheckFieldTerm(term); !good) return good;
      begin = i + 1;
    }
  }
  return {};
}

}  // namespace tributary
