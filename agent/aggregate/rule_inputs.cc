#include "agent/aggregate/rule_inputs.h"

#include <utility>

namespace tributary {

namespace {

IntervalOptions OptionsOf(const AggregateConfig& config) {
  IntervalOptions options;
  options.interval_ms = config.interval.count();
  options.late_ms = config.late.count();
  options.stale_ms = config.staleness_interval.count();
  return options;
}

}  // namespace

RuleInputs::RuleInputs(std::shared_ptr<const AggregateRule> rule, TimestampMs now)
    : rule_(std::move(rule)), aggregator_(OptionsOf(rule_->config()), now) {}

uint32_t RuleInputs::OutputOf(const std::string& key) {
  const auto known = output_numbers_.find(key);
  if (known != output_numbers_.end()) return known->second;
  const uint32_t number = aggregator_.AddOutput();
  output_numbers_.emplace(key, number);
  if (number >= outputs_.size()) outputs_.resize(number + 1);
  outputs_[number] = {key, 0};
  return number;
}

uint32_t RuleInputs::Use(uint64_t series, const std::string& key) {
  const auto [it, is_new] = numbers_.try_emplace(series, 0);
  if (is_new) {
    const uint32_t output = OutputOf(key);
    it->second = aggregator_.AddInput(output);
    outputs_[output].inputs++;
    if (it->second >= inputs_.size()) inputs_.resize(it->second + 1);
    inputs_[it->second] = {series, 0};
  }
  inputs_[it->second].groups++;
  return it->second;
}

void RuleInputs::Release(uint32_t input) { inputs_[input].groups--; }

void RuleInputs::ReleaseAll() {
  for (Input& input : inputs_) input.groups = 0;
}

void RuleInputs::Sweep() {
  boost::unordered::erase_if(numbers_, [this](const auto& entry) {
    const uint32_t input = entry.second;
    if (inputs_[input].groups > 0 || aggregator_.MayCount(input)) return false;
    outputs_[aggregator_.output_of(input)].inputs--;
    aggregator_.RemoveInput(input);
    return true;
  });
  boost::unordered::erase_if(output_numbers_, [this](const auto& entry) {
    const uint32_t output = entry.second;
    if (outputs_[output].inputs > 0 || !aggregator_.open(output).empty()) return false;
    aggregator_.RemoveOutput(output);
    outputs_[output] = {};
    return true;
  });
}

size_t RuleInputs::memory_bytes() const {
  size_t bytes = aggregator_.memory_bytes() + numbers_.bucket_count() * 17 +
                 inputs_.capacity() * sizeof(Input) + output_numbers_.bucket_count() * 41 +
                 outputs_.capacity() * sizeof(Output);
  for (const Output& output : outputs_) bytes += 2 * output.key.capacity();
  return bytes;
}

}  // namespace tributary
