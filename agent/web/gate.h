// Lets in who may come: the users of --web.config.file.
//
// Who has been let in before costs microseconds on the caller's thread, and so does who brings no
// credentials. All others wait for one thread that computes one hash at a time, 16 of them at most;
// beyond that the answer is 503. So neither guesses nor many clients take more than one core, and
// who has come before, as a probe of health has, never waits behind them.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include <httplib.h>

#include "agent/access/password_check.h"
#include "agent/web/web_counters.h"

namespace tributary {

class Conversation;

class Gate {
 public:
  using Door = std::function<void(std::unique_ptr<Conversation>)>;

  Gate(PasswordCheck& passwords, WebCounters& counters)
      : passwords_(passwords), counters_(counters), pool_(1) {}
  ~Gate();  // those who wait are sent away; a hash under way is waited for

  // `door`, which must not block, is called here or on the gate's thread, or not at all: then who
  // came has been answered.
  void Pass(std::unique_ptr<Conversation> conversation, Door door);

 private:
  void Refuse(Conversation& conversation);

  PasswordCheck& passwords_;
  WebCounters& counters_;
  std::atomic<bool> stopping_{false};
  std::atomic<size_t> waiting_{0};
  httplib::ThreadPool pool_;
};

}  // namespace tributary
