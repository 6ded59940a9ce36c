// relabel.Config.Validate and the checks that Prometheus makes while it reads a rule.
#include <algorithm>
#include <array>
#include <string>

#include "common/base/unicode.h"
#include "common/base/utf8.h"
#include "common/relabel/go_regex.h"
#include "common/relabel/relabel.h"

namespace tributary {
namespace {

constexpr std::array<std::string_view, 11> kActionNames = {
    "replace",   "keep",      "drop",      "hashmod",   "labelmap", "labeldrop",
    "labelkeep", "lowercase", "uppercase", "keepequal", "dropequal"};

bool IsAsciiLetterOrUnderscore(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool IsAsciiDigit(char c) { return c >= '0' && c <= '9'; }
bool IsWord(char c) { return IsAsciiLetterOrUnderscore(c) || IsAsciiDigit(c); }

bool IsLegacyName(std::string_view name, bool colon_allowed) {
  if (name.empty() || IsAsciiDigit(name[0])) return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char c) { return IsWord(c) || (colon_allowed && c == ':'); });
}

bool HasVariable(std::string_view text) { return text.find('$') != std::string_view::npos; }

// A legacy name in which $var and ${var} may stand for any part. A name that starts with a digit is
// none, but $1 may come first.
bool IsLegacyNameTemplate(std::string_view text) {
  if (text.empty() || IsAsciiDigit(text[0])) return false;
  auto skip_word = [&] {
    size_t length = 0;
    while (length < text.size() && IsWord(text[length])) ++length;
    text.remove_prefix(length);
    return length > 0;
  };
  while (!text.empty()) {
    if (text[0] != '$') {
      if (!skip_word()) return false;
      continue;
    }
    text.remove_prefix(1);
    bool braced = text.starts_with('{');
    if (braced) text.remove_prefix(1);
    if (!skip_word()) return false;
    if (!braced) continue;
    if (!text.starts_with('}')) return false;
    text.remove_prefix(1);
  }
  return true;
}

bool IsValidNameTemplate(std::string_view text, NameValidation validation) {
  return validation == NameValidation::kUtf8 ? IsValidLabelName(text, validation)
                                             : IsLegacyNameTemplate(text);
}

std::string Quoted(std::string_view text) {
  std::string out;
  AppendQuoted(text, out);
  return out;
}

tl::unexpected<Error> BadName(std::string_view what, std::string_view name, RelabelAction action) {
  return Fail(Quoted(name) + " is not a valid '" + std::string(what) + "' for the " +
              std::string(RelabelActionName(action)) + " action");
}

Status ValidateTarget(const RelabelConfig& config, NameValidation validation) {
  const RelabelAction action = config.action;
  switch (action) {
    case RelabelAction::kKeep:
    case RelabelAction::kDrop:
    case RelabelAction::kLabelMap:
    case RelabelAction::kLabelDrop:
    case RelabelAction::kLabelKeep:
      return {};
    case RelabelAction::kReplace:
    case RelabelAction::kHashMod:
    case RelabelAction::kLowercase:
    case RelabelAction::kUppercase:
    case RelabelAction::kKeepEqual:
    case RelabelAction::kDropEqual:
      break;
  }
  const std::string& target = config.target_label;
  if (target.empty()) {
    return Fail("the " + std::string(RelabelActionName(action)) + " action needs a 'target_label'");
  }
  bool is_template = action == RelabelAction::kReplace && HasVariable(target);
  bool valid =
      is_template ? IsValidNameTemplate(target, validation) : IsValidLabelName(target, validation);
  if (!valid) return BadName("target_label", target, action);
  return {};
}

bool IsAnyOf(RelabelAction action, std::initializer_list<RelabelAction> actions) {
  return std::find(actions.begin(), actions.end(), action) != actions.end();
}

// The fields that an action has no use for, and that Prometheus therefore refuses beside it. A
// field that is given with its default value passes, but for the regex: there the mention alone
// counts.
Status ValidateUnusedFields(const RelabelConfig& config, const RelabelFieldsGiven& given) {
  static const RelabelConfig kDefault;
  using enum RelabelAction;
  std::string action(RelabelActionName(config.action));
  bool other_replacement = config.replacement != kDefault.replacement;
  if (IsAnyOf(config.action, {kLowercase, kUppercase, kKeepEqual, kDropEqual}) &&
      other_replacement) {
    return Fail("'replacement' cannot be set for the " + action + " action");
  }
  bool others = config.modulus != kDefault.modulus || config.separator != kDefault.separator ||
                other_replacement;
  if (IsAnyOf(config.action, {kKeepEqual, kDropEqual}) &&
      (others || given.regex || config.regex != kDefault.regex)) {
    return Fail("the " + action + " action takes only 'source_labels' and 'target_label'");
  }
  if (IsAnyOf(config.action, {kLabelDrop, kLabelKeep}) &&
      (others || given.source_labels || !config.source_labels.empty() ||
       !config.target_label.empty())) {
    return Fail("the " + action + " action takes only 'regex'");
  }
  return {};
}

}  // namespace

std::string_view RelabelActionName(RelabelAction action) {
  return kActionNames.at(static_cast<size_t>(action));
}

std::optional<RelabelAction> ParseRelabelAction(std::string_view text) {
  auto found = std::find(kActionNames.begin(), kActionNames.end(), ToLowerUtf8(text));
  if (found == kActionNames.end()) return std::nullopt;
  return static_cast<RelabelAction>(found - kActionNames.begin());
}

bool IsValidLabelName(std::string_view name, NameValidation validation) {
  if (validation == NameValidation::kLegacy) return IsLegacyName(name, false);
  return !name.empty() && IsValidUtf8(name);
}

bool IsValidMetricName(std::string_view name, NameValidation validation) {
  if (validation == NameValidation::kLegacy) return IsLegacyName(name, true);
  return !name.empty() && IsValidUtf8(name);
}

Status ValidateRegex(const std::string& regex) {
  Result<std::unique_ptr<re2::RE2>> compiled = CompileGoRegex(regex);
  if (!compiled) return tl::unexpected<Error>(std::move(compiled.error()));
  return {};
}

Status ValidateRelabelConfig(const RelabelConfig& config, NameValidation validation,
                             const RelabelFieldsGiven& given) {
  for (const std::string& name : config.source_labels) {
    // Whatever the scheme: only what a rule writes is held to it.
    if (!IsValidLabelName(name, NameValidation::kUtf8)) {
      return Fail(Quoted(name) + " is not a valid label name");
    }
  }
  if (Status regex = ValidateRegex(config.regex); !regex) return regex;
  if (config.action == RelabelAction::kHashMod && config.modulus == 0) {
    return Fail("the hashmod action needs a 'modulus' above 0");
  }
  if (Status target = ValidateTarget(config, validation); !target) return target;
  if (config.action == RelabelAction::kLabelMap &&
      !IsValidNameTemplate(config.replacement, validation)) {
    return BadName("replacement", config.replacement, config.action);
  }
  return ValidateUnusedFields(config, given);
}

}  // namespace tributary
