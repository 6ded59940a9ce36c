#include "common/config/reader.h"

#include <filesystem>

#include "common/base/assert.h"
#include "common/base/units.h"
#include "common/config/suggest.h"
#include "common/config/url.h"
#include "common/relabel/relabel.h"

namespace tributary {
namespace {

std::string Quote(std::string_view text) {
  constexpr size_t kShown = 60;
  std::string out = "'";
  out += text.substr(0, kShown);
  if (text.size() > kShown) out += "...";
  return out += "'";
}

std::string_view KindName(YamlNode::Kind kind) {
  switch (kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kScalar:
      return "a single value";
    case YamlNode::Kind::kList:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a map";
  }
  return "";
}

bool IsScalarType(OptionType type) { return type <= OptionType::kUrl; }

class Reader {
 public:
  Reader(const std::string& folder, CheckContext& context) : folder_(folder), context_(context) {}

  // `quiet`: something around it is not built or refused, which has been said there.
  SectionValue ReadInner(const YamlNode& node, const Section& section, bool quiet);
  Value Scalar(const YamlNode& node, const Option& option, bool quiet);

 private:
  Value Read(const YamlNode& node, const Option& option, bool quiet);
  Value List(const YamlNode& node, const Option& option, bool quiet);
  Value Map(const YamlNode& node, const Option& option);
  Value SectionList(const YamlNode& node, const Option& option, bool quiet);
  Value SectionMap(const YamlNode& node, const Option& option, bool quiet);

  void Convert(const YamlNode& node, Value& value);
  void Number(const YamlNode& node, Value& value);
  void Enum(const YamlNode& node, Value& value, bool quiet);

  bool WantKind(const YamlNode& node, YamlNode::Kind kind, Value& value);
  void Bad(const YamlNode& node, Value& value, std::string message, std::string hint = {});
  void CheckSupport(const Value& value);
  void CheckRequired(const SectionValue& section);
  void CheckWhole(SectionValue& section);

  std::string folder_;
  CheckContext& context_;
};

Value Start(const YamlNode& node, const Option& option) {
  Value value = ZeroValue(option);
  value.given = true;
  value.line = node.line;
  value.column = node.column;
  return value;
}

void Reader::Bad(const YamlNode& node, Value& value, std::string message, std::string hint) {
  value.valid = false;
  context_.Error(node.line, node.column, std::move(message), std::move(hint));
}

bool Reader::WantKind(const YamlNode& node, YamlNode::Kind kind, Value& value) {
  if (node.kind == kind) return true;
  Bad(node, value,
      "'" + std::string(value.option->name) + "' has to be " + std::string(KindName(kind)) +
          ", not " + std::string(KindName(node.kind)));
  return false;
}

void Reader::Number(const YamlNode& node, Value& value) {
  std::string name = "'" + std::string(value.option->name) + "'";
  bool fraction_lost = false, good = false;
  switch (value.option->type) {
    case OptionType::kInt:
      good = YamlInt(node, value.integer, fraction_lost);
      break;
    case OptionType::kUint:
      good = YamlUint(node, value.number, fraction_lost);
      break;
    default:
      good = YamlFloat(node, value.real);
      break;
  }
  if (!good) {
    Bad(node, value,
        name + " has to be a " + std::string(OptionTypeName(value.option->type)) + ", not " +
            Quote(node.text),
        node.quoted ? "quotes make it text" : "");
  } else if (fraction_lost) {
    context_.Warning(node.line, node.column, name + " is a whole number: the fraction is cut off");
  }
}

void Reader::Convert(const YamlNode& node, Value& value) {
  const Option& option = *value.option;
  value.text = node.text;
  switch (option.type) {
    case OptionType::kBool:
      if (!YamlBool(node, value.flag)) {
        Bad(node, value,
            "'" + std::string(option.name) + "' has to be true or false, not " + Quote(node.text),
            node.quoted ? "quotes make it text" : "");
      }
      break;
    case OptionType::kInt:
    case OptionType::kUint:
    case OptionType::kFloat:
      Number(node, value);
      break;
    case OptionType::kDuration:
      if (auto duration = ParseDuration(node.text)) {
        value.integer = duration->count();
      } else {
        Bad(node, value, "'" + std::string(option.name) + "': " + duration.error().message);
      }
      break;
    case OptionType::kSize:
      if (auto size = ParseSize(node.text)) {
        value.number = *size;
      } else {
        Bad(node, value, "'" + std::string(option.name) + "': " + size.error().message);
      }
      break;
    case OptionType::kUrl:
      if (auto url = ParseUrl(node.text); !url) {
        Bad(node, value, "'" + std::string(option.name) + "' is not a URL: " + url.error().message);
      }
      break;
    case OptionType::kPath:
      value.text = ResolvePath(folder_, node.text);
      break;
    default:
      break;
  }
}

void Reader::Enum(const YamlNode& node, Value& value, bool quiet) {
  const Option& option = *value.option;
  if (IsListed(option.values, value.text)) {
    if (!quiet && IsListed(option.unbuilt_values, value.text)) {
      Bad(node, value,
          Quote(value.text) + " is known for '" + std::string(option.name) +
              "', but not built yet in this version");
    }
    return;
  }
  if (value.text.empty() && !option.required) return;
  Bad(node, value, Quote(value.text) + " is not a valid '" + std::string(option.name) + "'",
      ChoiceHint(value.text, ListedValues(option.values)));
}

Value Reader::Scalar(const YamlNode& node, const Option& option, bool quiet) {
  Value value = Start(node, option);
  if (node.is_null()) return value;
  if (!node.is_scalar()) {
    WantKind(node, YamlNode::Kind::kScalar, value);
    return value;
  }
  Convert(node, value);
  if (option.type == OptionType::kEnum) Enum(node, value, quiet);
  return value;
}

Value Reader::List(const YamlNode& node, const Option& option, bool quiet) {
  Value value = Start(node, option);
  if (node.is_null()) {
    value.given = false;
    return value;
  }
  if (!WantKind(node, YamlNode::Kind::kList, value)) return value;
  for (const YamlNode& element : node.list) {
    Value item;
    item.option = &option;
    item.given = true;
    item.line = element.line;
    item.column = element.column;
    if (!element.is_null() && !element.is_scalar()) {
      Bad(element, item, "'" + std::string(option.name) + "' has to be a list of single values");
    }
    item.text =
        option.type == OptionType::kPaths ? ResolvePath(folder_, element.text) : element.text;
    if (option.type == OptionType::kEnums && item.valid) Enum(element, item, quiet);
    value.valid = value.valid && item.valid;
    value.items.push_back(std::move(item));
  }
  return value;
}

Value Reader::Map(const YamlNode& node, const Option& option) {
  Value value = Start(node, option);
  if (node.is_null()) return value;
  if (!WantKind(node, YamlNode::Kind::kMap, value)) return value;
  bool lists = option.type == OptionType::kListMap || option.type == OptionType::kSecretsMap;
  for (const YamlEntry& entry : node.map) {
    Value item;
    item.option = &option;
    item.given = true;
    item.line = entry.value.line;
    item.column = entry.value.column;
    item.key_line = entry.line;
    item.key_column = entry.column;
    item.text = entry.value.text;
    bool good = entry.value.is_null() || (lists ? entry.value.is_list() : entry.value.is_scalar());
    if (good && lists) {
      for (const YamlNode& element : entry.value.list) {
        good = good && (element.is_null() || element.is_scalar());
        Value one;
        one.option = &option;
        one.text = element.text;
        item.items.push_back(std::move(one));
      }
    }
    if (!good) {
      Bad(entry.value, item,
          "'" + entry.key + "' in '" + std::string(option.name) + "' has to be " +
              (lists ? "a list of single values" : "a single value"));
    }
    if (option.type == OptionType::kLabels && !IsValidLabelName(entry.key, NameValidation::kUtf8)) {
      context_.Error(entry.line, entry.column, Quote(entry.key) + " is not a valid label name");
      item.valid = false;
    }
    value.valid = value.valid && item.valid;
    value.entries.push_back({entry.key, std::move(item)});
  }
  return value;
}

Value Reader::SectionList(const YamlNode& node, const Option& option, bool quiet) {
  Value value = Start(node, option);
  if (node.is_null() || !WantKind(node, YamlNode::Kind::kList, value)) return value;
  for (const YamlNode& element : node.list) {
    if (element.is_null()) {
      // What is not there has no place of its own; where the list begins is near the first one.
      bool first = &element == &node.list.front();
      size_t ordinal = static_cast<size_t>(&element - node.list.data()) + 1;
      Bad(first ? node : element, value,
          "entry " + std::to_string(ordinal) + " of '" + std::string(option.name) + "' is empty");
      continue;
    }
    value.sections.push_back(ReadInner(element, *option.section, quiet));
  }
  return value;
}

Value Reader::SectionMap(const YamlNode& node, const Option& option, bool quiet) {
  Value value = Start(node, option);
  if (node.is_null() || !WantKind(node, YamlNode::Kind::kMap, value)) return value;
  for (const YamlEntry& entry : node.map) {
    SectionValue section = ReadInner(entry.value, *option.section, quiet);
    section.line = entry.line;
    section.column = entry.column;
    value.names.push_back(entry.key);
    value.sections.push_back(std::move(section));
  }
  return value;
}

Value Reader::Read(const YamlNode& node, const Option& option, bool quiet) {
  if (IsScalarType(option.type)) return Scalar(node, option, quiet);
  switch (option.type) {
    case OptionType::kStrings:
    case OptionType::kEnums:
    case OptionType::kPaths:
    case OptionType::kSecrets:
      return List(node, option, quiet);
    case OptionType::kAny: {
      Value value = Start(node, option);
      value.given = !node.is_null() && !(node.is_list() && node.list.empty()) &&
                    !(node.is_map() && node.map.empty());
      return value;
    }
    case OptionType::kSections:
      return SectionList(node, option, quiet);
    case OptionType::kSectionMap:
      return SectionMap(node, option, quiet);
    case OptionType::kSection: {
      if (node.is_null() && option.null_is_default) return DefaultValue(option);
      Value value = Start(node, option);
      if (node.is_null()) {
        value.given = !option.optional;
        // Prometheus checks such a section although nothing of it was read.
        if (!value.sections.empty()) {
          value.sections.front().line = node.line;
          value.sections.front().column = node.column;
          CheckWhole(value.sections.front());
        }
        return value;
      }
      value.sections.clear();
      value.sections.push_back(ReadInner(node, *option.section, quiet));
      return value;
    }
    default:
      return Map(node, option);
  }
}

// Whether a value says more than leaving it out would.
bool HasEffect(const Value& value) {
  const Option& option = *value.option;
  if (!value.valid) return false;
  if (option.type == OptionType::kSection && !value.sections.empty()) {
    if (option.optional) return true;
    const SectionValue& section = value.sections.front();
    for (const Option& inner : option.section->options) {
      const Value& inside = section.Get(inner);
      if (inside.given && (!inside.valid || HasEffect(inside))) return true;
    }
    return false;
  }
  Value fallback = DefaultValue(option);
  if (value.IsZero() && fallback.IsZero()) return false;
  if (IsScalarType(option.type)) {
    return !(value.flag == fallback.flag && value.integer == fallback.integer &&
             value.number == fallback.number && value.real == fallback.real &&
             (option.type < OptionType::kString || value.text == fallback.text));
  }
  return true;
}

void Reader::CheckSupport(const Value& value) {
  const Option& option = *value.option;
  std::string name = "'" + std::string(option.name) + "'";
  if (option.support == Support::kRefused && (HasEffect(value) || !value.valid)) {
    std::string hint(option.doc);
    if (hint.ends_with('.')) hint.pop_back();
    context_.Error(value.key_line, value.key_column, name + " is not allowed in agent mode",
                   std::move(hint));
  }
  if (option.support != Support::kNotBuilt || !HasEffect(value)) return;
  std::string hint;
  if (option.name.ends_with("_sd_configs")) {
    hint = "let another program find the targets, for file_sd_configs or http_sd_configs";
  }
  context_.Error(value.key_line, value.key_column,
                 name + " is known, but not built yet in this version", std::move(hint));
}

void Reader::CheckRequired(const SectionValue& section) {
  for (const Option& option : section.section().options) {
    if (!option.required && !option.positive) continue;
    const Value& value = section.Get(option);
    if (option.positive) {
      if (value.valid && value.integer <= 0) {
        context_.Error(value, section, "'" + std::string(option.name) + "' has to be above 0");
      }
      continue;
    }
    if (!value.valid || !value.IsZero()) continue;
    std::string name = "'" + std::string(option.name) + "'";
    if (value.given) {
      context_.Error(value, section, name + " cannot be empty");
    } else {
      context_.Error(section, name + " is missing in " + std::string(section.section().name));
    }
  }
}

void Reader::CheckWhole(SectionValue& section) {
  CheckRequired(section);
  if (section.section().check != nullptr) section.section().check(section, context_);
}

SectionValue Reader::ReadInner(const YamlNode& node, const Section& section, bool quiet) {
  SectionValue result(section);
  result.line = node.line;
  result.column = node.column;
  if (!node.is_map() && !node.is_null()) {
    context_.Error(
        node.line, node.column,
        std::string(section.name) + " has to be a map, not " + std::string(KindName(node.kind)));
    return result;
  }
  for (const YamlEntry& entry : node.map) {
    const Option* option = section.Find(entry.key);
    if (option == nullptr) {
      context_.Error(entry.line, entry.column,
                     "unknown field " + Quote(entry.key) + " in " + std::string(section.name),
                     UnknownFieldHint(entry.key, section));
      continue;
    }
    bool inner_quiet =
        quiet || option->support == Support::kNotBuilt || option->support == Support::kRefused;
    Value value = Read(entry.value, *option, inner_quiet);
    value.key_line = entry.line;
    value.key_column = entry.column;
    if (!quiet) CheckSupport(value);
    result.Set(*option) = std::move(value);
  }
  CheckWhole(result);
  return result;
}

}  // namespace

SectionValue ReadSection(const YamlNode& node, const Section& section, const std::string& folder,
                         CheckContext& context) {
  return Reader(folder, context).ReadInner(node, section, false);
}

Value ParseFallback(const Option& option) {
  std::vector<Diagnostic> diagnostics;
  CheckContext context("", diagnostics);
  YamlNode node;
  node.kind = YamlNode::Kind::kScalar;
  node.text = option.fallback;
  Value value = Reader("", context).Scalar(node, option, true);
  CHECK(diagnostics.empty() && value.valid);
  value.given = false;
  value.line = value.column = 0;
  return value;
}

std::string ResolvePath(const std::string& folder, const std::string& path) {
  if (path.empty() || path.starts_with('/')) return path;
  std::string joined = (std::filesystem::path(folder) / path).lexically_normal().string();
  while (joined.size() > 1 && joined.ends_with('/')) joined.pop_back();
  return joined;
}

std::string FolderOf(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace tributary
