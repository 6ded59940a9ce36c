// When files of targets have to be read: after the system tells of a change in their folder, at
// most once a second, and every interval; where several look at one folder, at the shortest of
// their intervals. A folder is watched once, whoever looks at it.
//
// Control loop only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/discovery/sd_counters.h"
#include "common/event/event_loop.h"
#include "common/file/file_system.h"

namespace tributary {

class FolderWatcher {
 public:
  // Ends when it is destroyed; not from inside its callback.
  class Subscription;

  // All of them must outlive it, and it its subscriptions.
  FolderWatcher(EventLoop& loop, FileSystem& files, SdCounters& counters);
  ~FolderWatcher();
  FolderWatcher(const FolderWatcher&) = delete;
  FolderWatcher& operator=(const FolderWatcher&) = delete;

  // From now on, so that whoever reads the files after this call misses no change. `read` is never
  // called from inside.
  std::unique_ptr<Subscription> Subscribe(std::vector<std::string> folders, milliseconds interval,
                                          std::function<void()> read);

 private:
  struct Folder;

  void Unsubscribe(const Subscription& subscription);
  void Watch(const std::string& path, Folder& folder);
  // Sees to it that the folder is read at `when` or before.
  void ReadAt(const std::string& path, Folder& folder, MonotonicTime when);
  void Read(const std::string& path, Folder& folder);

  EventLoop& loop_;
  FileSystem& files_;
  SdCounters& counters_;
  std::map<std::string, std::unique_ptr<Folder>> folders_;
};

class FolderWatcher::Subscription {
 public:
  Subscription(FolderWatcher& watcher, std::vector<std::string> folders, milliseconds interval,
               std::function<void()> read);
  ~Subscription() { watcher_.Unsubscribe(*this); }
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

 private:
  friend class FolderWatcher;
  FolderWatcher& watcher_;
  const std::vector<std::string> folders_;
  const milliseconds interval_;
  const std::function<void()> read_;
};

}  // namespace tributary
