// What is wrong with a regex, in the words of Go's regexp.
#pragma once

#include <optional>
#include <string>

namespace tributary {

// Nothing: a Matcher can be made of it. Else "error parsing regexp: missing closing ): `(a`", as
// Go's regexp/syntax says it of the regex by itself: unlike in the rules of relabeling, "a)|(b" is
// wrong here.
std::optional<std::string> RegexError(const std::string& regex);

}  // namespace tributary
