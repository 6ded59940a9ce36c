#include "common/relabel/template.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/unicode.h"

namespace tributary {
namespace {

// What stands behind a '$': a name, and how much of the text it takes with its braces.
struct Reference {
  std::string_view name;
  size_t length;
};

std::optional<Reference> ReadReference(std::string_view text) {
  bool braced = text.starts_with('{');
  size_t start = braced ? 1 : 0;
  size_t end = start;
  while (end < text.size()) {
    auto [rune, width] = DecodeRune(text.substr(end));
    if (rune != '_' && !IsLetterOrDigitRune(rune)) break;
    end += width;
  }
  if (end == start) return std::nullopt;
  std::string_view name = text.substr(start, end - start);
  if (braced && !text.substr(end).starts_with('}')) return std::nullopt;
  return Reference{name, end + (braced ? 1 : 0)};
}

// "01" and what is not all digits is a name.
std::optional<size_t> ReadNumber(std::string_view name) {
  if (name[0] == '0' && name.size() > 1) return std::nullopt;
  size_t number = 0;
  for (char c : name) {
    if (c < '0' || c > '9' || number >= 100'000'000) return std::nullopt;
    number = number * 10 + static_cast<size_t>(c - '0');
  }
  return number;
}

// None if there is no such group.
std::vector<size_t> FindGroups(std::string_view name, const Matcher& matcher) {
  std::optional<size_t> number = ReadNumber(name);
  if (!number) return matcher.GroupsNamed(name);
  if (*number > matcher.group_count()) return {};
  return {*number};
}

}  // namespace

Template::Template(std::string_view text, const Matcher& matcher) {
  std::string plain;
  while (!text.empty()) {
    size_t dollar = std::min(text.find('$'), text.size());
    plain += text.substr(0, dollar);
    text.remove_prefix(dollar);
    if (text.empty()) break;
    text.remove_prefix(1);
    if (text.starts_with('$')) {
      plain += '$';
      text.remove_prefix(1);
    } else if (std::optional<Reference> reference = ReadReference(text)) {
      text.remove_prefix(reference->length);
      std::vector<size_t> groups = FindGroups(reference->name, matcher);
      if (!groups.empty()) AddPiece(plain, std::move(groups));
    } else {
      plain += '$';
    }
  }
  if (!plain.empty()) AddPiece(plain, {});
}

void Template::AddPiece(std::string& text, std::vector<size_t> groups) {
  for (size_t group : groups) groups_needed_ = std::max(groups_needed_, group + 1);
  pieces_.push_back({std::move(text), std::move(groups)});
  text.clear();
}

void Template::Expand(std::span<const std::string_view> groups, std::string& out) const {
  for (const Piece& piece : pieces_) {
    out += piece.text;
    for (size_t group : piece.groups) {
      if (groups[group].data() == nullptr) continue;
      out += groups[group];
      break;
    }
  }
}

std::string ReplaceAll(const Matcher& matcher, const Template& replacement, std::string_view text) {
  std::vector<std::string_view> groups(std::max<size_t>(1, replacement.groups_needed()));
  std::string out;
  size_t search = 0;  // where to look for the next match
  size_t copied = 0;  // the end of the last match
  while (search <= text.size() && matcher.MatchFrom(text, search, groups)) {
    size_t begin = static_cast<size_t>(groups[0].data() - text.data());
    size_t end = begin + groups[0].size();
    out += text.substr(copied, begin - copied);
    // An empty match right behind another one does not count.
    if (end > copied || begin == 0) replacement.Expand(groups, out);
    copied = end;
    size_t step = search < text.size() ? DecodeRune(text.substr(search)).width : 1;
    search = std::max(search + step, end);
  }
  out += text.substr(copied);
  return out;
}

}  // namespace tributary
