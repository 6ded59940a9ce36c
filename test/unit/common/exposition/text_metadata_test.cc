#include <string>
#include <string_view>

#include "common/exposition/text_parser.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

using namespace std::string_view_literals;

TEST_CASE("text metadata: TYPE gives the family and one of five words") {
  std::string buffer;
  for (const char* word : {"counter", "gauge", "histogram", "summary", "untyped"}) {
    const std::string text = "# TYPE fam:ily " + std::string(word);
    const auto line = ParseLine(text, buffer);
    REQUIRE(line.has_value());
    CHECK(line->kind == LineKind::kType);
    CHECK(line->family == "fam:ily");
    CHECK(line->text == word);
  }
}

TEST_CASE("text metadata: any other TYPE is refused") {
  std::string buffer;
  for (const auto text : {"# TYPE m banana"sv, "# TYPE m"sv, "# TYPE m "sv, "# TYPE m Counter"sv,
                          "# TYPE m  counter"sv, "# TYPE m counter "sv, "# TYPE m counter\r"sv,
                          "# TYPE m counter x"sv, "# TYPE m unknown"sv, "# TYPE 1m counter"sv,
                          "# TYPE "sv, "# TYPE \"m counter"sv, "# TYPE m\0counter"sv}) {
    INFO(text);
    CHECK_FALSE(ParseLine(text, buffer).has_value());
  }
}

TEST_CASE("text metadata: one byte, whatever it is, parts name and text") {
  std::string buffer;
  CHECK(ParseLine("# TYPE m\tcounter", buffer)->text == "counter");
  CHECK(ParseLine("# TYPE m-counter", buffer)->text == "counter");
  CHECK(ParseLine("#\tTYPE\t m gauge", buffer)->text == "gauge");
  CHECK(ParseLine("# HELP m  two blanks ", buffer)->text == " two blanks ");
}

TEST_CASE("text metadata: a quoted family keeps its escapes") {
  std::string buffer;
  const auto line = ParseLine(R"(# TYPE "a.b \" c" counter)", buffer);
  REQUIRE(line.has_value());
  CHECK(line->family == R"(a.b \" c)");
  CHECK(ParseLine(R"(# HELP "ü" x)", buffer)->family == "ü");
}

TEST_CASE("text metadata: HELP knows the escapes of backslash and newline only") {
  std::string buffer;
  const auto line = ParseLine(R"(# HELP m a\\b\nc\"d\xe\)", buffer);
  REQUIRE(line.has_value());
  CHECK(line->kind == LineKind::kHelp);
  CHECK(line->text == "a\\b\nc\\\"d\\xe\\");
  CHECK(ParseLine(R"(# HELP m \\n)", buffer)->text == "\\n");
}

TEST_CASE("text metadata: HELP may be empty but must be UTF-8") {
  std::string buffer;
  for (const auto text : {"# HELP m"sv, "# HELP m "sv, "# HELP m \t "sv, "# HELP m{"sv}) {
    const auto line = ParseLine(text, buffer);
    REQUIRE(line.has_value());
    CHECK(line->kind == LineKind::kHelp);
    CHECK(line->text.empty());
  }
  CHECK_FALSE(ParseLine("# HELP m bad\xff", buffer).has_value());
  CHECK(ParseLine("# HELP m Ünï→😀", buffer)->text == "Ünï→😀");
}

TEST_CASE("text metadata: what only looks like HELP or TYPE is a comment") {
  std::string buffer;
  for (const auto text : {"#"sv, "# "sv, "#TYPE m banana"sv, "#HELP"sv, "# HELP"sv, "# TYPE"sv,
                          "# TYPEx m y"sv, "# HTYPE m counter"sv, "# HELTYPE m y"sv, "# help m x"sv,
                          "# UNIT m seconds"sv, "  # x"sv, "# EOF"sv, "# \xff"sv, "#\r"sv}) {
    INFO(text);
    const auto line = ParseLine(text, buffer);
    REQUIRE(line.has_value());
    CHECK(line->kind == LineKind::kComment);
  }
  CHECK_FALSE(ParseLine("# HELP ", buffer).has_value());
  CHECK_FALSE(ParseLine("# TYPE  1", buffer).has_value());
}

TEST_CASE(
    "text metadata: a NUL byte in a comment is skipped, or ends the page where the lexer looks") {
  std::string buffer;
  CHECK(ParseLine("# a\0b"sv, buffer)->kind == LineKind::kComment);
  CHECK(ParseLine("# HE\0LP m x"sv, buffer)->kind == LineKind::kHelp);
  CHECK(ParseLine("# HELP m a\0b"sv, buffer)->text == "a\0b"sv);
  CHECK(ParseLine("#a\0b"sv, buffer)->kind == LineKind::kEnd);
  CHECK(ParseLine("# \0"sv, buffer)->kind == LineKind::kEnd);
  CHECK(ParseLine("\0"sv, buffer)->kind == LineKind::kEnd);
  CHECK(ParseLine(" \t\0 m 1"sv, buffer)->kind == LineKind::kEnd);
}

}  // namespace
}  // namespace tributary
