// Text without what is blank at its ends: views into what is given.
#pragma once

#include <algorithm>
#include <string_view>

namespace tributary {

// Of lines of HTTP: optional whitespace of RFC 9110.
inline constexpr std::string_view kSpaceAndTab = " \t";

inline std::string_view TrimLeft(std::string_view text, std::string_view blanks = kSpaceAndTab) {
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  return text;
}
inline std::string_view Trim(std::string_view text, std::string_view blanks = kSpaceAndTab) {
  text = TrimLeft(text, blanks);
  return text.substr(0, text.find_last_not_of(blanks) + 1);
}

}  // namespace tributary
