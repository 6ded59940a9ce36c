#include "common/base/utf8.h"

#include <cstdint>
#include <cstring>

#include "common/base/unicode.h"

namespace tributary {
namespace {

// How many bytes at the start are ASCII for sure (a multiple of 8).
size_t AsciiPrefix(std::string_view text) {
  size_t done = 0;
  while (text.size() - done >= sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, text.data() + done, sizeof(word));
    if ((word & 0x8080808080808080u) != 0) break;
    done += sizeof(word);
  }
  return done;
}

template <typename Map>
std::string MapRunes(std::string_view text, Map map) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    auto [rune, width] = DecodeRune(text);
    AppendRune(map(rune), out);
    text.remove_prefix(width);
  }
  return out;
}

}  // namespace

bool IsValidUtf8(std::string_view text) {
  text.remove_prefix(AsciiPrefix(text));
  while (!text.empty()) {
    auto [rune, width] = DecodeRune(text);
    if (rune == kReplacementRune && width == 1) return false;
    text.remove_prefix(width);
  }
  return true;
}

std::string ToValidUtf8(std::string_view text) {
  return MapRunes(text, [](char32_t rune) { return rune; });
}

std::string ToLowerUtf8(std::string_view text) { return MapRunes(text, ToLowerRune); }

std::string ToUpperUtf8(std::string_view text) { return MapRunes(text, ToUpperRune); }

}  // namespace tributary
