#include "common/config/options.h"

#include <algorithm>
#include <iterator>

namespace tributary {

const Option* Section::Find(std::string_view option) const {
  for (const Option& candidate : options) {
    if (candidate.name == option) return &candidate;
  }
  return nullptr;
}

std::vector<Option> Join(std::vector<std::vector<Option>> parts) {
  std::vector<Option> all;
  for (std::vector<Option>& part : parts) {
    std::move(part.begin(), part.end(), std::back_inserter(all));
  }
  return all;
}

std::vector<std::string> ListedValues(std::string_view values) {
  std::vector<std::string> list;
  while (!values.empty()) {
    size_t end = std::min(values.find('|'), values.size());
    list.emplace_back(values.substr(0, end));
    values.remove_prefix(std::min(end + 1, values.size()));
  }
  return list;
}

bool IsListed(std::string_view values, std::string_view text) {
  std::vector<std::string> list = ListedValues(values);
  return std::find(list.begin(), list.end(), text) != list.end();
}

std::string_view OptionTypeName(OptionType type) {
  switch (type) {
    case OptionType::kBool:
      return "boolean";
    case OptionType::kInt:
      return "whole number";
    case OptionType::kUint:
      return "whole number from 0";
    case OptionType::kFloat:
      return "number";
    case OptionType::kDuration:
      return "duration";
    case OptionType::kSize:
      return "size";
    case OptionType::kString:
      return "text";
    case OptionType::kEnum:
      return "one of";
    case OptionType::kSecret:
      return "secret";
    case OptionType::kPath:
      return "file name";
    case OptionType::kUrl:
      return "URL";
    case OptionType::kStrings:
      return "list of text";
    case OptionType::kEnums:
      return "list of";
    case OptionType::kPaths:
      return "list of file names";
    case OptionType::kSecrets:
      return "list of secrets";
    case OptionType::kMap:
      return "map of text";
    case OptionType::kSecretMap:
      return "map of secrets";
    case OptionType::kLabels:
      return "map of labels";
    case OptionType::kListMap:
      return "map of lists of text";
    case OptionType::kSecretsMap:
      return "map of lists of secrets";
    case OptionType::kAny:
      return "anything";
    case OptionType::kSection:
      return "section";
    case OptionType::kSections:
      return "list of sections";
    case OptionType::kSectionMap:
      return "map of sections";
  }
  return "";
}

bool IsSecretType(OptionType type) {
  return type == OptionType::kSecret || type == OptionType::kSecrets ||
         type == OptionType::kSecretMap || type == OptionType::kSecretsMap ||
         type == OptionType::kAny;
}

bool IsSectionType(OptionType type) {
  return type == OptionType::kSection || type == OptionType::kSections ||
         type == OptionType::kSectionMap;
}

namespace {

void Collect(const Section& section, std::vector<const Section*>& all) {
  if (std::find(all.begin(), all.end(), &section) != all.end()) return;
  all.push_back(&section);
  for (const Option& option : section.options) {
    if (option.section != nullptr) Collect(*option.section, all);
  }
}

}  // namespace

std::vector<const Section*> AllSections() {
  std::vector<const Section*> all;
  Collect(FileSection(), all);
  Collect(ScrapeConfigFileSection(), all);
  return all;
}

}  // namespace tributary
