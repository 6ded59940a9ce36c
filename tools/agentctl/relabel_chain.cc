#include "tools/agentctl/relabel_chain.h"

#include <utility>

#include <fmt/format.h>

#include "agent/remote/prepared_group.h"
#include "agent/target/target.h"

namespace tributary {
namespace {

// Of a regex in a rule's short form; the file has the rest.
constexpr size_t kRegexShown = 100;

// Adds the steps to `explanation`; whether the rules keep the labels.
bool ApplyRules(const Chain& chain, Labels& labels, Explanation& explanation) {
  Labels before = labels;
  return chain.rules.Explain(labels, [&](const RelabelStep& step, const Labels& after) {
    ExplainedStep& explained = explanation.steps.emplace_back();
    explained.rule = &chain.configs[step.rule];
    explained.facts = step;
    explained.before = std::exchange(before, after);
    explained.after = after;
  });
}

void AddStepBeforeRules(const std::string& what, const Labels& before, const Labels& after,
                        Explanation& explanation) {
  ExplainedStep& step = explanation.steps.emplace_back();
  step.what = what;
  step.before = before;
  step.after = after;
}

std::string Sources(const RelabelConfig& rule) {
  if (rule.source_labels.size() == 1) return rule.source_labels.front();
  return fmt::format("[{}]", fmt::join(rule.source_labels, ", "));
}

// Regexes are shown as they are written: what a file has in single quotes.
std::string RegexText(const std::string& regex) {
  std::string out = "'";
  for (const char c : regex.substr(0, kRegexShown))
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  return out + (regex.size() > kRegexShown ? "...'" : "'");
}

}  // namespace

Explanation ExplainTarget(const Chain& chain, const Labels& discovered) {
  Explanation explanation;
  explanation.input = discovered.Get("__address__");
  explanation.before = discovered;
  Labels labels = discovered;
  explanation.dropped = !ApplyRules(chain, labels, explanation);
  if (explanation.dropped) return explanation;
  Result<std::shared_ptr<TargetSpec>> target = MakeTarget(chain.job, labels);
  if (target) {
    explanation.labels = (*target)->labels;
    explanation.url = RedactUrl((*target)->url);
    explanation.target_key = (*target)->key;
  } else {
    explanation.labels = labels;
    explanation.error = target.error().message;
  }
  return explanation;
}

Explanation ExplainSeries(const Chain& chain, const LabelInput& input) {
  Explanation explanation;
  explanation.input = input.text;
  explanation.before = input.labels;
  Labels labels = input.labels;
  if (chain.target_labels) {
    MergeTargetLabels(chain.scrape_rules, *chain.target_labels, input.emptied, labels);
    AddStepBeforeRules("labels of the target", input.labels, labels, explanation);
  }
  if (chain.kind == Chain::Kind::kRemote) {
    AddExternalLabels(chain.external_labels, labels);
    AddStepBeforeRules("external_labels", input.labels, labels, explanation);
  }
  explanation.dropped = !ApplyRules(chain, labels, explanation) || labels.empty();
  if (explanation.dropped) return explanation;
  explanation.labels = labels;
  if (chain.kind == Chain::Kind::kMetric) {
    bool over_limit = false;
    Status valid = CheckSeriesLabels(chain.scrape_rules, labels, over_limit);
    if (!valid) explanation.error = valid.error().message;
  }
  return explanation;
}

std::vector<LabelChange> Changes(const Labels& before, const Labels& after) {
  std::vector<LabelChange> changes;
  for (const Label& label : before) {
    const std::string_view now = after.Get(label.name);
    if (now != label.value) changes.push_back({label.name, label.value, std::string(now)});
  }
  for (const Label& label : after) {
    if (!before.Has(label.name)) changes.push_back({label.name, "", label.value});
  }
  return changes;
}

std::string RuleInShort(const RelabelConfig& rule) {
  using enum RelabelAction;
  const std::string_view action = RelabelActionName(rule.action);
  const std::string regex = RegexText(rule.regex);
  switch (rule.action) {
    case kReplace: {
      const std::string what =
          fmt::format("{} {} <- {}", action, rule.target_label, Quoted(rule.replacement));
      const bool always = rule.source_labels.empty() && rule.regex == RelabelConfig().regex;
      return always ? what : fmt::format("{} if {} =~ {}", what, Sources(rule), regex);
    }
    case kKeep:
    case kDrop:
      return fmt::format("{} if {} =~ {}", action, Sources(rule), regex);
    case kKeepEqual:
    case kDropEqual:
      return fmt::format("{} if {} == {}", action, rule.target_label, Sources(rule));
    case kHashMod:
      return fmt::format("{} {} <- {} mod {}", action, rule.target_label, Sources(rule),
                         rule.modulus);
    case kLowercase:
    case kUppercase:
      return fmt::format("{} {} <- {}", action, rule.target_label, Sources(rule));
    case kLabelMap:
      return fmt::format("{} names =~ {} to {}", action, regex, Quoted(rule.replacement));
    case kLabelDrop:
    case kLabelKeep:
      return fmt::format("{} names =~ {}", action, regex);
  }
  return std::string(action);
}

}  // namespace tributary
