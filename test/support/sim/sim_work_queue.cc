#include "test/support/sim/sim_work_queue.h"

#include <algorithm>

namespace tributary {

void SimWorkQueue::Run(std::function<void()> work, std::function<void()> done) {
  RunQuietly(
      [work = std::move(work)] {
        work();
        return true;
      },
      std::move(done));
}

void SimWorkQueue::RunQuietly(std::function<bool()> work, std::function<void()> done) {
  pieces_.push_back({std::move(work), std::move(done)});
  if (pieces_.size() == 1) Begin();
}

void SimWorkQueue::set_latency(nanoseconds min, nanoseconds max) {
  latency_min_ = min;
  latency_max_ = max;
}

void SimWorkQueue::StallUntil(MonotonicTime time) {
  stalled_until_ = time;
  if (timer_.active() && !starting_) Wait();
}

void SimWorkQueue::Begin() {
  end_ = loop_.Now() + random_.Between(latency_min_, latency_max_);
  starting_ = execution_ == Execution::kAtStart ||
              (execution_ == Execution::kRandom && random_.Below(2) == 0);
  if (!starting_) return Wait();
  // Not inside Run: it is another thread that begins.
  timer_.SetAfter(nanoseconds(0), [this] {
    starting_ = false;
    Execute();
    Wait();
  });
}

void SimWorkQueue::Wait() {
  timer_.Set(std::max(end_, stalled_until_), [this] { End(); });
}

void SimWorkQueue::Execute() {
  Piece& piece = pieces_.front();
  if (const auto work = std::exchange(piece.work, nullptr)) piece.tells = work();
}

void SimWorkQueue::End() {
  Execute();
  const bool tells = pieces_.front().tells;
  done_.push_back(std::move(pieces_.front().done));
  pieces_.pop_front();
  if (!pieces_.empty()) Begin();
  if (tells) return Tell();
  loop_.PostQuietly([this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) Tell();
  });
}

void SimWorkQueue::Tell() {
  const std::weak_ptr<bool> alive = alive_;
  for (const std::function<void()>& done : std::exchange(done_, {})) {
    if (alive.expired()) return;
    done();
  }
}

std::function<void()> SimWorkQueue::TakeUnderWay() {
  timer_.Cancel();
  if (pieces_.empty()) return nullptr;
  return std::exchange(pieces_.front().work, nullptr);
}

void SimWorkQueue::Finish() {
  timer_.Cancel();
  std::deque<Piece> pieces = std::exchange(pieces_, {});
  for (const Piece& piece : pieces) {
    if (piece.work) piece.work();
  }
}

}  // namespace tributary
