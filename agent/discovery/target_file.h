// Target groups as text: the files that file_sd_configs names, JSON or YAML, and the answers to
// http_sd_configs. Read as strictly as Prometheus reads them, and no more so.
// Follows prometheus/prometheus discovery/file/file.go and discovery/targetgroup (3.16).
//
// Pure functions, any thread. nlohmann-json is included by target_file_json.cc only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/config/model.h"

namespace tributary {

// A larger file or answer is an error. What YAML's aliases make of a file is bounded by
// common/yaml.
inline constexpr size_t kTargetFileBytesMax = 32 << 20;

// The groups of a file, those without targets left out. The ending of `path` (json, yml, yaml, in
// any case) decides how `content` is read. Every group has the label __meta_filepath and the source
// "<path>:<index>". An error speaks for the whole file and names it.
Result<std::vector<TargetGroup>> ParseTargetFile(const std::string& path, std::string_view content);

// The same without source, label and path, with empty groups. An unknown field, a null group and
// whatever is not text where text belongs are errors; null for a list or for text is empty. In
// JSON, what is not Unicode becomes U+FFFD, as in Go.
Result<std::vector<TargetGroup>> ParseTargetJson(std::string_view content);
Result<std::vector<TargetGroup>> ParseTargetYaml(std::string_view content);

// Makes groups as they were read ready for use: each has the label `label` with the origin as its
// value and the source "<origin>:<index>", and those without targets are gone.
void CompleteGroups(std::vector<TargetGroup>& groups, std::string_view label,
                    const std::string& origin);

}  // namespace tributary
