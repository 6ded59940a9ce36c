// What a plain scalar means, after go-yaml v2's resolve.go, and how to write one that reads back.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>

#include "common/yaml/yaml.h"

namespace tributary {
namespace {

constexpr std::array<std::string_view, 11> kTrue = {"y",    "Y",    "yes", "Yes", "YES", "true",
                                                    "True", "TRUE", "on",  "On",  "ON"};
constexpr std::array<std::string_view, 11> kFalse = {"n",     "N",     "no",  "No",  "NO", "false",
                                                     "False", "FALSE", "off", "Off", "OFF"};
constexpr std::array<std::string_view, 5> kNull = {"", "~", "null", "Null", "NULL"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsOneOf(std::string_view text, const auto& list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

struct Number {
  bool negative = false;
  bool is_integer = false;
  uint64_t magnitude = 0;
  double real = 0;
};

// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool LooksLikeFloat(std::string_view text) {
  auto digits = [&] {
    size_t count = 0;
    for (; !text.empty() && IsDigit(text[0]); text.remove_prefix(1)) ++count;
    return count;
  };
  auto sign = [&] {
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  };
  sign();
  size_t whole = digits();
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (digits() == 0 && whole == 0) return false;
  } else if (whole == 0) {
    return false;
  }
  if (text.empty()) return true;
  if (text[0] != 'e' && text[0] != 'E') return false;
  text.remove_prefix(1);
  sign();
  return digits() > 0 && text.empty();
}

std::optional<uint64_t> Integer(std::string_view digits, int base) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return {};
  return value;
}

// Go's ParseInt with base 0: 0x, 0o, 0b and, as C has it, a leading 0.
std::optional<uint64_t> IntegerWithPrefix(std::string_view text) {
  if (text.size() > 1 && text[0] == '0') {
    switch (text[1] | 0x20) {
      case 'x':
        return Integer(text.substr(2), 16);
      case 'o':
        return Integer(text.substr(2), 8);
      case 'b':
        return Integer(text.substr(2), 2);
      default:
        return Integer(text.substr(1), 8);
    }
  }
  return Integer(text, 10);
}

std::optional<Number> ParseNumber(const YamlNode& node) {
  if (!node.is_scalar() || node.quoted || node.text.empty()) return {};
  std::string text = node.text;
  Number number;
  if (text == ".inf" || text == ".Inf" || text == ".INF" || text == "+.inf" || text == "+.Inf" ||
      text == "+.INF" || text == "-.inf" || text == "-.Inf" || text == "-.INF") {
    number.negative = text[0] == '-';
    number.real = std::numeric_limits<double>::infinity() * (number.negative ? -1 : 1);
    return number;
  }
  if (text == ".nan" || text == ".NaN" || text == ".NAN") {
    number.real = std::numeric_limits<double>::quiet_NaN();
    return number;
  }
  if (!IsDigit(text[0]) && text[0] != '.' && text[0] != '-' && text[0] != '+') return {};
  if (text[0] != '.') text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
  std::string_view digits = text;
  number.negative = digits.starts_with('-');
  if (digits.starts_with('-') || digits.starts_with('+')) digits.remove_prefix(1);
  if (auto magnitude = IntegerWithPrefix(digits)) {
    number.is_integer = true;
    number.magnitude = *magnitude;
    number.real = static_cast<double>(*magnitude) * (number.negative ? -1 : 1);
    return number;
  }
  if (!LooksLikeFloat(text)) return {};
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number.real);
  if (error != std::errc() || end != digits.data() + digits.size()) return {};
  if (number.negative) number.real = -number.real;
  return number;
}

// Whether a plain scalar with this text would be read as something else, or not at all.
bool NeedsQuotes(std::string_view text) {
  if (IsOneOf(text, kTrue) || IsOneOf(text, kFalse) || IsOneOf(text, kNull) || text == "<<") {
    return true;
  }
  YamlNode plain;
  plain.kind = YamlNode::Kind::kScalar;
  plain.text = text;
  if (ParseNumber(plain)) return true;
  // Dates are text to us, but other readers make them times.
  if (text.size() >= 8 && IsDigit(text[0]) && text.find('-') == 4) return true;
  constexpr std::string_view kNotFirst = "-?:,[]{}#&*!|>'\"%@` ";
  constexpr std::string_view kNowhere = "\t\n\r\\,[]{}";
  // A dash, question mark or colon may begin a plain scalar if something follows it; be simple.
  if (kNotFirst.find(text[0]) != std::string_view::npos || text.back() == ' ' ||
      text.back() == ':' || text.find_first_of(kNowhere) != std::string_view::npos ||
      text.find(": ") != std::string_view::npos || text.find(" #") != std::string_view::npos ||
      text.starts_with("...")) {
    return true;
  }
  return std::any_of(text.begin(), text.end(), [](char c) {
    unsigned char byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte >= 0x7F;
  });
}

}  // namespace

bool YamlBool(const YamlNode& node, bool& value) {
  if (!node.is_scalar() || node.quoted) return false;
  value = IsOneOf(node.text, kTrue);
  return value || IsOneOf(node.text, kFalse);
}

bool YamlUint(const YamlNode& node, uint64_t& value, bool& fraction_lost) {
  fraction_lost = false;
  auto number = ParseNumber(node);
  if (!number) return false;
  if (number->is_integer) {
    value = number->magnitude;
    return !number->negative || value == 0;
  }
  if (!(number->real >= 0 && number->real < 18446744073709551616.0)) return false;
  value = static_cast<uint64_t>(number->real);
  fraction_lost = std::floor(number->real) != number->real;
  return true;
}

bool YamlInt(const YamlNode& node, int64_t& value, bool& fraction_lost) {
  fraction_lost = false;
  auto number = ParseNumber(node);
  if (!number) return false;
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  if (number->is_integer) {
    if (number->magnitude > kMax) return false;
    value = static_cast<int64_t>(number->magnitude) * (number->negative ? -1 : 1);
    return true;
  }
  if (!(std::fabs(number->real) < 9223372036854775808.0)) return false;
  value = static_cast<int64_t>(number->real);
  fraction_lost = std::trunc(number->real) != number->real;
  return true;
}

bool YamlFloat(const YamlNode& node, double& value) {
  auto number = ParseNumber(node);
  if (number) value = number->real;
  return number.has_value();
}

std::string YamlScalar(std::string_view text) {
  if (!text.empty() && !NeedsQuotes(text)) return std::string(text);
  std::string out = "\"";
  for (char c : text) {
    unsigned char byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\x%02X", byte);
      out += escaped;
    } else {
      out += c;
    }
  }
  out += '"';
  return out;
}

}  // namespace tributary
