#include "common/relabel/simple_pattern.h"

#include <algorithm>

#include "common/base/utf8.h"

namespace tributary {
namespace {

// Beyond it a DFA is faster than trying one after the other.
constexpr size_t kGapsMax = 16;

constexpr std::string_view kMetaCharacters = "\\.+*?()|[]{}^$";

// Takes literal characters, escaped or plain, off the text. Of escapes only those of metacharacters
// and of a few marks that people like to escape; what any other means is RE2's business.
std::string TakeLiteral(std::string_view& text) {
  constexpr std::string_view kEscaped = "\\.+*?()|[]{}^$-/_:";
  std::string out;
  while (!text.empty()) {
    if (text[0] == '\\') {
      if (text.size() < 2 || kEscaped.find(text[1]) == std::string_view::npos) break;
      text.remove_prefix(1);
    } else if (kMetaCharacters.find(text[0]) != std::string_view::npos) {
      break;
    }
    out += text[0];
    text.remove_prefix(1);
  }
  return out;
}

bool Take(std::string_view token, std::string_view& text) {
  if (!text.starts_with(token)) return false;
  text.remove_prefix(token.size());
  return true;
}

}  // namespace

struct SimplePattern::Parser {
  SimplePattern pattern;

  bool ParseAlternative(std::string_view& text) {
    std::string prefix = TakeLiteral(text);
    bool group = true;
    Wildcard wildcard = Wildcard::kAny;
    if (Take("(.+)", text)) {
      wildcard = Wildcard::kNonEmpty;
    } else if (!Take("(.*)", text)) {
      group = false;
      if (Take(".+", text)) {
        wildcard = Wildcard::kNonEmpty;
      } else if (!Take(".*", text)) {
        pattern.literals_.push_back(std::move(prefix));
        return true;
      }
    }
    if (group && pattern.group_ != Group::kNone) return false;
    if (group) pattern.group_ = Group::kWildcard;
    pattern.gaps_.push_back({std::move(prefix), TakeLiteral(text), wildcard});
    return true;
  }

  bool ParseAlternatives(std::string_view text) {
    while (true) {
      if (!ParseAlternative(text)) return false;
      if (text.empty()) break;
      if (!Take("|", text)) return false;
    }
    // Which of several alternatives matched would decide what the group holds.
    bool several = pattern.literals_.size() + pattern.gaps_.size() > 1;
    return pattern.gaps_.size() <= kGapsMax && !(several && pattern.group_ == Group::kWildcard);
  }
};

std::optional<SimplePattern> SimplePattern::Parse(std::string_view regex) {
  if (!IsValidUtf8(regex)) return std::nullopt;
  Parser parser;
  std::string_view inner = regex;
  // A ')' that is escaped or belongs to another group fails below: it has no '(' then.
  if (regex.starts_with('(') && regex.ends_with(')')) {
    inner = regex.substr(1, regex.size() - 2);
    if (!Take("?:", inner)) parser.pattern.group_ = Group::kWhole;
  }
  if (!parser.ParseAlternatives(inner)) return std::nullopt;
  std::sort(parser.pattern.literals_.begin(), parser.pattern.literals_.end());
  return std::move(parser.pattern);
}

bool SimplePattern::Matches(std::string_view text) const {
  for (const Gap& gap : gaps_) {
    size_t fixed = gap.prefix.size() + gap.suffix.size();
    size_t needed = fixed + (gap.wildcard == Wildcard::kNonEmpty ? 1 : 0);
    if (text.size() >= needed && text.starts_with(gap.prefix) && text.ends_with(gap.suffix)) {
      return true;
    }
  }
  return std::binary_search(literals_.begin(), literals_.end(), text);
}

std::string_view SimplePattern::GroupText(std::string_view text) const {
  if (group_ == Group::kWhole) return text;
  const Gap& gap = gaps_.front();
  return text.substr(gap.prefix.size(), text.size() - gap.prefix.size() - gap.suffix.size());
}

}  // namespace tributary
