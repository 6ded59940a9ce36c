#include "common/selector/series_selector.h"

#include <fstream>
#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "test/support/catch.h"

namespace tributary {
namespace {

using Series = std::map<std::string, std::string>;

bool Matches(const std::string& selector, const Series& series) {
  auto parsed = SeriesSelector::Parse(selector);
  INFO(selector);
  REQUIRE(parsed.has_value());
  std::vector<LabelView> labels;
  for (const auto& [name, value] : series) labels.push_back({name, value});
  return parsed->Matches(labels);
}

std::string ErrorOf(const std::string& selector) {
  auto parsed = SeriesSelector::Parse(selector);
  return parsed ? "" : parsed.error().message;
}

TEST_CASE("selector: names, equal and unequal labels") {
  const Series up{{"__name__", "up"}, {"job", "node"}};
  CHECK(Matches("up", up));
  CHECK(Matches("up{}", up));
  CHECK(Matches(" up { job = \"node\" , } # all of them", up));
  CHECK(Matches("{__name__='up',job!=`nodes`}", up));
  CHECK_FALSE(Matches("down", up));
  CHECK_FALSE(Matches("up{job=\"nod\"}", up));
  CHECK_FALSE(Matches("up{job!=\"node\"}", up));
  CHECK_FALSE(Matches("up{job=\"node\",job=\"other\"}", up));
}

TEST_CASE("selector: a label that is not there is empty") {
  const Series up{{"__name__", "up"}, {"job", "node"}};
  CHECK(Matches("up{zone=\"\"}", up));
  CHECK(Matches("up{zone!=\"x\",zone=~\"x*\",zone!~\"x+\"}", up));
  CHECK_FALSE(Matches("up{zone!=\"\"}", up));
  CHECK(Matches("{zone=\"\"}", up));
}

TEST_CASE("selector: one without matchers selects nothing, as in Prometheus") {
  CHECK_FALSE(Matches("{}", {{"__name__", "up"}}));
  CHECK_FALSE(Matches("{ # nothing\n}", {}));
}

TEST_CASE("selector: regexes match whole values, newlines included") {
  const Series series{{"__name__", "m"}, {"a", "one\ntwo"}};
  CHECK(Matches("{a=~\"one.two\"}", series));
  CHECK(Matches("{a=~\"x|one\\\\s.*\"}", series));
  CHECK_FALSE(Matches("{a=~\"one\"}", series));
  CHECK_FALSE(Matches("{a=~\"two\"}", series));
  CHECK(Matches("{a!~\"one|two\"}", series));
  CHECK_FALSE(Matches("{a!~\".+\"}", series));
  CHECK(Matches("{__name__=~\"(?<first>m|n)\"}", series));
}

TEST_CASE("selector: names that are no classic ones, in quotes") {
  const Series series{{"__name__", "http.requests"}, {"service.name", "a\tb"}};
  CHECK(Matches("{\"http.requests\"}", series));
  CHECK(Matches("{'http.requests',\"service.name\"=\"a\\tb\"}", series));
  CHECK(Matches("{`service.name`=~\"a.b\",\"http.requests\"}", series));
  CHECK_FALSE(Matches("http{\"http.requests\"}", series));
}

TEST_CASE("selector: escapes in strings") {
  CHECK(Matches("{a=\"\\x41\\102\\u0043\\U00000044\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\"}",
                {{"a", "ABCD\a\b\f\n\r\t\v\\\""}}));
  CHECK(Matches("{a='\\'\"'}", {{"a", "'\""}}));
  CHECK(Matches("{a=`\\n`}", {{"a", "\\n"}}));
  CHECK(Matches("{a=\"\\xff\"}", {{"a", "\xff"}}));
}

TEST_CASE("selector: most keywords name metrics, all of them labels") {
  CHECK(Matches("sum{by=\"x\",on=\"y\"}", {{"__name__", "sum"}, {"by", "x"}, {"on", "y"}}));
  CHECK(Matches("Start", {{"__name__", "Start"}}));
  CHECK(Matches("a:b", {{"__name__", "a:b"}}));
  CHECK(ErrorOf("on") == "1:1: parse error: unexpected <on>");
  CHECK(ErrorOf("inf") == "1:1: parse error: unexpected number \"inf\"");
}

TEST_CASE("selector: what is wrong is said where it is, in Prometheus' words") {
  CHECK(ErrorOf("") == "unknown position: parse error: unexpected end of input");
  CHECK(ErrorOf("up{\n  a=\"b\"\n  c=\"d\"}") ==
        "3:3: parse error: unexpected identifier \"c\" in label matching, expected \",\" or \"}\"");
  CHECK(ErrorOf("{a=~\"(x\"}") ==
        "1:2: parse error: error parsing regexp: missing closing ): `(x`");
}

// prometheus_cases_gen.py has asked a real Prometheus.
TEST_CASE("selector: takes what Prometheus takes, and says of the rest what Prometheus says") {
  std::ifstream file(SELECTOR_CASES);
  const auto cases = nlohmann::json::parse(file);
  REQUIRE(cases.size() >= 600);
  for (const auto& one : cases) {
    const std::string selector = one.at(0);
    INFO(selector);
    CHECK(ErrorOf(selector) == one.at(1).get<std::string>());
  }
}

TEST_CASE("selector: hostile input costs what its text costs") {
  CHECK(ErrorOf(std::string(100'000, '{')) == "1:2: parse error: unexpected left brace '{'");
  CHECK_FALSE(ErrorOf("{" + std::string(100'000, ',')).empty());
  CHECK_FALSE(ErrorOf(std::string(100'000, '#')).empty());
  std::string many = "{";
  for (int i = 0; i < 5000; i++) many += "a=\"1\",";
  CHECK(ErrorOf(many + "}").empty());
  CHECK_FALSE(ErrorOf(std::string("up\0", 3)).empty());
  CHECK_FALSE(ErrorOf("{a=\"\xff\"}").empty());
  // A regex that would take a hundred MiB.
  CHECK(ErrorOf("{a=~\"(\\\\pL\\\\pN){900}\"}").find("expression too large") != std::string::npos);
}

}  // namespace
}  // namespace tributary
