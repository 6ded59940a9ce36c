// A series as its text has it, and the labels it stands for, by the rules that both text formats
// share. Internal to this folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/labels/labels.h"

namespace tributary {

// Views into the text; escapes not yet resolved.
struct RawLabel {
  std::string_view name;
  std::string_view value;
};

struct RawSeries {
  std::string_view name;
  std::vector<RawLabel> labels;
};

// \" \\ and \n; any other backslash stands for itself.
std::string UnescapeLabelText(std::string_view text);

// What ParseSeries (text_parser.h) promises. `series` is the whole text, for messages.
Result<Labels> ResolveSeries(const RawSeries& raw, std::string_view series, std::string_view type,
                             std::vector<std::string>* emptied);

}  // namespace tributary
