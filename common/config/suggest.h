// What somebody may have meant by a name that does not exist.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/config/options.h"

namespace tributary {

// "did you mean 'x'?" for the nearest of the names by edit distance, or "" if none is near.
std::string NearestHint(std::string_view word, const std::vector<std::string>& names);

// The same, or all the names if none is near.
std::string ChoiceHint(std::string_view word, const std::vector<std::string>& names);

// The same for a field: a near name, else the section that the field belongs to.
std::string UnknownFieldHint(std::string_view field, const Section& section);

// Insertions, deletions, replacements and swaps of neighbours that lead from one to the other.
size_t EditDistance(std::string_view a, std::string_view b);

}  // namespace tributary
