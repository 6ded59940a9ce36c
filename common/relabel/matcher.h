// A compiled regex of a rule: the shortcut where the regex is simple, RE2 where it is not.
//
// Immutable: any thread may match.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/relabel/simple_pattern.h"

namespace re2 {
class RE2;
}

namespace tributary {

class Matcher {
 public:
  enum class Paths { kShortcuts, kRe2Only };  // the latter for the test that compares the two

  // The regex must be valid (ValidateRegex).
  explicit Matcher(const std::string& regex, Paths paths = Paths::kShortcuts);
  ~Matcher();
  Matcher(Matcher&&) noexcept;
  Matcher& operator=(Matcher&&) noexcept;

  size_t group_count() const;
  // The numbers of the groups with that name, ascending: Go and RE2 let several have the same.
  std::vector<size_t> GroupsNamed(std::string_view name) const;

  bool Matches(std::string_view text) const;
  // Fills groups[0] (what matched), groups[1], ...: views of the text, null where a group took no
  // part. Ask for no more groups than are needed: it is what costs. Not more than group_count()
  // + 1.
  bool Match(std::string_view text, std::span<std::string_view> groups) const;
  // The same from a position on, with what lies before it as context.
  bool MatchFrom(std::string_view text, size_t position, std::span<std::string_view> groups) const;

 private:
  std::optional<SimplePattern> simple_;
  std::unique_ptr<re2::RE2> regex_;  // null if simple_
};

}  // namespace tributary
