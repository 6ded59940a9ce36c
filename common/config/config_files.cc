#include "common/config/config_files.h"

#include "common/base/hash.h"
#include "common/config/reader.h"
#include "common/yaml/yaml.h"

namespace tributary {
namespace {

std::vector<std::string> PatternsIn(const std::string& text, const std::string& folder) {
  std::vector<std::string> patterns;
  for (const YamlEntry& entry : ParseYaml(text).root.map) {
    if (entry.key != "scrape_config_files") continue;
    for (const YamlNode& pattern : entry.value.list) {
      patterns.push_back(ResolvePath(folder, pattern.text));
    }
  }
  return patterns;
}

}  // namespace

bool ConfigFiles::Changed() {
  const std::optional<uint64_t> now = Read();
  if (!now || now == seen_) return false;
  seen_ = now;
  return true;
}

std::optional<uint64_t> ConfigFiles::Read() {
  const Result<std::string> main = files_.ReadFile(path_);
  if (!main) return std::nullopt;
  const uint64_t hash = StableHash(*main);
  if (hash != main_) {
    patterns_ = PatternsIn(*main, FolderOf(path_));
    main_ = hash;
  }
  // Of names too: a file that has another one gives its jobs another place.
  std::string hashes = std::to_string(hash);
  for (const std::string& pattern : patterns_) {
    const Result<std::vector<std::string>> found = files_.Glob(pattern);
    if (!found) continue;
    for (const std::string& path : *found) {
      const Result<std::string> text = files_.ReadFile(path);
      if (!text) return std::nullopt;
      hashes += '\n' + path + ' ' + std::to_string(StableHash(*text));
    }
  }
  return StableHash(hashes);
}

}  // namespace tributary
