#include "tools/agentctl/relabel_report.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/agentctl/choice.h"

namespace tributary {
namespace {

using Json = nlohmann::ordered_json;

// Of a value that a regex was matched against: its label has the rest.
constexpr size_t kSourceShown = 120;
constexpr size_t kNamesShown = 10;

bool ActsOnNames(RelabelAction action) {
  using enum RelabelAction;
  return action == kLabelMap || action == kLabelDrop || action == kLabelKeep;
}

std::string MatchText(const ExplainedStep& step) {
  const RelabelStep& facts = step.facts;
  if (ActsOnNames(step.rule->action)) {
    if (facts.names.empty()) return "no name matches";
    const size_t shown = std::min(facts.names.size(), kNamesShown);
    std::string out = "matches ";
    out += fmt::format("{}", fmt::join(facts.names.begin(),
                                       facts.names.begin() + static_cast<ptrdiff_t>(shown), ", "));
    if (facts.names.size() > shown) out += fmt::format(" and {} more", facts.names.size() - shown);
    return out;
  }
  const std::string source = Quoted(facts.source, kSourceShown);
  if (!facts.matched) return "of " + source;
  const bool equality = step.rule->action == RelabelAction::kKeepEqual ||
                        step.rule->action == RelabelAction::kDropEqual;
  if (equality) {
    return source + (*facts.matched ? " equals " : " differs from ") +
           Quoted(step.before.Get(step.rule->target_label), kSourceShown);
  }
  return source + (*facts.matched ? " matches" : " does not match");
}

std::string ChangesText(const std::vector<LabelChange>& changes) {
  std::string out;
  for (const LabelChange& change : changes) {
    if (change.from.empty()) {
      out += "       + " + FormatLabel(change.name, change.to);
    } else if (change.to.empty()) {
      out += "       - " + FormatLabel(change.name, change.from);
    } else {
      out += "       ~ " + FormatLabel(change.name, change.from) + " -> " + Quoted(change.to);
    }
    out += "\n";
  }
  return out;
}

std::string StepText(const ExplainedStep& step) {
  const std::vector<LabelChange> changes = Changes(step.before, step.after);
  if (step.rule == nullptr) {
    return fmt::format("  {}\n{}", step.what,
                       changes.empty() ? "       no change\n" : ChangesText(changes));
  }
  const std::string position = FormatPosition(step.rule->position);
  std::string out = fmt::format("  {:>3}  {}{}{}\n", step.facts.rule + 1, position,
                                position.empty() ? "" : ": ", RuleInShort(*step.rule));
  out += "       " + MatchText(step);
  if (step.facts.invalid_target) {
    out += fmt::format(", but {} is no label name: nothing is written",
                       Quoted(*step.facts.invalid_target, kSourceShown));
  } else if (step.facts.dropped) {
    out += ": dropped";
  } else if (changes.empty() && step.facts.matched.value_or(true) &&
             step.rule->action == RelabelAction::kReplace) {
    out += ": already so";
  }
  return out + "\n" + ChangesText(changes);
}

std::string LabelLines(const Labels& labels) {
  std::string out;
  for (const Label& label : labels) out += "       " + FormatLabel(label.name, label.value) + "\n";
  return out.empty() ? "       none\n" : out;
}

std::string DroppedText(const Chain& chain, const Explanation& explanation) {
  const RelabelConfig* rule = explanation.dropped_by();
  if (rule == nullptr || !explanation.steps.back().facts.dropped)
    return "dropped: no label is left";
  const size_t number = explanation.steps.back().facts.rule + 1;
  const std::string position = FormatPosition(rule->position);
  std::string out = fmt::format("dropped by rule {}", number);
  if (!position.empty()) out += " (" + position + ")";
  const size_t left = chain.configs.size() - number;
  if (left > 0)
    out +=
        fmt::format("; {} not applied", left == 1 ? "the last rule is"
                                                  : fmt::format("the {} rules after it are", left));
  return out;
}

std::string ResultText(const Chain& chain, const Explanation& explanation) {
  if (explanation.dropped) return "  => " + DroppedText(chain, explanation) + "\n";
  if (chain.kind != Chain::Kind::kTarget) {
    std::string out = "  => " + FormatSeries(explanation.labels) + "\n";
    if (!explanation.error.empty()) {
      out += "     but the whole scrape fails: " + explanation.error + "\n";
    }
    return out;
  }
  if (!explanation.error.empty()) return "  => not usable: " + explanation.error + "\n";
  std::string out = "  => " + explanation.url + "\n" + LabelLines(explanation.labels);
  if (!explanation.same_as.empty()) {
    out += fmt::format("     the same target as {}: scraped once\n", explanation.same_as);
  }
  return out;
}

Json ChangesJson(const std::vector<LabelChange>& changes) {
  Json out = Json::array();
  for (const LabelChange& change : changes) {
    Json one = {{"label", change.name}};
    if (!change.from.empty()) one["from"] = change.from;
    if (!change.to.empty()) one["to"] = change.to;
    out.push_back(std::move(one));
  }
  return out;
}

Json StepJson(const ExplainedStep& step) {
  Json out;
  if (step.rule == nullptr) {
    out["step"] = step.what;
  } else {
    out = RuleJson(*step.rule, step.facts.rule + 1);
    if (ActsOnNames(step.rule->action)) {
      out["matched_names"] = step.facts.names;
    } else {
      out["source"] = step.facts.source;
    }
    if (step.facts.matched) out["matched"] = *step.facts.matched;
    if (step.facts.invalid_target) out["invalid_target"] = *step.facts.invalid_target;
    out["dropped"] = step.facts.dropped;
  }
  out["changes"] = ChangesJson(Changes(step.before, step.after));
  return out;
}

}  // namespace

std::string ExplanationText(const Chain& chain, const Explanation& explanation, bool steps) {
  std::string out = explanation.input;
  if (!explanation.source.empty()) out += " (" + explanation.source + ")";
  out += "\n  before\n" + LabelLines(explanation.before);
  if (steps) {
    for (const ExplainedStep& step : explanation.steps) out += StepText(step);
  }
  return out + ResultText(chain, explanation);
}

Json RuleJson(const RelabelConfig& rule, size_t number) {
  return {{"rule", number},
          {"file", rule.position.file},
          {"line", rule.position.line},
          {"column", rule.position.column},
          {"action", RelabelActionName(rule.action)},
          {"text", RuleInShort(rule)}};
}

Json LabelsJson(const Labels& labels) {
  Json out = Json::object();
  for (const Label& label : labels) out[label.name] = label.value;
  return out;
}

std::string JsonText(const Json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

Json ExplanationJson(const Chain& chain, const Explanation& explanation, bool steps) {
  Json out = {{"input", explanation.input}};
  if (!explanation.source.empty()) out["source"] = explanation.source;
  out["before"] = LabelsJson(explanation.before);
  if (steps) {
    out["steps"] = Json::array();
    for (const ExplainedStep& step : explanation.steps) out["steps"].push_back(StepJson(step));
  }
  out["dropped"] = explanation.dropped;
  if (explanation.dropped) {
    out["why"] = DroppedText(chain, explanation);
    return out;
  }
  out["labels"] = LabelsJson(explanation.labels);
  if (chain.kind != Chain::Kind::kTarget) out["series"] = FormatSeries(explanation.labels);
  if (!explanation.url.empty()) out["url"] = explanation.url;
  if (!explanation.error.empty()) out["error"] = explanation.error;
  if (!explanation.same_as.empty()) out["same_as"] = explanation.same_as;
  return out;
}

void RelabelSummary::Count(const Explanation& explanation) {
  inputs++;
  if (explanation.dropped) {
    dropped++;
  } else if (!explanation.error.empty()) {
    unusable++;
  } else if (!explanation.same_as.empty()) {
    repeated++;
  } else {
    kept++;
  }
}

std::string SummaryText(const RelabelSummary& summary, uint64_t limit) {
  std::string out = fmt::format("{} targets: {} scraped, {} dropped by rules", summary.inputs,
                                summary.kept, summary.dropped);
  if (summary.unusable > 0) out += fmt::format(", {} not usable", summary.unusable);
  if (summary.repeated > 0) out += fmt::format(", {} the same as another", summary.repeated);
  out += "\n";
  if (limit > 0 && summary.kept > limit) {
    out += fmt::format("but none is scraped: target_limit is {}, and each target reports up 0\n",
                       limit);
  }
  return out;
}

Json SummaryJson(const RelabelSummary& summary, uint64_t limit) {
  return {{"inputs", summary.inputs},     {"kept", summary.kept},
          {"dropped", summary.dropped},   {"unusable", summary.unusable},
          {"repeated", summary.repeated}, {"over_target_limit", limit > 0 && summary.kept > limit}};
}

}  // namespace tributary
