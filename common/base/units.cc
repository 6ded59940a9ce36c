#include "common/base/units.h"

#include <array>
#include <limits>
#include <string>

namespace tributary {
namespace {

constexpr uint64_t kNanosMax = std::numeric_limits<int64_t>::max();
constexpr uint64_t kNanosPerMilli = 1'000'000;

struct DurationUnit {
  std::string_view name;
  uint64_t milliseconds;
  bool only_if_exact;  // printed only where nothing remains: 90d reads better than 12w6d
};

// From long to short, which is also the only order in which they may be written.
constexpr std::array<DurationUnit, 7> kDurationUnits = {{
    {"y", 365ull * 24 * 60 * 60 * 1000, true},
    {"w", 7ull * 24 * 60 * 60 * 1000, true},
    {"d", 24ull * 60 * 60 * 1000, false},
    {"h", 60ull * 60 * 1000, false},
    {"m", 60ull * 1000, false},
    {"s", 1000, false},
    {"ms", 1, false},
}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes the digits in front of `text`; false if there is none or the number exceeds 64 bits.
bool TakeNumber(std::string_view& text, uint64_t& number) {
  size_t digits = 0;
  number = 0;
  for (; digits < text.size() && IsDigit(text[digits]); ++digits) {
    uint64_t digit = static_cast<uint64_t>(text[digits] - '0');
    if (number > (std::numeric_limits<uint64_t>::max() - digit) / 10) return false;
    number = number * 10 + digit;
  }
  text.remove_prefix(digits);
  return digits > 0;
}

std::string_view TakeUnit(std::string_view& text, bool stop_at_dot) {
  size_t length = 0;
  while (length < text.size() && !IsDigit(text[length]) && !(stop_at_dot && text[length] == '.')) {
    ++length;
  }
  std::string_view unit = text.substr(0, length);
  text.remove_prefix(length);
  return unit;
}

tl::unexpected<Error> NotADuration(std::string_view text) {
  return Fail("'" + std::string(text) + "' is not a duration such as 30s, 5m or 1h30m");
}

tl::unexpected<Error> NotASize(std::string_view text) {
  return Fail("'" + std::string(text) + "' is not a size such as 512KB, 64MB or 1.5GB");
}

// Go's alecthomas/units reads decimal digits up to about 2^63 and calculates in doubles.
bool TakeSizeDigits(std::string_view& text, double& number, int& digits) {
  constexpr uint64_t kMax = (uint64_t{1} << 63) / 10 - 1;
  uint64_t value = 0;
  for (digits = 0; !text.empty() && IsDigit(text[0]); ++digits, text.remove_prefix(1)) {
    if (value >= kMax) return false;
    value = value * 10 + static_cast<uint64_t>(text[0] - '0');
  }
  number = static_cast<double>(value);
  return true;
}

// The factor of "", "K", "M" ... before `suffix`; 0 if the unit is none.
double SizeUnit(std::string_view unit, std::string_view suffix) {
  if (unit == "B") return 1;
  if (unit.size() != suffix.size() + 1 || unit.substr(1) != suffix) return 0;
  size_t power = std::string_view("KMGTPE").find(unit[0]);
  if (power == std::string_view::npos) return 0;
  return static_cast<double>(uint64_t{1} << (10 * (power + 1)));
}

// One pass with one family of units, as the original does: "1MiB1KB" mixes two and is refused.
bool ParseSizeWith(std::string_view text, std::string_view suffix, double& bytes) {
  bytes = 0;
  while (!text.empty()) {
    double whole = 0, fraction = 0;
    int whole_digits = 0, fraction_digits = 0;
    if (!TakeSizeDigits(text, whole, whole_digits)) return false;
    if (text.starts_with('.')) {
      text.remove_prefix(1);
      if (!TakeSizeDigits(text, fraction, fraction_digits)) return false;
      double scale = 1;
      for (int i = 0; i < fraction_digits; ++i) scale *= 10;
      whole += fraction / scale;
    }
    if (whole_digits == 0 && fraction_digits == 0) return false;
    double factor = SizeUnit(TakeUnit(text, true), suffix);
    if (factor == 0) return false;
    bytes += whole * factor;
  }
  return true;
}

}  // namespace

Result<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  if (text == "0") return std::chrono::milliseconds(0);
  if (text.empty()) return Fail("a duration cannot be empty");
  uint64_t nanos = 0;
  size_t next_unit = 0;
  for (std::string_view rest = text; !rest.empty();) {
    uint64_t number = 0;
    if (!TakeNumber(rest, number)) return NotADuration(text);
    std::string_view name = TakeUnit(rest, false);
    size_t unit = next_unit;
    while (unit < kDurationUnits.size() && kDurationUnits[unit].name != name) ++unit;
    if (unit == kDurationUnits.size()) return NotADuration(text);
    next_unit = unit + 1;
    uint64_t factor = kDurationUnits[unit].milliseconds * kNanosPerMilli;
    if (number > kNanosMax / factor || nanos + number * factor > kNanosMax) {
      return Fail("the duration '" + std::string(text) + "' is above 292 years");
    }
    nanos += number * factor;
  }
  return std::chrono::milliseconds(static_cast<int64_t>(nanos / kNanosPerMilli));
}

std::string FormatDuration(std::chrono::milliseconds value) {
  if (value.count() == 0) return "0s";
  std::string out = value.count() < 0 ? "-" : "";
  uint64_t rest = static_cast<uint64_t>(value.count());
  if (value.count() < 0) rest = 0 - rest;
  for (const DurationUnit& unit : kDurationUnits) {
    if (unit.only_if_exact && rest % unit.milliseconds != 0) continue;
    uint64_t count = rest / unit.milliseconds;
    if (count == 0) continue;
    out += std::to_string(count);
    out += unit.name;
    rest -= count * unit.milliseconds;
  }
  return out;
}

Result<uint64_t> ParseSize(std::string_view text) {
  std::string_view rest = text;
  if (rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == "0") return 0;
  double bytes = 0;
  if (rest.empty() || (!ParseSizeWith(rest, "iB", bytes) && !ParseSizeWith(rest, "B", bytes))) {
    return NotASize(text);
  }
  if (bytes >= 9223372036854775808.0) {
    return Fail("the size '" + std::string(text) + "' is above 8EiB");
  }
  return static_cast<uint64_t>(bytes);
}

std::string FormatSize(uint64_t bytes) {
  if (bytes == 0) return "0B";
  std::string out;
  for (int power = 6; power >= 0; --power) {
    uint64_t count = bytes >> (10 * power);
    if (power < 6) count &= 1023;
    if (count == 0) continue;
    out += std::to_string(count);
    if (power > 0) out += "KMGTPE"[power - 1];
    out += power > 0 ? "iB" : "B";
  }
  return out;
}

}  // namespace tributary
