// The simulator's file system: a tree in memory that the test writes and the agent reads.
//
// Paths are absolute and plain ("/a/b"; no "." or ".."). Writing a file makes its directories.
// Watches tell of changes 100 ms later, once for many, on the loop that they were given. Locks die
// with their holders; what is in the tree outlives any process. Single-threaded.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/file/file_system.h"

namespace tributary {

class SimFileSystem : public FileSystem {
 public:
  SimFileSystem();
  ~SimFileSystem() override;

  // What the agent calls.
  Result<std::string> ReadFile(const std::string& path, size_t bytes_max = 64 << 20) override;
  Result<std::vector<std::string>> Glob(const std::string& pattern) override;
  Status CreateDirectories(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override;
  std::unique_ptr<FileWatch> Watch(EventLoop& loop, std::vector<std::string> directories,
                                   std::function<void()> changed) override;

  // What the test does. Each is one atomic change.
  void WriteFile(const std::string& path, std::string content);
  // The first `bytes` now, as a writer leaves it halfway, and the rest `later` on the loop.
  void WriteFileSlowly(EventLoop& loop, const std::string& path, const std::string& content,
                       size_t bytes, nanoseconds later);
  // A file, or a directory with all below it. No effect if it is not there.
  void Remove(const std::string& path);
  // Replaces what was at `to`.
  void Rename(const std::string& from, const std::string& to);
  bool Exists(const std::string& path) const;

  // Errors, with the reason given as the system words it ("Input/output error").
  void FailNextReads(size_t count, std::string reason);
  void FailPath(const std::string& path, std::string reason);  // "" ends it
  void FailAll(std::string reason);                            // all operations; "" ends it
  // Watches notice nothing while it is on: callers must poll.
  void LoseNotifications(bool on);
  size_t reads() const;

 private:
  struct Tree;
  std::shared_ptr<Tree> tree_;  // watches and locks may outlive the file system
};

}  // namespace tributary
