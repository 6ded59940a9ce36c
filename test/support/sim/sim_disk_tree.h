// What lies on the simulator's disk: files and directories as they are now, and what of them a loss
// of power would leave.
//
// Bytes are safe when their file was synced, names when their directory was. Of the changes since,
// a loss of power keeps what it likes: all, none, the first of them, or any of them. A write may be
// torn at any byte, and leave zeros where it would have extended the file. After a sync that
// failed, the changes before it stay in doubt for ever, as in Linux. Single-threaded.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "test/support/sim/sim_network.h"

namespace tributary {

// A file, or a directory.
class SimNode {
 public:
  explicit SimNode(bool is_directory) : is_directory_(is_directory) {}

  bool is_directory() const { return is_directory_; }
  // Of a directory, by name.
  const std::map<std::string, std::shared_ptr<SimNode>>& names() const { return names_; }
  // Of a file.
  const std::string& content() const { return content_; }
  // For tests to change at will. Lasts, unless there are changes that were not synced.
  std::string& ContentToDamage();

  void WriteAt(uint64_t offset, std::string_view bytes);
  void Truncate(uint64_t size);
  void Sync();
  void SyncFailed();
  // All of it, as if synced.
  void Replace(std::string content);
  void FlipBit(uint64_t offset, unsigned bit);

  // Held by whoever has the file open: it takes space as long as it has a name or is open.
  std::shared_ptr<char> opened() const { return opened_; }

 private:
  friend class SimDiskTree;
  enum class State { kUnsynced, kInDoubt, kSafe };
  struct Change {
    std::optional<uint64_t> truncate_to;
    uint64_t offset = 0;
    std::string bytes;
    State state = State::kUnsynced;
  };

  void Add(Change change);
  static void Apply(const Change& change, std::string& content);
  static void ApplyPart(const Change& change, SimRandom& random, std::string& content);

  const bool is_directory_;
  std::map<std::string, std::shared_ptr<SimNode>> names_, safe_names_;
  std::string content_, safe_content_;
  std::vector<Change> changes_;  // from safe_content_ to content_
  bool damaged_ = false;         // content_ differs by more than that
  bool has_name_ = false;
  std::shared_ptr<char> opened_ = std::make_shared<char>();
};

enum class PowerLoss {
  kRandom,  // any part of what was not synced
  kWorst,   // all of it
};

class SimDiskTree {
 public:
  using Node = std::shared_ptr<SimNode>;
  // Where a path leads.
  struct Place {
    Node directory;  // null for "/"
    std::string name;
    Node node;  // null if nothing is there
  };

  // An error if the directory is not there; its text is the system's reason alone.
  Result<Place> Find(const std::string& path) const;

  // Null: no longer there.
  void SetName(const Place& place, Node node);
  void Rename(const Place& from, const Place& to);
  // The same, as if synced.
  void SettleName(const Place& place, Node node);
  // With all above it, as if synced; null if a file is in the way.
  Node MakeDirectories(const std::string& path);
  void SyncNames(const Node& directory);
  Node MakeFile();

  void LosePower(PowerLoss loss, SimRandom& random);

  // Of files, in bytes.
  uint64_t used() const;
  std::vector<std::string> FilePaths() const;

 private:
  struct NameChange {
    Node directory;
    std::string name;
    Node node;
  };
  using Step = std::vector<NameChange>;  // at once or not at all

  void ChangeNames(Step step);
  void LoseNames(PowerLoss loss, SimRandom& random);
  static void LoseContent(PowerLoss loss, SimRandom& random, SimNode& file);

  Node root_ = std::make_shared<SimNode>(true);
  std::vector<Step> journal_;  // from the safe names to those of now
  std::vector<std::weak_ptr<SimNode>> files_;
};

}  // namespace tributary
