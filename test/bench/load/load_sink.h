// What an agent sends, counted at the receiver.
#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "common/base/status.h"
#include "common/base/time.h"

namespace tributary {

struct LoadCounts {
  uint64_t requests = 0;
  uint64_t wire_bytes = 0;
  uint64_t samples = 0;
  uint64_t duplicates = 0;    // of a series and time
  uint64_t out_of_order = 0;  // older than what the series had
  uint64_t missing = 0;       // scrapes between two that came, by series
  std::vector<int64_t>
      delays_ms;  // of requests: from the time of their last sample to their arrival
};

// Thread-safe.
class LoadSink {
 public:
  explicit LoadSink(milliseconds interval) : interval_(interval) {}

  // How many samples it has, if it can be read.
  Result<size_t> Take(std::string_view body, std::string_view content_type, TimestampMs now);
  // Of the targets' own series: those that an agent adds are not counted.
  size_t series() const;
  LoadCounts counts() const;
  void ResetCounts();

 private:
  const milliseconds interval_;
  mutable std::mutex mutex_;
  boost::unordered_flat_map<uint64_t, TimestampMs> last_;
  LoadCounts counts_;
};

}  // namespace tributary
