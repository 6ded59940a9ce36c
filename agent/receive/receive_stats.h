// What a worker has received, and what it did not take.
#pragma once

#include <array>
#include <cstdint>
#include <map>

#include "agent/series/samples.h"

namespace tributary {

// Why a sample of a request is not taken.
enum class ReceiveRefusal : uint8_t {
  kInvalidLabels,     // no name, a label twice, not UTF-8, a symbol that is not there
  kLabelLimit,        // too many labels, or too long ones
  kOutOfOrder,        // before the last one of its series
  kConflict,          // at the time of the last one, with another value
  kTooFarAhead,       // of our clock
  kInvalidHistogram,  // buckets and spans do not fit
  kSeriesLimit,       // a new series, and its sender has as many as it may have
  kMemory,            // a new series while memory is short; the sender is to try again
};
inline constexpr size_t kReceiveRefusals = 8;
const char* ReceiveRefusalName(ReceiveRefusal refusal);

struct ReceiveStats {
  SampleCounts taken;                                // and put into the log
  SampleCounts repeated;                             // had been taken before
  SampleCounts deduplicated;                         // of replicas that are not elected
  std::array<uint64_t, kReceiveRefusals> refused{};  // samples and histograms
  uint64_t exemplars_out_of_order = 0, exemplars_invalid = 0;
  uint64_t without_metadata = 0;  // samples and histograms of 2.0
  uint64_t families_dropped = 0;  // metadata of 1.0: without a name, or over its limit of memory
  uint64_t replica_names_over_limit = 0;  // series that are kept with the label of their replica
  uint64_t body_bytes = 0, decoded_bytes = 0;
  std::map<int, uint64_t> answers;  // by status
};

}  // namespace tributary
