#include "agent/discovery/target_file.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace tributary {
namespace {

constexpr std::string_view kFilepathLabel = "__meta_filepath";

// "json" of "/etc/sd/web.JSON".
std::string Ending(std::string_view path) {
  const size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return "";
  std::string ending(path.substr(dot + 1));
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending;
}

Result<std::vector<TargetGroup>> ParseByEnding(const std::string& path, std::string_view content) {
  const std::string ending = Ending(path);
  if (ending == "json") return ParseTargetJson(content);
  if (ending == "yml" || ending == "yaml") return ParseTargetYaml(content);
  return Fail("the name must end in .json, .yml or .yaml");
}

}  // namespace

Result<std::vector<TargetGroup>> ParseTargetFile(const std::string& path,
                                                 std::string_view content) {
  Result<std::vector<TargetGroup>> groups = ParseByEnding(path, content);
  if (!groups) return Fail(path + ": " + groups.error().message);
  CompleteGroups(*groups, kFilepathLabel, path);
  return groups;
}

void CompleteGroups(std::vector<TargetGroup>& groups, std::string_view label,
                    const std::string& origin) {
  for (size_t i = 0; i < groups.size(); i++) {
    groups[i].source = origin + ":" + std::to_string(i);
    groups[i].labels.Set(label, origin);
  }
  std::erase_if(groups, [](const TargetGroup& group) { return group.targets.empty(); });
}

}  // namespace tributary
