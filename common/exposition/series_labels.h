// From the labels on a page to those of a series, and text of a page for messages. For this folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/labels/labels.h"

namespace tributary {

// Labels as they stand on a page, in any order, as a set: of a name with an empty value nothing is
// kept, and `emptied`, if there, gets the name. An error: a name with two values, neither empty.
Result<Labels> UniqueLabels(std::vector<Label> labels, std::vector<std::string>* emptied);

// Printable ASCII as it is, the rest as \xNN.
std::string Printable(std::string_view text);

}  // namespace tributary
