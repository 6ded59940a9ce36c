#include "common/exposition/openmetrics_parser.h"

#include <bit>
#include <cstdint>
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
  const Result<ParsedLine> parsed = ParseOpenMetricsLine(line, buffer);
  INFO(line);
  REQUIRE(parsed.has_value());
  REQUIRE(parsed->kind == LineKind::kSample);
  Result<Labels> labels = ParseOpenMetricsSeries(parsed->series, type);
  REQUIRE(labels.has_value());
  return *labels;
}

bool Accepts(std::string_view line) {
  std::string buffer;
  const auto parsed = ParseOpenMetricsLine(line, buffer);
  return parsed.has_value() && parsed->refused_behind.empty();
}

// Whether the sample of a refused line still counts.
bool CountsButRefuses(std::string_view line) {
  std::string buffer;
  const auto parsed = ParseOpenMetricsLine(line, buffer);
  return parsed.has_value() && parsed->kind == LineKind::kSample && !parsed->refused_behind.empty();
}

std::optional<TimestampMs> TimestampOf(const std::string& seconds) {
  std::string buffer;
  const std::string line = "m 1 " + seconds;
  const auto parsed = ParseOpenMetricsLine(line, buffer);
  return parsed ? parsed->sample.timestamp : std::nullopt;
}

TEST_CASE("OpenMetrics line: series, value, timestamp and exemplar of a sample") {
  std::string buffer;
  const std::string text = R"(foo_total{a="b",c="}"} 17.5 1520879607.789 # {id="x"} 5 1520879600)";
  const auto line = ParseOpenMetricsLine(text, buffer);
  REQUIRE(line.has_value());
  CHECK(line->kind == LineKind::kSample);
  CHECK(line->series == R"(foo_total{a="b",c="}"})");
  CHECK(line->series.data() == text.data());
  CHECK(line->sample.value == 17.5);
  CHECK(line->sample.timestamp == 1520879607789);
  CHECK(line->exemplar == R"({id="x"} 5 1520879600)");
  CHECK(line->refused_behind.empty());
  CHECK(SeriesOf(text) == Labels{{"__name__", "foo_total"}, {"a", "b"}, {"c", "}"}});
}

TEST_CASE("OpenMetrics line: one blank parts the parts, and no other byte does") {
  for (const auto line : {""sv,
                          " "sv,
                          " m 1"sv,
                          "\tm 1"sv,
                          "m"sv,
                          "m "sv,
                          "m  1"sv,
                          "m\t1"sv,
                          "m{}1"sv,
                          "m {} 1"sv,
                          "m{} {} 1"sv,
                          "m-1"sv,
                          "m 1\t2"sv,
                          "m 1 2 "sv,
                          "m 1 2 3"sv,
                          "m 1 2  # {} 1"sv,
                          "m 1\r"sv,
                          "m{ a=\"1\"} 1"sv,
                          "m{a =\"1\"} 1"sv,
                          "m{a= \"1\"} 1"sv,
                          "m{a=\"1\" } 1"sv,
                          "m{a=\"1\", b=\"2\"} 1"sv,
                          "9"sv,
                          "1 1"sv,
                          "\"m\" 1"sv,
                          "\0"sv,
                          "m\0 1"sv}) {
    INFO(line);
    CHECK_FALSE(Accepts(line));
    CHECK_FALSE(CountsButRefuses(line));
  }
}

TEST_CASE("OpenMetrics line: after the value alone the fault is seen too late for the sample") {
  for (const auto line : {"m 1 "sv, "m 1  "sv, "m 1  2"sv, "m 1 # "sv, "m 1 # x"sv, "m 1 #  {} 1"sv,
                          "m 1\0"sv, "m 1\0002"sv, "m 1 \0"sv}) {
    INFO(line);
    CHECK(CountsButRefuses(line));
  }
  for (const auto line : {"m 1 #"sv, "m 1 #x"sv, "m 1 #{} 1"sv, "m 1 x"sv, "m 1 2\0"sv,
                          "m 1 2 # x"sv, "m 1 2 #"sv, "m 1 #\0"sv}) {
    INFO(line);
    CHECK_FALSE(Accepts(line));
    CHECK_FALSE(CountsButRefuses(line));
  }
}

TEST_CASE("OpenMetrics line: what braces may hold") {
  CHECK(SeriesOf("m{} 1") == Labels{{"__name__", "m"}});
  CHECK(SeriesOf(R"(m{a="1",} 1)") == Labels{{"__name__", "m"}, {"a", "1"}});
  CHECK(SeriesOf(R"({"x.y"} 1)") == Labels{{"__name__", "x.y"}});
  CHECK(SeriesOf(R"({"x\n\"y\\",} 1)") == Labels{{"__name__", "x\n\"y\\"}});
  CHECK(SeriesOf(R"({a="1","x.y","b.c"="2"} 1)") ==
        Labels{{"__name__", "x.y"}, {"a", "1"}, {"b.c", "2"}});
  for (const char* line : {"{} 1",
                           R"({a="1",} 1)",
                           R"(m{"x"} 1)",
                           R"({"x","y"} 1)",
                           "{A} 0",
                           "{A}0",
                           R"(m{,} 1)",
                           R"(m{,a="1"} 1)",
                           R"(m{a="1",,} 1)",
                           R"(m{a="1"b="2"} 1)",
                           R"({"x"a="1"} 1)",
                           R"({"x""y"="1"} 1)",
                           R"({"a","b = "c"})",
                           R"({"a",b\nc="d"} 1)",
                           "m{a} 1",
                           "m{a=} 1",
                           "m{a=1} 1",
                           "m{a='1'} 1",
                           R"(m{="1"} 1)",
                           R"(m{"a" "b"="c"} 1)",
                           R"(m{a:b="1"} 1)",
                           R"(m{a="1"}} 1)",
                           R"(m{a="1"}{b="2"} 1)",
                           R"(m{a="1")",
                           "m{",
                           "{",
                           "m{a=\"\n\"} 1"}) {
    INFO(line);
    CHECK_FALSE(Accepts(line));
  }
}

TEST_CASE("OpenMetrics line: escapes, UTF-8 and NUL bytes in labels") {
  CHECK(SeriesOf(R"(m{a="\\n\n\"\t\x\\"} 1)").Get("a") == "\\n\n\"\\t\\x\\");
  CHECK_FALSE(Accepts("m{a=\"x\\"));
  CHECK_FALSE(Accepts("m{a=\"\xff\"} 1"));
  CHECK_FALSE(Accepts("m{\xff=\"1\"} 1"));
  CHECK(SeriesOf("m{\"\xff\"=\"1\"} 1").Has("\xff"));
  CHECK(SeriesOf("{\"\xff\"} 1").Get(kMetricName) == "\xff");
  CHECK(SeriesOf("m{a=\"\0x\0\"} 1"sv).Get("a") == "\0x\0"sv);
  CHECK(SeriesOf("m{a=\"x\"\0} 1"sv).Get("a") == "x\"");
  for (const auto line : {"m{a=\0\"1\"} 1"sv, "m{a\0=\"1\"} 1"sv, "m{\0a=\"1\"} 1"sv,
                          "m\0{a=\"1\"} 1"sv, "m{a=\"1\"}\0 1"sv, "{\"x\0\"} 1"sv, "m{a=\"\0"sv}) {
    INFO(line);
    CHECK_FALSE(Accepts(line));
  }
}

TEST_CASE("OpenMetrics line: a name's quotes may run over a newline, a value's not") {
  CHECK(OpenMetricsNeedsNextLine("m{\"x"));
  CHECK(OpenMetricsNeedsNextLine("{\"x\\\""));
  CHECK(OpenMetricsNeedsNextLine("# TYPE \"x"));
  for (const char* line : {"m{a=\"x", "m 1 # {\"x", "m 1 # {a=\"x", "m{\"x\"=\"y", "{\"x\\", "m"}) {
    INFO(line);
    CHECK_FALSE(OpenMetricsNeedsNextLine(line));
  }
  CHECK(SeriesOf("{\"x\ny\",\"\n\"=\"1\"} 1") == Labels{{"__name__", "x\ny"}, {"\n", "1"}});
  CHECK_FALSE(Accepts("{\"x\ny\",a=\"\n\"} 1"));
}

TEST_CASE("OpenMetrics line: values are decimal floats, infinite or NaN") {
  std::string buffer;
  CHECK(ParseOpenMetricsLine("m -inF", buffer)->sample.value ==
        -std::numeric_limits<double>::infinity());
  CHECK(std::bit_cast<uint64_t>(ParseOpenMetricsLine("m nan", buffer)->sample.value) ==
        0x7ff8000000000001);
  for (const char* line : {"m true", "m 1_2", "m 0x1p-3", "m 0x1P-3", "m 0x1", "m 1e999", "m +NaN",
                           "m 1,5", "m 0 1_2", "m 0 0x1p3", "m 1 1z", "m 1 1e999"}) {
    INFO(line);
    CHECK_FALSE(Accepts(line));
  }
}

TEST_CASE("OpenMetrics line: timestamps are seconds, of which whole milliseconds are taken") {
  CHECK(TimestampOf("123.123") == 123123);
  CHECK(TimestampOf("1e3") == 1000000);
  CHECK(TimestampOf("-5") == -5000);
  CHECK(TimestampOf("0.0019999") == 1);
  CHECK(TimestampOf("-0.0019999") == -1);
  CHECK(TimestampOf("1.001") == 1000);  // 1000.9999999999999
  CHECK(TimestampOf("1520879607.789") == 1520879607789);
  CHECK(TimestampOf("9223372036854774.784") == 9223372036854773760);
  for (const char* beyond : {"9223372036854775.808", "1e300", "1e306", "-1e300"}) {
    INFO(beyond);
    CHECK(TimestampOf(beyond) == std::numeric_limits<TimestampMs>::min());
  }
  for (const char* refused : {"NaN", "Inf", "-Inf", "+Inf"}) {
    INFO(refused);
    CHECK_FALSE(Accepts(std::string("m 1 ") + refused));
    CHECK_FALSE(Accepts(std::string("m 1 # {} 1 ") + refused));
  }
}

TEST_CASE("OpenMetrics line: a broken exemplar refuses the line") {
  for (const auto rest : {"{aa=bb}"sv,
                          "{aa=\"bb\"}"sv,
                          "{aa=\"bb\"} "sv,
                          "{bb}"sv,
                          "{bb, a=\"dd\"}"sv,
                          "{aa=\"bb\",,cc=\"dd\"} 1"sv,
                          "{,aa=\"bb\"} 1"sv,
                          "{aa=\"bb\"cc=\"dd\"} 1"sv,
                          "{aa=\"bb\"} 1_2"sv,
                          "{aa=\"bb\"} 0x1p-3"sv,
                          "{aa=\"bb\"} true"sv,
                          "{aa=\"bb\",cc=}"sv,
                          "{aa=\\\"\xff\\\"} 9.0"sv,
                          "{aa=\"\xff\"} 1"sv,
                          "{\"aa\"} 1"sv,
                          "{\"aa\",b=\"c\"} 1"sv,
                          "{aa=\"bb\"}1"sv,
                          "{aa=\"bb\"}  1"sv,
                          "{aa=\"bb\"} 1 "sv,
                          "{aa=\"bb\"} 1 2 "sv,
                          "{aa=\"bb\"} 1 2 3"sv,
                          "{aa=\"bb\"} 1 # {} 1"sv,
                          "{aa=\"bb\"} 1 2 # {} 1"sv,
                          "{aa=\"bb"sv,
                          "{"sv,
                          "{\"a\nb\"=\"1\"} 1"sv,
                          "{a=\"x\0\"} 1"sv,
                          "{a=\0\"x\"} 1"sv,
                          "{a=\"x\"\0} 1"sv,
                          "{a=\"x\\\0\"} 1"sv,
                          "{} 1\0"sv,
                          "{} 1 2\0"sv}) {
    INFO(rest);
    const std::string line = "m 1 # " + std::string(rest);
    CHECK_FALSE(Accepts(line));
    CHECK_FALSE(CountsButRefuses(line));
  }
}

TEST_CASE("OpenMetrics line: an error says what was expected and shows the place") {
  std::string buffer;
  CHECK(ParseOpenMetricsLine("m{a=1} 1", buffer).error().message ==
        "expected a label value in double quotes at byte 5, got '1': m{a= >>>1} 1");
  CHECK(ParseOpenMetricsLine("m 1 # {a=\"b\"}", buffer).error().message ==
        "expected a blank and the exemplar's value at byte 14, got the end of the line: "
        "m 1 # {a=\"b\"} >>>");
  CHECK(ParseOpenMetricsLine("m 1 NaN", buffer).error().message ==
        "expected a timestamp that is neither NaN nor infinite at byte 4, got ' ': m 1 >>> NaN");
  CHECK(ParseOpenMetricsLine("", buffer).error().message ==
        "expected a metric name, '{', or # and one of HELP, TYPE, UNIT and EOF at byte 1, got the "
        "end of the line:  >>>");
}

TEST_CASE(
    "OpenMetrics series: duplicates, empty values and canonical floats are as in the text format") {
  CHECK(ParseOpenMetricsSeries(R"(a{x="1",x="2"})").error().message ==
        R"(the label name "x" is not unique: a{x="1",x="2"})");
  std::vector<std::string> emptied;
  CHECK(ParseOpenMetricsSeries(R"(a{x="1",x="",y=""})", {}, &emptied).value() ==
        Labels{{"__name__", "a"}});
  CHECK(emptied == std::vector<std::string>{"x", "y"});
  CHECK(SeriesOf(R"(other{le="1",quantile="1"} 1)", "histogram") ==
        Labels{{"__name__", "other"}, {"le", "1.0"}, {"quantile", "1"}});
  CHECK(SeriesOf(R"(other{le="1",quantile="0.50"} 1)", "summary") ==
        Labels{{"__name__", "other"}, {"le", "1"}, {"quantile", "0.5"}});
  for (const char* type : {"counter", "gauge", "gaugehistogram", "unknown", "info", "stateset", ""})
    CHECK(SeriesOf(R"(m{le="1"} 1)", type).Get("le") == "1");
  for (const char* text : {"", "1", "m{", "m x", " m", "m{a=\"1\"} 1", "{", "}"}) {
    INFO(text);
    CHECK_FALSE(ParseOpenMetricsSeries(text).has_value());
  }
}

TEST_CASE("OpenMetrics series: its end is found without parsing") {
  CHECK(OpenMetricsSeriesText("m 1") == "m");
  CHECK(OpenMetricsSeriesText("m 1 # {a=\"}\"} 1") == "m");
  CHECK(OpenMetricsSeriesText(R"(m{a="}"} 1 2)") == R"(m{a="}"})");
  CHECK(OpenMetricsSeriesText(R"(m{a="} # {"} 1 2)") == R"(m{a="} # {"})");
  CHECK(OpenMetricsSeriesText(R"(m{a="\"}\\"} 1 # {b="}"} 1)") == R"(m{a="\"}\\"})");
  CHECK(OpenMetricsSeriesText("m{a=\"#\\\0\"}\"} 1"sv) == "m{a=\"#\\\0\"}\"}"sv);
  CHECK(OpenMetricsSeriesText("").empty());
}

TEST_CASE("OpenMetrics value: what a good line has behind its series, and false for the rest") {
  ValueAndTimestamp out;
  std::string_view exemplar;
  REQUIRE(ParseOpenMetricsValue(" 12345.678 1712345678.901 # {a=\"b\"} 1 2", out, exemplar));
  CHECK(out.value == 12345.678);
  CHECK(out.timestamp == 1712345678901);
  CHECK(exemplar == "{a=\"b\"} 1 2");
  REQUIRE(ParseOpenMetricsValue(" 0.1 # {} 1", out, exemplar));
  CHECK_FALSE(out.timestamp.has_value());
  CHECK(exemplar == "{} 1");
  REQUIRE(ParseOpenMetricsValue(" +Inf", out, exemplar));
  CHECK(out.value == std::numeric_limits<double>::infinity());
  CHECK(exemplar.empty());
  for (const auto rest : {""sv, " "sv, "1"sv, "\t1"sv, " x"sv, " 1 "sv, "  1"sv, " 1 x"sv,
                          " 1 2 3"sv, " 1\r"sv, " 1\0"sv, "{} 1"sv, " {} 1"sv, " 1e999"sv, " 1\n"sv,
                          " 1 NaN"sv, " 1 # {a} 1"sv, " 1 # x"sv, " 1 # {a=\"b\"}"sv}) {
    INFO(rest);
    CHECK_FALSE(ParseOpenMetricsValue(rest, out, exemplar));
  }
}

TEST_CASE("OpenMetrics exemplar: labels as they stand, value and its own time") {
  auto exemplar = ParseExemplar(R"({trace_id="a\n\"","s.p"="d",} NaN 123.321)");
  REQUIRE(exemplar.has_value());
  CHECK(exemplar->labels == Labels{{"s.p", "d"}, {"trace_id", "a\\n\\\""}});
  CHECK(std::bit_cast<uint64_t>(exemplar->value) == 0x7ff8000000000001);
  CHECK(exemplar->timestamp == 123321);
  exemplar = ParseExemplar("{} 1.5");
  REQUIRE(exemplar.has_value());
  CHECK(exemplar->labels.empty());
  CHECK(exemplar->value == 1.5);
  CHECK_FALSE(exemplar->timestamp.has_value());
}

TEST_CASE(
    "OpenMetrics exemplar: one is dropped for its labels, after those without value are gone") {
  CHECK(ParseExemplar(R"({a="1",b="",a=""} 1)")->labels == Labels{{"a", "1"}});
  CHECK(ParseExemplar(R"({""="",a="1"} 1)")->labels == Labels{{"a", "1"}});
  CHECK_FALSE(ParseExemplar(R"({a="1",a="2"} 1)").has_value());
  CHECK_FALSE(ParseExemplar(R"({a="1","a"="1"} 1)").has_value());
  CHECK_FALSE(ParseExemplar(R"({""="1"} 1)").has_value());
  const auto with = [](const std::string& value) { return "{abc=\"" + value + "\"} 1"; };
  const auto repeated = [](const char* text, int times) {
    std::string out;
    for (; times > 0; --times) out += text;
    return out;
  };
  CHECK(ParseExemplar(with(repeated("x", 125))).has_value());
  CHECK(ParseExemplar(with(repeated("ü", 125))).has_value());
  CHECK(
      ParseExemplar(with(repeated("x", 126)))
          .error()
          .message.starts_with("the exemplar's labels have 129 characters, more than 128: {abc="));
  CHECK_FALSE(ParseExemplar("{\"" + repeated("\xff", 128) + "\"=\"1\"} 1").has_value());
  for (const char* text : {"", "x", "{", "{} ", "{}"}) CHECK_FALSE(ParseExemplar(text).has_value());
}

}  // namespace
}  // namespace tributary
