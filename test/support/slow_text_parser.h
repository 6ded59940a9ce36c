// A slow, obvious parser of text pages, as the oracle for common/exposition: a lexer that tries the
// rules of promlex.l one after the other, byte by byte, under a parser that reads tokens. It knows
// pages, not lines, and shares no code with the fast one. Beside it the fast parser driven as a
// scrape drives it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/exposition/text_parser.h"

namespace tributary {

using TextLabels = std::vector<std::pair<std::string, std::string>>;

struct TextEntry {
  LineKind kind = LineKind::kComment;
  std::string family;
  std::string text;
  std::string series;
  uint64_t value_bits = 0;
  std::optional<TimestampMs> timestamp;
  // Sorted; nothing when a label name is there twice.
  std::optional<TextLabels> labels;

  bool operator==(const TextEntry&) const = default;
};

// What a page gives up to its end or its first error.
struct TextPage {
  bool good = true;
  std::vector<TextEntry> entries;

  bool operator==(const TextPage&) const = default;
};

TextPage SlowParsePage(std::string_view page);

// The same by ParseLine and its companions: cut into lines, series known from earlier lines by
// their text alone.
TextPage FastParsePage(std::string_view page);

// The number that Go's parser makes of a sample's value; nothing where it refuses.
std::optional<double> SlowParseValue(const std::string& text);

// For the oracle of the other text format. A label's text without its escapes; and the sorted
// labels of a series, whose names and values are as the page has them: nothing when a name is there
// twice.
std::string SlowUnescape(const std::string& text);
std::optional<TextLabels> SlowFinalLabels(const std::string& name, const TextLabels& raw,
                                          const std::string& type);

// For messages.
std::string ToString(const TextPage& page);

}  // namespace tributary
