// The simulator's disk: files in memory, of which a loss of power takes what was not synced
// (sim_disk_tree.h says what that may be), and faults as a test orders them.
//
// The end of a process (Files closed, nothing else done) keeps all that was written, as the page
// cache does. Paths are absolute and plain ("/a/b"; no "." or ".."). Directories are safe when
// CreateDirectories returns. Single-threaded. Files must not be used when the disk is gone.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/file/disk.h"
#include "test/support/sim/sim_disk_tree.h"
#include "test/support/sim/sim_network.h"

namespace tributary {

class SimDisk : public Disk {
 public:
  // All that happens by chance comes from the seed and the calls.
  explicit SimDisk(uint64_t seed = 1);
  ~SimDisk() override;

  // What the agent calls.
  Status CreateDirectories(const std::string& path) override;
  Result<std::unique_ptr<File>> Open(const std::string& path, FileMode mode) override;
  Result<std::vector<std::string>> List(const std::string& directory) override;
  Status Remove(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status SyncDirectory(const std::string& path) override;
  Result<FileSpace> Space(const std::string& path) override;

  // What the test does.

  // Files that are open fail from now on ("Stale file handle").
  void LosePower(PowerLoss loss = PowerLoss::kRandom);
  // The same without a loss, for the end of a process whose objects live a little longer.
  void CloseAll() { boots_++; }

  // Writes that do not fit into `total` bytes are cut off and fail. 0: no limit.
  void SetTotal(uint64_t total) { total_ = total; }
  // Somebody else takes so much of it.
  void SetTaken(uint64_t bytes) { taken_ = bytes; }
  // Both, so that `free` bytes are left.
  void SetSpace(uint64_t total, uint64_t free);
  // Of all files and of what somebody else takes.
  uint64_t used() const { return taken_ + tree_.used(); }

  // Kinds of operations: ReadAt, Size, List, Space; WriteAt, Truncate; Sync, SyncDirectory; Remove,
  // Rename; Open, CreateDirectories.
  enum Kind : unsigned { kRead = 1, kWrite = 2, kSync = 4, kRemove = 8, kOpen = 16, kAny = 31 };
  // All of these kinds (0: of any) fail with the reason, as the system words it, others as before;
  // "" ends it. A write that fails has written a random part; after a sync that fails all is in
  // doubt that was not synced before.
  void Fail(unsigned kinds, const std::string& reason);
  // Operations on this path, or on a file opened by it; "" ends it.
  void FailPath(const std::string& path, const std::string& reason);
  // The n-th operation from now, of these kinds, fails; 1 is the next, 0 none.
  void FailNth(uint64_t n, unsigned kinds = kAny, const std::string& reason = "Input/output error");
  // That one and all behind it fail, as if the process had come so far; Fail with "" ends it.
  void CutOff(uint64_t n);
  // Asked for so far, also those that failed.
  uint64_t operations() const { return operations_; }

  // The content of a file, to look at and to damage; null if there is none.
  std::string* Content(const std::string& path);
  void FlipBit(const std::string& path, uint64_t offset, unsigned bit = 0);
  // Of the files, sorted.
  std::vector<std::string> Paths() const { return tree_.FilePaths(); }
  // Makes or replaces a file, with its directories, as if all was synced.
  void Write(const std::string& path, std::string content);

 private:
  friend class SimFile;

  Status Begin(Kind kind, const std::string& path);
  Status WriteAt(SimNode& file, const std::string& path, uint64_t offset, std::string_view bytes);
  uint64_t room() const;

  SimRandom random_;
  SimDiskTree tree_;
  uint64_t total_ = 0, taken_ = 0;
  std::map<unsigned, std::string> failing_kinds_;
  std::map<std::string, std::string> failing_paths_;
  uint64_t operations_ = 0;
  uint64_t fail_at_ = 0;
  unsigned fail_at_kinds_ = 0;
  std::string fail_at_reason_;
  bool cut_off_ = false;
  uint64_t boots_ = 1;  // Files of an earlier one are stale
};

}  // namespace tributary
