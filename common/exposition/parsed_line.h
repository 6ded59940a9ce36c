// What the exposition formats' parsers make of one line; the two text formats share it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/time.h"

namespace tributary {

// A sample's value and its own timestamp, if the line gives one.
struct ValueAndTimestamp {
  double value = 0;
  std::optional<TimestampMs> timestamp;
};

// kUnit and kEof ("# EOF") are OpenMetrics' alone; kBlank, kComment and kEnd are not known there.
// kEnd: a NUL byte where Prometheus takes it for the end of the page: what follows is not read, and
// the page is good.
enum class LineKind : uint8_t { kBlank, kComment, kType, kHelp, kUnit, kSample, kEof, kEnd };

struct ParsedLine {
  LineKind kind = LineKind::kBlank;
  // kSample: the bytes of the line that name the series, from the start of the line (blanks before
  // the name are part of it) to the last of the name or '}', a view into the line. Equal text means
  // equal labels, as long as the TYPE line before it is of the same type.
  std::string_view series;
  ValueAndTimestamp sample;  // kSample
  // kSample of OpenMetrics: the exemplar from its '{' to the end of the line, well-formed; empty if
  // there is none. A view into the line.
  std::string_view exemplar;
  // kSample of OpenMetrics: if not empty, the sample counts as scraped, but the page is refused at
  // what follows it; says why.
  std::string_view refused_behind;
  // kType, kHelp, kUnit: the family's name, a view into the line; of a quoted one what is between
  // the quotes, escapes as they are (so Prometheus keys its metadata).
  std::string_view family;
  // kType: the type's word (counter, gauge, histogram, summary or untyped; OpenMetrics has unknown
  // for untyped, and gaugehistogram, info, stateset); kHelp: the help text, unescaped; kUnit: the
  // unit, may be empty.
  std::string_view text;
};

}  // namespace tributary
