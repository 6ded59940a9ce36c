// Aggregates of float series over intervals of their samples' own times. Inputs and outputs are
// numbers: whose labels they stand for was worked out before, so a sample costs array look-ups.
//
// A sample at t belongs to the interval that ends at the first multiple of the interval's length
// not before t. An interval is closed once the clock is `late_ms` past its end. What comes for it
// later is refused, and so is what lies further ahead than `ahead_ms`, which bounds the open
// intervals of an output.
//
// An input counts with its last value in the interval, so that sum, min, max and count are what
// PromQL's operators give at the interval's end. (vmagent's sum_samples and count_samples are over
// all samples.) A staleness marker takes it out, until it has a sample again. Increases are those
// from sample to sample, a lower value being a reset to 0, without PromQL's extrapolation. The
// first sample of an input, or one after a gap of more than `gap_ms`, only gives what the next is
// compared with. Increases up to a marker count, and a marker does not end a counter: as in PromQL.
// A refused sample moves nothing: what the counter gained by then is in the next one's increase.
//
// One thread. Memory: some 80 bytes an input, 80 an open interval of an output.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "common/base/time.h"

namespace tributary {

struct IntervalOptions {
  TimestampMs interval_ms = 60'000;  // above 0
  TimestampMs late_ms = 10'000;
  TimestampMs ahead_ms = 60'000;  // of the clock at the last Close
  TimestampMs gap_ms = 300'000;
};

// What an output has of one interval.
struct IntervalAggregate {
  TimestampMs end = 0;
  uint64_t count = 0;  // of inputs with a value; 0: sum, min, max and last mean nothing
  double sum = 0;
  double min = 0;  // NaN only if all are
  double max = 0;
  double last = 0;  // of the latest sample; of several, the highest value
  TimestampMs last_time = 0;
  uint64_t increase_count = 0;  // of inputs with an increase; 0: the next two mean nothing
  double increase = 0;
  double rate_sum = 0;  // a second; each input's over its own time between samples
};

// Adds what other inputs have of the same interval, in any order: sums up to rounding, all else
// exactly.
void Join(IntervalAggregate& aggregate, const IntervalAggregate& part);

class IntervalAggregator {
 public:
  enum class Outcome : uint8_t { kTaken, kOutOfOrder, kLate, kAhead };
  struct Stats {
    uint64_t taken = 0;
    uint64_t out_of_order = 0;  // not later than the input's last one
    uint64_t late = 0;
    uint64_t ahead = 0;
  };
  using Emit = std::function<void(uint32_t output, const IntervalAggregate& aggregate)>;

  // What ended before `now` less `late_ms` is closed already.
  IntervalAggregator(const IntervalOptions& options, TimestampMs now);

  uint32_t AddOutput();
  uint32_t AddInput(uint32_t output);
  // What it gave still counts. Its number may be given out again.
  void RemoveInput(uint32_t input);

  Outcome Take(uint32_t input, TimestampMs time, double value);
  // Closes what is to be closed at `now`; each output's intervals come in order, none twice, and
  // none for which there is nothing to say. `now` may step back: nothing is opened again. `emit`
  // must not call the aggregator.
  void Close(TimestampMs now, const Emit& emit);

  // All up to this time is closed.
  TimestampMs closed() const { return closed_; }
  const Stats& stats() const { return stats_; }

 private:
  struct Input {
    uint32_t output = 0;
    bool seen = false;          // it has had a sample or marker: newest counts
    bool has_value = false;     // value and value_time count
    bool live = false;          // its last sample in the interval is no marker
    bool has_increase = false;  // in the interval
    TimestampMs newest = 0;     // markers included
    TimestampMs value_time = 0;
    double value = 0;
    TimestampMs interval_end = 0;  // 0: nothing since it was folded
    TimestampMs rate_from = 0;
    double increase = 0;
  };
  using Open = std::vector<IntervalAggregate>;  // by end

  TimestampMs EndOf(TimestampMs time) const;
  TimestampMs ClosedAt(TimestampMs now) const;
  void Fold(Input& input);

  const IntervalOptions options_;
  TimestampMs now_;
  TimestampMs closed_;
  std::vector<Input> inputs_;
  std::vector<uint32_t> free_inputs_;
  std::vector<Open> outputs_;
  Stats stats_;
};

}  // namespace tributary
