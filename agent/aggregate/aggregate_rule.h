// A rule of tributary.aggregate, ready for use: which series are its inputs, which aggregate each
// of them belongs to, and what series an aggregate gives.
//
// An aggregate is known by its *key*: PackLabels of what its inputs have in common. With `outputs`
// the metric's name belongs to it; with histogram_quantile the label le, whose buckets become one
// series. Immutable; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/model.h"
#include "common/labels/labels.h"
#include "common/selector/series_selector.h"

namespace tributary {

// Selectors of which one is enough.
class AnySelector {
 public:
  // Of texts that the configuration's checks have taken.
  explicit AnySelector(const std::vector<std::string>& texts);
  bool Selects(std::span<const LabelView> labels) const;

 private:
  std::vector<SeriesSelector> selectors_;
};

class AggregateRule {
 public:
  explicit AggregateRule(const AggregateConfig& config);

  const AggregateConfig& config() const { return config_; }
  // The same for equal rules, in every process; others have another one.
  uint64_t id() const { return id_; }
  bool Selects(std::span<const LabelView> labels) const { return match_.Selects(labels); }
  // The key of the aggregate to which a series belongs. `labels`: in the order of PackLabels.
  void KeyOf(std::span<const LabelView> labels, std::string& key) const;
  // What decides where an aggregate's series are: the key, without le for histogram_quantile.
  std::string PlaceKey(std::string_view key) const;
  // The labels of an aggregate's series, packed. `output`: which of config().outputs; `place_key`:
  // as above.
  std::string SeriesOf(std::string_view place_key, size_t output) const;
  bool makes_quantile() const { return quantile_; }

 private:
  bool Keeps(std::string_view label) const;

  const AggregateConfig config_;
  const AnySelector match_;
  uint64_t id_ = 0;
  bool names_apart_ = false;  // the metric's name belongs to the key
  bool quantile_ = false;
  std::vector<std::string> suffixes_;  // of names that are made, by output
};

}  // namespace tributary
