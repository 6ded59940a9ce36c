// A request of remote write that somebody sends to us, and our answer, whatever brings them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "agent/series/samples.h"

namespace tributary {

struct IncomingWrite {
  std::string content_type, content_encoding;  // "" where it does not say
  std::string body;
  std::string sender = "";  // whose limits it counts towards: a user, else an address
};

struct WriteAnswer {
  int status = 0;
  std::string text;            // for people: one line without its end
  bool tells_written = false;  // of 2.0
  SampleCounts written;
  uint32_t retry_after_s = 0;  // 0: does not say
};

using WriteDone = std::function<void(WriteAnswer)>;

}  // namespace tributary
