// What a remote refused for good, kept on disk for a person to look at: one JSON object a line and
// a series, in NAME.jsonl; what is older is in NAME.jsonl.1. docs/operating.md has the format.
//
// Written apart from the loop, by the work queue; sending never waits for it. Nothing is synced: it
// is for people, not for recovery. Bounds: both files together `bytes_max`, and 1 MiB of lines in
// 10 s, so that a remote which refuses everything costs no more than that; what is beyond, or the
// disk does not take, is counted as lost. One thread (the loop's); what was handed to the disk is
// written also after the end of this object.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "agent/logging/logger.h"
#include "agent/series/samples.h"
#include "common/base/time.h"
#include "common/event/event_loop.h"
#include "common/event/work_queue.h"
#include "common/file/disk.h"

namespace tributary {

// Where dead letters of all remotes go. Null pointers: nowhere.
struct DeadLetterPlace {
  Disk* disk = nullptr;
  WorkQueue* work = nullptr;
  std::string folder;
  bool exists() const { return disk != nullptr && work != nullptr; }
};

struct DeadLetterStats {
  uint64_t written = 0;   // samples, histograms and exemplars
  uint64_t lost = 0;      // of them, those that were not written
  uint64_t failures = 0;  // of the disk
};

// What is said of a refusal.
struct DeadLetterReason {
  TimestampMs time = 0;
  std::string_view remote;
  int status = 0;
  std::string_view message;
};

// The line of a series, with the entries that `samples` has of it. `encoded_labels` as they were
// sent.
std::string DeadLetterLine(const DeadLetterReason& reason, std::string_view encoded_labels,
                           const GroupSamples& samples, uint32_t series);
// The name of a remote as one of a file: what is not a letter, digit, '-', '_' or '.' is %XX.
std::string DeadLetterFileName(std::string_view remote);

class DeadLetter {
 public:
  DeadLetter(EventLoop& loop, const DeadLetterPlace& place, std::string_view remote,
             uint64_t bytes_max, Logger& logger, DeadLetterStats& stats);
  ~DeadLetter();
  DeadLetter(const DeadLetter&) = delete;
  DeadLetter& operator=(const DeadLetter&) = delete;

  const std::string& path() const { return path_; }
  // Whether a line would be taken now; otherwise it need not be made.
  bool HasRoom();
  // A line of so many samples.
  void Add(std::string line, uint64_t samples);

 private:
  struct Line {
    std::string text;
    uint64_t samples;
  };
  void Write();

  EventLoop& loop_;
  Disk& disk_;
  WorkQueue& work_;
  Logger& logger_;
  const std::string folder_, path_;
  const uint64_t bytes_max_;
  DeadLetterStats& stats_;
  std::deque<Line> waiting_;
  // The 10 s in which so much was added.
  MonotonicTime window_{};
  size_t window_bytes_ = 0;
  bool writing_ = false;
  LogLimiter failure_log_{seconds(60)};
  // What is posted finds out by it whether this is still there.
  std::shared_ptr<DeadLetter*> self_ = std::make_shared<DeadLetter*>(this);
};

}  // namespace tributary
