// The aggregates of a rule that are one worker's to give out: joins what all workers have of an
// interval, keeps what windows need, and puts the samples into the source of their partition.
//
// An interval is given out when every worker has closed it, in the order of time, and each once. An
// aggregate that has no value any more gets a staleness marker.
//
// Memory: some 200 bytes an aggregate, 24 for each interval of its window that had an increase. One
// thread (the worker's).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "agent/aggregate/aggregate_rule.h"
#include "agent/aggregate/interval_aggregator.h"
#include "agent/aggregate/output_source.h"
#include "agent/aggregate/rise_window.h"
#include "agent/aggregate/saved_state.h"

namespace tributary {

// The sources of a worker, by partition; made when first needed.
class OutputSources {
 public:
  OutputSource& Of(uint32_t partition) {
    if (sources_[partition] == nullptr) {
      sources_[partition] = std::make_unique<OutputSource>(partition);
    }
    return *sources_[partition];
  }
  // Null: there is none.
  OutputSource* Find(uint32_t partition) { return sources_[partition].get(); }
  size_t series() const;
  size_t memory_bytes() const;

 private:
  std::array<std::unique_ptr<OutputSource>, kLogPartitions> sources_;
};

// What a worker has of an aggregate.
struct AggregatePart {
  std::string key;
  IntervalAggregate aggregate;
};

class RuleOutputs {
 public:
  struct Stats {
    uint64_t samples = 0;    // put into sources
    uint64_t conflicts = 0;  // not put: another rule's series has the same labels
    uint64_t mixed = 0;      // intervals of aggregates whose inputs cannot be put together
  };

  // The sources outlive it.
  RuleOutputs(std::shared_ptr<const AggregateRule> rule, uint32_t workers, OutputSources& sources);
  ~RuleOutputs();
  RuleOutputs(const RuleOutputs&) = delete;
  RuleOutputs& operator=(const RuleOutputs&) = delete;

  static uint32_t PartitionOf(const AggregateRule& rule, std::string_view key);

  // All that a worker has of the intervals that end up to `closed`; it has seen nothing whole up to
  // `silent_until`.
  void Take(uint32_t worker, TimestampMs silent_until, TimestampMs closed,
            std::vector<AggregatePart> parts);
  // What is known of the aggregates: into `saved.given_out` and `saved.outputs`.
  void Save(SavedRule& saved) const;
  // Before the first Take: what another one knew, that had given out all up to a time.
  void Restore(const SavedOutput& output);
  void RestoreGivenOut(TimestampMs given_out) { given_out_ = std::max(given_out_, given_out); }
  // Markers for all that has a value: the rule is no more.
  void End(TimestampMs now);

  const AggregateRule& rule() const { return *rule_; }
  const Stats& stats() const { return stats_; }
  size_t aggregates() const { return aggregates_.size(); }
  size_t memory_bytes() const;

 private:
  struct Aggregate {
    uint32_t partition = 0;
    std::vector<uint32_t> series;  // by output
    std::vector<bool> has_value;   // by output, at the last interval
    RiseWindow window;
    std::map<double, RiseWindow> buckets;  // of histogram_quantile, by upper bound
    HistogramWindow histograms;
    IntervalAggregate now;
    bool idle = false;
  };

  Aggregate& AggregateAt(const std::string& place);
  void Note(const std::string& key, const IntervalAggregate& part);
  void GiveOut(TimestampMs end);
  std::optional<OutputValue> ValueOf(Aggregate& aggregate, AggregateOutput output, TimestampMs end);
  std::optional<OutputValue> RiseOf(const Aggregate& aggregate, AggregateOutput output);
  void Put(Aggregate& aggregate, size_t output, TimestampMs end, std::optional<OutputValue> value);
  void RemoveSeries(Aggregate& aggregate);

  const std::shared_ptr<const AggregateRule> rule_;
  OutputSources& sources_;
  bool keeps_rises_ = false;
  std::vector<TimestampMs> closed_;  // by worker
  TimestampMs silent_until_;
  TimestampMs given_out_;
  // What is to be given out, by the interval's end and the aggregate's key.
  std::map<TimestampMs, boost::unordered_flat_map<std::string, IntervalAggregate>> joined_;
  boost::unordered_flat_map<std::string, std::unique_ptr<Aggregate>> aggregates_;  // by place key
  Stats stats_;
};

}  // namespace tributary
