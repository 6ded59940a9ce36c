#include <string>
#include <utility>

#include "agent/discovery/target_file.h"
#include "common/relabel/relabel.h"
#include "common/yaml/yaml.h"

namespace tributary {
namespace {

tl::unexpected<Error> FailAt(int line, int column, const std::string& message) {
  return Fail("line " + std::to_string(line) + ", column " + std::to_string(column) + ": " +
              message);
}

tl::unexpected<Error> Wrong(const YamlNode& node, const std::string& wanted) {
  return FailAt(node.line, node.column, wanted + " belongs here");
}

Result<std::string> ReadText(const YamlNode& node, const std::string& what) {
  if (node.is_null()) return std::string();
  if (!node.is_scalar()) return Wrong(node, what);
  return node.text;  // numbers and truth values as they are written
}

Status ReadTargets(const YamlNode& node, TargetGroup& group) {
  if (node.is_null()) return {};
  if (!node.is_list()) return Wrong(node, "a list of targets");
  for (const YamlNode& item : node.list) {
    Result<std::string> target = ReadText(item, "the text of a target");
    if (!target) return tl::unexpected(target.error());
    group.targets.push_back(std::move(*target));
  }
  return {};
}

Status ReadLabels(const YamlNode& node, TargetGroup& group) {
  if (node.is_null()) return {};
  if (!node.is_map()) return Wrong(node, "a map of labels");
  for (const YamlEntry& entry : node.map) {
    if (!IsValidLabelName(entry.key, NameValidation::kUtf8)) {
      return FailAt(entry.line, entry.column, "\"" + entry.key + "\" is not a valid label name");
    }
    const Result<std::string> value = ReadText(entry.value, "the text of a label");
    if (!value) return tl::unexpected(value.error());
    group.labels.Set(entry.key, *value);
  }
  return {};
}

Result<TargetGroup> ReadGroup(const YamlNode& node) {
  TargetGroup group;
  if (node.is_null()) return FailAt(node.line, node.column, "a group is null");
  if (!node.is_map()) return Wrong(node, "a target group");
  for (const YamlEntry& entry : node.map) {
    Status read;
    if (entry.key == "targets") {
      read = ReadTargets(entry.value, group);
    } else if (entry.key == "labels") {
      read = ReadLabels(entry.value, group);
    } else {
      read = FailAt(entry.line, entry.column,
                    "unknown field \"" + entry.key + "\" (a group has targets and labels)");
    }
    if (!read) return tl::unexpected(read.error());
  }
  return group;
}

}  // namespace

Result<std::vector<TargetGroup>> ParseTargetYaml(std::string_view content) {
  const YamlDocument document = ParseYaml(content);
  for (const YamlProblem& problem : document.problems) {
    if (!problem.warning) return FailAt(problem.line, problem.column, problem.message);
  }
  std::vector<TargetGroup> groups;
  if (document.root.is_null()) return groups;
  if (!document.root.is_list()) return Wrong(document.root, "a list of target groups");
  for (const YamlNode& node : document.root.list) {
    Result<TargetGroup> group = ReadGroup(node);
    if (!group) return tl::unexpected(group.error());
    groups.push_back(std::move(*group));
  }
  return groups;
}

}  // namespace tributary
