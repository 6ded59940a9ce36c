// Random text pages for tests of the exposition parser: lines of every kind, most of them good,
// some of them broken in places that matter (quotes, escapes, braces, blanks, NUL bytes, UTF-8,
// numbers).
#pragma once

#include <random>
#include <string>

namespace tributary {

std::string RandomTextPage(std::mt19937_64& random);
// Also the forms that are refused.
std::string RandomNumberText(std::mt19937_64& random);

}  // namespace tributary
