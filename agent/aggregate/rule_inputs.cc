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

uint32_t RuleInputs::Add(uint64_t series, uint32_t partition, const std::string& key,
                         const IntervalInput& known) {
  const uint32_t output = OutputOf(key);
  const uint32_t input = aggregator_.AddInput(output, known);
  outputs_[output].inputs++;
  if (input >= inputs_.size()) inputs_.resize(input + 1);
  inputs_[input] = {series, partition, 0};
  numbers_.emplace(series, input);
  return input;
}

uint32_t RuleInputs::Use(uint64_t series, uint32_t partition, const std::string& key) {
  const auto known = numbers_.find(series);
  const uint32_t input =
      known != numbers_.end() ? known->second : Add(series, partition, key, IntervalInput{});
  inputs_[input].groups++;
  return input;
}

void RuleInputs::Save(SavedRule& saved) const {
  saved.closed = aggregator_.closed();
  saved.aggregates.resize(outputs_.size());
  for (uint32_t output = 0; output < outputs_.size(); output++) {
    saved.aggregates[output].key = outputs_[output].key;
    saved.aggregates[output].open = aggregator_.open(output);
    saved.aggregates[output].inputs.reserve(outputs_[output].inputs);
  }
  for (const auto& [series, input] : numbers_) {
    if (!aggregator_.MayCount(input)) continue;
    saved.aggregates[aggregator_.output_of(input)].inputs.push_back(
        {series, inputs_[input].partition, aggregator_.input(input)});
  }
  std::erase_if(saved.aggregates, [](const SavedAggregate& aggregate) {
    return aggregate.open.empty() && aggregate.inputs.empty();
  });
}

void RuleInputs::Restore(const std::string& key, const SavedInput& input) {
  if (!numbers_.contains(input.series)) Add(input.series, input.partition, key, input.known);
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
