// Replays what Prometheus' own code answered (prometheus_cases.json, made by
// prometheus_cases_gen.go).
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/relabel/relabel.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

using nlohmann::json;

Labels ReadLabels(const json& pairs) {
  std::vector<Label> items;
  for (const json& pair : pairs) items.push_back({pair.at(0), pair.at(1)});
  return Labels(std::move(items));
}

RelabelConfig ReadRule(const json& from) {
  RelabelConfig rule;
  auto action = ParseRelabelAction(from.at("action").get<std::string>());
  REQUIRE(action.has_value());
  rule.action = *action;
  rule.source_labels = from.value("source_labels", std::vector<std::string>{});
  rule.separator = from.at("separator");
  rule.regex = from.at("regex");
  rule.modulus = from.value("modulus", uint64_t{0});
  rule.target_label = from.value("target_label", "");
  rule.replacement = from.at("replacement");
  return rule;
}

// More cases than the tree holds can be named in the environment.
std::string CasesPath() {
  const char* other = std::getenv("TRIBUTARY_RELABEL_CASES");
  return other != nullptr ? other : PROMETHEUS_CASES;
}

TEST_CASE("relabel: rules are valid for us when Prometheus takes them, and do what it does") {
  std::ifstream file(CasesPath());
  REQUIRE(file.is_open());
  json cases = json::parse(file);
  REQUIRE(cases.size() >= 500);
  size_t changed = 0, dropped = 0, refused = 0;
  for (const json& one : cases) {
    INFO(one.dump());
    NameValidation validation =
        one.at("legacy").get<bool>() ? NameValidation::kLegacy : NameValidation::kUtf8;
    std::vector<RelabelConfig> rules;
    bool all_valid = true;
    for (size_t i = 0; i < one.at("rules").size(); ++i) {
      RelabelConfig rule = ReadRule(one.at("rules").at(i));
      Status status = ValidateRelabelConfig(rule, validation);
      INFO("rule " << i << ": " << (status ? "valid" : status.error().message));
      CHECK(status.has_value() == one.at("valid").at(i).get<bool>());
      all_valid = all_valid && status.has_value();
      rules.push_back(std::move(rule));
    }
    if (!all_valid) {
      ++refused;
      continue;
    }
    Labels labels = ReadLabels(one.at("before"));
    const Labels before = labels;
    bool kept = RelabelRules(rules, validation).Apply(labels);
    CHECK(kept == one.at("keep").get<bool>());
    if (!kept) {
      ++dropped;
      continue;
    }
    Labels expected = ReadLabels(one.at("after"));
    CHECK(labels.ToString() == expected.ToString());
    if (labels != before) ++changed;
  }
  // The cases are of use only as long as much happens in them.
  CHECK(changed > cases.size() / 5);
  CHECK(dropped > cases.size() / 50);
  CHECK(refused > cases.size() / 50);
}

}  // namespace
}  // namespace tributary
