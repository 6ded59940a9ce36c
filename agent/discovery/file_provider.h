// One entry of file_sd_configs: reads the files it names and remembers their last good groups.
// Follows prometheus/prometheus discovery/file/file.go (3.16).
//
// Reads when told to; who tells, and when, is Discovery's business. Control loop only: files are
// read on it, in one go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "common/file/file_system.h"

namespace tributary {

class FileProvider {
 public:
  struct RefreshResult {
    bool changed = false;  // groups() differs from what it was
    size_t updates = 0;    // files read well, and files that are gone
    size_t errors = 0;     // files and patterns that could not be read
  };

  FileProvider(FileSystem& files, FileSdConfig config);

  const FileSdConfig& config() const { return config_; }
  // Where the files lie, each folder once.
  std::vector<std::string> Directories() const;

  // Takes over what `other` knows of files, so that a change of the configuration does not lose the
  // targets of a file that cannot be read just now. Files that this entry does not name go at the
  // next Refresh.
  void Adopt(const FileProvider& other);

  // Reads all files anew. A file that cannot be read keeps its last good groups, one that is gone
  // loses them. `warn` is told of an error when it is new or has changed, not at each refresh.
  RefreshResult Refresh(const std::function<void(std::string)>& warn);

  // Appends the groups, by path and place in the file.
  void AppendGroups(std::vector<TargetGroup>& groups) const;

 private:
  using Groups = std::vector<TargetGroup>;
  struct File {
    std::shared_ptr<const Groups> groups;  // null: never read well
    size_t content_hash = 0;               // of what `groups` was read from
    std::string error;                     // of the last try; empty: it went well
  };

  // Paths of all files, sorted, each once. False: some pattern could not be expanded.
  bool ListFiles(std::vector<std::string>& paths, const std::function<void(std::string)>& warn);
  // Whether the file was read well.
  bool ReadFile(const std::string& path, File& file,
                const std::function<void(std::string)>& warn) const;

  FileSystem& file_system_;
  FileSdConfig config_;
  std::map<std::string, File> files_;
  std::map<std::string, std::string> pattern_errors_;  // by pattern: those of the last try
};

}  // namespace tributary
