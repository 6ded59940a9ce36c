// What a RemoteQueue counts: samples, histograms and exemplars, each by itself.
#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <utility>

#include "agent/series/samples.h"

namespace tributary {

// Why something was read from the log and not sent.
enum class DropReason : uint8_t {
  kSeries,         // the remote's rules drop its series
  kTooOld,         // over sample_age_limit
  kLogFull,        // gone from the log before the queue came to it
  kBeforeStart,    // from before the queue's start
  kCustomBuckets,  // a histogram that remote write 1.0 cannot carry
  kSwitchedOff,    // a reload says that the remote takes no more of its kind
  kLogDamaged,     // could not be read from the log
};
inline constexpr size_t kDropReasons = 7;

// As metrics and the API call them. Prometheus has the names of the first two and of kCustomBuckets.
inline constexpr std::pair<DropReason, const char*> kDropReasonNames[] = {
    {DropReason::kSeries, "dropped_series"},
    {DropReason::kTooOld, "too_old"},
    {DropReason::kLogFull, "log_full"},
    {DropReason::kBeforeStart, "before_start"},
    {DropReason::kCustomBuckets, "nhcb_in_rw1_not_supported"},
    {DropReason::kSwitchedOff, "switched_off"},
    {DropReason::kLogDamaged, "log_damaged"},
};
static_assert(std::size(kDropReasonNames) == kDropReasons);

class DropCounts {
 public:
  SampleCounts& operator[](DropReason reason) { return counts_[static_cast<size_t>(reason)]; }
  const SampleCounts& operator[](DropReason reason) const {
    return counts_[static_cast<size_t>(reason)];
  }
  SampleCounts total() const {
    return std::accumulate(counts_.begin(), counts_.end(), SampleCounts{});
  }
  DropCounts& operator+=(const DropCounts& other) {
    for (size_t i = 0; i < counts_.size(); i++) counts_[i] += other.counts_[i];
    return *this;
  }

 private:
  std::array<SampleCounts, kDropReasons> counts_{};
};

// At all times read = sent + failed + dropped.total() + what is pending, for each kind.
struct RemoteQueueStats {
  SampleCounts read;      // of the kinds that the remote takes
  SampleCounts unwanted;  // of others, which are passed over
  SampleCounts sent, failed, retried;
  DropCounts dropped;
  uint64_t bytes_sent = 0, requests = 0;

  SampleCounts finished() const { return sent + failed + dropped.total(); }
  RemoteQueueStats& operator+=(const RemoteQueueStats& other) {
    read += other.read;
    unwanted += other.unwanted;
    sent += other.sent;
    failed += other.failed;
    retried += other.retried;
    dropped += other.dropped;
    bytes_sent += other.bytes_sent;
    requests += other.requests;
    return *this;
  }
};

}  // namespace tributary
