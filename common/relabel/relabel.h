// Relabeling, as Prometheus does it: the eleven actions over a label set.
// Follows prometheus/prometheus model/relabel/relabel.go (3.16).
//
// A RelabelRules is compiled once and immutable: any thread may apply it. RE2 is included here
// only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/labels/labels.h"

namespace tributary {

enum class RelabelAction : uint8_t {
  kReplace,
  kKeep,
  kDrop,
  kHashMod,
  kLabelMap,
  kLabelDrop,
  kLabelKeep,
  kLowercase,
  kUppercase,
  kKeepEqual,
  kDropEqual,
};
std::string_view RelabelActionName(RelabelAction action);
// Without regard to case, as Prometheus reads it.
std::optional<RelabelAction> ParseRelabelAction(std::string_view text);

enum class NameValidation : uint8_t { kUtf8, kLegacy };
// [a-zA-Z_][a-zA-Z0-9_]* in kLegacy; non-empty valid UTF-8 in kUtf8.
bool IsValidLabelName(std::string_view name, NameValidation validation);
// The same with ':' allowed in kLegacy.
bool IsValidMetricName(std::string_view name, NameValidation validation);

// Where a rule stands in its file, for people: rules are equal wherever they stand.
struct RulePosition {
  std::string file;  // empty: in none
  int line = 0, column = 0;
  bool operator==(const RulePosition&) const { return true; }
};

// One entry of relabel_configs, metric_relabel_configs or write_relabel_configs, with its defaults.
struct RelabelConfig {
  std::vector<std::string> source_labels;
  std::string separator = ";";
  std::string regex = "(.*)";
  uint64_t modulus = 0;
  std::string target_label;
  std::string replacement = "$1";
  RelabelAction action = RelabelAction::kReplace;
  RulePosition position;
  bool operator==(const RelabelConfig&) const = default;
};

// Which of the fields a file gave: what is forbidden beside labeldrop, keepequal ... is so only if
// given.
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

// What one rule of a chain did, for people who wonder.
struct RelabelStep {
  size_t rule = 0;     // its index in the chain
  std::string source;  // the joined source labels
  // replace, keep, drop: whether the regex matched `source`. keepequal, dropequal: whether the
  // target label equals it. Nothing for the other actions.
  std::optional<bool> matched;
  // labelmap, labeldrop, labelkeep: the labels whose names the regex matched.
  std::vector<std::string> names;
  // replace: what target_label came to, if that is no valid name and nothing was written for it.
  std::optional<std::string> invalid_target;
  bool dropped = false;  // by this rule; the rules after it are not applied
};
// `labels` as the rule left them. Both are valid during the call.
using RelabelObserver = std::function<void(const RelabelStep& step, const Labels& labels)>;

class RelabelRules {
 public:
  RelabelRules() = default;
  // The configs must be valid.
  RelabelRules(const std::vector<RelabelConfig>& configs, NameValidation validation);

  // Applies all rules in order. False: the labels are dropped (their content is then unspecified).
  bool Apply(Labels& labels) const;
  // The same, and tells the observer after each rule what it did. Slower.
  bool Explain(Labels& labels, const RelabelObserver& observer) const;
  size_t size() const;
  bool empty() const { return size() == 0; }

 private:
  struct Rule;
  bool MapsLater() const;

  std::shared_ptr<const std::vector<Rule>> rules_;
};

}  // namespace tributary
