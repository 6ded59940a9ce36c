// A slow, obvious parser of OpenMetrics pages, as the oracle for common/exposition: a lexer that
// tries the rules of openmetricslex.l byte by byte, under a parser that reads tokens and looks
// ahead for _created lines. It knows pages, not lines, and shares no code with the fast one. Beside
// it the fast parser driven as a scrape drives it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/exposition/parsed_line.h"
#include "test/support/slow_text_parser.h"

namespace tributary {

struct OpenMetricsExemplar {
  // Sorted; nothing when Prometheus drops the exemplar for them, and then nothing below.
  std::optional<TextLabels> labels;
  uint64_t value_bits = 0;
  std::optional<TimestampMs> timestamp;

  bool operator==(const OpenMetricsExemplar&) const = default;
};

struct OpenMetricsEntry {
  LineKind kind = LineKind::kSample;
  std::string family;
  std::string text;
  std::string series;
  uint64_t value_bits = 0;
  std::optional<TimestampMs> timestamp;
  std::optional<TextLabels> labels;  // sorted; nothing when a label name is there twice
  std::optional<OpenMetricsExemplar> exemplar;
  TimestampMs start = 0;  // 0: none

  bool operator==(const OpenMetricsEntry&) const = default;
};

// What a page gives up to its end or its first error.
struct OpenMetricsPage {
  bool good = true;
  std::vector<OpenMetricsEntry> entries;

  bool operator==(const OpenMetricsPage&) const = default;
};

// kStarts: as under Prometheus' feature flags; the starts are told of good pages only.
enum class CreatedLines { kAreSeries, kAreStarts };

OpenMetricsPage SlowParseOpenMetrics(std::string_view page, CreatedLines created);

// The same by ParseOpenMetricsLine and its companions: cut into lines, series known from earlier
// lines by their text alone.
OpenMetricsPage FastParseOpenMetrics(std::string_view page, CreatedLines created);

// For messages.
std::string ToString(const OpenMetricsPage& page);

}  // namespace tributary
