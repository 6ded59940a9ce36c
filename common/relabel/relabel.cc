#include "common/relabel/relabel.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/base/assert.h"
#include "common/base/utf8.h"
#include "common/relabel/matcher.h"
#include "common/relabel/template.h"

namespace tributary {
namespace {

std::shared_ptr<EVP_MD> FetchMd5() {
  // "-fips": it spreads load and protects nothing, so a host in FIPS mode may use it too.
  std::shared_ptr<EVP_MD> md5(EVP_MD_fetch(nullptr, "MD5", "-fips"), EVP_MD_free);
  CHECK(md5 != nullptr);
  return md5;
}

// MD5 modulo; only the last 8 bytes count, as in all versions of Prometheus.
uint64_t HashMod(std::string_view text, const EVP_MD* md5, uint64_t modulus) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  CHECK(EVP_Digest(text.data(), text.size(), digest.data(), nullptr, md5, nullptr) == 1);
  uint64_t value = 0;
  for (size_t i = 8; i < 16; ++i) value = (value << 8) | digest[i];
  return value % modulus;
}

// The labels under change. Like Prometheus' builder it can tell labels that were there at the start
// from those that rules added, and in which order: a labelmap whose results collide depends on it.
class Editor {
 public:
  Editor(Labels& labels, bool keeps_order) : labels_(labels), keeps_order_(keeps_order) {}

  // From here on `step` is told what rules do; null: nobody is.
  void Tell(RelabelStep* step) { step_ = step; }
  void NoteSource(std::string_view source) {
    if (step_ != nullptr) step_->source = source;
  }
  bool NoteMatch(bool matched) {
    if (step_ != nullptr) step_->matched = matched;
    return matched;
  }
  bool NoteName(std::string_view name, bool matched) {
    if (step_ != nullptr && matched) step_->names.emplace_back(name);
    return matched;
  }
  void NoteInvalidTarget() {
    if (step_ != nullptr) step_->invalid_target = target;
  }

  std::string_view Get(std::string_view name) const { return labels_.Get(name); }

  void Set(std::string_view name, std::string_view value) {
    labels_.Set(name, value);
    if (!keeps_order_) return;
    auto at = std::find(added_.begin(), added_.end(), name);
    if (value.empty()) {
      if (at != added_.end()) added_.erase(at);
    } else if (at == added_.end()) {
      added_.emplace_back(name);
    }
  }

  template <typename Predicate>
  void RemoveNames(Predicate predicate) {
    labels_.RemoveIf([&](const Label& label) { return predicate(label.name); });
    std::erase_if(added_, [&](const std::string& name) { return !labels_.Has(name); });
  }

  // Those of the start by name, then the added ones as they came.
  template <typename Visit>
  void ForEach(Visit visit) const {
    auto is_added = [&](const std::string& name) {
      return std::find(added_.begin(), added_.end(), name) != added_.end();
    };
    for (const Label& label : labels_) {
      if (added_.empty() || !is_added(label.name)) visit(label.name, label.value);
    }
    for (const std::string& name : added_) visit(name, labels_.Get(name));
  }

  // Room for the texts of a rule, kept from rule to rule.
  std::string joined, target, result;

 private:
  Labels& labels_;
  bool keeps_order_;
  std::vector<std::string> added_;
  RelabelStep* step_ = nullptr;
};

}  // namespace

struct RelabelRules::Rule {
  Rule(const RelabelConfig& from, NameValidation name_validation)
      : config(from),
        validation(name_validation),
        matcher(from.regex),
        target(from.target_label, matcher),
        replacement(from.replacement, matcher) {
    if (config.action == RelabelAction::kHashMod) md5 = FetchMd5();
  }

  bool Apply(Editor& labels) const;
  std::string_view Source(Editor& labels) const;
  void Replace(std::string_view source, Editor& labels) const;
  void MapLabels(Editor& labels) const;

  RelabelConfig config;
  NameValidation validation;
  Matcher matcher;
  Template target;  // of the replace action
  Template replacement;
  std::shared_ptr<EVP_MD> md5;  // of the hashmod action
};

// Valid until the labels or labels.joined change.
std::string_view RelabelRules::Rule::Source(Editor& labels) const {
  const std::vector<std::string>& names = config.source_labels;
  if (names.empty()) return "";
  if (names.size() == 1) return labels.Get(names.front());
  labels.joined.clear();
  for (const std::string& name : names) {
    if (&name != &names.front()) labels.joined += config.separator;
    labels.joined += labels.Get(name);
  }
  return labels.joined;
}

void RelabelRules::Rule::Replace(std::string_view source, Editor& labels) const {
  constexpr size_t kUsual = 16;
  size_t needed = std::max(target.groups_needed(), replacement.groups_needed());
  std::array<std::string_view, kUsual> few;
  std::vector<std::string_view> many(needed > kUsual ? needed : 0);
  std::span<std::string_view> groups(many.empty() ? few.data() : many.data(), needed);
  if (!labels.NoteMatch(matcher.Match(source, groups))) return;
  labels.target.clear();
  target.Expand(groups, labels.target);
  if (!IsValidLabelName(labels.target, validation)) return labels.NoteInvalidTarget();
  labels.result.clear();
  replacement.Expand(groups, labels.result);
  labels.Set(labels.target, labels.result);
}

void RelabelRules::Rule::MapLabels(Editor& labels) const {
  std::vector<std::pair<std::string, std::string>> mapped;
  labels.ForEach([&](std::string_view name, std::string_view value) {
    if (!labels.NoteName(name, matcher.Matches(name))) return;
    mapped.emplace_back(ReplaceAll(matcher, replacement, name), value);
  });
  for (const auto& [name, value] : mapped) labels.Set(name, value);
}

bool RelabelRules::Rule::Apply(Editor& labels) const {
  const std::string_view source = Source(labels);
  labels.NoteSource(source);
  switch (config.action) {
    case RelabelAction::kReplace:
      Replace(source, labels);
      return true;
    case RelabelAction::kKeep:
      return labels.NoteMatch(matcher.Matches(source));
    case RelabelAction::kDrop:
      return !labels.NoteMatch(matcher.Matches(source));
    case RelabelAction::kKeepEqual:
      return labels.NoteMatch(labels.Get(config.target_label) == source);
    case RelabelAction::kDropEqual:
      return !labels.NoteMatch(labels.Get(config.target_label) == source);
    case RelabelAction::kLowercase:
      labels.Set(config.target_label, ToLowerUtf8(source));
      return true;
    case RelabelAction::kUppercase:
      labels.Set(config.target_label, ToUpperUtf8(source));
      return true;
    case RelabelAction::kHashMod:
      labels.Set(config.target_label, std::to_string(HashMod(source, md5.get(), config.modulus)));
      return true;
    case RelabelAction::kLabelMap:
      MapLabels(labels);
      return true;
    case RelabelAction::kLabelDrop:
      labels.RemoveNames(
          [&](const std::string& name) { return labels.NoteName(name, matcher.Matches(name)); });
      return true;
    case RelabelAction::kLabelKeep:
      labels.RemoveNames(
          [&](const std::string& name) { return !labels.NoteName(name, matcher.Matches(name)); });
      return true;
  }
  CHECK(!"a relabel action");
  return false;
}

RelabelRules::RelabelRules(const std::vector<RelabelConfig>& configs, NameValidation validation) {
  if (configs.empty()) return;
  auto rules = std::make_shared<std::vector<Rule>>();
  rules->reserve(configs.size());
  for (const RelabelConfig& config : configs) rules->emplace_back(config, validation);
  rules_ = std::move(rules);
}

size_t RelabelRules::size() const { return rules_ == nullptr ? 0 : rules_->size(); }

// Whether a rule after the first depends on the order in which those before it added labels.
bool RelabelRules::MapsLater() const {
  return std::any_of(rules_->begin() + 1, rules_->end(), [](const Rule& rule) {
    return rule.config.action == RelabelAction::kLabelMap;
  });
}

bool RelabelRules::Apply(Labels& labels) const {
  if (empty()) return true;
  Editor editor(labels, MapsLater());
  return std::all_of(rules_->begin(), rules_->end(),
                     [&](const Rule& rule) { return rule.Apply(editor); });
}

bool RelabelRules::Explain(Labels& labels, const RelabelObserver& observer) const {
  if (empty()) return true;
  Editor editor(labels, MapsLater());
  for (size_t i = 0; i < size(); ++i) {
    RelabelStep step;
    step.rule = i;
    editor.Tell(&step);
    step.dropped = !(*rules_)[i].Apply(editor);
    observer(step, labels);
    if (step.dropped) return false;
  }
  return true;
}

}  // namespace tributary
