// Relabeling, as Prometheus does it: the eleven actions over a label set.
// Follows prometheus/prometheus model/relabel/relabel.go (3.16).
//
// A RelabelRules is compiled once and immutable: any thread may apply it. RE2 is included here only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/labels/labels.h"

namespace tributary {

enum class RelabelAction : uint8_t {
  kReplace, kKeep, kDrop, kHashMod, kLabelMap, kLabelDrop, kLabelKeep,
  kLowercase, kUppercase, kKeepEqual, kDropEqual,
};
std::string_view RelabelActionName(RelabelAction action);
// Without regard to case, as Prometheus reads it.
std::optional<RelabelAction> ParseRelabelAction(std::string_view text);

enum class NameValidation : uint8_t { kUtf8, kLegacy };
// [a-zA-Z_][a-zA-Z0-9_]* in kLegacy; non-empty valid UTF-8 in kUtf8.
bool IsValidLabelName(std::string_view name, NameValidation validation);
// The same with ':' allowed in kLegacy.
bool IsValidMetricName(std::string_view name, NameValidation validation);

// One entry of relabel_configs, metric_relabel_configs or write_relabel_configs, with its defaults.
struct RelabelConfig {
  std::vector<std::string> source_labels;
  std::string separator = ";";
  std::string regex = "(.*)";
  uint64_t modulus = 0;
  std::string target_label;
  std::string replacement = "$1";
  RelabelAction action = RelabelAction::kReplace;
  bool operator==(const RelabelConfig&) const = default;
};

// Which of the fields a file gave: what is forbidden beside labeldrop, keepequal ... is so only if given.
struct RelabelFieldsGiven {
  bool separator = false, regex = false, modulus = false, replacement = false,
       source_labels = false;
};

// What is wrong with a rule, or nothing (relabel.Config.Validate and UnmarshalYAML); its regex and
// source_labels are looked at as well.
Status ValidateRelabelConfig(const RelabelConfig& config, NameValidation validation,
                             const RelabelFieldsGiven& given = {});
// Whether RE2 takes the regex; the error is RE2's, in words.
Status ValidateRegex(const std::string& regex);

class RelabelRules {
 public:
  RelabelRules() = default;
  // The configs must be valid.
  RelabelRules(const std::vector<RelabelConfig>& configs, NameValidation validation);

  // Applies all rules in order. False: the labels are dropped (their content is then unspecified).
  bool Apply(Labels& labels) const;
  // Applies one rule, for those who explain a chain step by step.
  bool ApplyOne(size_t index, Labels& labels) const;
  size_t size() const;
  bool empty() const { return size() == 0; }

 private:
  struct Rule;
  std::shared_ptr<const std::vector<Rule>> rules_;
};

}  // namespace tributary
