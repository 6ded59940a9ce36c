// A WorkQueue on a thread of its own.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "common/event/event_loop.h"
#include "common/event/work_queue.h"

namespace tributary {

class IoThread : public WorkQueue {
 public:
  // `loop` runs what is done; it must outlive it.
  explicit IoThread(EventLoop& loop);
  // On the loop's thread, or when the loop runs no more.
  ~IoThread() override;
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  void Run(std::function<void()> work, std::function<void()> done) override;

 private:
  struct Piece {
    std::function<void()> work, done;
  };
  void Loop();

  EventLoop& loop_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Piece> pieces_;
  bool stop_ = false;
  // Of the loop's thread: whether what is posted may still run.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::thread thread_;
};

}  // namespace tributary
