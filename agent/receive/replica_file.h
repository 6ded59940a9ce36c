// Keeps on disk which replica of each cluster is elected, so that a restart does not change it.
//
// JSON: {"version": 1, "elected": [{"cluster": "...", "replica": "...", "since_ms": 1}]}. Written
// under another name first, and whole, after each change; changes while it is being written are
// written together after that. What cannot be written is tried again with the next change.
//
// The loop's thread; files are touched by the work queue.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/receive/replica_election.h"
#include "common/base/status.h"
#include "common/event/work_queue.h"
#include "common/file/disk.h"

namespace tributary {

std::string ReplicaFileText(const std::vector<ReplicaElection::Elected>& elected);
// An error if it is not what the function above makes.
Result<std::vector<ReplicaElection::Elected>> ParseReplicaFile(const std::string& text);

class ReplicaFile {
 public:
  // All outlive it.
  ReplicaFile(Disk& disk, WorkQueue& work, const ReplicaElection& election, std::string path)
      : disk_(disk), work_(work), election_(election), path_(std::move(path)) {}

  ~ReplicaFile() { *self_ = nullptr; }
  ReplicaFile(const ReplicaFile&) = delete;
  ReplicaFile& operator=(const ReplicaFile&) = delete;

  // The election has changed.
  void Save();
  // Times that it could not be written, by now.
  uint64_t failures() const { return failures_; }

 private:
  Disk& disk_;
  WorkQueue& work_;
  const ReplicaElection& election_;
  const std::string path_;
  bool saving_ = false, changed_ = false;
  uint64_t failures_ = 0;
  // What the work queue has done finds out by it whether this is still there.
  std::shared_ptr<ReplicaFile*> self_ = std::make_shared<ReplicaFile*>(this);
};

}  // namespace tributary
