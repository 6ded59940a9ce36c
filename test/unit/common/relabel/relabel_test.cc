// One behaviour at a time; the results are those of Prometheus 3.16.
#include "common/relabel/relabel.h"

#include <string>
#include <vector>

#include "test/support/catch.h"

namespace tributary {
namespace {

using enum RelabelAction;

// What is left of the labels, or "dropped".
std::string Result(Labels labels, const std::vector<RelabelConfig>& rules,
                   NameValidation validation = NameValidation::kUtf8) {
  for (const RelabelConfig& rule : rules) {
    Status status = ValidateRelabelConfig(rule, validation);
    INFO((status ? "" : status.error().message));
    REQUIRE(status.has_value());
  }
  return RelabelRules(rules, validation).Apply(labels) ? labels.ToString() : "dropped";
}

RelabelConfig Replace(std::vector<std::string> sources, const std::string& regex,
                      const std::string& target, const std::string& replacement = "$1") {
  RelabelConfig rule;
  rule.source_labels = std::move(sources);
  rule.regex = regex;
  rule.target_label = target;
  rule.replacement = replacement;
  return rule;
}

RelabelConfig Select(RelabelAction action, std::vector<std::string> sources,
                     const std::string& regex) {
  RelabelConfig rule;
  rule.action = action;
  rule.source_labels = std::move(sources);
  rule.regex = regex;
  return rule;
}

RelabelConfig Names(RelabelAction action, const std::string& regex,
                    const std::string& replacement = "$1") {
  RelabelConfig rule;
  rule.action = action;
  rule.regex = regex;
  rule.replacement = replacement;
  return rule;
}

RelabelConfig Derive(RelabelAction action, std::vector<std::string> sources,
                     const std::string& target, uint64_t modulus = 0) {
  RelabelConfig rule;
  rule.action = action;
  rule.source_labels = std::move(sources);
  rule.target_label = target;
  rule.modulus = modulus;
  return rule;
}

TEST_CASE("relabel: no rules keep everything as it is") {
  Labels labels{{"a", "x"}};
  CHECK(RelabelRules().Apply(labels));
  CHECK(RelabelRules({}, NameValidation::kUtf8).empty());
  CHECK(labels.ToString() == R"({a="x"})");
}

TEST_CASE("relabel: sources are joined by the separator, missing ones as empty") {
  RelabelConfig glued = Replace({"a", "missing", "b"}, "(.*)", "t");
  CHECK(Result({{"a", "x"}, {"b", "y"}}, {glued}) == R"({a="x", b="y", t="x;;y"})");
  glued.separator = "::";
  CHECK(Result({{"a", "x"}, {"b", "y"}}, {glued}) == R"({a="x", b="y", t="x::::y"})");
  glued.separator = "";
  CHECK(Result({{"a", "x"}, {"b", "y"}}, {glued}) == R"({a="x", b="y", t="xy"})");
}

TEST_CASE("relabel: replace matches the whole source") {
  Labels labels{{"a", "foobar"}};
  CHECK(Result(labels, {Replace({"a"}, "foo", "t", "hit")}) == R"({a="foobar"})");
  CHECK(Result(labels, {Replace({"a"}, "foo.*", "t", "hit")}) == R"({a="foobar", t="hit"})");
  CHECK(Result(labels, {Replace({"a"}, "foo|bar", "t", "hit")}) == R"({a="foobar"})");
  CHECK(Result({{"a", "x\n"}}, {Replace({"a"}, "[x]", "t", "hit")}) == R"({a="x\n"})");
}

TEST_CASE("relabel: a dot matches newlines") {
  Labels labels{{"a", "l1\nl2"}};
  CHECK(Result(labels, {Replace({"a"}, "l1.l2", "t", "dot")}) == R"({a="l1\nl2", t="dot"})");
  CHECK(Result(labels, {Replace({"a"}, "l1(.*)", "t", "<$1>")}) == R"({a="l1\nl2", t="<\nl2>"})");
}

TEST_CASE("relabel: an empty replacement deletes, a failed match does not") {
  Labels labels{{"a", "x"}, {"b", "y"}};
  CHECK(Result(labels, {Replace({"a"}, "(x)", "b", "")}) == R"({a="x"})");
  CHECK(Result(labels, {Replace({"a"}, "x(.*)", "b")}) == R"({a="x"})");
  CHECK(Result(labels, {Replace({}, "(.*)", "a", "")}) == R"({b="y"})");
  CHECK(Result(labels, {Replace({"a"}, "nope", "b", "")}) == R"({a="x", b="y"})");
}

TEST_CASE("relabel: a target made from groups must be a label name") {
  Labels labels{{"a", "bad key=v"}};
  RelabelConfig rule = Replace({"a"}, "(.*)=(.*)", "z_${1}", "$2");
  CHECK(Result(labels, {rule}, NameValidation::kLegacy) == R"({a="bad key=v"})");
  CHECK(Result(labels, {rule}) == R"({a="bad key=v", "z_bad key"="v"})");
  CHECK(Result(labels, {Replace({"a"}, "(x?).*", "$1", "v")}) == R"({a="bad key=v"})");
}

TEST_CASE("relabel: leftmost-first and non-greedy, as Perl has it") {
  Labels labels{{"a", "a.b.c"}};
  auto target = [&](const std::string& regex, const std::string& replacement = "$1") {
    Labels copy = labels;
    REQUIRE(
        RelabelRules({Replace({"a"}, regex, "t", replacement)}, NameValidation::kUtf8).Apply(copy));
    return std::string(copy.Get("t"));
  };
  CHECK(target("(.+?)\\.(.+)") == "a");
  CHECK(target("(.+)\\.(.+)") == "a.b");
  CHECK(target("(a|a\\.b)(.*)", "$1|$2") == "a|.b.c");
  CHECK(target("(?U)(.+)\\.(.+)") == "a");
}

TEST_CASE("relabel: keep and drop") {
  CHECK(Result({{"a", "x"}}, {Select(kKeep, {"a"}, "x|y")}) == R"({a="x"})");
  CHECK(Result({{"a", "xx"}}, {Select(kKeep, {"a"}, "x|y")}) == "dropped");
  CHECK(Result({{"a", "x"}}, {Select(kDrop, {"a"}, "x")}) == "dropped");
  CHECK(Result({{"a", "xx"}}, {Select(kDrop, {"a"}, "x")}) == R"({a="xx"})");
  CHECK(Result({{"a", "x"}}, {Select(kKeep, {"missing"}, "")}) == R"({a="x"})");
  CHECK(Result({{"a", "x"}}, {Select(kKeep, {"a"}, "y"), Replace({}, "(.*)", "b", "late")}) ==
        "dropped");
}

TEST_CASE("relabel: keepequal and dropequal compare the joined source with the target") {
  Labels equal{{"a", "1"}, {"b", "2"}, {"c", "1;2"}};
  Labels other{{"a", "1"}, {"b", "2"}, {"c", "12"}};
  CHECK(Result(equal, {Derive(kKeepEqual, {"a", "b"}, "c")}) == equal.ToString());
  CHECK(Result(other, {Derive(kKeepEqual, {"a", "b"}, "c")}) == "dropped");
  CHECK(Result(equal, {Derive(kDropEqual, {"a", "b"}, "c")}) == "dropped");
  CHECK(Result(other, {Derive(kDropEqual, {"a", "b"}, "c")}) == other.ToString());
  CHECK(Result({{"a", "1"}}, {Derive(kDropEqual, {"x"}, "y")}) == "dropped");
}

TEST_CASE("relabel: hashmod takes the last 8 bytes of MD5") {
  Labels labels{{"a", "x"}, {"b", "long value with Ünïcode"}};
  RelabelConfig joined = Derive(kHashMod, {"a", "b"}, "h3", 7);
  joined.separator = "-";
  std::string result = Result(labels, {Derive(kHashMod, {"a"}, "h1", 1000),
                                       Derive(kHashMod, {"b"}, "h2", 18446744073709551615u), joined,
                                       Derive(kHashMod, {"missing"}, "h4", 4294967296)});
  CHECK(result ==
        R"({a="x", b="long value with Ünïcode", h1="726", h2="5734883716211181414", h3="4", )"
        R"(h4="3975692926"})");
}

TEST_CASE("relabel: labelmap copies to the new names") {
  CHECK(Result({{"m_a", "1"}, {"m_b", "2"}, {"k", "3"}}, {Names(kLabelMap, "m_(.+)")}) ==
        R"({a="1", b="2", k="3", m_a="1", m_b="2"})");
  CHECK(Result({{"m_a", "1"}}, {Names(kLabelMap, "m_(.+)", "new_${1}_x")}) ==
        R"({m_a="1", new_a_x="1"})");
}

TEST_CASE("relabel: labelmap reads the labels as they were before it") {
  CHECK(Result({{"e", "1"}, {"ee", "2"}, {"eee", "3"}}, {Names(kLabelMap, "e(.+)")}) ==
        R"({e="2", ee="3", eee="3"})");
}

TEST_CASE("relabel: of colliding labelmap results the last name wins") {
  CHECK(Result({{"a_x", "1"}, {"b_x", "2"}}, {Names(kLabelMap, "._(x)")}) ==
        R"({a_x="1", b_x="2", x="2"})");
}

TEST_CASE("relabel: in labelmap, labels that rules have set come after the original ones") {
  std::vector<RelabelConfig> rules = {Replace({}, "(.*)", "a_x", "3"), Names(kLabelMap, "._(x)")};
  CHECK(Result({{"b_x", "2"}}, rules) == R"({a_x="3", b_x="2", x="3"})");
  CHECK(Result({{"a_x", "1"}, {"b_x", "2"}}, rules) == R"({a_x="3", b_x="2", x="3"})");
  rules.insert(rules.begin() + 1, Names(kLabelDrop, "a_.*"));
  CHECK(Result({{"b_x", "2"}}, rules) == R"({b_x="2", x="2"})");
}

TEST_CASE("relabel: labeldrop and labelkeep go by name") {
  Labels labels{{"__name__", "up"}, {"a", "1"}, {"ab", "2"}, {"b", "3"}};
  CHECK(Result(labels, {Names(kLabelDrop, "a.*")}) == R"({__name__="up", b="3"})");
  CHECK(Result(labels, {Names(kLabelKeep, "a|__.+")}) == R"({__name__="up", a="1"})");
  CHECK(Result(labels, {Names(kLabelKeep, "")}) == "{}");
}

TEST_CASE("relabel: lowercase and uppercase map runes") {
  Labels labels{{"a", "MiXeD Ünï ß ǆ"}};
  CHECK(Result(labels, {Derive(kLowercase, {"a"}, "t")}) ==
        R"({a="MiXeD Ünï ß ǆ", t="mixed ünï ß ǆ"})");
  CHECK(Result(labels, {Derive(kUppercase, {"a", "a"}, "a")}) ==
        R"({a="MIXED ÜNÏ ß Ǆ;MIXED ÜNÏ ß Ǆ"})");
  CHECK(Result(labels, {Derive(kUppercase, {"missing"}, "a")}) == "{}");
}

TEST_CASE("relabel: rules with more groups than usual") {
  std::string regex, value;
  for (char c = 'a'; c <= 'z'; ++c) {
    regex += "(.)";
    value += c;
  }
  CHECK(Result({{"a", value}}, {Replace({"a"}, regex, "a", "$26$25$1")}) == R"({a="zya"})");
}

}  // namespace
}  // namespace tributary
