#include "common/config/config_files.h"

#include <utility>

#include "common/base/hash.h"
#include "common/config/expand.h"
#include "common/config/reader.h"
#include "common/yaml/yaml.h"

namespace tributary {
namespace {

std::vector<std::string> PatternsIn(const std::string& text, const std::string& folder,
                                    const LoadOptions& options) {
  std::vector<std::string> patterns;
  YamlNode root = ParseYaml(text).root;
  if (options.expand_env) {
    std::vector<Diagnostic> ignored;  // the loader tells them
    CheckContext context("", ignored);
    ExpandVariables(root, options, context);
  }
  for (const YamlEntry& entry : root.map) {
    if (entry.key != "scrape_config_files") continue;
    for (const YamlNode& pattern : entry.value.list) {
      patterns.push_back(ResolvePath(folder, pattern.text));
    }
  }
  return patterns;
}

}  // namespace

Result<bool> ConfigFiles::Changed() {
  const Result<std::string> main = files_.ReadFile(path_);
  if (!main) return tl::unexpected(main.error());
  return Compare(*main, FolderOf(path_));
}

Result<bool> ConfigFiles::Changed(const std::string& main) { return Compare(main, "."); }

Result<bool> ConfigFiles::Compare(const std::string& main, const std::string& folder) {
  const Result<uint64_t> now = Read(main, folder);
  if (!now) return tl::unexpected(now.error());
  return std::exchange(seen_, *now) != *now;
}

Result<uint64_t> ConfigFiles::Read(const std::string& main, const std::string& folder) {
  const uint64_t hash = StableHash(main);
  if (hash != main_) {
    patterns_ = PatternsIn(main, folder, options_);
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
