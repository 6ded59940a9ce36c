// Runs a program as users do: arguments in, output and exit code out. For integration tests.
//
// Threading: one thread uses a Process; two of its own read the program's output. The program ends
// with its Process, and with the thread that made it, at the latest. Only its own pid is ever
// signalled.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/time.h"

namespace tributary {

struct ProcessOptions {
  std::string program;
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment;  // beside the test's own
  std::string directory;                           // to run in; "" is the test's
};

class Process {
 public:
  explicit Process(const ProcessOptions& options);
  ~Process();  // kills it if it still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool Running();
  // No effect once it has ended.
  void Signal(int signal);
  // The exit code, or minus the signal that ended it; nullopt if it has not ended in time.
  std::optional<int> Wait(nanoseconds timeout);
  // What it wrote so far; all of it after Wait.
  std::string Out() const { return TextOf(out_); }
  std::string Err() const { return TextOf(err_); }
  // The first line of stderr that has all the texts; nullopt if none came in time or before its
  // end.
  std::optional<std::string> WaitForLine(const std::vector<std::string>& texts,
                                         nanoseconds timeout) const;

 private:
  struct Stream {
    int fd = -1;
    std::string text;
    bool ended = false;
    std::thread thread;
  };
  void Read(Stream& stream);
  std::string TextOf(const Stream& stream) const;

  pid_t pid_ = -1;
  std::optional<int> status_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  Stream out_, err_;
};

// Runs a program to its end; fails the test if it takes longer.
struct ProcessResult {
  int status = 0;
  std::string out, err;
};
ProcessResult RunProcess(const ProcessOptions& options, nanoseconds timeout);

// A folder of its own that goes, with all that is in it, at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  // The path of a file in it.
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  // Writes it whole, under another name first; returns its path.
  std::string Write(const std::string& name, const std::string& content) const;

 private:
  std::string path_;
};

// Polls `done` until it holds; whether it does within the limit.
template <typename Predicate>
bool Eventually(nanoseconds limit, Predicate done) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

}  // namespace tributary
