#include "agent/remote/record_filter.h"

#include <algorithm>

namespace tributary {

// Native histograms are sent where send_native_histograms says so, with version 2.0 too:
// Prometheus' manual has it as always on there, but its code (storage/remote/write.go) does not.
RecordFilter::RecordFilter(const RemoteWriteConfig& config, TimestampMs start)
    : start_(start),
      histograms_(config.send_native_histograms),
      custom_buckets_(config.message != RemoteWriteMessage::kV1),
      exemplars_(config.send_exemplars) {}

SampleCounts RecordFilter::Wanted(SampleCounts counts) const {
  if (!histograms_) counts.histograms = 0;
  if (!exemplars_) counts.exemplars = 0;
  return counts;
}

RecordFilter::Removed RecordFilter::Apply(std::shared_ptr<const GroupSamples>& samples) const {
  if (samples->own.empty() && samples->irregular == nullptr) return {};
  return Strip(samples);
}

RecordFilter::Removed RecordFilter::Strip(std::shared_ptr<const GroupSamples>& samples) const {
  Removed removed;
  auto is_older = [this](const OwnSample& own) { return own.timestamp <= start_; };
  removed.before_start.samples =
      static_cast<uint64_t>(std::count_if(samples->own.begin(), samples->own.end(), is_older));
  auto irregular = std::make_shared<IrregularSamples>();
  if (samples->irregular != nullptr) {
    for (const HistogramSample& sample : samples->irregular->histograms) {
      if (!histograms_) {
        removed.unwanted.histograms++;
      } else if (sample.timestamp <= start_) {
        removed.before_start.histograms++;
      } else if (sample.custom_buckets && !custom_buckets_) {
        removed.custom_buckets.histograms++;
      } else {
        irregular->histograms.push_back(sample);
      }
    }
    if (exemplars_) {
      irregular->exemplars = samples->irregular->exemplars;
    } else {
      removed.unwanted.exemplars = samples->irregular->exemplars.size();
    }
  }
  const SampleCounts all = removed.unwanted + removed.before_start + removed.custom_buckets;
  if (all.total() == 0) return removed;
  auto kept = std::make_shared<GroupSamples>(*samples);
  std::erase_if(kept->own, is_older);
  if (all.histograms + all.exemplars > 0) {
    const bool none = irregular->histograms.empty() && irregular->exemplars.empty();
    kept->irregular = none ? nullptr : std::move(irregular);
  }
  samples = std::move(kept);
  return removed;
}

}  // namespace tributary
