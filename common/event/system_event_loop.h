// EventLoop over epoll: file descriptors, a timer heap and an inbox woken by an eventfd.
// Idle costs nothing: the loop sleeps until the next timer, descriptor or post.
//
// Fair: a turn of the loop serves what was ready when it began - a bounded number of descriptors
// and posts, and the timers made before it - so neither of them starves the others by making more
// work.
#pragma once

#include <sys/epoll.h>

#include <memory>

#include "common/event/event_loop.h"

namespace tributary {

class SystemEventLoop : public EventLoop {
 public:
  // `events` is an epoll mask (EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP).
  using FdCallback = std::function<void(uint32_t events)>;

  SystemEventLoop();
  // Destroys the callbacks that have not run. Objects that hold timers must be gone by then.
  ~SystemEventLoop() override;

  MonotonicTime Now() const override;
  int64_t WallNs() const override;
  TimerId AddTimer(MonotonicTime when, Callback callback) override;
  void CancelTimer(TimerId timer) override;
  void Post(Callback callback) override;
  void PostQuietly(Callback callback) override;

  // Watches a descriptor, level-triggered; a second call for it replaces mask and callback. The
  // loop does not own the descriptor: RemoveFd before it is closed. Both may be called from
  // callbacks.
  void WatchFd(int fd, uint32_t events, FdCallback callback);
  void RemoveFd(int fd);

  // Runs until Stop. The calling thread is the loop's thread until it returns.
  void Run();
  // Thread-safe: Run returns after the callback that is running. Before Run: the next Run returns
  // at once.
  void Stop();

  // How often the loop has woken up or looked for work.
  uint64_t turns() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tributary
