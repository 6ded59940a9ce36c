// Runes as Go's standard library knows them (Unicode 15.0): the part of it that shows in what
// Prometheus does. Pure functions over tables; no locale.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tributary {

inline constexpr char32_t kReplacementRune = 0xFFFD;

struct DecodedRune {
  char32_t rune;
  size_t width;  // bytes; 1 for an invalid byte, whose rune is then kReplacementRune
};
// The first rune of a text that is not empty, as Go's utf8.DecodeRuneInString.
DecodedRune DecodeRune(std::string_view text);
void AppendRune(char32_t rune, std::string& out);

// Go's unicode.IsLetter(r) || unicode.IsDigit(r).
bool IsLetterOrDigitRune(char32_t rune);
// Go's strconv.IsPrint.
bool IsPrintableRune(char32_t rune);
// Go's unicode.ToLower and unicode.ToUpper: simple mappings.
char32_t ToLowerRune(char32_t rune);
char32_t ToUpperRune(char32_t rune);

// Appends text in double quotes, escaped as Go's strconv.Quote (%q) does it.
void AppendQuoted(std::string_view text, std::string& out);

}  // namespace tributary
