// What an observer is told of each rule. That Explain does what Apply does is in oracle_test.cc.
#include <string>
#include <vector>

#include "common/relabel/relabel.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

using enum RelabelAction;
using Names = std::vector<std::string>;

RelabelConfig Rule(RelabelAction action, Names sources, const std::string& regex = "(.*)",
                   const std::string& target = "") {
  RelabelConfig rule;
  rule.action = action;
  rule.source_labels = std::move(sources);
  rule.regex = regex;
  rule.target_label = target;
  return rule;
}

struct Told {
  std::vector<RelabelStep> steps;
  std::vector<Labels> labels;  // after each
  bool kept = false;
};

Told Explain(Labels labels, const std::vector<RelabelConfig>& rules) {
  Told told;
  told.kept = RelabelRules(rules, NameValidation::kUtf8)
                  .Explain(labels, [&](const RelabelStep& step, const Labels& now) {
                    told.steps.push_back(step);
                    told.labels.push_back(now);
                  });
  return told;
}

TEST_CASE("relabel: an observer is told of each rule, its source and whether it matched") {
  const Told told =
      Explain({{"a", "x"}, {"b", "y"}}, {Rule(kReplace, {"a", "b"}, "(x);y", "c"),
                                         Rule(kReplace, {"a"}, "z", "d"), Rule(kKeep, {"c"}, "x")});
  REQUIRE(told.steps.size() == 3);
  CHECK(told.kept);
  CHECK(told.steps[0].source == "x;y");
  CHECK(told.steps[0].matched == true);
  CHECK(told.labels[0] == Labels{{"a", "x"}, {"b", "y"}, {"c", "x"}});
  CHECK(told.steps[1].rule == 1);
  CHECK(told.steps[1].source == "x");
  CHECK(told.steps[1].matched == false);
  CHECK(told.labels[1] == told.labels[0]);
  CHECK(told.steps[2].matched == true);
  CHECK_FALSE(told.steps[2].dropped);
}

TEST_CASE("relabel: the rule that drops is the last an observer hears of") {
  for (const auto& [rule, matched] :
       std::vector<std::pair<RelabelConfig, bool>>{{Rule(kDrop, {"a"}, "x"), true},
                                                   {Rule(kKeep, {"a"}, "y"), false},
                                                   {Rule(kKeepEqual, {"a"}, "(.*)", "b"), false},
                                                   {Rule(kDropEqual, {"a"}, "(.*)", "c"), true}}) {
    CAPTURE(RelabelActionName(rule.action));
    const Told told = Explain({{"a", "x"}, {"b", "y"}, {"c", "x"}},
                              {Rule(kReplace, {}, "", "d"), rule, Rule(kReplace, {}, "", "e")});
    CHECK_FALSE(told.kept);
    REQUIRE(told.steps.size() == 2);
    CHECK_FALSE(told.steps[0].dropped);
    CHECK(told.steps[1].dropped);
    CHECK(told.steps[1].matched == matched);
    CHECK(told.steps[1].source == "x");
  }
}

TEST_CASE("relabel: rules on names tell each name that matched once") {
  RelabelConfig map = Rule(kLabelMap, {}, "a_(.+)");
  const Told told = Explain({{"a_x", "1"}, {"a_y", "2"}, {"b", "3"}},
                            {map, Rule(kLabelDrop, {}, "a_.|x"), Rule(kLabelKeep, {}, "y|n"), map});
  REQUIRE(told.steps.size() == 4);
  CHECK(told.steps[0].names == Names{"a_x", "a_y"});
  CHECK(told.steps[1].names == Names{"a_x", "a_y", "x"});
  CHECK(told.steps[2].names == Names{"y"});
  CHECK(told.steps[3].names.empty());
  for (const RelabelStep& step : told.steps) CHECK_FALSE(step.matched.has_value());
  CHECK(told.labels[3] == Labels{{"y", "2"}});
}

TEST_CASE("relabel: a target_label that came to no name is told") {
  const Told told = Explain(
      {{"a", "x"}}, {Rule(kReplace, {"a"}, "x(.*)", "$1"), Rule(kReplace, {"a"}, "y", "$1")});
  REQUIRE(told.steps.size() == 2);
  CHECK(told.steps[0].matched == true);
  CHECK(told.steps[0].invalid_target == "");
  CHECK_FALSE(told.steps[1].invalid_target.has_value());
  CHECK(told.labels[1] == Labels{{"a", "x"}});
}

TEST_CASE("relabel: rules are equal wherever they stand") {
  RelabelConfig here = Rule(kKeep, {"a"}), there = here;
  there.position = {"agent.yml", 3, 5};
  CHECK(here == there);
  there.regex = "b";
  CHECK_FALSE(here == there);
}

}  // namespace
}  // namespace tributary
