// The two times of the agent. Neither is ever read from the system here: EventLoop hands them out.
#pragma once

#include <chrono>
#include <cstdint>

namespace tributary {

// Wall-clock time of samples: milliseconds since the Unix epoch, as Prometheus and remote_write use it.
using TimestampMs = int64_t;

// Time that never steps: for timers, timeouts and durations.
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

}  // namespace tributary
