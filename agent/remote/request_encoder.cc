#include "agent/remote/request_encoder.h"

#include <algorithm>
#include <limits>

#include "common/base/assert.h"

namespace tributary {

void RequestEncoder::Begin(TimestampMs known_old, TimestampMs oldest, const FrameSymbols* symbols) {
  CHECK(symbols == nullptr || !is_v1_);
  takes_blocks_ = is_v1_ || symbols != nullptr;
  frames_ = symbols == nullptr ? FrameRequest() : FrameRequest(*symbols);
  known_old_ = known_old;
  oldest_ = oldest;
  earliest_ = std::numeric_limits<TimestampMs>::max();
  latest_ = std::numeric_limits<TimestampMs>::min();
  written_ = too_old_ = {};
  framed_ = 0;
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

void RequestEncoder::Decode(const PreparedGroup& prepared, uint32_t chunk) {
  if (decoded_ == &prepared && decoded_chunk_ == chunk) return;
  prepared.Encoded(chunk, label_bytes_, labels_);
  decoded_ = &prepared;
  decoded_chunk_ = chunk;
}

void RequestEncoder::AddFloat(const GroupSamples& samples, const PreparedGroup& prepared,
                              uint32_t series, TimestampMs timestamp, double value) {
  const std::string_view labels = labels_[series - prepared.begin(decoded_chunk_)];
  if (is_v1_) return v1_->AddSample(labels, value, timestamp);
  const bool has_start = samples.starts != nullptr && !IsStaleNan(value);
  v2_->AddSample(SeriesOf(samples, series, labels), value, timestamp,
                 has_start ? (*samples.starts)[series] : 0);
}

void RequestEncoder::AddIrregular(const GroupSamples& samples, const PreparedGroup& prepared,
                                  uint32_t chunk, Wanted& wanted) {
  const uint32_t begin = prepared.begin(chunk);
  ForEachIrregular(
      samples, prepared, chunk,
      [&](const HistogramSample& sample) {
        if (!Takes(wanted, sample.timestamp, &SampleCounts::histograms)) return;
        Decode(prepared, chunk);
        const std::string_view labels = labels_[sample.index - begin];
        if (is_v1_) return v1_->AddHistogram(labels, sample.encoded, sample.timestamp);
        v2_->AddHistogram(SeriesOf(samples, sample.index, labels), sample.encoded, sample.timestamp,
                          sample.start);
      },
      [&](const ExemplarSample& sample) {
        if (!Takes(wanted, sample.timestamp, &SampleCounts::exemplars)) return;
        Decode(prepared, chunk);
        const std::string_view labels = labels_[sample.index - begin];
        const std::string own = EncodeLabels(UnpackLabels(sample.labels));
        if (is_v1_) return v1_->AddExemplar(labels, own, sample.value, sample.timestamp);
        v2_->AddExemplar(SeriesOf(samples, sample.index, labels), own, sample.value,
                         sample.timestamp);
      });
}

void RequestEncoder::Add(const GroupSamples& samples, const PreparedGroup& prepared, uint32_t chunk,
                         EntryRange range, const EntrySelection* selection) {
  Decode(prepared, chunk);
  Wanted wanted{range, selection};
  ForEachFloat(samples, prepared, chunk, [&](uint32_t series, TimestampMs timestamp, double value) {
    if (!Takes(wanted, timestamp, &SampleCounts::samples)) return;
    AddFloat(samples, prepared, series, timestamp, value);
  });
  AddIrregular(samples, prepared, chunk, wanted);
}

bool RequestEncoder::AddFramed(const GroupSamples& samples, const PreparedGroup& prepared,
                               uint32_t chunk) {
  const BlockRef& block = prepared.block(chunk);
  if (!takes_blocks_ || block == nullptr) return false;
  const FrameFit fit = FitOf(*block, samples);
  if (fit.way == FrameFit::Way::kGeneral || fit.earliest < oldest_) return false;
  // What an earlier scrape of the chunk has left to the general path must not come behind. Chunks
  // come with all their scrapes, one after the other.
  if (decoded_ == &prepared && decoded_chunk_ == chunk) JoinGeneral();
  frames_.Add(block, samples, fit);
  written_.samples += fit.samples;
  framed_ += fit.samples;
  earliest_ = std::min(earliest_, fit.earliest);
  latest_ = std::max(latest_, fit.latest);
  const BlockBits others = CommonBits(fit.others, prepared.kept(chunk));
  if (!IsEmpty(others)) AddOthers(samples, prepared, chunk, others);
  Wanted wanted{{}, nullptr};
  AddIrregular(samples, prepared, chunk, wanted);
  return true;
}

void RequestEncoder::AddOthers(const GroupSamples& samples, const PreparedGroup& prepared,
                               uint32_t chunk, const BlockBits& series) {
  Decode(prepared, chunk);
  const uint32_t begin = prepared.begin(chunk);
  Wanted wanted{{}, nullptr};
  ForEachFloat(samples, prepared, chunk, [&](uint32_t index, TimestampMs timestamp, double value) {
    if (!HasBit(series, index - begin)) return;
    if (!Takes(wanted, timestamp, &SampleCounts::samples)) return;
    AddFloat(samples, prepared, index, timestamp, value);
  });
}

void RequestEncoder::JoinGeneral() {
  if (!v1_->empty()) frames_.Join(v1_->Finish());
}

std::string RequestEncoder::Finish() {
  if (written_.total() == 0) return "";
  std::string body;
  if (!frames_.empty()) {
    if (is_v1_) JoinGeneral();
    body = frames_.Finish();
  } else {
    body = is_v1_ ? v1_->Finish() : v2_->Finish();
  }
  if (is_v1_) {
    v1_.emplace();
  } else {
    v2_.emplace();
  }
  std::string().swap(label_bytes_);
  std::vector<std::string_view>().swap(labels_);
  decoded_ = nullptr;
  return body;
}

}  // namespace tributary
