// A file system of a few texts, for tests of what reads files and nothing else.
#pragma once

#include <fnmatch.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/config/loader.h"

namespace tributary {

class MemoryFiles : public FileSystem {
 public:
  MemoryFiles(std::initializer_list<std::pair<const std::string, std::string>> texts = {})
      : texts_(texts) {}

  Result<std::string> ReadFile(const std::string& path, size_t) override {
    auto found = texts_.find(path);
    if (found == texts_.end()) return Fail("no such file");
    return found->second;
  }
  Result<std::vector<std::string>> Glob(const std::string& pattern) override {
    std::vector<std::string> found;
    for (const auto& [path, text] : texts_) {
      if (fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0) found.push_back(path);
    }
    return found;
  }
  Status CreateDirectories(const std::string&) override { return Fail("read only"); }
  Result<std::unique_ptr<FileLock>> Lock(const std::string&) override { return Fail("read only"); }
  std::unique_ptr<FileWatch> Watch(EventLoop&, std::vector<std::string>,
                                   std::function<void()>) override {
    return nullptr;
  }

 private:
  std::map<std::string, std::string> texts_;
};

inline LoadResult LoadText(const std::string& text, const LoadOptions& options = {}) {
  MemoryFiles files{{"/etc/agent/prometheus.yml", text}};
  return LoadConfig(files, "/etc/agent/prometheus.yml", options);
}

// All diagnostics, one a line, without the folder.
inline std::string Messages(const LoadResult& result) {
  std::string out;
  for (const Diagnostic& diagnostic : result.diagnostics) {
    std::string line = diagnostic.ToString();
    constexpr std::string_view kFolder = "/etc/agent/";
    if (line.starts_with(kFolder)) line.erase(0, kFolder.size());
    out += line + "\n";
  }
  return out;
}

}  // namespace tributary
