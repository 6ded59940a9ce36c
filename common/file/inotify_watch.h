// FileWatch over inotify(7). Private to this folder. Loop thread only.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/event/system_event_loop.h"
#include "common/file/file_system.h"
#include "common/file/unique_fd.h"

namespace tributary {

class InotifyWatch : public FileWatch {
 public:
  // Where inotify is not to be had (its limits are per user), nothing is ever reported.
  InotifyWatch(SystemEventLoop& loop, std::vector<std::string> directories,
               std::function<void()> changed);
  ~InotifyWatch() override;

 private:
  struct Directory {
    std::string path;
    int watch = -1;  // inotify's descriptor; -1 while it cannot be watched
  };

  void Add(Directory& directory);
  void OnReadable();
  void OnEvent(int watch, uint32_t mask);
  void Report();

  SystemEventLoop& loop_;
  std::function<void()> changed_;
  UniqueFd inotify_;
  std::vector<Directory> directories_;
  Timer report_;
};

}  // namespace tributary
