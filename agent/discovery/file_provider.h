// One entry of file_sd_configs: reads the files it names and remembers their last good groups.
// Follows prometheus/prometheus discovery/file/file.go (3.16).
//
// Files are read on the loop, in one go, at most kTargetFileBytesMax of each; when, is the
// FolderWatcher's business. Control loop only.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/discovery/provider.h"

namespace tributary {

class FileProvider : public Provider {
 public:
  FileProvider(SdEnvironment& environment, FileSdConfig config, std::function<void()> changed);

  // What `predecessor` knows of files, so that those which cannot be read just now keep their
  // targets. Files that this entry does not name go when it starts.
  void Adopt(const Provider& predecessor) override;
  void Start() override;
  bool settled() const override { return true; }
  void AppendErrors(std::vector<std::string>& errors) const override;
  // By path and place in the file.
  void AppendGroups(std::vector<TargetGroup>& groups) const override;
  void Collect(MetricSink&) const override {}

 private:
  using Groups = std::vector<TargetGroup>;
  struct File {
    std::shared_ptr<const Groups> groups;  // null: never read well
    size_t content_hash = 0;               // of what `groups` was read from
    std::string error;                     // of the last try; empty: it went well
  };

  // Where the files lie, each folder once.
  std::vector<std::string> Folders() const;
  // Reads all files anew. A file that cannot be read keeps its last good groups, one that is gone
  // loses them. An error is told when it is new or has changed, not at each refresh.
  void Refresh();
  // Paths of all files, sorted, each once. False: some pattern could not be expanded.
  bool ListFiles(std::vector<std::string>& paths);
  // Whether the file was read well.
  bool ReadFile(const std::string& path, File& file) const;

  SdEnvironment& environment_;
  const FileSdConfig config_;
  const std::function<void()> changed_;
  std::map<std::string, File> files_;
  std::map<std::string, std::string> pattern_errors_;  // by pattern: those of the last try
  std::unique_ptr<FolderWatcher::Subscription> subscription_;
};

}  // namespace tributary
