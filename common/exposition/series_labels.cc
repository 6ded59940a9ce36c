#include "common/exposition/series_labels.h"

#include <algorithm>
#include <utility>

namespace tributary {

Result<Labels> UniqueLabels(std::vector<Label> labels, std::vector<std::string>* emptied) {
  // Sorted by name, then value: an empty value comes first, and takes all of its name with it.
  std::sort(labels.begin(), labels.end());
  std::vector<Label> kept;
  kept.reserve(labels.size());
  for (size_t i = 0; i < labels.size();) {
    size_t next = i + 1;
    while (next < labels.size() && labels[next].name == labels[i].name) ++next;
    if (!labels[i].value.empty()) {
      if (next - i > 1) {
        return Fail("the label name \"" + Printable(labels[i].name) + "\" is not unique");
      }
      kept.push_back(std::move(labels[i]));
    } else if (emptied != nullptr) {
      emptied->push_back(std::move(labels[i].name));
    }
    i = next;
  }
  return Labels(std::move(kept));
}

std::string Printable(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

}  // namespace tributary
