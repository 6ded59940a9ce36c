// The regexes that most rules have, matched without a regex engine: alternatives of
// PREFIX, PREFIX.*SUFFIX or PREFIX.+SUFFIX, with at most one group.
//
// A fixed prefix and a fixed suffix leave one way to match, so neither greediness nor the order of
// alternatives matters, and the result is RE2's; relabel_oracle_test compares the two.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tributary {

class SimplePattern {
 public:
  // Nothing if the regex is not of this kind. What is of this kind is a valid regex.
  static std::optional<SimplePattern> Parse(std::string_view regex);

  bool Matches(std::string_view text) const;
  size_t group_count() const { return group_ == Group::kNone ? 0 : 1; }
  // The text of group 1, if there is one, in a text that matches.
  std::string_view GroupText(std::string_view text) const;

 private:
  enum class Wildcard { kAny, kNonEmpty };
  enum class Group { kNone, kWhole, kWildcard };
  struct Gap {
    std::string prefix, suffix;
    Wildcard wildcard;
  };
  struct Parser;

  std::vector<std::string> literals_;  // sorted
  std::vector<Gap> gaps_;
  Group group_ = Group::kNone;
};

}  // namespace tributary
