// The simulator's disk: files in memory, of which a loss of power takes what was not synced.
//
// The end of a process (Files closed, nothing else done) keeps all that was written, as the page
// cache does. Paths are absolute and plain. Single-threaded.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/file/disk.h"
#include "test/support/sim/sim_network.h"

namespace tributary {

class SimDisk : public Disk {
 public:
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

  // Power is lost: of each file what was written since it was last synced is lost from a random byte
  // on, and names made or removed since their directory was synced are kept or not by chance. Files
  // that are open fail from now on.
  void LosePower();
  // Beyond `total` bytes in all files writes are cut off and fail. 0: no limit.
  void SetTotal(uint64_t total) { total_ = total; }
  // Somebody else takes so much of it.
  void SetTaken(uint64_t bytes) { taken_ = bytes; }
  // Kinds of operations.
  enum Kind : unsigned { kRead = 1, kWrite = 2, kSync = 4, kRemove = 8, kOpen = 16, kAny = 31 };
  // All of these kinds fail with the reason, as the system words it; "" ends it.
  void Fail(unsigned kinds, const std::string& reason);
  // The n-th operation from now, of these kinds, fails; 1 is the next.
  void FailNth(uint64_t n, unsigned kinds = kAny);
  // That one and all behind it fail, as if the process had come so far; Fail("") ends it.
  void CutOff(uint64_t n);
  uint64_t operations() const { return operations_; }

  // The content of a file, to look at and to damage; null if there is none.
  std::string* Content(const std::string& path);
  std::vector<std::string> Paths() const;
  void Write(const std::string& path, std::string content);
  uint64_t used() const;

 private:
  friend class SimFile;
  struct Node {
    std::string content;
    // How it would be found after a loss of power: all writes since are of unknown fate.
    std::string synced;
    uint64_t kept_from = 0;  // of content, the bytes before this are as synced
  };

  Status Begin(Kind kind, const std::string& path);

  SimRandom random_;
  std::map<std::string, std::shared_ptr<Node>> names_;
  std::map<std::string, std::shared_ptr<Node>> synced_names_;
  std::set<std::string> directories_;
  uint64_t total_ = 0, taken_ = 0;
  unsigned failing_ = 0;
  std::string reason_;
  uint64_t operations_ = 0;
  uint64_t fail_at_ = 0;
  unsigned fail_kinds_ = 0;
  bool cut_off_ = false;
  uint64_t power_ = 1;  // changes when it is lost
};

}  // namespace tributary
