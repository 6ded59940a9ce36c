#include "common/exposition/text_parser.h"

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "test/support/catch.h"

namespace tributary {
namespace {

using namespace std::string_view_literals;

Labels SeriesOf(std::string_view line, std::string_view type = {}) {
  std::string buffer;
  const Result<ParsedLine> parsed = ParseLine(line, buffer);
  INFO(line);
  REQUIRE(parsed.has_value());
  REQUIRE(parsed->kind == LineKind::kSample);
  Result<Labels> labels = ParseSeries(parsed->series, type);
  REQUIRE(labels.has_value());
  return *labels;
}

bool Accepts(std::string_view line) {
  std::string buffer;
  return ParseLine(line, buffer).has_value();
}

TEST_CASE("text line: series, value and timestamp of a sample") {
  std::string buffer;
  const std::string text = R"(http_requests_total{method="post",code="200"} 1027 1395066363000)";
  const auto line = ParseLine(text, buffer);
  REQUIRE(line.has_value());
  CHECK(line->kind == LineKind::kSample);
  CHECK(line->series == R"(http_requests_total{method="post",code="200"})");
  CHECK(line->series.data() == text.data());
  CHECK(line->sample.value == 1027);
  CHECK(line->sample.timestamp == 1395066363000);
  CHECK(SeriesOf(text) ==
        Labels{{"__name__", "http_requests_total"}, {"code", "200"}, {"method", "post"}});
}

TEST_CASE("text line: blanks before a name belong to it") {
  std::string buffer;
  CHECK(ParseLine("  m 1", buffer)->series == "  m");
  CHECK(SeriesOf("  m 1").Get(kMetricName) == "  m");
  CHECK(SeriesOf("\t{\"m\"} 1").Get(kMetricName) == "m");
  CHECK(ParseLine("m \t{} 1", buffer)->series == "m \t{}");
}

TEST_CASE("text line: a name ends where it cannot go on, blank or not") {
  std::string buffer;
  const auto line = ParseLine("m-1.5", buffer);
  REQUIRE(line.has_value());
  CHECK(line->series == "m");
  CHECK(line->sample.value == -1.5);
  CHECK(ParseLine("m.5 7", buffer)->sample.timestamp == 7);
  CHECK_FALSE(Accepts("a-b 1"));
}

TEST_CASE("text line: what braces may hold") {
  CHECK(SeriesOf(R"(m{a="1" b="2"} 1)") == Labels{{"__name__", "m"}, {"a", "1"}, {"b", "2"}});
  CHECK(SeriesOf(R"(m{a="1""b.c"="2",}1)") == Labels{{"__name__", "m"}, {"a", "1"}, {"b.c", "2"}});
  CHECK(SeriesOf(R"({"x.y"} 1)") == Labels{{"__name__", "x.y"}});
  CHECK(SeriesOf(R"({a="1""x.y",b="2"} 1)") == Labels{{"__name__", "x.y"}, {"a", "1"}, {"b", "2"}});
  CHECK(SeriesOf(R"({"x\n\"y\\",} 1)") == Labels{{"__name__", "x\n\"y\\"}});
  CHECK(SeriesOf(R"(m{"a\\"="1"} 1)") == Labels{{"__name__", "m"}, {"a\\", "1"}});
  for (const char* line :
       {R"(m{"x"} 1)", R"({"x","y"} 1)", R"({"x"a="1"} 1)", R"({} 1)", R"({a="b"} 1)", R"(m{,} 1)",
        R"(m{a="1",,} 1)", R"(m{"a" "b"="c"} 1)", R"(m{a} 1)", R"(m{a=} 1)", R"(m{a="1"}} 1)",
        R"(m{a="1"}{b="2"} 1)", R"(m{a="1")", R"(m{)", R"({)", R"(m{a:b="1"} 1)", R"("m" 1)",
        R"("m"{a="1"} 1)"}) {
    INFO(line);
    CHECK_FALSE(Accepts(line));
  }
}

TEST_CASE("text line: escapes in a value, known and unknown") {
  CHECK(SeriesOf(R"(m{a="\\n\n\"\t\x\\"} 1)").Get("a") == "\\n\n\"\\t\\x\\");
  CHECK_FALSE(Accepts("m{a=\"x\\"));
  CHECK_FALSE(Accepts("m{a=\"x\\\n\"} 1"));
}

TEST_CASE("text line: UTF-8 is asked of values, not of names, which the scrape checks") {
  CHECK_FALSE(Accepts("m{a=\"long enough for a word \xff\"} 1"));
  CHECK_FALSE(Accepts("m{a=\"\\\xff\"} 1"));
  CHECK_FALSE(Accepts("m{a=\"\xed\xa0\x80\"} 1"));  // a surrogate
  CHECK(SeriesOf("m{\"\xff\"=\"1\"} 1").Has("\xff"));
  CHECK(SeriesOf("{\"\xff\"} 1").Get(kMetricName) == "\xff");
}

TEST_CASE("text line: NUL bytes are welcome in values only") {
  CHECK(SeriesOf("m{a=\"x\0y\"} 1"sv).Get("a") == "x\0y"sv);
  CHECK(SeriesOf("m{a= \0\"x\"} 1"sv).Get("a") == "x");
  CHECK(SeriesOf("m{a=\"x\"\0} 1"sv).Get("a") == "x\"");
  for (const auto line : {"m\0 1"sv, "m 1\0"sv, "m 1 5\0"sv, "m{\0a=\"1\"} 1"sv, "m{a=\0\"1\"} 1"sv,
                          "m{a=\"1\"}\0 1"sv, "{\"x\0\"} 1"sv, "m \0 1"sv}) {
    CHECK_FALSE(Accepts(line));
  }
}

TEST_CASE("text line: values and what may follow them") {
  for (const char* line : {"m",
                           "m ",
                           "m{}",
                           "m hello",
                           "m 1,5",
                           "m 1 2 3",
                           "m 1 now",
                           "m 1 1.5",
                           "m 1 -5",
                           "m 1 +5",
                           "m 1 # x",
                           "m 1\r",
                           "m 1 5\r",
                           "\r",
                           "m 1{",
                           "m 1}",
                           "m 1 9223372036854775808",
                           "m 0x1p3",
                           "1 1",
                           "!"}) {
    INFO(line);
    CHECK_FALSE(Accepts(line));
  }
  std::string buffer;
  CHECK(ParseLine("m 1 9223372036854775807", buffer)->sample.timestamp ==
        std::numeric_limits<int64_t>::max());
  CHECK(ParseLine("m 1 007\t ", buffer)->sample.timestamp == 7);
  CHECK_FALSE(ParseLine("m 1 ", buffer)->sample.timestamp.has_value());
}

TEST_CASE("text line: blank lines are blank") {
  std::string buffer;
  CHECK(ParseLine("", buffer)->kind == LineKind::kBlank);
  CHECK(ParseLine(" \t ", buffer)->kind == LineKind::kBlank);
}

TEST_CASE("text line: an error says what was expected and shows the place") {
  std::string buffer;
  CHECK(ParseLine("m{a=1} 1", buffer).error().message ==
        "expected a label value in double quotes at byte 5, got '1': m{a= >>>1} 1");
  CHECK(ParseLine("m{a=\"x", buffer).error().message ==
        "expected a closing quote at byte 7, got the end of the line: m{a=\"x >>>");
  CHECK(ParseLine("b\xff"
                  "d 1",
                  buffer)
            .error()
            .message == "expected a value that is a float at byte 2, got '\\xff': b >>>\\xffd 1");
  CHECK(ParseLine("m{a=\"" + std::string(10000, 'x') + "\"} z", buffer).error().message.size() <
        300);
}

TEST_CASE("text line: a quote may run over a newline, as it does in Prometheus") {
  CHECK(NeedsNextLine("m{a=\"x"));
  CHECK(NeedsNextLine("m{a=\"x\\\""));
  CHECK(NeedsNextLine("m{\"x"));
  CHECK(NeedsNextLine("# TYPE \"x"));
  CHECK_FALSE(NeedsNextLine("m{a=\"x\\"));
  CHECK_FALSE(NeedsNextLine("m{a=\"x\""));
  CHECK_FALSE(NeedsNextLine("m{a=\"x\"} 1"));
  CHECK_FALSE(NeedsNextLine("m 1 \""));
  CHECK(SeriesOf("m{a=\"x\ny\",b=\"\n\"} 1") ==
        Labels{{"__name__", "m"}, {"a", "x\ny"}, {"b", "\n"}});
}

TEST_CASE("text series: the same name twice is an error, unless an empty value takes both away") {
  CHECK(ParseSeries(R"(m{a="1",a="2"})").error().message ==
        R"(the label name "a" is not unique: m{a="1",a="2"})");
  CHECK_FALSE(ParseSeries(R"(m{a="1",a="1"})").has_value());
  CHECK_FALSE(ParseSeries(R"(m{a="1","a"="1"})").has_value());
  CHECK_FALSE(ParseSeries(R"(m{__name__="m"})").has_value());
  CHECK(ParseSeries(R"(m{a="1",a=""})").value() == Labels{{"__name__", "m"}});
  CHECK(ParseSeries(R"(m{__name__="",a="1"})").value() == Labels{{"a", "1"}});
  CHECK(ParseSeries(R"({""})").value().empty());
}

TEST_CASE("text series: the names of labels left out for their empty value are told") {
  std::vector<std::string> emptied;
  REQUIRE(ParseSeries(R"(m{b="",a="1",c="2",c=""})", {}, &emptied).has_value());
  CHECK(emptied == std::vector<std::string>{"b", "c"});
}

TEST_CASE(
    "text series: le and quantile are canonical where the type says so, whatever the family") {
  CHECK(SeriesOf(R"(other{le="1",quantile="1"} 1)", "histogram") ==
        Labels{{"__name__", "other"}, {"le", "1.0"}, {"quantile", "1"}});
  CHECK(SeriesOf(R"(other{le="1",quantile="0.50"} 1)", "summary") ==
        Labels{{"__name__", "other"}, {"le", "1"}, {"quantile", "0.5"}});
  CHECK(SeriesOf(R"(m{"l\e"="1"} 1)", "histogram").Get("l\\e") == "1");
  for (const char* type : {"counter", "gauge", "untyped", ""})
    CHECK(SeriesOf(R"(m{le="1"} 1)", type).Get("le") == "1");
  CHECK(SeriesOf(R"(m{le="inf"} 1)", "histogram").Get("le") == "+Inf");
  CHECK(SeriesOf(R"(m{le="1e6"} 1)", "histogram").Get("le") == "1e+06");
  CHECK(SeriesOf(R"(m{le="1_0"} 1)", "histogram").Get("le") == "10.0");
  CHECK(SeriesOf(R"(m{le="x"} 1)", "histogram").Get("le") == "x");
  CHECK(SeriesOf(R"(m{le="1e999"} 1)", "histogram").Get("le") == "1e999");
}

TEST_CASE("text series: text that no line has given is an error, not a crash") {
  for (const char* text : {"", "1", "m{", "m x", "m{a=\"1\"} 1", "{", "}"}) {
    INFO(text);
    CHECK_FALSE(ParseSeries(text).has_value());
  }
}

TEST_CASE("text series: its end is found without parsing") {
  CHECK(SeriesText("m 1") == "m");
  CHECK(SeriesText("  m\t1 5") == "  m");
  CHECK(SeriesText(R"(m{a="}"} 1)") == R"(m{a="}"})");
  CHECK(SeriesText(R"(m{a="1"}2)") == R"(m{a="1"})");
  CHECK(SeriesText("").empty());
}

TEST_CASE("value and timestamp: the common forms, and false for the rest") {
  ValueAndTimestamp out;
  REQUIRE(ParseValueAndTimestamp(" 12345.678", out));
  CHECK(out.value == 12345.678);
  CHECK_FALSE(out.timestamp.has_value());
  REQUIRE(ParseValueAndTimestamp("\t1 1712345678901", out));
  CHECK(out.timestamp == 1712345678901);
  REQUIRE(ParseValueAndTimestamp("  +Inf\t ", out));
  CHECK(out.value == std::numeric_limits<double>::infinity());
  CHECK_FALSE(out.timestamp.has_value());
  for (const auto rest :
       {""sv, " "sv, "1"sv, " x"sv, " 1x"sv, " 1 x"sv, " 1 -5"sv, " 1 2 3"sv, " 1\r"sv, " 1\0"sv,
        "{} 1"sv, " {} 1"sv, " 1e999"sv, " 1 99999999999999999999"sv, " 1 1.5"sv, " 1\n"sv}) {
    INFO(rest);
    CHECK_FALSE(ParseValueAndTimestamp(rest, out));
  }
}

}  // namespace
}  // namespace tributary
