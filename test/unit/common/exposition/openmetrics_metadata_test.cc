#include <string>
#include <string_view>

#include "common/exposition/openmetrics_parser.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

using namespace std::string_view_literals;

TEST_CASE("OpenMetrics metadata: TYPE gives the family and one of eight words") {
  std::string buffer;
  for (const char* word : {"counter", "gauge", "histogram", "gaugehistogram", "summary", "info",
                           "stateset", "unknown"}) {
    const std::string text = "# TYPE fam:ily " + std::string(word);
    const auto line = ParseOpenMetricsLine(text, buffer);
    REQUIRE(line.has_value());
    CHECK(line->kind == LineKind::kType);
    CHECK(line->family == "fam:ily");
    CHECK(line->text == word);
  }
  for (const auto text :
       {"# TYPE u untyped"sv, "# TYPE a banana"sv, "# TYPE c counter "sv, "# TYPE c  counter"sv,
        "# TYPE c counter\r"sv, "# TYPE c Counter"sv, "# TYPE "sv, "# TYPE m"sv, "# TYPE m "sv,
        "#  TYPE c counter"sv, "#\tTYPE c counter"sv, "#TYPE c counter"sv, "# TYPE\tc counter"sv,
        "# TYPE c\tcounter"sv, "# TYPE 1c counter"sv, "# TYPE c-d counter"sv,
        "# TYPE \"c counter"sv, "# TYPE c\0 counter"sv, " # TYPE c counter"sv}) {
    INFO(text);
    CHECK_FALSE(ParseOpenMetricsLine(text, buffer).has_value());
  }
}

TEST_CASE("OpenMetrics metadata: a quoted family keeps its escapes") {
  std::string buffer;
  CHECK(ParseOpenMetricsLine(R"(# TYPE "a.b \" c" counter)", buffer)->family == R"(a.b \" c)");
  CHECK(ParseOpenMetricsLine("# HELP \"a\nb\" x", buffer)->family == "a\nb");
}

TEST_CASE("OpenMetrics metadata: HELP knows the escapes of a label's value, and must be UTF-8") {
  std::string buffer;
  const auto line = ParseOpenMetricsLine(R"(# HELP m escape \ \n \\ \" \x "chars")", buffer);
  REQUIRE(line.has_value());
  CHECK(line->kind == LineKind::kHelp);
  CHECK(line->text == "escape \\ \n \\ \" \\x \"chars\"");
  CHECK(ParseOpenMetricsLine("# HELP m ", buffer)->text.empty());
  CHECK(ParseOpenMetricsLine("# HELP m  two ", buffer)->text == " two ");
  CHECK(ParseOpenMetricsLine("# HELP m a\0b"sv, buffer)->text == "a\0b"sv);
  CHECK_FALSE(ParseOpenMetricsLine("# HELP ", buffer).has_value());
  CHECK_FALSE(ParseOpenMetricsLine("# HELP m", buffer).has_value());
  CHECK_FALSE(ParseOpenMetricsLine("# HELP m \xff", buffer).has_value());
}

TEST_CASE("OpenMetrics metadata: a unit ends the family's name after a '_', or is empty") {
  std::string buffer;
  const auto line = ParseOpenMetricsLine("# UNIT a_seconds seconds", buffer);
  REQUIRE(line.has_value());
  CHECK(line->kind == LineKind::kUnit);
  CHECK(line->family == "a_seconds");
  CHECK(line->text == "seconds");
  CHECK(ParseOpenMetricsLine("# UNIT m ", buffer)->text.empty());
  CHECK(ParseOpenMetricsLine("# UNIT _s s", buffer)->text == "s");
  CHECK(ParseOpenMetricsLine("# UNIT a_b_c b_c", buffer)->text == "b_c");
  CHECK(ParseOpenMetricsLine("# UNIT \"go.gc_s\" s", buffer)->text == "s");
  for (const char* text :
       {"# UNIT metric suffix", "# UNIT metricsuffix suffix", "# UNIT m suffix", "# UNIT s s",
        "# UNIT ", "# UNIT m", "# UNIT a_seconds  seconds", "# UNIT a_seconds seconds "}) {
    INFO(text);
    CHECK_FALSE(ParseOpenMetricsLine(text, buffer).has_value());
  }
}

TEST_CASE("OpenMetrics metadata: no other comments, and nothing after # EOF") {
  std::string buffer;
  CHECK(ParseOpenMetricsLine("# EOF", buffer)->kind == LineKind::kEof);
  for (const auto text :
       {"#"sv, "# "sv, "# x"sv, "#EOF"sv, "# EOF "sv, "# EOFa 1"sv, "#  EOF"sv, " # EOF"sv,
        "# EO"sv, "# eof"sv, "# H"sv, "# HELPx m y"sv, "# just a comment"sv}) {
    INFO(text);
    CHECK_FALSE(ParseOpenMetricsLine(text, buffer).has_value());
  }
}

TEST_CASE("OpenMetrics metadata: NUL bytes are skipped inside and after the words") {
  std::string buffer;
  CHECK(ParseOpenMetricsLine("# HE\0LP \0m x"sv, buffer)->family == "m");
  CHECK(ParseOpenMetricsLine("# E\0OF\0\0"sv, buffer)->kind == LineKind::kEof);
  CHECK_FALSE(ParseOpenMetricsLine("# \0EOF"sv, buffer).has_value());
  CHECK_FALSE(ParseOpenMetricsLine("#\0 EOF"sv, buffer).has_value());
}

TEST_CASE("OpenMetrics metadata: NUL bytes after the newline are the text's, but for the last") {
  std::string buffer;
  CHECK(ParseOpenMetricsLine("# HELP m x\n\0"sv, buffer)->text == "x\n\0"sv);
  CHECK_FALSE(ParseOpenMetricsLine("# TYPE m gauge\n"sv, buffer).has_value());
  CHECK_FALSE(ParseOpenMetricsLine("# UNIT m \n"sv, buffer).has_value());
}

}  // namespace
}  // namespace tributary
