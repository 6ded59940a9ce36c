#include "common/http/query.h"

#include <charconv>

namespace tributary {

namespace {

bool IsUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '~';
}

}  // namespace

std::string EscapeBytes(std::string_view text, std::string_view kept) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (IsUnreserved(c) || kept.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

std::string EscapeQuery(std::string_view text) {
  std::string out = EscapeBytes(text, " ");
  for (char& c : out) {
    if (c == ' ') c = '+';
  }
  return out;
}

std::optional<std::string> UnescapeBytes(std::string_view text, bool plus_is_space) {
  std::string out;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      unsigned value = 0;
      const std::string_view hex = text.substr(i + 1, 2);
      const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), value, 16);
      if (hex.size() != 2 || error != std::errc() || end != hex.data() + 2) return std::nullopt;
      out += static_cast<char>(value);
      i += 2;
    }
  }
  return out;
}

std::string EncodeQuery(const std::map<std::string, std::vector<std::string>>& values) {
  std::string out;
  for (const auto& [name, list] : values) {
    for (const std::string& value : list) {
      if (!out.empty()) out += '&';
      out += EscapeQuery(name);
      out += '=';
      out += EscapeQuery(value);
    }
  }
  return out;
}

}  // namespace tributary
