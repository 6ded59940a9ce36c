#include "common/exposition/float_text.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "test/support/catch.h"
#include "test/support/slow_text_parser.h"
#include "test/support/text_page_generator.h"

namespace tributary {
namespace {

std::optional<double> Parse(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  if (ParseSampleValue(text.data(), end, value) != end) return std::nullopt;
  return value;
}

uint64_t Bits(double value) { return std::bit_cast<uint64_t>(value); }

// No CHECK for each of millions.
bool SameAsStrtod(const std::string& text) {
  const std::optional<double> value = Parse(text);
  const double expected = std::strtod(text.c_str(), nullptr);
  if (std::isinf(expected)) return !value.has_value();
  return value && Bits(*value) == Bits(expected);
}

template <typename MakeText>
void CompareWithStrtod(int rounds, MakeText make_text) {
  const uint64_t seed = std::random_device()();
  std::mt19937_64 random(seed);
  char text[128];
  for (int i = 0; i < rounds; ++i) {
    make_text(random, text, sizeof text);
    if (!SameAsStrtod(text)) FAIL("differs from strtod, seed " << seed << ": " << text);
  }
}

TEST_CASE("sample value: any double, printed with 17 digits, is read back bit by bit") {
  CompareWithStrtod(700'000, [](std::mt19937_64& random, char* text, size_t size) {
    double value = std::bit_cast<double>(random());
    while (!std::isfinite(value)) value = std::bit_cast<double>(random());
    std::snprintf(text, size, "%.17g", value);
  });
}

TEST_CASE("sample value: decimals of any length and exponent are rounded as strtod does") {
  CompareWithStrtod(1'000'000, [](std::mt19937_64& random, char* text, size_t size) {
    const uint64_t digits = random() >> random() % 64;
    const uint64_t fraction = random() >> random() % 64;
    const int exponent = static_cast<int>(random() % 700) - 350;
    const auto u = [](uint64_t n) { return static_cast<unsigned long long>(n); };
    switch (random() % 4) {
      case 0:
        std::snprintf(text, size, "%llu", u(digits));
        break;
      case 1:
        std::snprintf(text, size, "-%llu.%llu", u(digits), u(fraction));
        break;
      case 2:
        std::snprintf(text, size, "%llue%d", u(digits), exponent);
        break;
      default:
        std::snprintf(text, size, "%llu.%0*llue%d", u(digits), static_cast<int>(random() % 30),
                      u(fraction), exponent);
        break;
    }
  });
}

TEST_CASE("sample value: short decimals, which take the fast path, are rounded as strtod does") {
  CompareWithStrtod(1'500'000, [](std::mt19937_64& random, char* text, size_t size) {
    const int decimals = static_cast<int>(random() % 17);
    const double value = static_cast<double>(random() % 9007199254740992) / std::pow(10, decimals);
    std::snprintf(text, size, "%.*f", decimals, value);
  });
}

TEST_CASE("sample value: halfway between two doubles rounds to even") {
  CompareWithStrtod(200'000, [](std::mt19937_64& random, char* text, size_t size) {
    const uint64_t mantissa =
        (uint64_t{1} << 53) + (random() >> 11);  // 2^53 .. 2^54: every odd one is halfway
    std::snprintf(text, size, "%llu%s", static_cast<unsigned long long>(mantissa | 1),
                  random() % 2 == 0 ? "" : ".0000000000000000000000000000000001");
  });
}

TEST_CASE("sample value: accepts and refuses what the slow parser does") {
  const uint64_t seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 100'000; ++i) {
    const std::string text = RandomNumberText(random);
    const std::optional<double> fast = Parse(text);
    const std::optional<double> slow = SlowParseValue(text);
    if (fast.has_value() != slow.has_value() || (fast && Bits(*fast) != Bits(*slow))) {
      FAIL("the parsers disagree on " << text);
    }
  }
}

TEST_CASE("sample value: Go's words, in any case, with a sign for infinity only") {
  CHECK(Bits(Parse("NaN").value()) == 0x7ff8000000000001);
  CHECK(Bits(Parse("nAn").value()) == 0x7ff8000000000001);
  CHECK(Parse("inf") == HUGE_VAL);
  CHECK(Parse("+InFinity") == HUGE_VAL);
  CHECK(Parse("-Inf") == -HUGE_VAL);
  for (const char* text : {"+NaN", "-nan", "in", "infi", "infinit", "infinityy", "nan(1)", "nano",
                           "i", "n", "++inf"}) {
    INFO(text);
    CHECK_FALSE(Parse(text).has_value());
  }
}

TEST_CASE("sample value: too large is refused, too small is zero") {
  CHECK(Parse("1.7976931348623157e308") == 1.7976931348623157e308);
  for (const char* text : {"1e999", "-1e999", "1.7976931348623159e308", "1e99999999999999999999",
                           "0.001e400", "123456789012345678901234567890e300"}) {
    INFO(text);
    CHECK_FALSE(Parse(text).has_value());
  }
  CHECK_FALSE(Parse("1" + std::string(400, '0')).has_value());
  CHECK(Bits(Parse("1e-999").value()) == 0);
  CHECK(Bits(Parse("-1e-99999999999999999999").value()) == Bits(-0.0));
  CHECK(Bits(Parse("0." + std::string(400, '0') + "1").value()) == 0);
  CHECK(Parse("0e99999999999999999999") == 0);
  CHECK(Parse("0." + std::string(400, '0') + "1e401") == 1);
  CHECK(Parse("1" + std::string(400, '0') + "e-400") == 1);
  CHECK(Parse("2.4703282292062327e-324") == 0);
  CHECK(Parse("2.4703282292062328e-324") == 4.9e-324);
}

TEST_CASE("sample value: what Go reads as hex or with underscores is no sample's value") {
  for (const char* text : {"0x1p-2", "0X1P2", "1_000", "0x10", "0b1", "0o7", "1p3"}) {
    INFO(text);
    CHECK_FALSE(Parse(text).has_value());
  }
}

TEST_CASE("sample value: ends where the number does") {
  const std::string text = "12.5 77";
  double value = 0;
  CHECK(ParseSampleValue(text.data(), text.data() + text.size(), value) == text.data() + 4);
  CHECK(value == 12.5);
  CHECK(ParseSampleValue(text.data(), text.data() + 2, value) == text.data() + 2);
  CHECK(value == 12);
}

TEST_CASE("Go float: underscores between digits and hex with an exponent are read") {
  // What Go 1.26 gave for these.
  CHECK(ParseGoFloat("1_000") == 1000);
  CHECK(ParseGoFloat("00_1") == 1);
  CHECK(ParseGoFloat("1e1_0") == 1e10);
  CHECK(ParseGoFloat("0x1_0p1") == 32);
  CHECK(ParseGoFloat("0x_1p1") == 2);
  CHECK(ParseGoFloat("0x1p-2") == 0.25);
  CHECK(ParseGoFloat("-0X1.8P1") == -3);
  for (const char* text : {"",       "_1",       "1_",    "1__0", "1_e5", "1_.5",  "1._5", "i_nf",
                           "in_f",   "0b1_0",    "0b_1",  "0x",   "0x1",  "0x.p1", "0x1p", "0x1p+",
                           "0x1p1x", "0x1p9999", "1e999", " 1",   "1 ",   "+",     "x"}) {
    INFO(text);
    CHECK_FALSE(ParseGoFloat(text).has_value());
  }
}

TEST_CASE("sample value: as Prometheus writes it on its pages") {
  const auto text = [](double value) {
    std::string out = "x";
    AppendSampleValue(value, out);
    return out.substr(1);
  };
  CHECK(text(0) == "0");
  CHECK(text(-0.0) == "0");
  CHECK(text(-1) == "-1");
  CHECK(text(999'999) == "999999");
  CHECK(text(-1e6) == "-1e+06");
  CHECK(text(0.1 + 0.2) == "0.30000000000000004");
  CHECK(text(123456.5) == "123456.5");
  CHECK(text(1234567.5) == "1.2345675e+06");
  CHECK(text(0.00012) == "0.00012");
  CHECK(text(0.000012) == "1.2e-05");
  CHECK(text(5e-324) == "5e-324");
  CHECK(text(1.7976931348623157e308) == "1.7976931348623157e+308");
  CHECK(text(HUGE_VAL) == "+Inf");
  CHECK(text(-HUGE_VAL) == "-Inf");
  CHECK(text(-std::nan("")) == "NaN");
}

TEST_CASE("OpenMetrics float: as Prometheus writes le and quantile") {
  // What prometheus/prometheus gives for these.
  CHECK(FormatOpenMetricsFloat(1) == "1.0");
  CHECK(FormatOpenMetricsFloat(-1) == "-1.0");
  CHECK(FormatOpenMetricsFloat(-0.0) == "0.0");
  CHECK(FormatOpenMetricsFloat(0.5) == "0.5");
  CHECK(FormatOpenMetricsFloat(1e3) == "1000.0");
  CHECK(FormatOpenMetricsFloat(123456) == "123456.0");
  CHECK(FormatOpenMetricsFloat(1e6) == "1e+06");
  CHECK(FormatOpenMetricsFloat(1234567) == "1.234567e+06");
  CHECK(FormatOpenMetricsFloat(12345678.5) == "1.23456785e+07");
  CHECK(FormatOpenMetricsFloat(1e21) == "1e+21");
  CHECK(FormatOpenMetricsFloat(0.0001) == "0.0001");
  CHECK(FormatOpenMetricsFloat(0.00001) == "1e-05");
  CHECK(FormatOpenMetricsFloat(-1e-300) == "-1e-300");
  CHECK(FormatOpenMetricsFloat(HUGE_VAL) == "+Inf");
  CHECK(FormatOpenMetricsFloat(-HUGE_VAL) == "-Inf");
  CHECK(FormatOpenMetricsFloat(std::nan("")) == "NaN");
}

}  // namespace
}  // namespace tributary
