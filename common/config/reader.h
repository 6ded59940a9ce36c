// From a YAML tree to typed values, by the table of options: unknown fields, wrong types, values
// that are not allowed, fields that are missing or not built. Never quotes a secret.
#pragma once

#include <string>

#include "common/config/value.h"
#include "common/yaml/yaml.h"

namespace tributary {

// Reads `node` as `section`. Relative paths are resolved against `folder`.
SectionValue ReadSection(const YamlNode& node, const Section& section, const std::string& folder,
                         CheckContext& context);

// The default of an option that has one, read from the table's text.
Value ParseFallback(const Option& option);

// Joins as Go's filepath.Join does if `path` is relative; empty and absolute paths stay.
std::string ResolvePath(const std::string& folder, const std::string& path);
// Go's filepath.Dir.
std::string FolderOf(const std::string& path);

}  // namespace tributary
