#include "common/base/units.h"

#include <random>
#include <utility>

#include "test/support/catch.h"

namespace tributary {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST_CASE("units: durations that Prometheus reads are read to the millisecond") {
  const std::pair<const char*, milliseconds> kTable[] = {
      {"0", milliseconds(0)},
      {"0s", milliseconds(0)},
      {"1ms", milliseconds(1)},
      {"500ms", milliseconds(500)},
      {"15s", seconds(15)},
      {"1m30s", seconds(90)},
      {"90s", seconds(90)},
      {"1h30m", minutes(90)},
      {"1d", hours(24)},
      {"1w", hours(7 * 24)},
      {"1y", hours(365 * 24)},
      {"1y2w3d4h5m6s7ms", hours((365 + 14 + 3) * 24 + 4) + minutes(5) + milliseconds(6007)},
      {"0010s", seconds(10)},
      {"292y", hours(292 * 365 * 24)},
  };
  for (const auto& [text, expected] : kTable) {
    CAPTURE(text);
    auto parsed = ParseDuration(text);
    REQUIRE(parsed);
    CHECK(*parsed == expected);
  }
}

TEST_CASE("units: what is no duration is refused") {
  for (const char* text : {"",
                           "5",
                           "00",
                           "-5s",
                           "+5s",
                           "5 s",
                           " 5s",
                           "5s ",
                           "1s1m",
                           "1s1s",
                           "5S",
                           "s",
                           "abc",
                           "1.5s",
                           "1h 30m",
                           "5us",
                           "5ns",
                           "1mo",
                           "300y",
                           "99999999999999999999s",
                           "18446744073709551616ms",
                           "292y300d",
                           "5s\n"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseDuration(text));
  }
}

TEST_CASE("units: durations are printed as Prometheus prints them") {
  const std::pair<milliseconds, const char*> kTable[] = {
      {milliseconds(0), "0s"},
      {milliseconds(30), "30ms"},
      {seconds(5), "5s"},
      {minutes(1), "1m"},
      {seconds(90), "1m30s"},
      {hours(24), "1d"},
      {hours(36), "1d12h"},
      {hours(90 * 24), "90d"},
      {hours(14 * 24), "2w"},
      {hours(365 * 24), "1y"},
      {hours(366 * 24), "366d"},
      {milliseconds(1500), "1s500ms"},
      {milliseconds(-1500), "-1s500ms"},
  };
  for (const auto& [value, expected] : kTable) CHECK(FormatDuration(value) == expected);
}

TEST_CASE("units: a printed duration reads back") {
  const unsigned seed = Catch::rngSeed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 2000; ++i) {
    milliseconds value(static_cast<int64_t>(random() % 9223372036854ull >> (random() % 43)));
    CAPTURE(value.count());
    auto parsed = ParseDuration(FormatDuration(value));
    REQUIRE(parsed);
    CHECK(*parsed == value);
  }
}

TEST_CASE("units: sizes are powers of 1024 however they are written") {
  const std::pair<const char*, uint64_t> kTable[] = {
      {"0", 0},
      {"0B", 0},
      {"10B", 10},
      {"1KB", 1024},
      {"1KiB", 1024},
      {"64MB", 64ull << 20},
      {"1.5MB", 3ull << 19},
      {"1.5GiB", 3ull << 29},
      {".5KB", 512},
      {"5.KB", 5120},
      {"1MiB512KiB", 3ull << 19},
      {"+1KB", 1024},
      {"7EiB", 7ull << 60},
  };
  for (const auto& [text, expected] : kTable) {
    CAPTURE(text);
    auto parsed = ParseSize(text);
    REQUIRE(parsed);
    CHECK(*parsed == expected);
  }
}

TEST_CASE("units: a size without a unit, with a wrong or a mixed one is refused") {
  for (const char* text : {"", "10", "-1KB", "1kB", "1mb", "MB", "1 MB", "1MiB1KB", "1.KiBx", ".B",
                           "8EiB", "1ZB", "99999999999999999999B"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseSize(text));
  }
}

TEST_CASE("units: a printed size reads back") {
  CHECK(FormatSize(0) == "0B");
  CHECK(FormatSize(1023) == "1023B");
  CHECK(FormatSize(3ull << 19) == "1MiB512KiB");
  const unsigned seed = Catch::rngSeed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 2000; ++i) {
    // Doubles, in which sizes are read, are exact up to 2^53.
    uint64_t value = random() >> (11 + random() % 50);
    auto parsed = ParseSize(FormatSize(value));
    REQUIRE(parsed);
    CHECK(*parsed == value);
  }
}

}  // namespace
}  // namespace tributary
