// FileSystem and Disk of the machine. Watching is by inotify; it needs a SystemEventLoop.
//
// A watched directory that is moved or removed is reported, and watched again by its name if there
// is one by then. As glob(7) has it, wildcards do not match a leading dot.
#pragma once

#include "common/event/system_event_loop.h"
#include "common/file/disk.h"
#include "common/file/file_system.h"

namespace tributary {

class PosixFileSystem : public FileSystem, public Disk {
 public:
  Result<std::string> ReadFile(const std::string& path, size_t bytes_max = 64 << 20) override;
  Result<std::vector<std::string>> Glob(const std::string& pattern) override;
  Status CreateDirectories(const std::string& path) override;
  Result<std::unique_ptr<File>> Open(const std::string& path, FileMode mode) override;
  Result<std::vector<std::string>> List(const std::string& directory) override;
  Status Remove(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status SyncDirectory(const std::string& path) override;
  // By f_bavail: what root alone may use is not free.
  Result<FileSpace> Space(const std::string& path) override;
  // flock(2) on the file, which holds the holder's pid and is left in place.
  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override;
  // `loop` must be a SystemEventLoop. The watch may be destroyed inside `changed`.
  std::unique_ptr<FileWatch> Watch(EventLoop& loop, std::vector<std::string> directories,
                                   std::function<void()> changed) override;
};

}  // namespace tributary
