// What a remote takes of the log's records: the kinds that it is configured to send, and nothing
// from before its start. A value; pure.
#pragma once

#include <memory>

#include "agent/series/samples.h"
#include "common/base/time.h"
#include "common/config/model.h"

namespace tributary {

class RecordFilter {
 public:
  struct Removed {
    // Of kinds that the remote does not take. Prometheus does not even read them.
    SampleCounts unwanted;
    // Not later than the start: pages with times of their own may hold much older samples. As in
    // Prometheus (tsdb/wlog/watcher.go), exemplars are sent whatever their times.
    SampleCounts before_start;
    // Histograms that the protocol cannot carry (QueueManager.AppendHistograms).
    SampleCounts custom_buckets;
  };

  RecordFilter(const RemoteWriteConfig& config, TimestampMs start);

  // Replaces `samples` by a copy if something is to be left out. One null check if it has only
  // floats at its own time.
  Removed Apply(std::shared_ptr<const GroupSamples>& samples) const;
  // Of these, those of the kinds that the remote takes.
  SampleCounts Wanted(SampleCounts counts) const;

 private:
  bool IsOld(TimestampMs timestamp) const { return timestamp <= start_; }
  bool CanCarry(const HistogramSample& sample) const {
    return custom_buckets_ || !sample.custom_buckets;
  }
  bool Takes(const HistogramSample& sample) const {
    return histograms_ && !IsOld(sample.timestamp) && CanCarry(sample);
  }
  Removed CountRemoved(const GroupSamples& samples) const;

  TimestampMs start_;
  bool histograms_;
  bool custom_buckets_;
  bool exemplars_;
};

}  // namespace tributary
