#include "agent/aggregate/aggregate_rule.h"

#include <algorithm>
#include <bit>

#include "common/base/assert.h"
#include "common/base/hash.h"
#include "common/base/sized_text.h"
#include "common/base/units.h"
#include "common/labels/pack_labels.h"

namespace tributary {

namespace {

constexpr std::string_view kBucketLabel = "le";

uint64_t IdOf(const AggregateConfig& config) {
  std::string text;
  const auto put_all = [&](const std::vector<std::string>& texts) {
    PutVarint(text, texts.size());
    for (const std::string& one : texts) PutText(text, one);
  };
  PutText(text, config.name);
  put_all(config.match);
  put_all(config.labels);
  PutVarint(text, config.without ? 1 : 0);
  for (const auto time : {config.interval, config.window, config.late, config.staleness_interval}) {
    PutVarint(text, static_cast<uint64_t>(time.count()));
  }
  PutVarint(text, config.drop_inputs ? 1 : 0);
  for (const AggregateConfig::Output& output : config.outputs) {
    PutText(text, AggregateOutputName(output.output));
    PutText(text, output.record);
  }
  PutVarint(text, std::bit_cast<uint64_t>(config.quantile));
  return StableHash(text);
}

}  // namespace

AnySelector::AnySelector(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    auto selector = SeriesSelector::Parse(text);
    CHECK(selector.has_value());
    selectors_.push_back(*std::move(selector));
  }
}

bool AnySelector::Selects(std::span<const LabelView> labels) const {
  return std::any_of(selectors_.begin(), selectors_.end(),
                     [&](const SeriesSelector& selector) { return selector.Matches(labels); });
}

AggregateRule::AggregateRule(const AggregateConfig& config)
    : config_(config), match_(config.match), id_(IdOf(config)) {
  names_apart_ = config_.outputs.front().record.empty();
  quantile_ = config_.outputs.front().output == AggregateOutput::kHistogramQuantile;
  for (const AggregateConfig::Output& output : config_.outputs) {
    std::string suffix = ":" + FormatDuration(config_.interval);
    if (!config_.labels.empty()) suffix += config_.without ? "_without" : "_by";
    for (const std::string& label : config_.labels) suffix += "_" + label;
    suffixes_.push_back(suffix + "_" + AggregateOutputName(output.output));
  }
}

bool AggregateRule::Keeps(std::string_view label) const {
  if (label == kMetricName) return names_apart_;
  if (quantile_ && label == kBucketLabel) return true;
  return std::binary_search(config_.labels.begin(), config_.labels.end(), label) != config_.without;
}

void AggregateRule::KeyOf(std::span<const LabelView> labels, std::string& key) const {
  key.clear();
  for (const LabelView& label : labels) {
    if (!Keeps(label.name)) continue;
    PutText(key, label.name);
    PutText(key, label.value);
  }
}

std::string AggregateRule::PlaceKey(std::string_view key) const {
  if (!quantile_) return std::string(key);
  std::string place;
  std::vector<LabelView> labels;
  UnpackLabels(key, labels);
  for (const LabelView& label : labels) {
    if (label.name == kBucketLabel) continue;
    PutText(place, label.name);
    PutText(place, label.value);
  }
  return place;
}

std::string AggregateRule::SeriesOf(std::string_view place_key, size_t output) const {
  std::vector<LabelView> labels;
  UnpackLabels(place_key, labels);
  std::string name = config_.outputs[output].record;
  std::string packed;
  for (const LabelView& label : labels) {
    if (label.name == kMetricName) {
      name = std::string(label.value) + suffixes_[output];
      continue;
    }
    PutText(packed, label.name);
    PutText(packed, label.value);
  }
  PutText(packed, kMetricName);
  PutText(packed, name);
  return packed;
}

}  // namespace tributary
