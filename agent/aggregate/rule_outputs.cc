#include "agent/aggregate/rule_outputs.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "agent/aggregate/bucket_quantile.h"
#include "common/base/hash.h"
#include "common/exposition/float_text.h"
#include "common/labels/pack_labels.h"
#include "common/wire/histogram.h"

namespace tributary {

namespace {

constexpr TimestampMs kNever = LastTimes::kNever;

bool IsOfRises(AggregateOutput output) {
  return output == AggregateOutput::kIncrease || output == AggregateOutput::kRateSum ||
         output == AggregateOutput::kHistogramQuantile;
}

// Of a bucket's series; nullopt: it has none.
std::optional<double> UpperBoundOf(std::string_view key) {
  std::vector<LabelView> labels;
  UnpackLabels(key, labels);
  for (const LabelView& label : labels) {
    if (label.name != "le") continue;
    const auto bound = ParseGoFloat(label.value);
    if (bound && !std::isnan(*bound)) return bound;
  }
  return std::nullopt;
}

// Nullopt: they cannot be put together.
std::optional<HistogramCounts> IncreaseOf(const HistogramWindow& window) {
  HistogramCounts sum = *window.steps().front().increase;
  for (size_t i = 1; i < window.steps().size(); i++) {
    if (!AddCounts(sum, *window.steps()[i].increase)) return std::nullopt;
  }
  return sum;
}

OutputValue ValueOf(const HistogramCounts& counts) {
  const NativeHistogram histogram = HistogramOf(counts);
  auto encoded = std::make_shared<std::string>();
  EncodeHistogram(histogram, *encoded);
  return {0, std::move(encoded), counts.has_custom_buckets()};
}

}  // namespace

size_t OutputSources::series() const {
  size_t count = 0;
  for (const auto& source : sources_) count += source == nullptr ? 0 : source->series();
  return count;
}

size_t OutputSources::memory_bytes() const {
  size_t bytes = 0;
  for (const auto& source : sources_) bytes += source == nullptr ? 0 : source->memory_bytes();
  return bytes;
}

RuleOutputs::RuleOutputs(std::shared_ptr<const AggregateRule> rule, uint32_t workers,
                         OutputSources& sources)
    : rule_(std::move(rule)),
      sources_(sources),
      closed_(workers, kNever),
      silent_until_(kNever),
      given_out_(kNever) {
  const auto& outputs = rule_->config().outputs;
  keeps_rises_ = std::any_of(outputs.begin(), outputs.end(),
                             [](const auto& output) { return IsOfRises(output.output); });
}

RuleOutputs::~RuleOutputs() {
  for (auto& [key, aggregate] : aggregates_) RemoveSeries(*aggregate);
}

void RuleOutputs::RemoveSeries(Aggregate& aggregate) {
  for (const uint32_t series : aggregate.series) {
    sources_.Of(aggregate.partition).Remove(series);
  }
}

uint32_t RuleOutputs::PartitionOf(const AggregateRule& rule, std::string_view key) {
  return static_cast<uint32_t>(StableHash(rule.PlaceKey(key)) % kLogPartitions);
}

void RuleOutputs::Take(uint32_t worker, TimestampMs silent_until, TimestampMs closed,
                       std::vector<AggregatePart> parts) {
  silent_until_ = std::max(silent_until_, silent_until);
  closed_[worker] = std::max(closed_[worker], closed);
  for (AggregatePart& part : parts) {
    if (part.aggregate.end <= given_out_) continue;
    const auto [it, is_new] =
        joined_[part.aggregate.end].try_emplace(std::move(part.key), part.aggregate);
    if (!is_new) Join(it->second, part.aggregate);
  }
  const TimestampMs all = *std::min_element(closed_.begin(), closed_.end());
  if (all == kNever) return;
  const TimestampMs interval = rule_->config().interval.count();
  // Nothing can be said of what ended while there was no process.
  given_out_ = std::max(given_out_, std::min(all, silent_until_) - interval);
  // What nothing was said of has to be marked as ended, once.
  while (given_out_ < all) {
    const bool quiet = joined_.empty() || joined_.begin()->first > given_out_ + interval;
    if (quiet && aggregates_.empty()) {
      given_out_ = joined_.empty() ? all : std::min(all, joined_.begin()->first - interval);
      continue;
    }
    given_out_ += interval;
    GiveOut(given_out_);
  }
}

RuleOutputs::Aggregate& RuleOutputs::AggregateAt(const std::string& place) {
  auto& aggregate = aggregates_[place];
  if (aggregate != nullptr) return *aggregate;
  aggregate = std::make_unique<Aggregate>();
  aggregate->partition = static_cast<uint32_t>(StableHash(place) % kLogPartitions);
  const size_t outputs = rule_->config().outputs.size();
  for (size_t i = 0; i < outputs; i++) {
    aggregate->series.push_back(sources_.Of(aggregate->partition).Add(rule_->SeriesOf(place, i)));
  }
  aggregate->has_value.resize(outputs);
  return *aggregate;
}

void RuleOutputs::Save(SavedRule& saved) const {
  saved.given_out = given_out_;
  for (const auto& [place, aggregate] : aggregates_) {
    if (aggregate->idle) continue;
    SavedOutput& output = saved.outputs.emplace_back();
    output.place_key = place;
    output.has_value = aggregate->has_value;
    if (!aggregate->window.empty()) output.windows.push_back({0, aggregate->window});
    for (const auto& [bound, rises] : aggregate->buckets) output.windows.push_back({bound, rises});
    output.histograms = aggregate->histograms;
  }
}

void RuleOutputs::Restore(const SavedOutput& output) {
  Aggregate& aggregate = AggregateAt(output.place_key);
  if (output.has_value.size() == aggregate.has_value.size()) aggregate.has_value = output.has_value;
  aggregate.histograms = output.histograms;
  for (const SavedOutput::Window& window : output.windows) {
    (rule_->makes_quantile() ? aggregate.buckets[window.bound] : aggregate.window) = window.rises;
  }
}

void RuleOutputs::Note(const std::string& key, const IntervalAggregate& part) {
  Aggregate& aggregate = AggregateAt(rule_->PlaceKey(key));
  if (part.mixed) stats_.mixed++;
  if (!rule_->makes_quantile()) aggregate.now = part;
  if (!keeps_rises_) return;
  if (part.histogram_increase != nullptr && !part.mixed) {
    aggregate.histograms.Add(part.end, part.histogram_increase);
  }
  if (part.increase_count == 0) return;
  if (!rule_->makes_quantile()) return aggregate.window.Add(part.end, part.increase);
  if (const auto bound = UpperBoundOf(key)) aggregate.buckets[*bound].Add(part.end, part.increase);
}

std::optional<OutputValue> RuleOutputs::RiseOf(const Aggregate& aggregate, AggregateOutput output) {
  const auto window_ms = static_cast<double>(rule_->config().window.count());
  const bool quantile = output == AggregateOutput::kHistogramQuantile;
  const bool floats = !aggregate.window.empty() || !aggregate.buckets.empty();
  if (!aggregate.histograms.empty()) {
    auto increase = IncreaseOf(aggregate.histograms);
    // As in PromQL, of both kinds together nothing is said.
    if (floats || !increase) {
      stats_.mixed++;
      return std::nullopt;
    }
    if (quantile) return OutputValue{HistogramQuantile(rule_->config().quantile, *increase)};
    if (output == AggregateOutput::kRateSum) ScaleCounts(*increase, 1000 / window_ms);
    return tributary::ValueOf(*increase);
  }
  if (!floats) return std::nullopt;
  if (quantile) {
    std::vector<ClassicBucket> buckets;
    for (const auto& [bound, rises] : aggregate.buckets) {
      buckets.push_back({bound, IncreaseOf(rises)});
    }
    return OutputValue{BucketQuantile(rule_->config().quantile, buckets)};
  }
  const double increase = IncreaseOf(aggregate.window);
  return OutputValue{output == AggregateOutput::kIncrease ? increase : increase * 1000 / window_ms};
}

std::optional<OutputValue> RuleOutputs::ValueOf(Aggregate& aggregate, AggregateOutput output,
                                                TimestampMs end) {
  if (IsOfRises(output)) return RiseOf(aggregate, output);
  const IntervalAggregate& now = aggregate.now;
  if (now.end != end || now.count + now.histograms == 0) return std::nullopt;
  if (output == AggregateOutput::kCount) {
    return OutputValue{static_cast<double>(now.count + now.histograms)};
  }
  if (output == AggregateOutput::kSum || output == AggregateOutput::kAvg) {
    if (now.mixed || (now.count > 0 && now.histograms > 0)) return std::nullopt;
    const bool avg = output == AggregateOutput::kAvg;
    if (now.histograms == 0) {
      return OutputValue{avg ? now.sum / static_cast<double>(now.count) : now.sum};
    }
    HistogramCounts counts = *now.histogram_sum;
    if (avg) ScaleCounts(counts, 1 / static_cast<double>(now.histograms));
    return tributary::ValueOf(counts);
  }
  if (now.count == 0) return std::nullopt;
  return OutputValue{output == AggregateOutput::kMin   ? now.min
                     : output == AggregateOutput::kMax ? now.max
                                                       : now.last};
}

void RuleOutputs::Put(Aggregate& aggregate, size_t output, TimestampMs end,
                      std::optional<OutputValue> value) {
  const bool had = aggregate.has_value[output];
  aggregate.has_value[output] = value.has_value();
  if (!value && !had) return;
  if (!value) value = OutputValue{StaleNan()};
  const bool taken =
      sources_.Of(aggregate.partition).Put(aggregate.series[output], end, *std::move(value));
  (taken ? stats_.samples : stats_.conflicts)++;
}

void RuleOutputs::GiveOut(TimestampMs end) {
  // The markers of what is idle have left the source since.
  boost::unordered::erase_if(aggregates_, [this](auto& entry) {
    if (!entry.second->idle) return false;
    RemoveSeries(*entry.second);
    return true;
  });
  if (const auto parts = joined_.find(end); parts != joined_.end()) {
    for (const auto& [key, part] : parts->second) Note(key, part);
  }
  joined_.erase(joined_.begin(), joined_.upper_bound(end));
  const auto& outputs = rule_->config().outputs;
  const TimestampMs window_begin = end - rule_->config().window.count();
  for (auto& [key, aggregate] : aggregates_) {
    aggregate->window.Forget(window_begin);
    aggregate->histograms.Forget(window_begin);
    for (auto& [bound, rises] : aggregate->buckets) rises.Forget(window_begin);
    std::erase_if(aggregate->buckets, [](const auto& bucket) { return bucket.second.empty(); });
    if (end <= silent_until_) continue;
    bool any = false;
    for (size_t i = 0; i < outputs.size(); i++) {
      const auto value = ValueOf(*aggregate, outputs[i].output, end);
      any |= value.has_value();
      Put(*aggregate, i, end, value);
    }
    aggregate->idle = !any;
  }
}

void RuleOutputs::End(TimestampMs now) {
  for (auto& [key, aggregate] : aggregates_) {
    for (size_t i = 0; i < aggregate->series.size(); i++) Put(*aggregate, i, now, std::nullopt);
  }
}

size_t RuleOutputs::memory_bytes() const {
  size_t bytes = aggregates_.bucket_count() * 41;
  for (const auto& [key, aggregate] : aggregates_) {
    bytes += key.capacity() + sizeof(Aggregate) + aggregate->series.capacity() * 4 +
             aggregate->window.memory_bytes();
    for (const auto& [bound, window] : aggregate->buckets) bytes += 64 + window.memory_bytes();
  }
  for (const auto& [end, parts] : joined_) {
    bytes += parts.bucket_count() * (sizeof(std::string) + sizeof(IntervalAggregate));
  }
  return bytes;
}

}  // namespace tributary
