#include "common/event/io_thread.h"

#include <pthread.h>

#include <csignal>
#include <utility>

namespace tributary {

IoThread::IoThread(EventLoop& loop) : loop_(loop) {
  // A thread begins with the mask of the one that makes it: signals are for the control thread.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { Loop(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

IoThread::~IoThread() {
  finished_->alive = false;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
  // Now, as a post may lie in the loop's inbox for ever. Unlocked: what they hold may do anything.
  std::deque<std::function<void()>> unrun;
  const std::lock_guard lock(finished_->mutex);
  unrun.swap(finished_->waiting);
}

void IoThread::Run(std::function<void()> work, std::function<void()> done) {
  RunQuietly(
      [work = std::move(work)] {
        work();
        return true;
      },
      std::move(done));
}

void IoThread::RunQuietly(std::function<bool()> work, std::function<void()> done) {
  {
    const std::lock_guard lock(mutex_);
    pieces_.push_back({std::move(work), std::move(done)});
  }
  wake_.notify_one();
}

void IoThread::Loop() {
  pthread_setname_np(pthread_self(), "io");
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stop_ || !pieces_.empty(); });
    if (pieces_.empty()) return;
    Piece piece = std::move(pieces_.front());
    pieces_.pop_front();
    lock.unlock();
    const bool wake = piece.work();
    piece.work = nullptr;
    Finish(std::move(piece.done), wake);
    lock.lock();
  }
}

void IoThread::Finish(std::function<void()> done, bool wake) {
  {
    const std::lock_guard lock(finished_->mutex);
    finished_->waiting.push_back(std::move(done));
    // A post that has not run yet takes all with it.
    if (wake ? finished_->woken : finished_->posted) return;
    finished_->posted = true;
    finished_->woken |= wake;
  }
  EventLoop::Callback run = [finished = finished_] { finished->RunAll(); };
  wake ? loop_.Post(std::move(run)) : loop_.PostQuietly(std::move(run));
}

void IoThread::Finished::RunAll() {
  std::deque<std::function<void()>> batch;
  {
    const std::lock_guard lock(mutex);
    batch.swap(waiting);
    posted = woken = false;
  }
  for (std::function<void()>& done : batch) {
    if (!alive) return;
    std::exchange(done, nullptr)();
  }
}

}  // namespace tributary
