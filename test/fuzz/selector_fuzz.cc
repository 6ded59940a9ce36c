// Selectors of any text: nothing crashes, an error says where it is, and what is before and behind
// a selector without being part of it changes nothing.
//
// The input is a selector up to the first NUL, then names and values of labels, each up to a NUL.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "common/selector/series_selector.h"

namespace tributary {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

std::string_view NextField(std::string_view& input) {
  const size_t end = input.find('\0');
  const std::string_view field = input.substr(0, end);
  input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
  return field;
}

void Run(std::string_view input) {
  const std::string text(NextField(input));
  std::vector<LabelView> labels;
  while (!input.empty()) {
    const std::string_view name = NextField(input);
    labels.push_back({name, NextField(input)});
  }
  const auto selector = SeriesSelector::Parse(text);
  const auto later = SeriesSelector::Parse("# a comment\n\t" + text);
  Require(later.has_value() == selector.has_value());
  if (!selector) {
    Require(selector.error().message.find(": parse error: ") != std::string::npos);
    Require(text.empty() == selector.error().message.starts_with("unknown position"));
    return;
  }
  const auto padded = SeriesSelector::Parse(text + "\n # behind");
  Require(padded.has_value());
  const bool matches = selector->Matches(labels);
  Require(later->Matches(labels) == matches && padded->Matches(labels) == matches);
  Require(!matches || !selector->matchers().empty());
}

}  // namespace
}  // namespace tributary

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tributary::Run(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
