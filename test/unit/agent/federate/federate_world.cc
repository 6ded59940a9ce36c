#include "test/unit/agent/federate/federate_world.h"

#include <algorithm>

#include "common/wire/histogram.h"

namespace tributary {

LatestOfGroup MakeLatest(const std::vector<PageSample>& samples, uint64_t generation) {
  std::vector<std::pair<std::string, const PageSample*>> sorted;
  for (const PageSample& sample : samples) {
    PackLabels(sample.labels, sorted.emplace_back("", &sample).first);
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::string_view> packed;
  for (const auto& [labels, sample] : sorted) packed.push_back(labels);
  auto record = std::make_shared<GroupSamples>();
  record->group = std::make_shared<const GroupDefinition>(1, generation, packed);
  record->timestamp = kPageNow;
  record->present.resize((packed.size() + 63) / 64);
  auto irregular = std::make_shared<IrregularSamples>();
  for (uint32_t i = 0; i < sorted.size(); i++) {
    const PageSample& sample = *sorted[i].second;
    if (sample.histogram != nullptr) {
      std::string encoded;
      EncodeHistogram(*sample.histogram, encoded);
      irregular->histograms.push_back({i, sample.timestamp, 0, false, encoded});
    } else if (sample.timestamp != kPageNow) {
      record->own.push_back({i, sample.timestamp, sample.value});
    } else {
      record->present[i / 64] |= uint64_t{1} << (i % 64);
      record->values.push_back(sample.value);
    }
  }
  record->irregular = irregular;
  return {record->group, record, nullptr};
}

std::vector<SeriesSelector> SelectAll() {
  std::vector<SeriesSelector> selectors;
  selectors.push_back(*SeriesSelector::Parse("{no=''}"));
  return selectors;
}

}  // namespace tributary
