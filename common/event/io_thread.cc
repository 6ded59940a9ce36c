#include "common/event/io_thread.h"

#include <pthread.h>

#include <utility>

namespace tributary {

IoThread::IoThread(EventLoop& loop) : loop_(loop), thread_([this] { Loop(); }) {
  pthread_setname_np(thread_.native_handle(), "io");
}

IoThread::~IoThread() {
  *alive_ = false;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void IoThread::Run(std::function<void()> work, std::function<void()> done) {
  {
    const std::lock_guard lock(mutex_);
    pieces_.push_back({std::move(work), std::move(done)});
  }
  wake_.notify_one();
}

void IoThread::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stop_ || !pieces_.empty(); });
    if (pieces_.empty()) return;
    Piece piece = std::move(pieces_.front());
    pieces_.pop_front();
    lock.unlock();
    piece.work();
    // The loop's thread destroys what `done` holds.
    loop_.Post([alive = alive_, done = std::move(piece.done)] {
      if (*alive) done();
    });
    piece.work = nullptr;
    lock.lock();
  }
}

}  // namespace tributary
