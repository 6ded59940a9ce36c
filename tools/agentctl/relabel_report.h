// What happened to an input on its way through a chain, for people and for machines.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "tools/agentctl/relabel_chain.h"

namespace tributary {

// With the steps, or only what it was and became.
std::string ExplanationText(const Chain& chain, const Explanation& explanation, bool steps = true);
nlohmann::ordered_json ExplanationJson(const Chain& chain, const Explanation& explanation,
                                       bool steps = true);

nlohmann::ordered_json RuleJson(const RelabelConfig& rule, size_t number);
nlohmann::ordered_json LabelsJson(const Labels& labels);
// Whatever is no UTF-8 in it must not stop a report.
std::string JsonText(const nlohmann::ordered_json& json);

// What became of all inputs.
struct RelabelSummary {
  size_t inputs = 0, kept = 0, dropped = 0, unusable = 0, repeated = 0;
  void Count(const Explanation& explanation);
};
// Of the targets of a job. `limit`: its target_limit; 0: none.
std::string SummaryText(const RelabelSummary& summary, uint64_t limit);
nlohmann::ordered_json SummaryJson(const RelabelSummary& summary, uint64_t limit);

}  // namespace tributary
