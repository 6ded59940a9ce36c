// Times in frames: varints of six bytes, which all times from February 1971 to May 2109 are. Others
// cannot be patched into a hole of fixed size: longer varints than needed are not what strict
// receivers expect.
#pragma once

#include <cstdint>

#include "agent/frame/hole_compressor.h"
#include "common/base/time.h"

namespace tributary {

inline bool FitsFrame(TimestampMs timestamp) {
  return timestamp >= TimestampMs{1} << (7 * (kTimeBytes - 1)) &&
         timestamp < TimestampMs{1} << (7 * kTimeBytes);
}

// Writes kTimeBytes bytes. The time has to fit.
inline void PutFrameTime(TimestampMs timestamp, char* at) {
  auto rest = static_cast<uint64_t>(timestamp);
  for (size_t i = 0; i + 1 < kTimeBytes; i++, rest >>= 7) {
    at[i] = static_cast<char>(static_cast<uint8_t>(rest | 128));
  }
  at[kTimeBytes - 1] = static_cast<char>(static_cast<uint8_t>(rest));
}

}  // namespace tributary
