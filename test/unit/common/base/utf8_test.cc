#include "common/base/utf8.h"

#include <cstdint>
#include <functional>
#include <string>

#include "common/base/unicode.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

// FNV-1a over what a function says of each of the 1,114,112 runes, 4 bytes each, little-endian.
uint64_t SumOverAllRunes(const std::function<uint32_t(char32_t)>& function) {
  uint64_t sum = 14695981039346656037u;
  for (char32_t rune = 0; rune <= 0x10FFFF; ++rune) {
    uint32_t value = function(rune);
    for (int i = 0; i < 4; ++i, value >>= 8) sum = (sum ^ (value & 0xFF)) * 1099511628211u;
  }
  return sum;
}

// The figures come from a Go 1.26 program (Unicode 15.0) that sums the same way.
TEST_CASE("unicode: every rune is mapped and classified as Go does it") {
  CHECK(SumOverAllRunes(ToLowerRune) == 0x6cf600dc2f3082c6u);
  CHECK(SumOverAllRunes(ToUpperRune) == 0xa6fda396d24ec405u);
  CHECK(SumOverAllRunes([](char32_t r) { return IsPrintableRune(r) ? 1u : 0u; }) ==
        0xf47f7ffc9355d965u);
  CHECK(SumOverAllRunes([](char32_t r) { return IsLetterOrDigitRune(r) ? 1u : 0u; }) ==
        0x15a242ae47249a65u);
}

TEST_CASE("unicode: what AppendRune writes, DecodeRune reads back") {
  for (char32_t rune = 0; rune <= 0x10FFFF; ++rune) {
    std::string bytes;
    AppendRune(rune, bytes);
    DecodedRune decoded = DecodeRune(bytes + "\x80");
    bool surrogate = rune >= 0xD800 && rune <= 0xDFFF;
    bool good = surrogate ? decoded.rune == kReplacementRune && decoded.width == 1
                          : decoded.rune == rune && decoded.width == bytes.size();
    if (!good) FAIL("rune " << static_cast<uint32_t>(rune));
  }
}

TEST_CASE("utf8: validity is that of Go's utf8.Valid") {
  using namespace std::string_literals;
  for (const std::string& good :
       {""s, "a"s, "plain text, longer than a word"s, "\0"s, "é"s, "日本語"s, "\U0010FFFF"s,
        "\u00a0\u2028"s, "eight by日"s, "\xed\x9f\xbf"s, "\xee\x80\x80"s, "\xef\xbf\xbd"s}) {
    INFO(good);
    CHECK(IsValidUtf8(good));
  }
  for (const std::string& bad :
       {"\x80"s, "\xff"s, "\xc3"s, "\xc0\x80"s, "\xc1\xbf"s, "\xe0\x80\x80"s, "\xe0\x9f\xbf"s,
        "\xed\xa0\x80"s, "\xed\xbf\xbf"s, "\xf0\x80\x80\x80"s, "\xf0\x8f\xbf\xbf"s,
        "\xf4\x90\x80\x80"s, "\xf5\x80\x80\x80"s, "\xe6\x97"s, "12345678\xff"s, "\xc3("s,
        "1234567\xff 12345678"s}) {
    INFO(bad);
    CHECK_FALSE(IsValidUtf8(bad));
    CHECK_FALSE(IsValidUtf8("good, then " + bad));
    CHECK_FALSE(IsValidUtf8(bad + " then good"));
  }
}

TEST_CASE("utf8: case mapping is rune by rune, without special casing") {
  CHECK(ToLowerUtf8("ÀÉÎ ABC xyz 123 ΑΣ") == "àéî abc xyz 123 ασ");
  CHECK(ToUpperUtf8("àéî ABC xyz 123 ας") == "ÀÉÎ ABC XYZ 123 ΑΣ");
  CHECK(ToUpperUtf8("straße") == "STRAßE");
  CHECK(ToLowerUtf8("İ") == "i");
  CHECK(ToUpperUtf8("ı") == "I");
  CHECK(ToUpperUtf8("ǆ") == "Ǆ");
  CHECK(ToLowerUtf8("ǅ") == "ǆ");
  CHECK(ToLowerUtf8("") == "");
}

TEST_CASE("utf8: case mapping makes U+FFFD of an invalid byte") {
  CHECK(ToLowerUtf8("A\xffZ") == "a\uFFFDz");
  CHECK(ToUpperUtf8("a\xe6\x97z") == "A\uFFFD\uFFFDZ");
}

std::string Quoted(std::string_view text) {
  std::string out;
  AppendQuoted(text, out);
  return out;
}

TEST_CASE("unicode: quoting is Go's %q") {
  using namespace std::string_literals;
  CHECK(Quoted("a\"b\\c'd") == R"("a\"b\\c'd")");
  CHECK(Quoted("\a\b\f\n\r\t\v\0\x1f\x7f"s) == R"("\a\b\f\n\r\t\v\x00\x1f\x7f")");
  CHECK(Quoted("é\u00a0\u2028\U0001F600\U000E0001") == R"("é\u00a0\u2028😀\U000e0001")");
  CHECK(Quoted("\xff\xc3(") == R"("\xff\xc3(")");
  CHECK(Quoted("\uFFFD") == "\"\uFFFD\"");
  CHECK(Quoted("\uFEFF") == R"("\ufeff")");
}

TEST_CASE("utf8: ToValidUtf8 replaces each byte that is not valid, and nothing else") {
  CHECK(ToValidUtf8("") == "");
  CHECK(ToValidUtf8("plain \xc3\xa4 \xef\xbf\xbd") == "plain \xc3\xa4 \xef\xbf\xbd");
  CHECK(ToValidUtf8("a\xff\xe2\x82z") == "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
}

}  // namespace
}  // namespace tributary
