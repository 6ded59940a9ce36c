// What is written down of a chain at work, and how it is shown.
#include "tools/agentctl/relabel_chain.h"

#include <nlohmann/json.hpp>

#include "agent/target/target.h"
#include "common/config/loader.h"
#include "test/support/catch.h"
#include "tools/agentctl/relabel_report.h"

namespace tributary {
namespace {

using enum RelabelAction;

RelabelConfig Rule(RelabelAction action, std::vector<std::string> sources,
                   const std::string& regex = "(.*)", const std::string& target = "") {
  RelabelConfig rule;
  rule.action = action;
  rule.source_labels = std::move(sources);
  rule.regex = regex;
  rule.target_label = target;
  return rule;
}

Chain MakeChain(Chain::Kind kind, std::vector<RelabelConfig> configs) {
  Chain chain;
  chain.kind = kind;
  chain.job = DefaultScrapeConfig("node");
  chain.scrape_rules = ScrapeRules(chain.job, milliseconds(0));
  for (size_t i = 0; i < configs.size(); i++) {
    configs[i].position = {"agent.yml", static_cast<int>(10 + i), 5};
  }
  chain.configs = std::move(configs);
  chain.rules = RelabelRules(chain.configs, NameValidation::kUtf8);
  return chain;
}

LabelInput Input(const std::string& text) {
  Result<LabelInput> input = ParseLabelInput(text);
  REQUIRE(input);
  return *input;
}

Explanation Target(const Chain& chain, const Labels& group_labels, const std::string& address) {
  return ExplainTarget(chain, DiscoveredLabels(chain.job, address, group_labels));
}

TEST_CASE("agentctl relabel: a target ends with its URL and the labels of its series") {
  const Chain chain = MakeChain(
      Chain::Kind::kTarget, {Rule(kReplace, {"__meta_zone"}, "(.+)", "zone"),
                             Rule(kReplace, {"__address__"}, "([^:]+):.*", "__metrics_path__")});
  const Explanation explanation = Target(chain, {{"__meta_zone", "a"}}, "db:80");
  CHECK(explanation.before.Get("__scheme__") == "http");
  CHECK(explanation.url == "http://db:80/db");
  CHECK(explanation.labels == Labels{{"instance", "db:80"}, {"job", "node"}, {"zone", "a"}});
  const std::string text = ExplanationText(chain, explanation);
  CAPTURE(text);
  for (const char* part : {"db:80\n  before\n", "    1  agent.yml:10: replace zone <- \"$1\"",
                           "\"a\" matches\n       + zone=\"a\"\n", "    2  agent.yml:11: ",
                           "~ __metrics_path__=\"/metrics\" -> \"db\"", "=> http://db:80/db\n"}) {
    CHECK(text.find(part) != std::string::npos);
  }
}

TEST_CASE("agentctl relabel: the rule that dropped is named with its place") {
  const Chain chain =
      MakeChain(Chain::Kind::kMetric,
                {Rule(kKeep, {"__name__"}, "up"), Rule(kDrop, {"a"}, "b"), Rule(kKeep, {"c"})});
  const Explanation explanation = ExplainSeries(chain, Input("up{a=\"b\"}"));
  CHECK(explanation.dropped);
  CHECK(explanation.dropped_by() == &chain.configs[1]);
  CHECK(explanation.steps.size() == 2);
  CHECK(ExplanationText(chain, explanation)
            .find("=> dropped by rule 2 (agent.yml:11); the last rule is not applied\n") !=
        std::string::npos);
  const auto json = ExplanationJson(chain, explanation);
  CHECK(json.at("dropped") == true);
  CHECK(json.at("steps")[1].at("line") == 11);
  CHECK(json.at("steps")[1].at("matched") == true);
  CHECK_FALSE(json.contains("labels"));
}

TEST_CASE("agentctl relabel: a series without labels is dropped by no rule") {
  const Chain chain = MakeChain(Chain::Kind::kMetric, {Rule(kLabelDrop, {}, ".*")});
  const Explanation explanation = ExplainSeries(chain, Input("up"));
  CHECK(explanation.dropped);
  CHECK(explanation.dropped_by() == nullptr);
  CHECK(ExplanationText(chain, explanation).find("=> dropped: no label is left") !=
        std::string::npos);
}

TEST_CASE("agentctl relabel: what makes a target or a whole scrape fail is told") {
  const Chain target = MakeChain(Chain::Kind::kTarget, {});
  CHECK(Target(target, {}, "").error == "no address");
  CHECK(Target(target, {}, "db:80/x").error.find("'/'") != std::string::npos);
  Chain metric = MakeChain(Chain::Kind::kMetric, {});
  metric.scrape_rules.label_limit = 1;
  CHECK(ExplainSeries(metric, Input("up")).error.empty());
  const Explanation explanation = ExplainSeries(metric, Input("up{a=\"b\"}"));
  CHECK(explanation.error.find("label_limit exceeded") == 0);
  CHECK(ExplanationText(metric, explanation).find("but the whole scrape fails: label_limit") !=
        std::string::npos);
}

TEST_CASE("agentctl relabel: a target's labels come before metric_relabel_configs") {
  Chain chain = MakeChain(Chain::Kind::kMetric, {Rule(kDrop, {"exported_job"}, "x")});
  chain.target_labels = Labels{{"instance", "db:80"}, {"job", "node"}};
  const Explanation dropped = ExplainSeries(chain, Input("up{job=\"x\"}"));
  CHECK(dropped.dropped_by() == &chain.configs[0]);
  REQUIRE(dropped.steps.size() == 2);
  CHECK(dropped.steps[0].what == "labels of the target");
  chain.scrape_rules.honor_labels = true;
  CHECK(FormatSeries(ExplainSeries(chain, Input("up{job=\"x\"}")).labels) ==
        R"(up{instance="db:80",job="x"})");
}

TEST_CASE("agentctl relabel: external labels are a step of their own before a remote's rules") {
  Chain chain = MakeChain(Chain::Kind::kRemote, {Rule(kLabelDrop, {}, "replica")});
  chain.external_labels = Labels{{"cluster", "west"}, {"job", "other"}, {"replica", "a"}};
  const Explanation explanation = ExplainSeries(chain, Input("up{job=\"node\"}"));
  CHECK(FormatSeries(explanation.labels) == R"(up{cluster="west",job="node"})");
  const auto json = ExplanationJson(chain, explanation);
  CHECK(json.at("steps")[0].at("step") == "external_labels");
  CHECK(json.at("steps")[0].at("changes").size() == 2);
  CHECK(json.at("steps")[1].at("matched_names") == std::vector<std::string>{"replica"});
  CHECK(json.at("series") == R"(up{cluster="west",job="node"})");
}

TEST_CASE("agentctl relabel: a rule in short says what it does") {
  RelabelConfig hash = Rule(kHashMod, {"a"}, "(.*)", "t");
  hash.modulus = 4;
  for (const auto& [rule, text] : std::vector<std::pair<RelabelConfig, const char*>>{
           {Rule(kReplace, {"a", "b"}, "x", "t"), R"(replace t <- "$1" if [a, b] =~ 'x')"},
           {Rule(kReplace, {}, "(.*)", "t"), R"(replace t <- "$1")"},
           {Rule(kKeep, {"a"}, "x|y"), "keep if a =~ 'x|y'"},
           {Rule(kKeepEqual, {"a"}, "(.*)", "t"), "keepequal if t == a"},
           {Rule(kUppercase, {"a"}, "(.*)", "t"), "uppercase t <- a"},
           {Rule(kLabelMap, {}, "a_(.+)"), R"(labelmap names =~ 'a_(.+)' to "$1")"},
           {Rule(kLabelKeep, {}, "a\nb"), "labelkeep names =~ 'a\\nb'"},
           {hash, "hashmod t <- a mod 4"}}) {
    CHECK(RuleInShort(rule) == text);
  }
  CHECK(RuleInShort(Rule(kDrop, {"a"}, std::string(1000, 'x'))).size() < 200);
}

TEST_CASE("agentctl relabel: labels that are no UTF-8 are reported as JSON all the same") {
  const Chain chain = MakeChain(Chain::Kind::kRules, {});
  LabelInput input;
  input.labels = Labels{{"a", "\xff"}};
  const std::string text = JsonText(ExplanationJson(chain, ExplainSeries(chain, input)));
  CHECK_NOTHROW(nlohmann::json::parse(text));
}

}  // namespace
}  // namespace tributary
