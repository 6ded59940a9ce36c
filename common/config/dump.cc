#include "common/config/dump.h"

#include <algorithm>

#include "common/base/units.h"
#include "common/config/model.h"
#include "common/yaml/yaml.h"

namespace tributary {
namespace {

constexpr std::string_view kSecretShown = "<secret>";

class Dumper {
 public:
  // The lines of a map. `first` stands before the first line in place of its indent ("- ").
  void Whole(const SectionValue& section, int indent, std::string first);
  std::string Take() { return std::move(out_); }

 private:
  void Line(int indent, std::string_view text);
  void Field(const Value& value, int indent);
  void Block(const Value& value, int indent);
  void Items(const Value& value, int indent);
  void Entries(const Value& value, int indent);
  void Sections(const Value& value, int indent);
  void SectionMap(const Value& value, int indent);

  std::string out_;
  std::string first_;
};

void Dumper::Line(int indent, std::string_view text) {
  if (first_.empty()) {
    out_.append(static_cast<size_t>(indent), ' ');
  } else {
    out_ += first_;
    first_.clear();
  }
  out_ += text;
  out_ += '\n';
}

std::string ScalarText(const Value& value) {
  switch (value.option->type) {
    case OptionType::kBool:
      return value.flag ? "true" : "false";
    case OptionType::kInt:
      return std::to_string(value.integer);
    case OptionType::kUint:
      return std::to_string(value.number);
    case OptionType::kFloat:
      return value.text;
    case OptionType::kDuration:
      return FormatDuration(value.duration());
    case OptionType::kSize:
      return FormatSize(value.number);
    case OptionType::kUrl:
      return YamlScalar(RedactUrl(value.text));
    default:
      return IsSecretType(value.option->type) ? std::string(kSecretShown) : YamlScalar(value.text);
  }
}

// Whether the field is printed at all.
bool Shown(const Value& value) {
  const Option& option = *value.option;
  // A regex is printed where it is not the default; the empty one is not.
  if (option.name == "regex") return value.text != option.fallback;
  if (option.support == Support::kRefused) return false;
  // A section that is not built can only say its defaults here.
  if (option.support == Support::kNotBuilt) return option.shown;
  if (option.type == OptionType::kSection && !option.optional) {
    if (value.IsZero()) return false;
    const SectionValue& section = value.sections.front();
    const std::vector<Option>& options = section.section().options;
    return std::any_of(options.begin(), options.end(),
                       [&](const Option& inner) { return Shown(section.Get(inner)); });
  }
  return option.shown || !value.IsZero() || (option.empty_counts && value.given);
}

void Dumper::Items(const Value& value, int indent) {
  bool secret = IsSecretType(value.option->type);
  for (const Value& item : value.items) {
    Line(indent, "- " + (secret ? std::string(kSecretShown) : YamlScalar(item.text)));
  }
}

void Dumper::Entries(const Value& value, int indent) {
  std::vector<const NamedValue*> sorted;
  for (const NamedValue& entry : value.entries) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(),
            [](const auto* a, const auto* b) { return a->name < b->name; });
  bool secret = IsSecretType(value.option->type);
  bool lists =
      value.option->type == OptionType::kListMap || value.option->type == OptionType::kSecretsMap;
  for (const auto* entry : sorted) {
    std::string key = YamlScalar(entry->name) + ":";
    if (lists && entry->value.items.empty()) {
      Line(indent, key + " []");
    } else if (lists) {
      Line(indent, key);
      Items(entry->value, indent);
    } else {
      Line(indent,
           key + " " + (secret ? std::string(kSecretShown) : YamlScalar(entry->value.text)));
    }
  }
}

void Dumper::Sections(const Value& value, int indent) {
  for (const SectionValue& section : value.sections) {
    Whole(section, indent + 2, std::string(static_cast<size_t>(indent), ' ') + "- ");
  }
}

void Dumper::SectionMap(const Value& value, int indent) {
  for (size_t i = 0; i < value.sections.size(); ++i) {
    Line(indent, YamlScalar(value.names[i]) + ":");
    Whole(value.sections[i], indent + 2, "");
  }
}

void Dumper::Block(const Value& value, int indent) {
  switch (value.option->type) {
    case OptionType::kStrings:
    case OptionType::kEnums:
    case OptionType::kPaths:
    case OptionType::kSecrets:
      return Items(value, indent);
    case OptionType::kSection:
      return Whole(value.sections.front(), indent + 2, "");
    case OptionType::kSections:
      return Sections(value, indent);
    case OptionType::kSectionMap:
      return SectionMap(value, indent + 2);
    default:
      return Entries(value, indent + 2);
  }
}

void Dumper::Field(const Value& value, int indent) {
  const Option& option = *value.option;
  std::string key = std::string(option.name) + ":";
  if (option.type <= OptionType::kUrl) {
    Line(indent, key + " " + ScalarText(value));
  } else if (option.type == OptionType::kAny) {
    Line(indent, key + " " + std::string(kSecretShown));
  } else if (value.IsZero()) {
    Line(indent, key + " []");
  } else if (option.name == "source_labels") {
    std::string list;
    for (const Value& item : value.items)
      list += (list.empty() ? "" : ", ") + YamlScalar(item.text);
    Line(indent, key + " [" + list + "]");
  } else {
    Line(indent, key);
    Block(value, indent);
  }
}

void Dumper::Whole(const SectionValue& section, int indent, std::string first) {
  first_ = std::move(first);
  size_t before = out_.size();
  for (const Option& option : section.section().options) {
    const Value& value = section.Get(option);
    if (Shown(value)) Field(value, indent);
  }
  if (out_.size() == before) Line(indent, "{}");
}

}  // namespace

std::string DumpYaml(const SectionValue& section) {
  Dumper dumper;
  dumper.Whole(section, 0, "");
  return dumper.Take();
}

}  // namespace tributary
