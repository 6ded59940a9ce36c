// Files of the agent's own, which it writes and may have to survive a loss of power: the seam
// between the sample log and disks. The simulator's twin loses what was not synced, fills up,
// fails, stalls.
//
// Every call may block for as long as the disk pleases. A Disk may be used from any thread, a File
// by one at a time. Errors name the path and the system's reason.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace tributary {

// An open file; closed when destroyed. What happens when somebody else writes to it meanwhile is
// undefined.
class File {
 public:
  virtual ~File() = default;
  // Up to `size` bytes from `offset` on; fewer only at the end of the file.
  virtual Result<size_t> ReadAt(uint64_t offset, char* out, size_t size) = 0;
  // All of them, or an error, after which any part of the range may be written.
  virtual Status WriteAt(uint64_t offset, std::string_view bytes) = 0;
  virtual Status Truncate(uint64_t size) = 0;
  // Returns when the file's bytes and size would survive a loss of power (fdatasync). After an
  // error what was written since the last success may be lost, whatever later calls say.
  virtual Status Sync() = 0;
  virtual Result<uint64_t> Size() = 0;
};

enum class FileMode {
  kRead,    // it must exist
  kWrite,   // for reading and writing; it must exist
  kCreate,  // for reading and writing; it must not exist; for the owner and the group (0640)
};

// Of the file system that holds a path: all of it, and what is free for this process.
struct FileSpace {
  uint64_t total = 0;
  uint64_t free = 0;
};

class Disk {
 public:
  virtual ~Disk() = default;

  // With parents; no error if it is there. What it made would survive a loss of power.
  virtual Status CreateDirectories(const std::string& path) = 0;
  virtual Result<std::unique_ptr<File>> Open(const std::string& path, FileMode mode) = 0;
  // Names in a directory, sorted, without . and ..
  virtual Result<std::vector<std::string>> List(const std::string& directory) = 0;
  // A file.
  virtual Status Remove(const std::string& path) = 0;
  // Of a file or directory. Replaces `to` if there is one, at once or not at all.
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  // Returns when names made, removed or changed in the directory would survive a loss of power.
  virtual Status SyncDirectory(const std::string& path) = 0;
  virtual Result<FileSpace> Space(const std::string& path) = 0;
};

}  // namespace tributary
