#include "agent/aggregate/group_inputs.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <utility>

#include "common/wire/histogram.h"

namespace tributary {

namespace {

bool Has(const std::vector<uint64_t>& bits, uint32_t index) {
  return index / 64 < bits.size() && ((bits[index / 64] >> (index % 64)) & 1) != 0;
}

// Keeps of the values those whose bits stay.
uint64_t CutValues(const std::vector<uint64_t>& cut, GroupSamples& record) {
  size_t from = 0, to = 0;
  for (size_t w = 0; w < record.present.size(); w++) {
    for (uint64_t bits = record.present[w]; bits != 0; bits &= bits - 1, from++) {
      if (((cut[w] >> std::countr_zero(bits)) & 1) == 0) record.values[to++] = record.values[from];
    }
    record.present[w] &= ~cut[w];
  }
  record.values.resize(to);
  return from - to;
}

// Of what few series have: a copy without what is to be cut.
template <typename IsCut>
uint64_t CutHistograms(GroupSamples& record, IsCut is_cut) {
  auto rest = std::make_shared<IrregularSamples>(*record.irregular);
  const uint64_t cut = std::erase_if(rest->histograms, is_cut);
  record.irregular = rest->histograms.empty() && rest->exemplars.empty() ? nullptr : rest;
  return cut;
}

template <typename IsCut>
void CutExemplars(GroupSamples& record, IsCut is_cut) {
  auto rest = std::make_shared<IrregularSamples>(*record.irregular);
  std::erase_if(rest->exemplars, is_cut);
  record.irregular = rest->histograms.empty() && rest->exemplars.empty() ? nullptr : rest;
}

void CutDropped(const std::vector<uint64_t>& dropped, GroupSamples& record, CutCounts& counts) {
  counts.dropped += CutValues(dropped, record);
  const auto is_dropped = [&](const auto& sample) { return Has(dropped, sample.index); };
  counts.dropped += std::erase_if(record.own, is_dropped);
  if (record.irregular != nullptr) counts.dropped += CutHistograms(record, is_dropped);
  if (record.irregular != nullptr) CutExemplars(record, is_dropped);
}

// Whether the sample is the first of its interval; then it is noted.
bool Keeps(GroupInputs::Downsampled& series, TimestampMs time) {
  const TimestampMs interval = series.interval_ms;
  TimestampMs past = time % interval;
  if (past <= 0) past += interval;
  const TimestampMs end = time - past + interval;
  if (end <= series.kept_until) return false;
  series.kept_until = end;
  return true;
}

void Downsample(GroupInputs& inputs, GroupSamples& record, CutCounts& counts) {
  std::vector<uint64_t> cut(record.present.size());
  GroupInputs::ForEachValue(inputs.downsampled, record,
                            [&](GroupInputs::Downsampled& series, double value) {
                              if (IsStaleNan(value) || Keeps(series, record.timestamp)) return;
                              cut[series.index / 64] |= uint64_t{1} << (series.index % 64);
                            });
  counts.downsampled += CutValues(cut, record);
  const auto is_cut = [&](uint32_t index, TimestampMs time) {
    bool is = false;
    GroupInputs::ForEachOf(inputs.downsampled, index,
                           [&](GroupInputs::Downsampled& series) { is = !Keeps(series, time); });
    return is;
  };
  counts.downsampled += std::erase_if(record.own, [&](const OwnSample& sample) {
    return !IsStaleNan(sample.value) && is_cut(sample.index, sample.timestamp);
  });
  if (record.irregular == nullptr || record.irregular->histograms.empty()) return;
  NativeHistogram histogram;
  counts.downsampled += CutHistograms(record, [&](const HistogramSample& sample) {
    const bool marker = DecodeHistogram(sample.encoded, histogram) && IsStaleNan(histogram.sum);
    return !marker && is_cut(sample.index, sample.timestamp);
  });
}

}  // namespace

size_t GroupInputs::memory_bytes() const {
  return sizeof(*this) + inputs.capacity() * sizeof(Input) + dropped.capacity() * 8 +
         downsampled.capacity() * sizeof(Downsampled);
}

void CutRecord(GroupInputs& inputs, GroupSamples& record, CutCounts& counts) {
  if (!inputs.dropped.empty()) CutDropped(inputs.dropped, record, counts);
  if (!inputs.downsampled.empty()) Downsample(inputs, record, counts);
}

}  // namespace tributary
