#include "common/exposition/float_text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <system_error>

#include "common/exposition/digits.h"

namespace tributary {
namespace {

constexpr uint64_t kNormalNan = 0x7ff8000000000001;

// Powers of ten that a double holds exactly.
constexpr std::array<double, 23> kPowersOfTen = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr int kMaxExactPower = 22;
constexpr uint64_t kMaxExactMantissa = uint64_t{1} << 53;
// What is longer rarely fits the fast path, and its digits might not fit 64 bits.
constexpr ptrdiff_t kShortMax = 17;
// Beyond any exponent that matters, far below overflow.
constexpr int64_t kExponentCap = 1'000'000'000;

bool IsDigit(char c) { return static_cast<unsigned char>(c - '0') < 10; }
bool IsSpace(char c) { return c == ' ' || c == '\t'; }
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool EqualsIgnoringCase(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (Lower(text[i]) != lower[i]) return false;
  }
  return true;
}

// Inf and NaN, up to a blank or the end. A NaN takes no sign.
const char* ParseWord(const char* text, const char* end, double& value) {
  const char* stop = text;
  while (stop != end && !IsSpace(*stop)) ++stop;
  std::string_view word(text, static_cast<size_t>(stop - text));
  if (EqualsIgnoringCase(word, "nan")) {
    value = std::bit_cast<double>(kNormalNan);
    return stop;
  }
  const bool negative = word.starts_with('-');
  if (negative || word.starts_with('+')) word.remove_prefix(1);
  if (!EqualsIgnoringCase(word, "inf") && !EqualsIgnoringCase(word, "infinity")) return nullptr;
  const double infinity = std::numeric_limits<double>::infinity();
  value = negative ? -infinity : infinity;
  return stop;
}

// The exponent after an e at `p`; nullptr when it has no digits.
const char* ParseExponent(const char* p, const char* end, int64_t& exponent) {
  ++p;
  const bool negative = p != end && *p == '-';
  if (p != end && (*p == '-' || *p == '+')) ++p;
  if (p == end || !IsDigit(*p)) return nullptr;
  int64_t magnitude = 0;
  for (; p != end && IsDigit(*p); ++p) {
    if (magnitude < kExponentCap) magnitude = magnitude * 10 + (*p - '0');
  }
  exponent = negative ? -magnitude : magnitude;
  return p;
}

// Whether a number out of a double's range is too large, not too small: the power of ten of its
// first non-zero digit tells.
bool IsTooLarge(const char* p, const char* end) {
  int64_t power = 0;
  bool seen_dot = false;
  bool seen_digit = false;
  for (; p != end && (IsDigit(*p) || *p == '.'); ++p) {
    if (*p == '.') {
      seen_dot = true;
      continue;
    }
    seen_digit = seen_digit || *p != '0';
    if (seen_digit && !seen_dot) ++power;
    if (!seen_digit && seen_dot) --power;
  }
  int64_t exponent = 0;
  if (p != end) ParseExponent(p, end, exponent);
  return power + exponent > 0;
}

// Any unsigned decimal; where it does not go on as a number, it ends.
const char* ParseAnyDecimal(const char* text, const char* end, double& value) {
  const auto [stop, error] = std::from_chars(text, end, value);
  if (error == std::errc()) return stop;
  if (error != std::errc::result_out_of_range || IsTooLarge(text, stop)) return nullptr;
  value = 0;
  return stop;
}

// Whether what is before the next blank is no longer than kShortMax. A guess by where a timestamp
// of our days, 13 digits, would begin: it may miss a short one.
bool LooksShort(const char* text, const char* end) {
  constexpr ptrdiff_t kTimestamp = 14;
  if (end - text > kTimestamp && IsSpace(*(end - kTimestamp))) end -= kTimestamp;
  return end - text <= kShortMax;
}

// Clinger's fast path: if both the digits and the power of ten are exact as doubles, one operation
// rounds once. nullptr for what needs more. Measured: a third less time than from_chars takes.
const char* ParseShortDecimal(const char* text, const char* end, double& value) {
  const char* p = text;
  uint64_t mantissa = 0;
  if (end - p >= 8 && ReadEightDigits(p, mantissa)) p += 8;
  for (; p != end && IsDigit(*p); ++p) mantissa = mantissa * 10 + static_cast<uint64_t>(*p - '0');
  int64_t power = 0;
  if (p != end && *p == '.') {
    const char* fraction = ++p;
    for (; p != end && IsDigit(*p); ++p) mantissa = mantissa * 10 + static_cast<uint64_t>(*p - '0');
    power = fraction - p;
    if (p - text == 1) return nullptr;  // a dot alone
  }
  if (p != end && (*p == 'e' || *p == 'E')) {
    int64_t exponent = 0;
    p = ParseExponent(p, end, exponent);
    if (p == nullptr) return nullptr;
    power += exponent;
  }
  if (mantissa > kMaxExactMantissa || power < -kMaxExactPower || power > kMaxExactPower)
    return nullptr;
  const auto exact = static_cast<double>(mantissa);
  value = power < 0 ? exact / kPowersOfTen[static_cast<size_t>(-power)]
                    : exact * kPowersOfTen[static_cast<size_t>(power)];
  return p;
}

bool IsHexDigit(char c) { return IsDigit(c) || (Lower(c) >= 'a' && Lower(c) <= 'f'); }

// Underscores must stand between digits; the base prefix counts as one.
bool UnderscoresAreWellPlaced(std::string_view text) {
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  bool after_digit = false;
  bool after_underscore = false;
  bool hex = false;
  if (text.size() >= 2 && text[0] == '0' && Lower(text[1]) == 'x') {
    text.remove_prefix(2);
    hex = true;
    after_digit = true;
  }
  for (const char c : text) {
    if (hex ? IsHexDigit(c) : IsDigit(c)) {
      after_digit = true;
      after_underscore = false;
    } else if (c == '_') {
      if (!after_digit) return false;
      after_digit = false;
      after_underscore = true;
    } else {
      if (after_underscore) return false;
      after_digit = false;
    }
  }
  return !after_underscore;
}

// 0x1.8p-2; strtod reads the C form, which is Go's once the exponent is known to be there.
std::optional<double> ParseHexFloat(const std::string& text) {
  size_t i = text[0] == '+' || text[0] == '-' ? 3 : 2;
  bool digits = false;
  for (bool dot = false; i < text.size() && (IsHexDigit(text[i]) || (text[i] == '.' && !dot));
       ++i) {
    if (text[i] == '.') {
      dot = true;
    } else {
      digits = true;
    }
  }
  if (!digits || i == text.size() || Lower(text[i]) != 'p') return std::nullopt;
  int64_t exponent = 0;
  const char* end = text.data() + text.size();
  if (ParseExponent(text.data() + i, end, exponent) != end) return std::nullopt;
  const double value = std::strtod(text.c_str(), nullptr);
  if (std::isinf(value)) return std::nullopt;
  return value;
}

}  // namespace

const char* ParseSampleValue(const char* text, const char* end, double& value) {
  const char* p = text;
  const bool negative = p != end && *p == '-';
  if (p != end && (*p == '-' || *p == '+')) ++p;
  if (p == end || (!IsDigit(*p) && *p != '.')) return ParseWord(text, end, value);
  const char* stop = LooksShort(p, end) ? ParseShortDecimal(p, end, value) : nullptr;
  if (stop == nullptr) stop = ParseAnyDecimal(p, end, value);
  if (stop != nullptr && negative) value = -value;
  return stop;
}

std::optional<double> ParseGoFloat(std::string_view text) {
  std::string plain;
  if (text.find('_') != std::string_view::npos) {
    if (!UnderscoresAreWellPlaced(text)) return std::nullopt;
    for (const char c : text) {
      if (c != '_') plain += c;
    }
  } else {
    plain = text;
  }
  const size_t sign = plain.starts_with('+') || plain.starts_with('-') ? 1 : 0;
  if (plain.size() > sign + 2 && plain[sign] == '0' && Lower(plain[sign + 1]) == 'x') {
    return ParseHexFloat(plain);
  }
  double value = 0;
  const char* end = plain.data() + plain.size();
  if (plain.empty() || ParseSampleValue(plain.data(), end, value) != end) return std::nullopt;
  return value;
}

void AppendSampleValue(double value, std::string& out) {
  if (std::isnan(value)) {
    out += "NaN";
    return;
  }
  if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
    return;
  }
  std::array<char, 32> buffer;
  char* const begin = buffer.data();
  char* const end = begin + buffer.size();
  // Whole numbers are what most values are.
  constexpr double kExponentFrom = 1e6;
  if (value > -kExponentFrom && value < kExponentFrom) {
    const auto whole = static_cast<int32_t>(value);
    if (static_cast<double>(whole) == value) {
      out.append(begin, std::to_chars(begin, end, whole).ptr);
      return;
    }
  }
  // The shortest digits that read back the same: d.ddde±xx.
  char* last = std::to_chars(begin, end, value, std::chars_format::scientific).ptr;
  char* const e = std::find(begin, last, 'e');
  const int exponent = std::atoi(std::string(e + 1, last).c_str());
  // Go's %g with the shortest precision: an exponent from 1e6 on and below 1e-4.
  if (exponent >= -4 && exponent < 6) {
    last = std::to_chars(begin, end, value, std::chars_format::fixed).ptr;
  }
  out.append(begin, last);
}

std::string FormatOpenMetricsFloat(double value) {
  std::string text;
  AppendSampleValue(value, text);
  if (std::isfinite(value) && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

TimestampMs MillisecondsOfSeconds(double value) {
  constexpr double kLimit = 0x1p63;
  const double scaled = value * 1000;
  if (scaled >= -kLimit && scaled < kLimit) {
    return static_cast<TimestampMs>(scaled);
  }
  return std::numeric_limits<TimestampMs>::min();
}

}  // namespace tributary
