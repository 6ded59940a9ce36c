#include "agent/remote/record_filter.h"

#include <algorithm>
#include <iterator>

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

RecordFilter::Removed RecordFilter::CountRemoved(const GroupSamples& samples) const {
  Removed removed;
  for (const OwnSample& own : samples.own) removed.before_start.samples += IsOld(own.timestamp);
  if (samples.irregular == nullptr) return removed;
  if (!exemplars_) removed.unwanted.exemplars = samples.irregular->exemplars.size();
  for (const HistogramSample& sample : samples.irregular->histograms) {
    if (!histograms_) {
      removed.unwanted.histograms++;
    } else if (IsOld(sample.timestamp)) {
      removed.before_start.histograms++;
    } else if (!CanCarry(sample)) {
      removed.custom_buckets.histograms++;
    }
  }
  return removed;
}

RecordFilter::Removed RecordFilter::Apply(std::shared_ptr<const GroupSamples>& samples) const {
  if (samples->own.empty() && samples->irregular == nullptr) return {};
  const Removed removed = CountRemoved(*samples);
  const SampleCounts all = removed.unwanted + removed.before_start + removed.custom_buckets;
  if (all.total() == 0) return removed;
  auto kept = std::make_shared<GroupSamples>(*samples);
  std::erase_if(kept->own, [this](const OwnSample& own) { return IsOld(own.timestamp); });
  if (all.histograms + all.exemplars > 0) {
    auto irregular = std::make_shared<IrregularSamples>();
    std::copy_if(samples->irregular->histograms.begin(), samples->irregular->histograms.end(),
                 std::back_inserter(irregular->histograms),
                 [this](const HistogramSample& sample) { return Takes(sample); });
    if (exemplars_) irregular->exemplars = samples->irregular->exemplars;
    const bool none = irregular->histograms.empty() && irregular->exemplars.empty();
    kept->irregular = none ? nullptr : std::move(irregular);
  }
  samples = std::move(kept);
  return removed;
}

}  // namespace tributary
