// Answers /federate, on threads of its own: a page is made as its client takes it, which may be
// slow, and must not keep the other handlers' threads.
//
// Two pages at a time; eight more requests wait, what is beyond that is a 503. An answer has the
// time that the client says it has (X-Prometheus-Scrape-Timeout-Seconds), a minute if it says
// nothing, two at most; then it is broken off, as it is where the client goes. It is chunked, so
// the client sees whether it has all of it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>

#include <httplib.h>

#include "agent/federate/federate_page.h"
#include "agent/web/web_counters.h"
#include "common/base/status.h"

namespace tributary {

class Conversation;

struct FederateDoorOptions {
  std::function<bool()> ready;  // thread-safe, as is this one, which may block for some seconds
  std::function<Result<FederateSource>()> source;
  std::shared_ptr<WebCounters> counters;
};

bool IsFederate(std::string_view head);

class FederateDoor {
 public:
  explicit FederateDoor(FederateDoorOptions options);
  ~FederateDoor();  // breaks off the pages under way

  // Does not block.
  void Pass(std::unique_ptr<Conversation> conversation);

 private:
  void Serve(Conversation& conversation);
  void Answer(Conversation& conversation);
  // False: broken off.
  bool SendPage(Conversation& conversation, FederatePage& page, bool chunked);

  const FederateDoorOptions options_;
  std::atomic<bool> stopping_{false};
  std::atomic<size_t> waiting_{0};
  std::mutex mutex_;
  std::set<Conversation*> under_way_;  // by the mutex
  httplib::ThreadPool pool_;
};

}  // namespace tributary
