#include "common/file/inotify_watch.h"

#include <sys/inotify.h>

#include <cstring>

namespace tributary {

namespace {

// Long enough for a writer's several steps, short enough not to be felt.
constexpr nanoseconds kReportDelay = milliseconds(100);
constexpr uint32_t kEvents = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO |
                             IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

}  // namespace

InotifyWatch::InotifyWatch(SystemEventLoop& loop, std::vector<std::string> directories,
                           std::function<void()> changed)
    : loop_(loop),
      changed_(std::move(changed)),
      inotify_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      report_(loop) {
  if (!inotify_.valid()) return;
  for (std::string& path : directories) {
    Directory& directory = directories_.emplace_back();
    directory.path = std::move(path);
    Add(directory);
  }
  loop_.WatchFd(inotify_.get(), EPOLLIN, [this](uint32_t) { OnReadable(); });
}

InotifyWatch::~InotifyWatch() {
  if (inotify_.valid()) loop_.RemoveFd(inotify_.get());
}

void InotifyWatch::Add(Directory& directory) {
  directory.watch = inotify_add_watch(inotify_.get(), directory.path.c_str(), kEvents);
}

void InotifyWatch::OnReadable() {
  alignas(inotify_event) char buffer[16 << 10];
  // One buffer a turn: what is left is reported by the loop again.
  const ssize_t bytes = read(inotify_.get(), buffer, sizeof buffer);
  for (ssize_t at = 0; at + static_cast<ssize_t>(sizeof(inotify_event)) <= bytes;) {
    inotify_event event;
    std::memcpy(&event, buffer + at, sizeof event);
    OnEvent(event.wd, event.mask);
    at += static_cast<ssize_t>(sizeof event + event.len);
  }
}

void InotifyWatch::OnEvent(int watch, uint32_t mask) {
  // An overflow (IN_Q_OVERFLOW) has lost events: something changed, and that is all we tell anyway.
  if ((mask & IN_MOVE_SELF) != 0) {
    inotify_rm_watch(inotify_.get(), watch);  // it would follow the directory, not its name
  }
  if ((mask & (IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)) != 0) {
    for (Directory& directory : directories_) {
      if (directory.watch == watch) directory.watch = -1;
    }
  }
  if (!report_.active()) report_.SetAfter(kReportDelay, [this] { Report(); });
}

void InotifyWatch::Report() {
  for (Directory& directory : directories_) {
    if (directory.watch < 0) Add(directory);
  }
  const std::function<void()> changed = changed_;  // it may destroy this
  changed();
}

}  // namespace tributary
