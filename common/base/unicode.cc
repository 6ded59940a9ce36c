#include "common/base/unicode.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <span>

namespace tributary {
namespace {

struct RuneRange {
  char32_t first, last;
};
// Every step-th rune from first to last moves by delta.
struct RuneMapping {
  char32_t first, last;
  uint32_t step;
  int32_t delta;
};

#include "common/base/unicode_tables.inc"

// The entry of a table (sorted, without overlaps) whose range holds the rune, or null.
template <typename Entry>
const Entry* Find(std::span<const Entry> table, char32_t rune) {
  auto after = std::upper_bound(table.begin(), table.end(), rune,
                                [](char32_t r, const Entry& entry) { return r < entry.first; });
  if (after == table.begin()) return nullptr;
  const Entry& entry = *std::prev(after);
  return rune <= entry.last ? &entry : nullptr;
}

char32_t Mapped(std::span<const RuneMapping> table, char32_t rune) {
  const RuneMapping* entry = Find(table, rune);
  if (entry == nullptr || (rune - entry->first) % entry->step != 0) return rune;
  return static_cast<char32_t>(static_cast<int32_t>(rune) + entry->delta);
}

bool IsContinuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

void AppendHex(char32_t value, int digits, std::string& out) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
    out += "0123456789abcdef"[(value >> shift) & 0xF];
  }
}

void AppendEscapedRune(char32_t rune, std::string& out) {
  switch (rune) {
    case '\a':
      out += "\\a";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\v':
      out += "\\v";
      return;
    default:
      break;
  }
  if (rune < ' ' || rune == 0x7F) {
    out += "\\x";
    AppendHex(rune, 2, out);
  } else if (rune < 0x10000) {
    out += "\\u";
    AppendHex(rune, 4, out);
  } else {
    out += "\\U";
    AppendHex(rune, 8, out);
  }
}

}  // namespace

DecodedRune DecodeRune(std::string_view text) {
  constexpr DecodedRune kInvalid{kReplacementRune, 1};
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  size_t width = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  // 0xC0 and 0xC1 would be overlong; 0xF5 and above lie beyond U+10FFFF.
  if (lead < 0xC2 || lead > 0xF4 || text.size() < width) return kInvalid;
  char32_t rune = lead & (0x7Fu >> width);
  for (size_t i = 1; i < width; ++i) {
    if (!IsContinuation(byte(i))) return kInvalid;
    rune = (rune << 6) | (byte(i) & 0x3Fu);
  }
  bool overlong = (width == 3 && rune < 0x800) || (width == 4 && rune < 0x10000);
  bool surrogate = rune >= 0xD800 && rune <= 0xDFFF;
  if (overlong || surrogate || rune > 0x10FFFF) return kInvalid;
  return {rune, width};
}

void AppendRune(char32_t rune, std::string& out) {
  auto put = [&](char32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (rune < 0x80) {
    put(rune);
  } else if (rune < 0x800) {
    put(0xC0 | (rune >> 6));
    put(0x80 | (rune & 0x3F));
  } else if (rune < 0x10000) {
    put(0xE0 | (rune >> 12));
    put(0x80 | ((rune >> 6) & 0x3F));
    put(0x80 | (rune & 0x3F));
  } else {
    put(0xF0 | (rune >> 18));
    put(0x80 | ((rune >> 12) & 0x3F));
    put(0x80 | ((rune >> 6) & 0x3F));
    put(0x80 | (rune & 0x3F));
  }
}

bool IsLetterOrDigitRune(char32_t rune) {
  if (rune < 0x80) {
    return (rune >= '0' && rune <= '9') || (rune >= 'a' && rune <= 'z') ||
           (rune >= 'A' && rune <= 'Z');
  }
  return Find<RuneRange>(kLettersAndDigits, rune) != nullptr;
}

bool IsPrintableRune(char32_t rune) {
  if (rune < 0x80) return rune >= ' ' && rune < 0x7F;
  return Find<RuneRange>(kPrintable, rune) != nullptr;
}

char32_t ToLowerRune(char32_t rune) {
  if (rune < 0x80) return rune >= 'A' && rune <= 'Z' ? rune + ('a' - 'A') : rune;
  return Mapped(kToLower, rune);
}

char32_t ToUpperRune(char32_t rune) {
  if (rune < 0x80) return rune >= 'a' && rune <= 'z' ? rune - ('a' - 'A') : rune;
  return Mapped(kToUpper, rune);
}

void AppendQuoted(std::string_view text, std::string& out) {
  out += '"';
  while (!text.empty()) {
    auto [rune, width] = DecodeRune(text);
    if (rune == kReplacementRune && width == 1) {
      out += "\\x";
      AppendHex(static_cast<unsigned char>(text[0]), 2, out);
    } else if (rune == '"' || rune == '\\') {
      out += '\\';
      out += text[0];
    } else if (IsPrintableRune(rune)) {
      out += text.substr(0, width);
    } else {
      AppendEscapedRune(rune, out);
    }
    text.remove_prefix(width);
  }
  out += '"';
}

}  // namespace tributary
