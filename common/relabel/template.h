// A replacement or target_label with $1, ${1}, $name, ${name} and $$, as Go's regexp.Expand reads
// it: a name is the longest run of letters, digits and underscores ($1x is the group "1x"); a group
// that does not exist or took no part is empty; of several groups of one name the first that took
// part counts; a '$' that begins nothing stands for itself.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/relabel/matcher.h"

namespace tributary {

class Template {
 public:
  Template(std::string_view text, const Matcher& matcher);

  // How many groups a match must fill for Expand: 0 if the text refers to none.
  size_t groups_needed() const { return groups_needed_; }
  bool is_constant() const { return groups_needed_ == 0; }
  // Appends the text with what its groups matched.
  void Expand(std::span<const std::string_view> groups, std::string& out) const;

 private:
  struct Piece {
    std::string text;
    std::vector<size_t> groups;  // the first of them that took part follows the text
  };
  void AddPiece(std::string& text, std::vector<size_t> groups);

  std::vector<Piece> pieces_;
  size_t groups_needed_ = 0;
};

// Go's regexp.ReplaceAllString: every match in the text replaced.
std::string ReplaceAll(const Matcher& matcher, const Template& replacement, std::string_view text);

}  // namespace tributary
