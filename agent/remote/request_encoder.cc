#include "agent/remote/request_encoder.h"

#include <algorithm>
#include <limits>

namespace tributary {

void RequestEncoder::Begin(TimestampMs known_old, TimestampMs oldest) {
  known_old_ = known_old;
  oldest_ = oldest;
  earliest_ = std::numeric_limits<TimestampMs>::max();
  latest_ = std::numeric_limits<TimestampMs>::min();
  written_ = too_old_ = {};
  // Another group may have come to the same address since.
  decoded_ = nullptr;
}

bool RequestEncoder::Takes(Wanted& wanted, TimestampMs timestamp, uint64_t SampleCounts::*kind) {
  const uint64_t entry = wanted.entry++;
  const EntrySelection* selection = wanted.selection;
  if (!wanted.range.Has(entry)) return false;
  if (selection != nullptr && !selection->Has(entry - wanted.range.skip)) return false;
  if (timestamp < oldest_) {
    if (timestamp >= known_old_) (too_old_.*kind)++;
    if (selection != nullptr) {
      (*selection->gone)[(*selection->numbers)[entry - wanted.range.skip]] = 1;
    }
    return false;
  }
  (written_.*kind)++;
  earliest_ = std::min(earliest_, timestamp);
  latest_ = std::max(latest_, timestamp);
  return true;
}

SeriesV2 RequestEncoder::SeriesOf(const GroupSamples& samples, uint32_t series,
                                  std::string_view labels) const {
  const FamilyMetadata* family =
      samples.metadata == nullptr ? nullptr : samples.metadata->Of(series);
  if (family == nullptr) return {labels, MetricType::kUnknown, {}, {}};
  return {labels, family->type, family->help, family->unit};
}

void RequestEncoder::Add(const GroupSamples& samples, const PreparedGroup& prepared, uint32_t chunk,
                         EntryRange range, const EntrySelection* selection) {
  if (decoded_ != &prepared || decoded_chunk_ != chunk) {
    prepared.Encoded(chunk, label_bytes_, labels_);
    decoded_ = &prepared;
    decoded_chunk_ = chunk;
  }
  const uint32_t begin = prepared.begin(chunk);
  Wanted wanted{range, selection};
  ForEachFloat(samples, prepared, chunk, [&](uint32_t series, TimestampMs timestamp, double value) {
    if (!Takes(wanted, timestamp, &SampleCounts::samples)) return;
    const std::string_view labels = labels_[series - begin];
    if (is_v1_) return v1_.AddSample(labels, value, timestamp);
    const bool has_start = samples.starts != nullptr && !IsStaleNan(value);
    v2_.AddSample(SeriesOf(samples, series, labels), value, timestamp,
                  has_start ? (*samples.starts)[series] : 0);
  });
  ForEachIrregular(
      samples, prepared, chunk,
      [&](const HistogramSample& sample) {
        if (!Takes(wanted, sample.timestamp, &SampleCounts::histograms)) return;
        const std::string_view labels = labels_[sample.index - begin];
        if (is_v1_) return v1_.AddHistogram(labels, sample.encoded, sample.timestamp);
        v2_.AddHistogram(SeriesOf(samples, sample.index, labels), sample.encoded, sample.timestamp,
                         sample.start);
      },
      [&](const ExemplarSample& sample) {
        if (!Takes(wanted, sample.timestamp, &SampleCounts::exemplars)) return;
        const std::string_view labels = labels_[sample.index - begin];
        const std::string own = EncodeLabels(UnpackLabels(sample.labels));
        if (is_v1_) return v1_.AddExemplar(labels, own, sample.value, sample.timestamp);
        v2_.AddExemplar(SeriesOf(samples, sample.index, labels), own, sample.value,
                        sample.timestamp);
      });
}

std::string RequestEncoder::Finish() {
  if (written_.total() == 0) return "";
  if (!is_v1_) return v2_.Finish();
  std::string body = v1_.Finish();
  // Idle queues keep no room for a request.
  v1_ = WriteRequestBuilder();
  return body;
}

}  // namespace tributary
