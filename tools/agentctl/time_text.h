// Points in time as people write and read them. Pure.
#pragma once

#include <string>

#include "common/base/status.h"
#include "common/base/time.h"

namespace tributary {

// "2026-01-02T03:04:05.6Z", with a zone of any kind, or seconds since 1970 ("1764280000.5").
Result<TimestampMs> ParseTime(const std::string& text);
// "2026-01-02T03:04:05.600Z"; "-" for 0.
std::string FormatTime(TimestampMs time);

}  // namespace tributary
