// Prometheus' text exposition format, 0.0.4 and 1.0.0 (quoted UTF-8 names), one line at a time.
// Follows prometheus/prometheus model/textparse/promlex.l and promparse.go (3.16): what that
// accepts and refuses, this does, its oddities included:
//   - blanks before a name belong to the name ("  m 1" is the metric "  m");
//   - commas between labels may be missing, and one may trail;
//   - an unknown escape stays as it is; a NUL byte is skipped, ends the page or is an error by
//   place;
//   - `le` of a series that follows "# TYPE ... histogram", and `quantile` after summary, are
//   rewritten
//     as canonical floats ("1" to "1.0"), whatever family the TYPE line names.
//
// The parser holds no page: the caller cuts lines at '\n'. In steady state a caller recognises a
// line by its series text (SeriesText) and calls ParseValueAndTimestamp alone; ParseLine serves
// lines not seen before. Prometheus lets a quoted name or value run over a raw newline (only the
// escape \n is in the format's description). ParseLine refuses the half line; a caller that wants
// to follow asks NeedsNextLine, and parses the line, '\n' and the next line as one.
//
// No allocation but in Labels, errors and unescaped HELP texts. Thread-safe (no state).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/exposition/parsed_line.h"
#include "common/labels/labels.h"

namespace tributary {

// One line without its newline. `buffer` is scratch that the views may point into; both live until
// the next call with it. The error says what was expected and shows the place.
Result<ParsedLine> ParseLine(std::string_view line, std::string& buffer);

// Whether the line that ParseLine refused ends inside quotes, so that Prometheus would read on in
// the next line.
bool NeedsNextLine(std::string_view line);

// The labels that a series text stands for, __name__ included; empty values are kept out (Labels),
// and so is every label of that name. `type` is the word of the last TYPE line before the series in
// its page, whatever family that names; empty if there was none. Only for text that ParseLine has
// returned. An error: the same name twice, which Prometheus accepts here and fails the scrape for
// when it appends (the line counts as scraped). Not checked, as they are checked after relabeling:
// that __name__ is there ({""} and m{__name__=""} have none), and that names are not empty and
// valid UTF-8 (values are). `emptied` gets the names that were left out: under honor_labels they
// keep the target's label away.
Result<Labels> ParseSeries(std::string_view series, std::string_view type = {},
                           std::vector<std::string>* emptied = nullptr);

// What should be the series text of a sample's line, at the cost of one look for its end: for a
// line that ParseLine accepts, and whose value is set off by a blank, that is what it returns as
// `series`. If it equals a text that ParseLine has once returned, and ParseValueAndTimestamp
// accepts the rest, then ParseLine would give the same.
std::string_view SeriesText(std::string_view line);

// What follows the series text: " 1.5 1712345678901" up to the end of the line. False on any
// deviation from the common form (ParseLine then decides whether it is an error). The hot path: no
// allocation, no locale, correctly rounded.
bool ParseValueAndTimestamp(std::string_view rest, ValueAndTimestamp& out);

}  // namespace tributary
