// A connection on which somebody sends remote write, on its way between the threads that have to do
// with it: the reception, which knows who may come, and the loop of the worker that serves it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "agent/access/channel.h"
#include "agent/access/web_access.h"

namespace tributary {

struct WriteVisitor {
  std::unique_ptr<Channel> channel;
  std::string bytes;  // read and not yet served, from the beginning of a request on
  std::shared_ptr<const WebTerms> terms;  // null: none
};

// Takes back connections for the reception: those whose next request is for another, or has to be
// looked at anew. Thread-safe; each connection is taken once, or closed at the end.
class VisitorReturns {
 public:
  void Put(WriteVisitor visitor) {
    const std::lock_guard lock(mutex_);
    if (!wake_) return;  // nobody takes them any more
    visitors_.push_back(std::move(visitor));
    wake_();
  }
  std::vector<WriteVisitor> TakeAll() {
    const std::lock_guard lock(mutex_);
    return std::exchange(visitors_, {});
  }
  // `wake` is called with the lock held, after each. Null: no more.
  void SetWake(std::function<void()> wake) {
    const std::lock_guard lock(mutex_);
    wake_ = std::move(wake);
  }

 private:
  std::mutex mutex_;
  std::function<void()> wake_;
  std::vector<WriteVisitor> visitors_;
};

}  // namespace tributary
