// A blocking HTTP client for tests: one request, one connection to 127.0.0.1, one answer.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/time.h"

namespace tributary {

struct HttpReply {
  int status = 0;  // 0: no whole answer in time
  std::string head;
  std::string body;
};

HttpReply HttpAsk(uint16_t port, const std::string& method, const std::string& target,
                  nanoseconds timeout = seconds(10));

}  // namespace tributary
