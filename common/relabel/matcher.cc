#include "common/relabel/matcher.h"

#include <array>
#include <utility>
#include <vector>

#include "common/base/assert.h"
#include "common/relabel/go_regex.h"

namespace tributary {

Matcher::Matcher(const std::string& regex, Paths paths) {
  if (paths == Paths::kShortcuts) simple_ = SimplePattern::Parse(regex);
  if (simple_) return;
  auto compiled = CompileGoRegex(regex);
  CHECK(compiled.has_value());
  regex_ = std::move(*compiled);
}

Matcher::~Matcher() = default;
Matcher::Matcher(Matcher&&) noexcept = default;
Matcher& Matcher::operator=(Matcher&&) noexcept = default;

size_t Matcher::group_count() const {
  return simple_ ? simple_->group_count() : static_cast<size_t>(regex_->NumberOfCapturingGroups());
}

std::vector<size_t> Matcher::GroupsNamed(std::string_view name) const {
  std::vector<size_t> numbers;
  if (simple_) return numbers;
  for (const auto& [number, group_name] : regex_->CapturingGroupNames()) {
    if (group_name == name) numbers.push_back(static_cast<size_t>(number));
  }
  return numbers;
}

bool Matcher::Matches(std::string_view text) const { return Match(text, {}); }

bool Matcher::Match(std::string_view text, std::span<std::string_view> groups) const {
  if (!simple_) return MatchFrom(text, 0, groups);
  if (!simple_->Matches(text)) return false;
  if (!groups.empty()) groups[0] = text;
  if (groups.size() > 1) groups[1] = simple_->GroupText(text);
  return true;
}

bool Matcher::MatchFrom(std::string_view text, size_t position,
                        std::span<std::string_view> groups) const {
  // A simple pattern is anchored at both ends.
  if (simple_) return position == 0 && Match(text, groups);
  constexpr size_t kUsual = 16;
  std::array<re2::StringPiece, kUsual> few;
  std::vector<re2::StringPiece> many(groups.size() > kUsual ? groups.size() : 0);
  re2::StringPiece* pieces = many.empty() ? few.data() : many.data();
  if (!regex_->Match(re2::StringPiece(text.data(), text.size()), position, text.size(),
                     re2::RE2::UNANCHORED, pieces, static_cast<int>(groups.size()))) {
    return false;
  }
  for (size_t i = 0; i < groups.size(); ++i) {
    groups[i] = std::string_view(pieces[i].data(), pieces[i].size());
  }
  return true;
}

}  // namespace tributary
