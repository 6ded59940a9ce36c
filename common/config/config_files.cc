#include "common/config/config_files.h"

#include <utility>

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

Result<bool> ConfigFiles::Changed() {
  const Result<uint64_t> now = Read();
  if (!now) return tl::unexpected(now.error());
  return std::exchange(seen_, *now) != *now;
}

Result<uint64_t> ConfigFiles::Read() {
  const Result<std::string> main = files_.ReadFile(path_);
  if (!main) return tl::unexpected(main.error());
  const uint64_t hash = StableHash(*main);
  if (hash != main_) {
    patterns_ = PatternsIn(*main, FolderOf(path_));
    main_ = hash;
  }
  // Of names too: a file that has another one gives its jobs another place.
  std::string hashes = std::to_string(hash);
  for (const std::string& pattern : patterns_) {
    const Result<std::vector<std::string>> found = files_.Glob(pattern);
    if (!found) return tl::unexpected(found.error());
    for (const std::string& path : *found) {
      const Result<std::string> text = files_.ReadFile(path);
      if (!text) return tl::unexpected(text.error());
      hashes += '\n' + path + ' ' + std::to_string(StableHash(*text));
    }
  }
  return StableHash(hashes);
}

}  // namespace tributary
