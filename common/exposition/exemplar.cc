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
  for (size_t i = 0; i < labels.size(); ++i) {
    code_points += CodePoints(labels[i].name) + CodePoints(labels[i].value);
    if (i > 0 && labels[i].name == labels[i - 1].name) {
      return Fail("the exemplar's label name \"" + Printable(labels[i].name) + "\" is not unique");
    }
  }
  if (code_points > kCodePointsMax) {
    return Fail("the exemplar's labels have " + std::to_string(code_points) +
                " characters, more than " + std::to_string(kCodePointsMax));
  }
  return Labels(std::move(labels));
}

}  // namespace tributary
