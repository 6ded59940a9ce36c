// Notices that the files of the configuration have changed, for who reloads without being told.
// Follows Prometheus' auto-reload-config (config/reload.go), but that secrets, which are read at
// use, do not count.
//
// One thread. Reads the files whenever it is asked, as nothing else sees what a ConfigMap's links
// lead to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/config/loader.h"
#include "common/file/file_system.h"

namespace tributary {

class ConfigFiles {
 public:
  // `options`: what variables in scrape_config_files are.
  ConfigFiles(FileSystem& files, std::string path, LoadOptions options = {})
      : files_(files), path_(std::move(path)), options_(std::move(options)) {}

  // Whether the main file, or those that its scrape_config_files name now, are not what they were
  // at the last call; at the first, true. An error if they cannot be read, which is no change: they
  // may be being replaced.
  Result<bool> Changed();
  // The same where the main one is no file, but this text.
  Result<bool> Changed(const std::string& main);

 private:
  Result<bool> Compare(const std::string& main, const std::string& folder);
  Result<uint64_t> Read(const std::string& main, const std::string& folder);

  FileSystem& files_;
  const std::string path_;
  const LoadOptions options_;
  uint64_t main_ = 0;                  // hash of the main file's text, of which are
  std::vector<std::string> patterns_;  // scrape_config_files, resolved
  std::optional<uint64_t> seen_;
};

}  // namespace tributary
