// Relabeling of any labels by any rule: nothing crashes, no rule that was found valid fails, and
// the simple patterns match what RE2 matches.
//
// The input is fields that end in a newline: action, flags, separator, regex, target_label,
// replacement, modulus; then label names and values, the names serving as source_labels too.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/utf8.h"
#include "common/relabel/matcher.h"
#include "common/relabel/relabel.h"

namespace tributary {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

std::string_view NextField(std::string_view& input) {
  size_t end = input.find('\n');
  std::string_view field = input.substr(0, end);
  input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
  return field;
}

void CompareMatchers(const std::string& regex, std::string_view text) {
  Matcher fast(regex), plain(regex, Matcher::Paths::kRe2Only);
  Require(fast.group_count() == plain.group_count());
  std::vector<std::string_view> fast_groups(fast.group_count() + 1);
  std::vector<std::string_view> plain_groups(fast_groups.size());
  bool matches = plain.Match(text, plain_groups);
  Require(fast.Match(text, fast_groups) == matches && fast.Matches(text) == matches);
  Require(!matches || fast_groups == plain_groups);
}

void Run(std::string_view input) {
  RelabelConfig rule;
  std::string_view action = NextField(input);
  if (action.empty()) return;
  rule.action = static_cast<RelabelAction>(static_cast<unsigned char>(action[0]) % 11);
  std::string_view flags = NextField(input);
  NameValidation validation =
      flags.find('l') != std::string_view::npos ? NameValidation::kLegacy : NameValidation::kUtf8;
  rule.separator = NextField(input);
  rule.regex = NextField(input);
  rule.target_label = NextField(input);
  rule.replacement = NextField(input);
  rule.modulus = NextField(input).size();
  // The configuration file is UTF-8.
  if (!IsValidUtf8(rule.separator) || !IsValidUtf8(rule.replacement)) return;
  Labels labels;
  while (!input.empty()) {
    std::string_view name = NextField(input);
    std::string_view value = NextField(input);
    if (name.empty() || !IsValidUtf8(name) || !IsValidUtf8(value)) continue;
    labels.Set(name, value);
    if (flags.find('s') != std::string_view::npos) rule.source_labels.emplace_back(name);
  }
  if (!ValidateRelabelConfig(rule, validation)) return;
  for (const Label& label : labels) CompareMatchers(rule.regex, label.value);
  // Twice in a row: the second time on labels that a rule has made.
  RelabelRules rules({rule, rule}, validation);
  if (rules.Apply(labels)) {
    for (const Label& label : labels) Require(!label.value.empty() && IsValidUtf8(label.value));
    Require(labels.ToString().size() >= 2);
  }
}

}  // namespace
}  // namespace tributary

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tributary::Run(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
