// Files of others, as the agent reads them: the seam between the agent and what configures it. Files
// of its own are on a Disk (disk.h).
//
// Threading: PosixFileSystem may be used from any thread; Watch callbacks run on the loop given.
// Errors name the path and the system's reason.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/event/event_loop.h"

namespace tributary {

// Stops watching, or gives up a lock, when destroyed.
class FileWatch {
 public:
  virtual ~FileWatch() = default;
};
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // The whole file; an error above `bytes_max` and for anything but a regular file or pipe.
  virtual Result<std::string> ReadFile(const std::string& path, size_t bytes_max = 64 << 20) = 0;
  // Paths that match a glob(7) pattern, sorted; a pattern without wildcards yields the path if it
  // exists.
  virtual Result<std::vector<std::string>> Glob(const std::string& pattern) = 0;
  // With parents; no error if it is there.
  virtual Status CreateDirectories(const std::string& path) = 0;
  // An exclusive lock file, held until the object dies; an error names the holder's pid where
  // known.
  virtual Result<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
  // Calls `changed` on the loop after anything in one of the directories was written, made, renamed
  // or removed, a little later and once for many changes. A directory that does not exist, or that
  // cannot be watched, is left out: callers poll as well.
  virtual std::unique_ptr<FileWatch> Watch(EventLoop& loop, std::vector<std::string> directories,
                                           std::function<void()> changed) = 0;
};

}  // namespace tributary
