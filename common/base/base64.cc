#include "common/base/base64.h"

#include <cstdint>

namespace tributary {

std::optional<std::string> DecodeBase64(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int count = 0, padding = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t value = kAlphabet.find(c);
    if (c == '=') {
      padding++;
    } else if (value == std::string_view::npos || padding > 0) {
      return std::nullopt;
    }
    bits = bits << 6 | (c == '=' ? 0 : static_cast<uint32_t>(value));
    if (++count % 4 != 0) continue;
    if (padding > 2) return std::nullopt;
    for (int i = 0; i < 3 - padding; i++) out += static_cast<char>(bits >> (16 - 8 * i));
    bits = 0;
  }
  if (count % 4 != 0) return std::nullopt;
  return out;
}

}  // namespace tributary
