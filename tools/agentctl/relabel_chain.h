// A chain of relabeling rules as the agent applies it, and the way of one input through it.
//
// The agent's own code does all of it: this only writes down what happens. Plain values and pure
// functions; an Explanation points into its Chain.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/layout/scrape_rules.h"
#include "common/config/model.h"
#include "common/labels/labels.h"
#include "common/relabel/relabel.h"
#include "tools/agentctl/label_input.h"

namespace tributary {

struct Chain {
  enum class Kind {
    kTarget,  // relabel_configs of `job`
    kMetric,  // metric_relabel_configs of `job`
    kRemote,  // write_relabel_configs, after external_labels
    kRules,   // of a file; what they are for is not known
  };
  Kind kind = Kind::kRules;
  std::string title;  // "relabel_configs of the job 'node'"
  std::vector<RelabelConfig> configs;
  RelabelRules rules;
  ScrapeConfig job;
  ScrapeRules scrape_rules;
  Labels external_labels;
  std::optional<Labels> target_labels;  // kMetric: merged into the series before the rules
};

struct ExplainedStep {
  // Null: no rule but what comes before the rules; `what` says what.
  const RelabelConfig* rule = nullptr;
  std::string what;
  RelabelStep facts;
  Labels before, after;
};

struct Explanation {
  std::string input;   // as given; a target's address
  std::string source;  // where discovery found it
  Labels before;
  std::vector<ExplainedStep> steps;
  bool dropped = false;  // by the rule of the last step, or because no label is left
  Labels labels;         // in the end, unless dropped: of a target those of its series
  std::string url;       // of a target, without a password
  std::string error;     // why the agent cannot use what came out
  uint64_t target_key = 0;
  std::string same_as;  // the address of an earlier target with the same labels and URL

  // Null if no rule did.
  const RelabelConfig* dropped_by() const {
    return steps.empty() || !steps.back().facts.dropped ? nullptr : steps.back().rule;
  }
};

// `discovered`: with what DiscoveredLabels adds.
Explanation ExplainTarget(const Chain& chain, const Labels& discovered);
// For all other kinds.
Explanation ExplainSeries(const Chain& chain, const LabelInput& input);

// What a step or chain did to labels.
struct LabelChange {
  std::string name, from, to;  // "" where it is not there
};
std::vector<LabelChange> Changes(const Labels& before, const Labels& after);

// A rule in a line: `replace host <- "$1" if __address__ =~ '(.*):.*'`.
std::string RuleInShort(const RelabelConfig& rule);

}  // namespace tributary
