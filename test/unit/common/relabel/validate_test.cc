#include <string>
#include <vector>

#include "common/relabel/relabel.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

RelabelConfig Rule(RelabelAction action, const std::string& target = "",
                   const std::string& replacement = "$1") {
  RelabelConfig rule;
  rule.action = action;
  rule.target_label = target;
  rule.replacement = replacement;
  if (action == RelabelAction::kHashMod) rule.modulus = 2;
  return rule;
}

bool Valid(const RelabelConfig& rule, NameValidation validation = NameValidation::kUtf8,
           const RelabelFieldsGiven& given = {}) {
  return ValidateRelabelConfig(rule, validation, given).has_value();
}

TEST_CASE("relabel: names are legacy or any UTF-8") {
  using enum NameValidation;
  for (const char* name : {"a", "_", "__name__", "A9_b"}) {
    INFO(name);
    CHECK(IsValidLabelName(name, kLegacy));
    CHECK(IsValidMetricName(name, kLegacy));
    CHECK(IsValidLabelName(name, kUtf8));
  }
  for (const char* name : {"9a", "a-b", "é", "a b", "$1"}) {
    INFO(name);
    CHECK_FALSE(IsValidLabelName(name, kLegacy));
    CHECK_FALSE(IsValidMetricName(name, kLegacy));
    CHECK(IsValidLabelName(name, kUtf8));
    CHECK(IsValidMetricName(name, kUtf8));
  }
  for (const char* name : {"", "\xff", "a\xc3"}) {
    INFO(name);
    for (NameValidation validation : {kLegacy, kUtf8}) {
      CHECK_FALSE(IsValidLabelName(name, validation));
      CHECK_FALSE(IsValidMetricName(name, validation));
    }
  }
  CHECK(IsValidMetricName("job:rate:5m", kLegacy));
  CHECK_FALSE(IsValidLabelName("job:rate:5m", kLegacy));
  CHECK_FALSE(IsValidMetricName("5:m", kLegacy));
}

TEST_CASE("relabel: actions are read without regard to case and printed in lower case") {
  for (int i = 0; i < 11; ++i) {
    auto action = static_cast<RelabelAction>(i);
    std::string name(RelabelActionName(action));
    CHECK(ParseRelabelAction(name) == action);
    name[0] = static_cast<char>(name[0] - 'a' + 'A');
    CHECK(ParseRelabelAction(name) == action);
  }
  CHECK(ParseRelabelAction("KEEPEQUAL") == RelabelAction::kKeepEqual);
  CHECK_FALSE(ParseRelabelAction("").has_value());
  CHECK_FALSE(ParseRelabelAction("keep ").has_value());
}

TEST_CASE("relabel: actions that write need a target, the others none") {
  using enum RelabelAction;
  for (auto action : {kReplace, kHashMod, kLowercase, kUppercase, kKeepEqual, kDropEqual}) {
    INFO(RelabelActionName(action));
    CHECK_FALSE(Valid(Rule(action)));
    CHECK(Valid(Rule(action, "a")));
    CHECK_FALSE(Valid(Rule(action, "a-b"), NameValidation::kLegacy));
    CHECK(Valid(Rule(action, "a-b"), NameValidation::kUtf8));
    CHECK_FALSE(Valid(Rule(action, "\xff")));
  }
  for (auto action : {kKeep, kDrop, kLabelMap, kLabelDrop, kLabelKeep}) {
    INFO(RelabelActionName(action));
    CHECK(Valid(Rule(action)));
  }
}

TEST_CASE("relabel: a legacy target may hold variables, of the replace action only") {
  using enum RelabelAction;
  for (const char* target : {"$1", "${1}", "a_$1", "a${1}9", "$1_$2", "${1}${2}", "a9", "$a$b"}) {
    INFO(target);
    CHECK(Valid(Rule(kReplace, target), NameValidation::kLegacy));
    CHECK(Valid(Rule(kLabelMap, "", target), NameValidation::kLegacy));
  }
  for (const char* target :
       {"$", "$$1", "${1", "${}", "9$1", "a-$1", "$1.b", "a$", "${1}}", "é$1"}) {
    INFO(target);
    CHECK_FALSE(Valid(Rule(kReplace, target), NameValidation::kLegacy));
    CHECK_FALSE(Valid(Rule(kLabelMap, "", target), NameValidation::kLegacy));
    CHECK(Valid(Rule(kReplace, target), NameValidation::kUtf8));
  }
  for (auto action : {kHashMod, kLowercase, kUppercase, kKeepEqual, kDropEqual}) {
    CHECK_FALSE(Valid(Rule(action, "$1"), NameValidation::kLegacy));
    CHECK(Valid(Rule(action, "$1"), NameValidation::kUtf8));
  }
  CHECK_FALSE(Valid(Rule(kLabelMap, "", "")));
}

TEST_CASE("relabel: hashmod needs a modulus") {
  RelabelConfig rule = Rule(RelabelAction::kHashMod, "a");
  rule.modulus = 0;
  CHECK_FALSE(Valid(rule));
}

TEST_CASE("relabel: fields that an action does not use are refused beside it") {
  using enum RelabelAction;
  auto with = [](RelabelConfig rule, auto change) {
    change(rule);
    return rule;
  };
  auto separator = [](RelabelConfig& rule) { rule.separator = ","; };
  auto regex = [](RelabelConfig& rule) { rule.regex = "x"; };
  auto modulus = [](RelabelConfig& rule) { rule.modulus = 3; };
  auto replacement = [](RelabelConfig& rule) { rule.replacement = "x"; };
  auto sources = [](RelabelConfig& rule) { rule.source_labels = {"b"}; };
  auto target = [](RelabelConfig& rule) { rule.target_label = "a"; };
  for (auto action : {kKeepEqual, kDropEqual}) {
    INFO(RelabelActionName(action));
    RelabelConfig rule = Rule(action, "a");
    CHECK(Valid(with(rule, sources)));
    CHECK_FALSE(Valid(with(rule, separator)));
    CHECK_FALSE(Valid(with(rule, regex)));
    CHECK_FALSE(Valid(with(rule, modulus)));
    CHECK_FALSE(Valid(with(rule, replacement)));
    CHECK_FALSE(Valid(rule, NameValidation::kUtf8, {.regex = true}));
    CHECK(Valid(rule, NameValidation::kUtf8, {.separator = true, .replacement = true}));
  }
  for (auto action : {kLabelDrop, kLabelKeep}) {
    INFO(RelabelActionName(action));
    RelabelConfig rule = Rule(action);
    CHECK(Valid(with(rule, regex)));
    CHECK_FALSE(Valid(with(rule, separator)));
    CHECK_FALSE(Valid(with(rule, modulus)));
    CHECK_FALSE(Valid(with(rule, replacement)));
    CHECK_FALSE(Valid(with(rule, sources)));
    CHECK_FALSE(Valid(with(rule, target)));
    CHECK_FALSE(Valid(rule, NameValidation::kUtf8, {.source_labels = true}));
  }
  for (auto action : {kLowercase, kUppercase}) {
    INFO(RelabelActionName(action));
    RelabelConfig rule = Rule(action, "a");
    CHECK_FALSE(Valid(with(rule, replacement)));
    CHECK(Valid(with(with(with(rule, separator), regex), modulus)));
  }
}

TEST_CASE("relabel: a source label has a name") {
  RelabelConfig rule = Rule(RelabelAction::kKeep);
  rule.source_labels = {"a", "é", "b-c"};
  CHECK(Valid(rule, NameValidation::kLegacy));
  rule.source_labels = {"a", ""};
  CHECK_FALSE(Valid(rule));
}

TEST_CASE("relabel: regexes are Go's") {
  for (const char* good :
       {"",        "(.*)",        "a|b",        "(?P<n>a)",       "(?<n>a)",      "(?<n>a)(?<n>b)",
        "[(?<]",   "[]a]",        "[^]a]",      "[[:alpha:](?<]", "\\Q(?<x)[\\E", "\\Q\\C\\E",
        "\\\\C",   "\\pL",        "\\p{Greek}", "(?i)a",          "(?U)a+",       "a)|(b",
        "a{1000}", "\\x{10FFFF}", "\\z",        "(?s-m:a)",       "[[:^digit:]]"}) {
    INFO(good);
    Status status = ValidateRegex(good);
    CHECK(status.has_value());
  }
  for (const char* bad : {"(",       ")",   "[",     "a**",       "\\Q\\C",        "*",    "\\",
                          "\\C",     "\\8", "(?=a)", "(?<!a)",    "(?<=a)",        "(?<n", "(?P=n)",
                          "a{1001}", "\\Z", "[b-a]", "(?<a-b>x)", "\\p{Nonsense}", "\xff"}) {
    INFO(bad);
    Status status = ValidateRegex(bad);
    REQUIRE_FALSE(status.has_value());
    CHECK_FALSE(status.error().message.empty());
  }
}

TEST_CASE("relabel: a large alternation is no larger than RE2 can take") {
  std::string regex = "(?i)(x";
  for (int i = 0; i < 20000; ++i) regex += "|namespace-" + std::to_string(i) + "-é.*";
  regex += ")";
  REQUIRE(ValidateRegex(regex).has_value());
  RelabelConfig rule = Rule(RelabelAction::kKeep);
  rule.source_labels = {"a"};
  rule.regex = regex;
  RelabelRules rules({rule}, NameValidation::kUtf8);
  Labels hit{{"a", "NameSpace-19999-ÉX"}}, miss{{"a", "namespace-20000-e"}};
  CHECK(rules.Apply(hit));
  CHECK_FALSE(rules.Apply(miss));
}

}  // namespace
}  // namespace tributary
