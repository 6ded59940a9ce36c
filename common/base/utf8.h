// UTF-8 validity (as Go's utf8.Valid) and the case mapping of Go's strings.ToLower / strings.ToUpper.
#pragma once

#include <string>
#include <string_view>

namespace tributary {

bool IsValidUtf8(std::string_view text);
// Each invalid byte becomes U+FFFD.
std::string ToValidUtf8(std::string_view text);
// Maps rune by rune like Go's unicode.ToLower/ToUpper (simple mappings, no locale, no special casing:
// "ß" stays "ß" in upper case). Invalid bytes become U+FFFD as in Go.
std::string ToLowerUtf8(std::string_view text);
std::string ToUpperUtf8(std::string_view text);

}  // namespace tributary
