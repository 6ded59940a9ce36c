#include "common/config/suggest.h"

#include <algorithm>

namespace tributary {
namespace {

constexpr std::string_view kDiscovery = "_sd_configs";

}  // namespace

size_t EditDistance(std::string_view a, std::string_view b) {
  constexpr size_t kLongest = 64;  // no option is longer, and the table stays small
  if (a.size() > kLongest || b.size() > kLongest) return std::max(a.size(), b.size());
  std::vector<size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::string NearestHint(std::string_view word, const std::vector<std::string>& names) {
  const std::string* best = nullptr;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& name : names) {
    size_t distance = EditDistance(word, name);
    if (distance < best_distance) {
      best = &name;
      best_distance = distance;
    }
  }
  // Half a name is a mistake, too: 'queue' for 'queue_config'.
  for (const std::string& name : names) {
    if (best == nullptr && word.size() >= 4 && name.starts_with(word)) best = &name;
  }
  return best == nullptr ? std::string() : "did you mean '" + *best + "'?";
}

std::string ChoiceHint(std::string_view word, const std::vector<std::string>& names) {
  std::string hint = NearestHint(word, names);
  if (!hint.empty()) return hint;
  for (const std::string& name : names) hint += (hint.empty() ? "one of " : ", ") + name;
  return hint;
}

std::string UnknownFieldHint(std::string_view field, const Section& section) {
  bool discovery = field.ends_with(kDiscovery);
  std::vector<std::string> names;
  for (const Option& option : section.options) {
    // Of 'nosuch_sd_configs' only the first part can be near to anything.
    if (!discovery) names.emplace_back(option.name);
    if (discovery && option.name.ends_with(kDiscovery)) {
      names.emplace_back(option.name.substr(0, option.name.size() - kDiscovery.size()));
    }
  }
  std::string_view word = discovery ? field.substr(0, field.size() - kDiscovery.size()) : field;
  std::string hint = NearestHint(word, names);
  if (discovery && !hint.empty()) hint.insert(hint.size() - 2, kDiscovery);
  if (!hint.empty()) return hint;
  if (discovery && !names.empty()) {
    return "let another program find the targets, for file_sd_configs or http_sd_configs";
  }
  for (const Section* other : AllSections()) {
    if (other->support != Support::kRefused && other->Find(field) != nullptr) {
      return "it belongs to " + std::string(other->name);
    }
  }
  return {};
}

}  // namespace tributary
