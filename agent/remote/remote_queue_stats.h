// What a RemoteQueue counts: samples, histograms and exemplars, each by itself.
#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <utility>

#include "agent/remote/dead_letter.h"
#include "agent/series/samples.h"

namespace tributary {

// Why something was read from the log and not sent.
enum class DropReason : uint8_t {
  kSeries,          // the remote's rules drop its series
  kTooOld,          // over sample_age_limit
  kLogFull,         // gone from the log before the queue came to it
  kBeforeStart,     // from before the queue's start
  kCustomBuckets,   // a histogram that remote write 1.0 cannot carry
  kSwitchedOff,     // a reload says that the remote takes no more of its kind
  kLogDamaged,      // could not be read from the log
  kRefused,         // of a series that the receiver has refused three times in a row
  kMaybeDuplicate,  // refused, and may have been delivered before a crash
  kSeriesLimit,     // the remote has as many series as it may
  kOtherRemote,     // of a series that goes to other remotes with which it is shared
};
inline constexpr size_t kDropReasons = 11;

// As metrics and the API call them. Prometheus has the names of the first two and of
// kCustomBuckets.
inline constexpr std::pair<DropReason, const char*> kDropReasonNames[] = {
    {DropReason::kSeries, "dropped_series"},
    {DropReason::kTooOld, "too_old"},
    {DropReason::kLogFull, "log_full"},
    {DropReason::kBeforeStart, "before_start"},
    {DropReason::kCustomBuckets, "nhcb_in_rw1_not_supported"},
    {DropReason::kSwitchedOff, "switched_off"},
    {DropReason::kLogDamaged, "log_damaged"},
    {DropReason::kRefused, "refused"},
    {DropReason::kMaybeDuplicate, "maybe_duplicate"},
    {DropReason::kSeriesLimit, "series_limit"},
    {DropReason::kOtherRemote, "other_remote"},
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
  uint64_t credential_waits = 0;  // requests answered with 401 or 403 and kept
  uint64_t splits = 0, split_requests = 0;
  uint64_t split_waits = 0;  // requests that had to wait for another's split
  uint64_t parked = 0;       // requests that were answered with 429 for so long that others went on
  uint64_t probes = 0;       // of quarantined series
  uint64_t fallbacks = 0;    // to remote write 1.0
  uint64_t framed = 0;       // samples of bodies that came by frames; written again: again
  DeadLetterStats dead_letters;

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
    credential_waits += other.credential_waits;
    splits += other.splits;
    split_requests += other.split_requests;
    split_waits += other.split_waits;
    parked += other.parked;
    probes += other.probes;
    fallbacks += other.fallbacks;
    framed += other.framed;
    dead_letters.written += other.dead_letters.written;
    dead_letters.lost += other.dead_letters.lost;
    dead_letters.failures += other.dead_letters.failures;
    return *this;
  }
};

}  // namespace tributary
