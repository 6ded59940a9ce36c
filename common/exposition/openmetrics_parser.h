// The OpenMetrics text format, 0.0.1 and 1.0.0, one line at a time. The twin of text_parser.h.
// Follows prometheus/prometheus model/textparse/openmetricslex.l and openmetricsparse.go (3.16):
// what that accepts and refuses, this does. It is stricter than the text format and laxer than
// OpenMetrics' specification:
//   - one blank, never a tab, parts name, value, timestamp and exemplar; none is allowed in braces;
//   - no blank lines and no comments; TYPE has eight words, `untyped` is none of them;
//   - a unit must end the family's name after a '_', or be empty;
//   - a timestamp is seconds as any float but NaN and Inf (1e3, -5); its milliseconds are cut off,
//     not rounded, and one beyond 64 bits is the smallest number there is, as on amd64;
//   - any sample may have an exemplar, a gauge too;
//   - families may be mixed, repeated, and without metadata; counters need no _total;
//   - `le` of a series that follows "# TYPE ... histogram", and `quantile` after summary, are
//     rewritten as canonical floats ("1" to "1.0"), whatever family the TYPE line names.
//
// Between lines the format knows two things only: the last TYPE, which ParseOpenMetricsSeries
// takes, and the end. The caller, which cuts the page at '\n', sees to it:
//   - The page is good if kEof was its last line, with or without a newline. Nothing may follow but
//     NUL bytes. A page without it is refused, an empty one too ("data does not end with # EOF"),
//     though what was read up to there counts as scraped. (Prometheus' scrape takes a body of no
//     bytes for a good one before it asks the parser.)
//   - A last line without a newline is kEof, or the page is refused, and that line does not count
//     as scraped unless it has `refused_behind`.
//   - Quotes around a name may hold raw newlines, those around a label's value may not:
//     OpenMetricsNeedsNextLine tells when to parse the line, '\n' and the next line as one.
//   - NUL bytes at the start of a line that follows TYPE, HELP or UNIT are taken for part of that
//     one: the reference's text is then what follows the name, '\n' included, without the last of
//     the NUL bytes, and that is what the parser gives for this line. It is no type, and no unit
//     that an ordinary name could have. At the start of other lines NUL bytes are refused.
//
// No allocation but in Labels, errors and unescaped HELP texts. Thread-safe (no state).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/base/time.h"
#include "common/exposition/parsed_line.h"
#include "common/labels/labels.h"

namespace tributary {

// One line without its newline: kType, kHelp, kUnit, kSample or kEof. `buffer` is scratch that the
// views may point into; both live until the next call with it. The error says what was expected and
// shows the place.
Result<ParsedLine> ParseOpenMetricsLine(std::string_view line, std::string& buffer);

// Whether the line that was refused ends inside a name's quotes, so that Prometheus would read on
// in the next line.
bool OpenMetricsNeedsNextLine(std::string_view line);

// As ParseSeries of text_parser.h; only for text that ParseOpenMetricsLine has returned.
Result<Labels> ParseOpenMetricsSeries(std::string_view series, std::string_view type = {},
                                      std::vector<std::string>* emptied = nullptr);

// What should be the series text of a sample's line: for a line that ParseOpenMetricsLine accepts,
// without `refused_behind`, what it returns as `series`. If it equals a text that was once
// returned, and ParseOpenMetricsValue accepts the rest, then ParseOpenMetricsLine would give the
// same.
std::string_view OpenMetricsSeriesText(std::string_view line);

// What follows the series text up to the end of the line: ` 1.5 1712345678.901 # {a="b"} 1`. False
// on any deviation (ParseOpenMetricsLine then decides whether it is an error). `exemplar` is as in
// ParsedLine. The hot path: no allocation, no locale, correctly rounded.
bool ParseOpenMetricsValue(std::string_view rest, ValueAndTimestamp& out,
                           std::string_view& exemplar);

struct ParsedExemplar {
  Labels labels;
  double value = 0;
  // Of the exemplar's own; Prometheus gives one without it the time of its sample.
  std::optional<TimestampMs> timestamp;
};

// An exemplar as ParsedLine has it. Names of labels are as in a series (quoted ones may be anything
// of one line without NUL bytes, UTF-8 or not), values are UTF-8; unlike in a series escapes stay
// as they are (a\n is four bytes with the quote's), and NUL bytes are refused. The syntax is
// checked with the line and fails the page; what is checked only here fails the exemplar alone,
// which Prometheus drops when it appends it (tsdb/agent, validateExemplar), in this order: labels
// with an empty value are left out; a name is not empty and there once; names and values have 128
// code points at most, an invalid byte counting as one. Prometheus also drops one that equals the
// series' last.
Result<ParsedExemplar> ParseExemplar(std::string_view text);

}  // namespace tributary
