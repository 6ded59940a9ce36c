// Durations and sizes as Prometheus' configuration writes them.
// Follows prometheus/common model/time.go (ParseDuration, Duration.String) and alecthomas/units Base2Bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace tributary {

// "1h30m", "500ms", "0": units y w d h m s ms, each at most once, in that order. Milliseconds exact;
// errors on anything else and above 2^63-1 ns (292 years), as Go's time.Duration.
Result<std::chrono::milliseconds> ParseDuration(std::string_view text);
// The shortest form Prometheus prints: "1m30s", "0s", "1d", "15s".
std::string FormatDuration(std::chrono::milliseconds value);

// "64MB", "1.5KiB", "10B": a unit is required; powers of 1024 whether written KB or KiB. 0 is "0B" or "0".
Result<uint64_t> ParseSize(std::string_view text);
std::string FormatSize(uint64_t bytes);

}  // namespace tributary
