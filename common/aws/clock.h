// The time that AWS' services go by: the wall clock, and what they have shown it to be off by.
// Refused requests say their server's time; where it is more than five minutes away from what was
// signed, the difference is kept.
//
// One thread (the loop's).
#pragma once

#include <cstdint>

#include "common/event/event_loop.h"
#include "common/http/transport.h"

namespace tributary {

class AwsClock {
 public:
  explicit AwsClock(EventLoop& loop) : loop_(loop) {}

  TimestampMs Now() const { return loop_.WallMs() + offset_.count(); }
  uint64_t corrections() const { return corrections_; }
  // Of any answer. Whether the offset has changed.
  bool Learn(const HttpResponseHead& head);

 private:
  EventLoop& loop_;
  milliseconds offset_{0};
  uint64_t corrections_ = 0;
};

}  // namespace tributary
