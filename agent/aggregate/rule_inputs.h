// The inputs of a rule on one worker: which of the aggregator's numbers a series has. A series
// keeps its number, and what is known of it, while groups that have it come and go; it is given up
// when none has it and it cannot count any more.
//
// Series are told apart by 64-bit hashes of their labels, as in layouts. Memory: some 120 bytes an
// input, 150 and its key an aggregate. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "agent/aggregate/aggregate_rule.h"
#include "agent/aggregate/interval_aggregator.h"
#include "agent/aggregate/saved_state.h"

namespace tributary {

class RuleInputs {
 public:
  RuleInputs(std::shared_ptr<const AggregateRule> rule, TimestampMs now);

  const AggregateRule& rule() const { return *rule_; }
  IntervalAggregator& aggregator() { return aggregator_; }
  const IntervalAggregator& aggregator() const { return aggregator_; }

  // The number of a series, for a group that has it. `series`: the hash of its labels; `partition`:
  // of its group; `key`: of its aggregate.
  uint32_t Use(uint64_t series, uint32_t partition, const std::string& key);
  // The group has gone.
  void Release(uint32_t input);
  // All groups have.
  void ReleaseAll();
  // Gives up what nobody has and cannot count any more.
  void Sweep();

  // What is known of the inputs: into `saved.closed` and `saved.aggregates`.
  void Save(SavedRule& saved) const;
  // Before any is used: goes on with an input of an earlier process, or with what waited for its
  // interval's end.
  void Restore(const std::string& key, const SavedInput& input);
  void Restore(const std::string& key, const IntervalAggregate& open) {
    aggregator_.AddOpen(OutputOf(key), open);
  }

  const std::string& KeyOf(uint32_t output) const { return outputs_[output].key; }

  size_t inputs() const { return numbers_.size(); }
  size_t aggregates() const { return output_numbers_.size(); }
  size_t memory_bytes() const;

 private:
  struct Input {
    uint64_t series = 0;
    uint32_t partition = 0;
    uint32_t groups = 0;
  };
  struct Output {
    std::string key;
    uint32_t inputs = 0;
  };

  // The aggregator's output for an aggregate.
  uint32_t OutputOf(const std::string& key);
  uint32_t Add(uint64_t series, uint32_t partition, const std::string& key,
               const IntervalInput& known);

  const std::shared_ptr<const AggregateRule> rule_;
  IntervalAggregator aggregator_;
  boost::unordered_flat_map<uint64_t, uint32_t> numbers_;  // of inputs, by series
  std::vector<Input> inputs_;                              // by number
  boost::unordered_flat_map<std::string, uint32_t> output_numbers_;
  std::vector<Output> outputs_;  // by number
};

}  // namespace tributary
