// Random rules and labels: the shortcuts against plain RE2, the whole against a slow second
// implementation.
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "common/relabel/matcher.h"
#include "common/relabel/relabel.h"
#include "common/relabel/simple_pattern.h"
#include "test/support/catch.h"
#include "test/support/relabel/slow_relabel.h"

namespace tributary {
namespace {

class Random {
 public:
  Random() : seed_(std::random_device{}()), engine_(seed_) {}
  unsigned seed() const { return seed_; }
  size_t Below(size_t end) { return engine_() % end; }
  uint64_t Number() { return engine_() >> Below(64); }
  const std::string& Pick(const std::vector<std::string>& from) { return from[Below(from.size())]; }
  std::string Join(const std::vector<std::string>& from, size_t most) {
    std::string out;
    for (size_t i = Below(most + 1); i > 0; --i) out += Pick(from);
    return out;
  }

 private:
  unsigned seed_;
  std::mt19937_64 engine_;
};

const std::vector<std::string> kNames = {"__name__", "a", "b", "ab", "a_x", "b_x", "é", "x y"};
const std::vector<std::string> kTexts = {"a",  "b", "x",  "_",   ".", "é",
                                         "日", "-", "\n", "foo", "$1"};
const std::vector<std::string> kSimpleAtoms = {"a",   "b",   "x",   "_",    "\\.", "é",  "日",
                                               "foo", ".*",  ".+",  "(.*)", "|",   "|",  "(",
                                               ")",   "(?:", "\\-", "-",    "\\$", "\n", "(.+)"};
const std::vector<std::string> kAtoms = {
    "a",     "b",     "x",   "_", ".", ".*",     ".+",   "(.*)",    "|",      "é",   "(a|b)",
    "[^a]*", "(.+?)", "(.)", "^", "$", "(?i:A)", "\\w+", "(?:|a)+", "a{1,2}", "foo", "(b)?"};
const std::vector<std::string> kParts = {"a", "_", "$1", "$2", "${1}", "$0", "$$", "$", "${2", "é"};

TEST_CASE("relabel: the shortcuts match what RE2 matches") {
  Random random;
  INFO("seed " << random.seed());
  int simple = 0, hits = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string regex = random.Join(kSimpleAtoms, 6);
    if (random.Below(4) == 0) regex = "(" + regex + ")";
    if (!SimplePattern::Parse(regex)) continue;
    INFO("regex " << regex);
    REQUIRE(ValidateRegex(regex).has_value());
    ++simple;
    Matcher fast(regex), plain(regex, Matcher::Paths::kRe2Only);
    REQUIRE(fast.group_count() == plain.group_count());
    std::vector<std::string_view> fast_groups(fast.group_count() + 1);
    std::vector<std::string_view> plain_groups(fast_groups.size());
    for (int i = 0; i < 20; ++i) {
      std::string text = random.Join(kTexts, 5);
      INFO("text " << text);
      bool matched = plain.Match(text, plain_groups);
      REQUIRE(fast.Matches(text) == matched);
      REQUIRE(fast.Match(text, fast_groups) == matched);
      if (!matched) continue;
      ++hits;
      REQUIRE(fast_groups == plain_groups);
    }
  }
  CHECK(simple > 2000);
  CHECK(hits > 2000);
}

TEST_CASE("relabel: the usual regexes are simple ones") {
  for (const char* regex : {"(.*)", ".*", ".+", "", "true", "(.+)", "a|b|c", "(prod|dev)", "go_.*",
                            "go_.*|process_.+", "__meta_kubernetes_pod_label_(.+)", "(.+)\\.local",
                            "node-exporter", "10\\.0\\.0\\.1:9100", "(?:a|b)", ".*_bucket"}) {
    INFO(regex);
    CHECK(SimplePattern::Parse(regex).has_value());
  }
  for (const char* regex : {"(a)(b)",    "a.b",   "a?",  "(a)|(b)", "a(.*)|b", ".*a.*", "(?i)a",
                            "(a",        "a)",    "[a]", "^a",      "a$",      "\\d",   "a\\",
                            "(?P<n>.*)", "(.*?)", ".*+", "((.*))",  "a{2}",    "\xff",  "a)|(b"}) {
    INFO(regex);
    CHECK_FALSE(SimplePattern::Parse(regex).has_value());
  }
}

RelabelConfig RandomRule(Random& random) {
  while (true) {
    RelabelConfig rule;
    rule.action = static_cast<RelabelAction>(random.Below(11));
    for (size_t i = random.Below(4); i > 0; --i) rule.source_labels.push_back(random.Pick(kNames));
    if (random.Below(2) == 0) rule.separator = random.Pick({"", "-", ";"});
    if (random.Below(3) > 0) rule.regex = random.Join(kAtoms, 4);
    rule.modulus = random.Below(2) == 0 ? random.Number() : 0;
    if (random.Below(2) == 0) rule.target_label = random.Pick(kNames);
    if (random.Below(4) == 0) rule.target_label = random.Join(kParts, 3);
    if (random.Below(2) == 0) rule.replacement = random.Join(kParts, 4);
    // The order of letters and '$' in which the two read names differs beyond ASCII.
    if (rule.replacement.find("é") != std::string::npos ||
        rule.target_label.find("$") != std::string::npos) {
      if ((rule.replacement + rule.target_label).find("é") != std::string::npos) continue;
    }
    if (ValidateRelabelConfig(rule, NameValidation::kUtf8)) return rule;
  }
}

// Explain does what Apply does, and tells after each rule what the slow implementation has then.
void CheckExplained(const std::vector<RelabelConfig>& configs, const Labels& before,
                    const std::optional<Labels>& expected) {
  Labels labels = before;
  size_t steps = 0;
  bool dropped = false;
  const bool kept = RelabelRules(configs, NameValidation::kUtf8)
                        .Explain(labels, [&](const RelabelStep& step, const Labels& now) {
                          REQUIRE_FALSE(dropped);
                          REQUIRE(step.rule == steps++);
                          dropped = step.dropped;
                          const std::optional<Labels> slow =
                              SlowRelabel({configs.begin(), configs.begin() + steps}, before);
                          REQUIRE(slow.has_value() != dropped);
                          if (slow) REQUIRE(now.ToString() == slow->ToString());
                        });
  REQUIRE(kept == expected.has_value());
  REQUIRE(kept != dropped);
  if (kept) REQUIRE(steps == configs.size());
  if (kept) REQUIRE(labels.ToString() == expected->ToString());
}

TEST_CASE("relabel: random chains do what the slow implementation does") {
  Random random;
  INFO("seed " << random.seed());
  int kept = 0, changed = 0;
  for (int round = 0; round < 5000; ++round) {
    std::vector<RelabelConfig> configs;
    std::string description;
    for (size_t i = 1 + random.Below(5); i > 0; --i) {
      configs.push_back(RandomRule(random));
      const RelabelConfig& rule = configs.back();
      description += std::string(RelabelActionName(rule.action)) + " regex '" + rule.regex +
                     "' target '" + rule.target_label + "' replacement '" + rule.replacement +
                     "' sources";
      for (const std::string& name : rule.source_labels) description += " '" + name + "'";
      description += "\n";
    }
    RelabelRules rules(configs, NameValidation::kUtf8);
    for (int i = 0; i < 4; ++i) {
      Labels labels;
      for (size_t n = random.Below(7); n > 0; --n) {
        labels.Set(random.Pick(kNames), random.Join(kTexts, 3));
      }
      INFO(labels.ToString() << "\n" << description);
      const Labels before = labels;
      std::optional<Labels> expected = SlowRelabel(configs, before);
      REQUIRE(rules.Apply(labels) == expected.has_value());
      CheckExplained(configs, before, expected);
      if (!expected) continue;
      ++kept;
      REQUIRE(labels.ToString() == expected->ToString());
      if (labels != before) ++changed;
    }
  }
  CHECK(kept > 2000);
  CHECK(changed > 1000);
}

}  // namespace
}  // namespace tributary
