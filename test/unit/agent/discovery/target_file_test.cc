#include "agent/discovery/target_file.h"

#include "test/support/catch.h"

namespace tributary {
namespace {

// "[a:1 b:1] {x="y"}; []": what a file says, or "error".
std::string Text(const Result<std::vector<TargetGroup>>& groups) {
  if (!groups) return "error";
  std::string text;
  for (const TargetGroup& group : *groups) {
    if (!text.empty()) text += "; ";
    text += "[";
    for (const std::string& target : group.targets) {
      text += (text.back() == '[' ? "" : " ") + ("'" + target + "'");
    }
    text += "]";
    if (!group.labels.empty()) text += " " + group.labels.ToString();
  }
  return text;
}

struct Case {
  std::string content;
  std::string expected;
};

// The outcomes were printed by Prometheus 3.16's own reader (go-yaml v2, encoding/json), except
// that it takes a null group for a nil pointer and refuses it one step later.
TEST_CASE("target file: YAML is read as Prometheus reads it") {
  const std::vector<Case> cases = {
      {"- targets: ['a:1']", "['a:1']"},
      {"", ""},
      {"~", ""},
      {"[]", ""},
      {"# only a comment", ""},
      {"{}", "error"},
      {"scalar", "error"},
      {"\"[]\"", "error"},
      {"\"\"", "error"},
      {"targets: [a:1]", "error"},
      {"- x", "error"},
      {"- \"\"", "error"},
      {"-", "error"},
      {"- ~", "error"},
      {"- {}", "[]"},
      {"- targets: [a:1]\n- targets: []\n  labels: {x: y}", "['a:1']; [] {x=\"y\"}"},
      {"- targets: null\n  labels: null", "[]"},
      {"- targets: [\"a:1\"]\n  labels:", "['a:1']"},
      {"- targets: [null, ~, 'x']", "['' '' 'x']"},
      {"- targets: ['']", "['']"},
      {"- targets: [1, 2.50, true, 2001-01-01, 0x10]\n"
       "  labels: {a: 1, b: 2.50, c: true, d: null, e: ~, f: ''}",
       "['1' '2.50' 'true' '2001-01-01' '0x10'] {a=\"1\", b=\"2.50\", c=\"true\"}"},
      {"- targets: a:1", "error"},
      {"- targets: \"\"", "error"},
      {"- targets: {a: b}", "error"},
      {"- targets: [[a]]", "error"},
      {"- targets: [a:1]\n  labels: [x]", "error"},
      {"- targets: [a:1]\n  labels: x", "error"},
      {"- targets: [a:1]\n  labels: \"\"", "error"},
      {"- targets: [a:1]\n  labels: {a: [b]}", "error"},
      {"- targets: [a:1]\n  label: {a: b}", "error"},
      {"- targets: [a:1]\n  source: x", "error"},
      {"- Targets: [a:1]", "error"},
      {"- null: x", "error"},
      {"- targets: [a:1]\n  targets: [b:1]", "error"},
      {"- targets: [a:1]\n  labels: {a: b, a: c}", "error"},
      {"- targets: [a:1]\n  labels: {\"\": b}", "error"},
      {"- targets: [a:1]\n  labels: {\"b c-ü\": b}", "['a:1'] {\"b c-ü\"=\"b\"}"},
      {"- targets: [a:1]\n  labels: {1: b, true: c}", "['a:1'] {\"1\"=\"b\", true=\"c\"}"},
      {"- &x\n  targets: [a:1]\n- *x", "['a:1']; ['a:1']"},
      {"- &x\n  targets: [a:1]\n- <<: *x\n  labels: {a: b}", "['a:1']; ['a:1'] {a=\"b\"}"},
      {"- targets: [a:1", "error"},
      {"- \ttargets: [a:1]", "error"},
      {"- targets: [a:1]\n---\n- targets: [b:1]", "['a:1']"},
      {"%YAML 1.1\n---\n- targets: [a:1]\n...", "['a:1']"},
      {"[{\"targets\": [\"a:1\"], \"labels\": {\"x\": \"y\"}}]", "['a:1'] {x=\"y\"}"},
  };
  for (const Case& c : cases) {
    INFO(c.content);
    CHECK(Text(ParseTargetYaml(c.content)) == c.expected);
  }
}

TEST_CASE("target file: JSON is read as Prometheus reads it") {
  const std::vector<Case> cases = {
      {R"([{"targets": ["a:1"], "labels": {"x": "y"}}])", "['a:1'] {x=\"y\"}"},
      {"", "error"},
      {"null", ""},
      {"[]", ""},
      {"{}", "error"},
      {R"("x")", "error"},
      {"1", "error"},
      {"[null]", "error"},
      {"[{}]", "[]"},
      {"[[]]", "error"},
      {"[false]", "error"},
      {R"([""])", "error"},
      {R"(["x"])", "error"},
      {R"([{"targets": null, "labels": null}])", "[]"},
      {R"([{"targets": [null]}])", "['']"},
      {R"([{"targets": [1]}])", "error"},
      {R"([{"targets": "a:1"}])", "error"},
      {R"([{"targets": {}}])", "error"},
      {R"([{"targets": ["a:1"], "labels": {"x": 1}}])", "error"},
      {R"([{"targets": ["a:1"], "labels": {"x": null}}])", "['a:1']"},
      {R"([{"targets": ["a:1"], "labels": []}])", "error"},
      {R"([{"targets": ["a:1"], "source": "x"}])", "error"},
      {R"([{"Targets": ["a:1"], "LABELS": {"A":"b"}}])", "['a:1'] {A=\"b\"}"},
      {R"([{"targets": ["a:1"], "targets": ["b:1"]}])", "['b:1']"},
      {R"([{"targets": ["a:1"], "targets": null}])", "[]"},
      {R"([{"targets": ["a:1"], "labels": {"a":"b"}, "labels": {"c":"d"}}])", "['a:1'] {c=\"d\"}"},
      {R"([{"targets": ["a:1"], "labels": {"a":"b","a":"c"}}])", "['a:1'] {a=\"c\"}"},
      {R"([{"targets": ["a:1"], "labels": {"":"c"}}])", "error"},
      {R"([{"targets": ["a:1"], "labels": {"é b":"c"}}])", "['a:1'] {\"é b\"=\"c\"}"},
      {R"([{"targets": ["a:1"]}] x)", "error"},
      {R"([{"targets": ["a:1"]},])", "error"},
      {R"([{"targets": broken)", "error"},
      {R"([{"targets": ["a\u00fc\ud83d\ude00:1"]}])", "['aü😀:1']"},
      {"// c\n[]", "error"},
      {"\xEF\xBB\xBF[]", "error"},
      {" \t\r\n[]\n", ""},
      {"\f[]", "error"},
      {"[{\"targets\": [\"a\xff\xc3:1\"]}]", "['a\uFFFD\uFFFD:1']"},
      {"[{\"targets\": [\"a\xed\xa0\x80\"]}]", "['a\uFFFD\uFFFD\uFFFD']"},
      {"[\xff]", "error"},
      {R"([{"targets": ["a\ud83d:1"]}])", "['a\uFFFD:1']"},
      {R"([{"targets": ["a\ude00\ud83d"]}])", "['a\uFFFD\uFFFD']"},
      {R"([{"targets": ["a\ud83d\ud83d\ude00"]}])", "['a\uFFFD😀']"},
      {R"([{"targets": ["a\ud83d\u0041"]}])", "['a\uFFFDA']"},
      {R"([{"targets": ["a\ud83"]}])", "error"},
      {R"([{"targets": ["a\uD83\ude00"]}])", "error"},
      {R"([{"targets": ["a\\ud83d\"\/\n"]}])", "['a\\ud83d\"/\n']"},
      {R"([{"targets": ["a\x"]}])", "error"},
      {R"([{"targets": ["a\)", "error"},
  };
  for (const Case& c : cases) {
    INFO(c.content);
    CHECK(Text(ParseTargetJson(c.content)) == c.expected);
  }
}

TEST_CASE(
    "target file: every prefix of a file is groups or an error, and the whole is all groups") {
  const std::string json =
      R"([{"targets": ["a:1", "b:1"], "labels": {"x": "ü\n"}}, {"targets": []}])";
  const std::string yaml =
      "- targets:\n  - a:1\n  - 'b:1'\n  labels:\n    x: \"ü\\n\"\n- targets: []\n";
  for (size_t size = 0; size < json.size(); size++) {
    CHECK_FALSE(ParseTargetJson(json.substr(0, size)).has_value());
  }
  for (size_t size = 0; size < yaml.size(); size++) {
    const auto groups = ParseTargetYaml(yaml.substr(0, size));
    if (groups) CHECK(groups->size() <= 2);
  }
  CHECK(Text(ParseTargetJson(json)) == Text(ParseTargetYaml(yaml)));
  CHECK(ParseTargetJson(json).value().size() == 2);
}

TEST_CASE("target file: bytes that are no text in YAML, and deep nesting, are errors") {
  CHECK_FALSE(ParseTargetYaml("- targets: [\"\xff\xfe\x01\"]").has_value());
  CHECK_FALSE(ParseTargetJson(std::string(200'000, '[')).has_value());
  CHECK_FALSE(ParseTargetYaml(std::string(200'000, '[')).has_value());
}

TEST_CASE("target file: groups know their file and place, and empty ones are left out") {
  const auto groups = ParseTargetFile(
      "/sd/web.YAML",
      "- targets: []\n- targets: [a:1]\n  labels: {__meta_filepath: mine, x: y}\n- {}\n");
  REQUIRE(groups.has_value());
  REQUIRE(groups->size() == 1);
  CHECK((*groups)[0].source == "/sd/web.YAML:1");
  CHECK((*groups)[0].labels == Labels{{"__meta_filepath", "/sd/web.YAML"}, {"x", "y"}});
}

TEST_CASE("target file: the ending of the name decides, and errors name the file") {
  CHECK(ParseTargetFile("/a.json", "[]").has_value());
  CHECK(ParseTargetFile("/a.JSON", "[]").has_value());
  CHECK(ParseTargetFile("/a.yml", "- {}").has_value());
  CHECK_FALSE(ParseTargetFile("/a.json", "- {}").has_value());
  CHECK_FALSE(ParseTargetFile("/a.txt", "[]").has_value());
  CHECK(ParseTargetFile("/a.json", "[").error().message.starts_with("/a.json: "));
  const std::string message =
      ParseTargetFile("/a.yml", "- targets: [a]\n  lables: {}\n").error().message;
  CHECK(message.starts_with("/a.yml: line 2, column 3: "));
  CHECK(message.find("lables") != std::string::npos);
}

}  // namespace
}  // namespace tributary
