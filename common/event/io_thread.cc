#include "common/event/io_thread.h"

#include <pthread.h>

#include <csignal>
#include <utility>

namespace tributary {

IoThread::IoThread(EventLoop& loop, Tells tells) : loop_(loop), tells_(tells) {
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
    piece.work();
    piece.work = nullptr;
    lock.lock();
    const bool has_more = !pieces_.empty();
    lock.unlock();
    Finish(std::move(piece.done), has_more);
    lock.lock();
  }
}

void IoThread::Finish(std::function<void()> done, bool has_more) {
  bool post;
  {
    const std::lock_guard lock(finished_->mutex);
    finished_->waiting.push_back(std::move(done));
    // A post that has not run yet takes all with it.
    post = !finished_->posted && !(has_more && tells_ == Tells::kTogether);
    finished_->posted |= post;
  }
  if (post) loop_.Post([finished = finished_] { finished->RunAll(); });
}

void IoThread::Finished::RunAll() {
  std::deque<std::function<void()>> batch;
  {
    const std::lock_guard lock(mutex);
    batch.swap(waiting);
    posted = false;
  }
  for (std::function<void()>& done : batch) {
    if (!alive) return;
    std::exchange(done, nullptr)();
  }
}

}  // namespace tributary
