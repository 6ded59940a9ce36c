#include "common/exposition/exemplar.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/base/unicode.h"
#include "common/exposition/series_labels.h"

namespace tributary {

namespace {

constexpr size_t kCodePointsMax = 128;

size_t CodePoints(std::string_view text) {
  size_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(DecodeRune(text).width);
  return count;
}

}  // namespace

Result<Labels> MakeExemplarLabels(std::vector<Label> labels) {
  std::erase_if(labels, [](const Label& label) { return label.value.empty(); });
  std::sort(labels.begin(), labels.end());
  size_t code_points = 0;
  // To Prometheus an empty name equals the one before the first.
  std::string_view last;
  for (const Label& label : labels) {
    code_points += CodePoints(label.name) + CodePoints(label.value);
    if (label.name != std::exchange(last, label.name)) continue;
    return Fail("the exemplar's label name \"" + Printable(label.name) +
                "\" is empty or not unique");
  }
  if (code_points > kCodePointsMax) {
    return Fail("the exemplar's labels have " + std::to_string(code_points) +
                " characters, more than " + std::to_string(kCodePointsMax));
  }
  return Labels(std::move(labels));
}

}  // namespace tributary
