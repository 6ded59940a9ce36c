// Accepts connections and waits for their requests, all in one thread, so that a client that says
// nothing, or one byte a second, costs no thread. A request whose head is complete goes to one of
// three doors:
//
//   probes    /-/healthy and /-/ready, answered by this very thread, which never waits for anything
//   write     /api/v1/write, handed over with its connection to a worker's loop
//   else the rest  handed over, to threads that may be busy for seconds
//
// So health is answered in microseconds whatever the others do. Bounds: `waiting_max` silent
// connections (beyond it the longest-waiting one goes), `head_bytes_max`, `head_timeout` for the
// handshake of TLS, if there is one, and the whole head.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "agent/access/channel.h"
#include "agent/access/web_access.h"
#include "agent/web/web_counters.h"
#include "agent/web/write_visitor.h"

namespace tributary {

class Conversation;

struct ReceptionOptions {
  int listen_fd = -1;           // outlives the reception
  WebAccess* access = nullptr;  // outlives the reception; null: plain HTTP for everybody
  std::shared_ptr<WebCounters> counters = std::make_shared<WebCounters>();
  // Connections that come back from the door `write`; null: none do.
  std::shared_ptr<VisitorReturns> returns = nullptr;
  size_t waiting_max = 64;
  size_t head_bytes_max = 16 * 1024;
  std::chrono::milliseconds head_timeout{5000};
};

class Reception {
 public:
  // Both are called on the reception's thread and must not block.
  struct Doors {
    std::function<void(std::unique_ptr<Conversation>)> probe;
    std::function<void(std::unique_ptr<Conversation>)> write;
    std::function<void(std::unique_ptr<Conversation>)> work;
  };

  Reception(ReceptionOptions options, Doors doors);
  ~Reception();  // stops; those still waiting are closed

 private:
  using Clock = std::chrono::steady_clock;
  struct Visitor {
    std::unique_ptr<Channel> channel;
    std::shared_ptr<const WebTerms> terms;
    std::string head;
    Clock::time_point deadline;
  };
  enum class Progress { kWaiting, kComplete, kTooLarge, kGone };

  void Run();
  void Round();
  void Accept();
  void Welcome(Visitor visitor);
  void TakeReturns();
  void Wake();
  Progress Read(Visitor& visitor);
  // True if the visitor is done with here.
  bool Advance(Visitor& visitor);
  void Expire();
  int PollTimeoutMs() const;

  const ReceptionOptions options_;
  const Doors doors_;
  std::list<Visitor> visitors_;  // oldest first; the thread's
  bool accept_paused_ = false;   // out of descriptors: not again before the next round
  std::atomic<bool> stopping_ = false;
  int wake_fd_ = -1;
  std::thread thread_;
};

// "GET /-/healthy HTTP/1.1..." and its like: a request that the reception answers itself.
bool IsProbe(std::string_view head);

// Header lines that all answers have, each with its end. `terms`: null: none.
std::string StandingHeaders(const WebTerms* terms);

// A whole response of plain text, for what is refused before there is a request. `terms`: null:
// none. `more`: further header lines, each with its end.
std::string RefusalResponse(std::string_view status, std::string_view message,
                            const WebTerms* terms = nullptr, std::string_view more = "");

}  // namespace tributary
