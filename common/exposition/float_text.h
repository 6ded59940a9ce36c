// Floats as Prometheus' text parsers read and write them.
//
// Follows Go's strconv.ParseFloat, and model/labels/float.go of prometheus/prometheus for the
// written form. No locale, correctly rounded. Thread-safe (no state).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace tributary {

// A sample's value at the start of [text, end): decimal, or Inf, Infinity, NaN in any case; no hex,
// no underscores. Returns where it ends (the caller checks what follows), or nullptr when there is
// none or it overflows; too small is zero. NaN is the normal NaN, never the stale marker.
const char* ParseSampleValue(const char* text, const char* end, double& value);

// The whole text by Go's rules for float literals: as above, and hex floats (0x1p-2) and
// underscores between digits (1_000) too. Nothing when it is none or overflows.
std::optional<double> ParseGoFloat(std::string_view text);

// Appends "1", "0.25", "1e+06", "+Inf": a sample's value as Prometheus' pages have it (Go's %g in
// the shortest form). Minus zero is "0", and any NaN "NaN".
void AppendSampleValue(double value, std::string& out);

// "1.0", "0.25", "1e+06", "+Inf": what Prometheus makes of `le` and `quantile`.
std::string FormatOpenMetricsFloat(double value);

// A point in time as OpenMetrics writes it, in seconds. What is below a millisecond is cut off;
// what does not fit 64 bits, and NaN, is the smallest number there is, as Go converts floats on
// amd64.
TimestampMs MillisecondsOfSeconds(double value);

}  // namespace tributary
