// Labels as people give them to a command, and as they are shown. Pure functions but for
// ReadInputs.
#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/labels/labels.h"

namespace tributary {

struct LabelInput {
  std::string text;  // as it was given
  Labels labels;
  std::vector<std::string> emptied;  // names that were given with an empty value
};

// A series or a sample as a page has it (up{a="b"} 1), a label set as Prometheus prints it
// ({a="b"}), or a JSON object of text as its API has it. `type` is the word of the last TYPE line
// of the page, which decides how `le` and `quantile` are written.
Result<LabelInput> ParseLabelInput(std::string_view text, std::string_view type = {});

// A longer line of standard input is an error.
inline constexpr size_t kInputLineBytesMax = 4 << 20;

// Calls `each` with what the lines of `file` stand for; blank lines and comments are left out. An
// error names its line, and the next line is read.
void ReadInputs(std::FILE* file, const std::function<void(Result<LabelInput>)>& each);

// up{a="b",c="d"} as a page of text 1.0.0 has it, with Go's escapes for what cannot be printed.
std::string FormatSeries(const Labels& labels);
// name="value", escaped in the same way.
std::string FormatLabel(std::string_view name, std::string_view value);
// In double quotes, escaped in the same way; cut after `shown` bytes.
std::string Quoted(std::string_view text, size_t shown = std::string_view::npos);

}  // namespace tributary
