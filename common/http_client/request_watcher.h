// Watches one call of an HttpClient: each request of its way, the first and those that follow a
// redirect.
//
// One thread (the loop's). It must live until its call's handler has heard OnDone, or until Cancel.
#pragma once

#include "common/http/transport.h"

namespace tributary {

class RequestWatcher {
 public:
  virtual ~RequestWatcher() = default;
  // About to be sent. Headers that it adds are not signed. Those that it gave the request before a
  // redirect are still there.
  virtual void OnSend(HttpRequest& request) = 0;
  // The answer has come, a redirect too.
  virtual void OnHead(const HttpResponseHead& head) = 0;
  // The request that was sent last has ended.
  virtual void OnEnd(const HttpOutcome& outcome) = 0;
};

}  // namespace tributary
