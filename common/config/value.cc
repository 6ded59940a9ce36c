#include "common/config/value.h"

#include <algorithm>
#include <memory>

#include "common/base/assert.h"
#include "common/config/reader.h"

namespace tributary {

bool Value::IsZero() const {
  switch (option->type) {
    case OptionType::kBool:
      return !flag;
    case OptionType::kInt:
    case OptionType::kDuration:
      return integer == 0;
    case OptionType::kUint:
    case OptionType::kSize:
      return number == 0;
    case OptionType::kFloat:
      return real == 0;
    case OptionType::kString:
    case OptionType::kEnum:
    case OptionType::kSecret:
    case OptionType::kPath:
    case OptionType::kUrl:
      return text.empty();
    case OptionType::kStrings:
    case OptionType::kEnums:
    case OptionType::kPaths:
    case OptionType::kSecrets:
      return items.empty();
    case OptionType::kMap:
    case OptionType::kSecretMap:
    case OptionType::kLabels:
    case OptionType::kListMap:
    case OptionType::kSecretsMap:
      return entries.empty();
    case OptionType::kAny:
      return !given;
    case OptionType::kSection:
      return option->optional ? sections.empty() : sections.empty() || sections.front().IsZero();
    case OptionType::kSections:
    case OptionType::kSectionMap:
      return sections.empty();
  }
  return true;
}

std::vector<std::string> Value::Texts() const {
  std::vector<std::string> texts;
  for (const Value& item : items) texts.push_back(item.text);
  return texts;
}

Value ZeroValue(const Option& option) {
  Value value;
  value.option = &option;
  if (option.type == OptionType::kSection && !option.optional) {
    SectionValue zero(*option.section);
    for (const Option& inner : option.section->options) zero.Set(inner) = ZeroValue(inner);
    value.sections.push_back(std::move(zero));
  }
  return value;
}

Value DefaultValue(const Option& option) {
  if (option.type == OptionType::kSection && !option.optional) {
    Value value;
    value.option = &option;
    value.sections.emplace_back(*option.section);
    return value;
  }
  if (option.fallback.empty()) return ZeroValue(option);
  return ParseFallback(option);
}

namespace {

// Defaults never change; each is made once and kept as long as the table. Get() hands out
// references.
const Value& CachedDefault(const Option& option) {
  // Options live as long as the program: their addresses are their names.
  thread_local std::vector<std::pair<const Option*, std::unique_ptr<const Value>>> cache;
  auto place = std::lower_bound(cache.begin(), cache.end(), &option,
                                [](const auto& entry, const Option* o) { return entry.first < o; });
  if (place == cache.end() || place->first != &option) {
    auto value = std::make_unique<const Value>(DefaultValue(option));
    // Making a default may have put others into the cache.
    place = std::lower_bound(cache.begin(), cache.end(), &option,
                             [](const auto& entry, const Option* o) { return entry.first < o; });
    place = cache.insert(place, {&option, std::move(value)});
  }
  return *place->second;
}

}  // namespace

const Value& SectionValue::Get(const Option& option) const {
  for (const Value& value : values_) {
    if (value.option == &option) return value;
  }
  return CachedDefault(option);
}

const Value& SectionValue::Get(std::string_view name) const {
  const Option* option = section_->Find(name);
  CHECK(option != nullptr);
  return Get(*option);
}

Value& SectionValue::Set(const Option& option) {
  for (Value& value : values_) {
    if (value.option == &option) return value;
  }
  values_.push_back(DefaultValue(option));
  return values_.back();
}

Value& SectionValue::Set(std::string_view name) {
  const Option* option = section_->Find(name);
  CHECK(option != nullptr);
  return Set(*option);
}

void SectionValue::Erase(std::string_view name) {
  std::erase_if(values_, [&](const Value& value) { return value.option->name == name; });
}

const SectionValue* SectionValue::Sub(std::string_view name) const {
  const Value& value = Get(name);
  return value.sections.empty() ? nullptr : &value.sections.front();
}

SectionValue* SectionValue::Sub(std::string_view name) {
  Value& value = Set(name);
  return value.sections.empty() ? nullptr : &value.sections.front();
}

bool SectionValue::IsZero() const {
  return std::all_of(section_->options.begin(), section_->options.end(),
                     [&](const Option& option) { return Get(option).IsZero(); });
}

void CheckContext::Error(int line, int column, std::string message, std::string hint) {
  if (diagnostics_.size() == kDiagnosticsMax) {
    message = "too many problems; the rest is not shown";
    hint.clear();
  }
  if (diagnostics_.size() > kDiagnosticsMax) return;
  diagnostics_.push_back(
      {Diagnostic::Severity::kError, file_, line, column, std::move(message), std::move(hint)});
}

void CheckContext::Warning(int line, int column, std::string message, std::string hint) {
  if (diagnostics_.size() >= kDiagnosticsMax) return;
  diagnostics_.push_back(
      {Diagnostic::Severity::kWarning, file_, line, column, std::move(message), std::move(hint)});
}

void CheckContext::Error(const Value& value, const SectionValue& section, std::string message,
                         std::string hint) {
  bool known = value.line > 0;
  Error(known ? value.line : section.line, known ? value.column : section.column,
        std::move(message), std::move(hint));
}

void CheckContext::Error(const SectionValue& section, std::string message, std::string hint) {
  Error(section.line, section.column, std::move(message), std::move(hint));
}

}  // namespace tributary
