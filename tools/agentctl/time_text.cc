#include "tools/agentctl/time_text.h"

#include <cmath>
#include <cstdlib>
#include <ctime>

#include <fmt/format.h>

namespace tributary {
namespace {

constexpr double kSecondsMax = 253402300799;  // the end of the year 9999

tl::unexpected<Error> NoTime(const std::string& text) {
  return Fail(
      fmt::format("'{}' is no time: give 2026-01-02T03:04:05Z or seconds since 1970", text));
}

}  // namespace

Result<TimestampMs> ParseTime(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (!text.empty() && *end == '\0') {
    if (!(std::abs(number) <= kSecondsMax)) return NoTime(text);
    return std::llround(number * 1000);
  }
  std::tm parts{};
  const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return NoTime(text);
  double fraction = 0;
  if (*rest == '.') {
    fraction = std::strtod(rest, &end);
    if (end == rest + 1) return NoTime(text);
    rest = end;
  }
  std::tm zone{};
  const char* zone_end = strptime(rest, "%z", &zone);
  if (zone_end == nullptr || *zone_end != '\0') return NoTime(text);
  const int64_t whole = timegm(&parts) - zone.tm_gmtoff;
  return whole * 1000 + std::llround(fraction * 1000);
}

std::string FormatTime(TimestampMs time) {
  if (time == 0) return "-";
  const TimestampMs fraction = ((time % 1000) + 1000) % 1000;
  const std::time_t whole = (time - fraction) / 1000;
  std::tm parts{};
  if (gmtime_r(&whole, &parts) == nullptr) return "-";
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     fraction);
}

}  // namespace tributary
