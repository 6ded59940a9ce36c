#include "agent/series/samples.h"

namespace tributary {

size_t GroupSamples::memory_bytes() const {
  // Start times and metadata are shared by many records, and by the layout: they are not counted
  // here.
  size_t bytes =
      sizeof(*this) + present.size() * 8 + values.size() * 8 + own.size() * sizeof(OwnSample);
  if (irregular == nullptr) return bytes;
  bytes += sizeof(*irregular);
  for (const HistogramSample& sample : irregular->histograms) {
    bytes += sizeof(sample) + sample.encoded.size();
  }
  for (const ExemplarSample& sample : irregular->exemplars) {
    bytes += sizeof(sample) + sample.labels.size();
  }
  return bytes;
}

}  // namespace tributary
