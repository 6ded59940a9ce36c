// A WorkQueue on a thread of its own, which is named "io" and takes no signals.
//
// What `work` holds is destroyed on that thread as soon as it has run, what `done` holds on the
// loop's, or with the queue. Not bounded: its users are.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "common/event/event_loop.h"
#include "common/event/work_queue.h"

namespace tributary {

class IoThread : public WorkQueue {
 public:
  // `loop` runs what is done; it must outlive it.
  explicit IoThread(EventLoop& loop);
  // On the loop's thread, also in a `done`, or when the loop runs no more. Blocks until what was
  // handed in has finished.
  ~IoThread() override;
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  void Run(std::function<void()> work, std::function<void()> done) override;
  void RunQuietly(std::function<bool()> work, std::function<void()> done) override;

 private:
  struct Piece {
    std::function<bool()> work;
    std::function<void()> done;
  };
  // What is done, on its way to the loop; a post to it may come after the queue's end.
  struct Finished {
    void RunAll();

    std::mutex mutex;
    std::deque<std::function<void()>> waiting;  // guarded by mutex
    // Guarded by mutex: whether the loop will run them, and whether it was woken for it.
    bool posted = false, woken = false;
    bool alive = true;  // of the loop's thread
  };

  void Loop();
  void Finish(std::function<void()> done, bool wake);

  EventLoop& loop_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Piece> pieces_;  // guarded by mutex_
  bool stop_ = false;         // guarded by mutex_
  const std::shared_ptr<Finished> finished_ = std::make_shared<Finished>();
  std::thread thread_;
};

}  // namespace tributary
