// Files, as the agent uses them. The seam between the agent and disks; the simulator's twin injects
// faults.
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

// An open file; closed when destroyed. For files of ours: what happens when somebody else writes to
// them meanwhile is undefined. May be used by any one thread at a time.
class File {
 public:
  virtual ~File() = default;
  // Up to `size` bytes from `offset` on; fewer only at the end of the file.
  virtual Result<size_t> ReadAt(uint64_t offset, char* out, size_t size) = 0;
  // All of them, or an error, after which any part of the range may be written.
  virtual Status WriteAt(uint64_t offset, std::string_view bytes) = 0;
  virtual Status Truncate(uint64_t size) = 0;
  // Returns when the file's bytes and size would survive a loss of power (fdatasync). After an error
  // what was written since the last success may be lost, whatever later calls say.
  virtual Status Sync() = 0;
  virtual Result<uint64_t> Size() = 0;
};

enum class FileMode {
  kRead,    // it must exist
  kWrite,   // for reading and writing; it must exist
  kCreate,  // for reading and writing; it must not exist
};

// Of the file system that holds a path: all of it, and what is free for this process.
struct FileSpace {
  uint64_t total = 0;
  uint64_t free = 0;
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
  // Files made by it are readable by the owner and the group (0640).
  virtual Result<std::unique_ptr<File>> Open(const std::string& path, FileMode mode) = 0;
  // Names in a directory, sorted, without . and ..
  virtual Result<std::vector<std::string>> List(const std::string& directory) = 0;
  virtual Status Remove(const std::string& path) = 0;
  // Replaces `to` if there is one, at once or not at all.
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  // Returns when names made, removed or changed in the directory would survive a loss of power.
  virtual Status SyncDirectory(const std::string& path) = 0;
  virtual Result<FileSpace> Space(const std::string& path) = 0;
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
