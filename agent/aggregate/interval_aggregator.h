// Aggregates of series, of floats or native histograms, over intervals of their samples' own times.
// Inputs and outputs are numbers: whose labels they stand for was worked out before, so a sample
// costs array look-ups.
//
// A sample at t belongs to the interval that ends at the first multiple of the interval's length
// not before t. An interval is closed once the clock is `late_ms` past its end. What comes for it
// later is refused, and so is what lies further ahead than `ahead_ms`, which bounds the open
// intervals of an output.
//
// At an interval's end an input counts with its latest value, if that is younger than `stale_ms`
// and no staleness marker came after it: what PromQL's operators take at that time. (vmagent's
// sum_samples and count_samples are over all samples.) Increases are those from sample to sample, a
// lower value being a reset to 0, without PromQL's extrapolation; each belongs to the interval of
// its later sample. The first sample of an input, or one after a gap of more than `stale_ms`, only
// gives what the next is compared with. Increases up to a marker count, and a marker does not end a
// counter: as in PromQL. A refused sample moves nothing: what the counter gained by then is in the
// next one's increase.
//
// What an aggregator knows can be taken out and given to another one, in another process: an
// increase that was not given out yet is then in the first interval that is.
//
// One thread. Memory: some 100 bytes an input, 120 an open interval of an output, and histograms.
// Closing costs a look at each input.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "common/base/time.h"
#include "common/histogram/histogram_counts.h"

namespace tributary {

using HistogramRef = std::shared_ptr<const HistogramCounts>;

struct IntervalOptions {
  TimestampMs interval_ms = 60'000;  // above 0
  TimestampMs late_ms = 10'000;
  TimestampMs ahead_ms = 60'000;  // of the clock
  TimestampMs stale_ms = 300'000;
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
  uint64_t increase_count = 0;  // of inputs with an increase; 0: the next one means nothing
  double increase = 0;
  // Of native histograms, which are no part of the above. Null: there are none, or they could not
  // be put together.
  uint64_t histograms = 0;
  HistogramRef histogram_sum;
  HistogramRef histogram_increase;
  bool mixed = false;  // they could not be put together
};

// Adds what other inputs have of the same interval, in any order: sums up to rounding, all else
// exactly.
void Join(IntervalAggregate& aggregate, const IntervalAggregate& part);

// What is known of an input.
struct IntervalInput {
  bool seen = false;          // it has had a sample or marker: newest counts
  bool has_value = false;     // value and value_time count
  bool live = false;          // its latest sample is no marker
  bool has_increase = false;  // in the interval that ends at next_end
  TimestampMs newest = 0;     // markers included
  TimestampMs value_time = 0;
  double value = 0;
  TimestampMs next_end =
      0;  // of the first interval for which it has not given its part; 0: of none
  double increase = 0;
  // Of one that is a native histogram: in place of value and increase.
  HistogramRef histogram, histogram_increase;
};

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

  // Samples count that belong to what is not closed at `now`, but the interval in progress then is
  // the last one that is not given out: inputs have been seen for a part of it only.
  IntervalAggregator(const IntervalOptions& options, TimestampMs now);
  // Goes on after one that had closed all up to `closed`, whose inputs and open intervals come by
  // AddInput and AddOpen: the interval in progress is given out.
  void Resume(TimestampMs closed);

  uint32_t AddOutput();
  // Only of an output that has no inputs. Its number may be given out again.
  void RemoveOutput(uint32_t output);
  uint32_t AddInput(uint32_t output, const IntervalInput& known = {});
  // What it gave still counts. Its number may be given out again.
  void RemoveInput(uint32_t input);
  void AddOpen(uint32_t output, IntervalAggregate open);

  const IntervalInput& input(uint32_t input) const { return inputs_[input].known; }
  uint32_t output_of(uint32_t input) const { return inputs_[input].output; }
  // Whether it can count at an interval's end to come, if it has no other sample.
  bool MayCount(uint32_t input) const;
  const std::vector<IntervalAggregate>& open(uint32_t output) const { return outputs_[output]; }

  // What time it is for `ahead_ms`.
  void SetNow(TimestampMs now) { now_ = now; }
  Outcome Take(uint32_t input, TimestampMs time, double value);
  // The marker that a native histogram has ended is one for the above. `hint`: what the source says
  // of resets.
  Outcome Take(uint32_t input, TimestampMs time, HistogramRef histogram,
               NativeHistogram::ResetHint hint);
  // When the next interval can be closed.
  TimestampMs NextCloseMs() const { return closed_ + options_.interval_ms + options_.late_ms; }
  // Closes what is to be closed at `now`; each output's intervals come in order, none twice, and
  // none for which there is nothing to say. `now` may step back: nothing is opened again. `emit`
  // must not call the aggregator.
  void Close(TimestampMs now, const Emit& emit);

  // All up to this time is closed.
  TimestampMs closed() const { return closed_; }
  // Nothing up to this time is given out.
  TimestampMs silent_until() const { return silent_until_; }
  const Stats& stats() const { return stats_; }
  size_t memory_bytes() const;

 private:
  struct Input {
    IntervalInput known;
    uint32_t output = 0;
    bool in_use = false;
  };
  using Open = std::vector<IntervalAggregate>;  // by end

  TimestampMs EndOf(TimestampMs time) const;
  TimestampMs ClosedAt(TimestampMs now) const;
  IntervalAggregate& OpenAt(uint32_t output, TimestampMs end);
  // Whether a sample is taken; then the input is at its interval.
  Outcome Judge(uint32_t number, TimestampMs time);
  // Its part of the interval that ends there; false: it has none, nor of later ones.
  bool Give(Input& input, TimestampMs end);
  // Its parts of all that end before `end`.
  void GiveUpTo(Input& input, TimestampMs end);

  const IntervalOptions options_;
  TimestampMs now_;
  TimestampMs closed_;
  TimestampMs silent_until_;
  std::vector<Input> inputs_;
  std::vector<uint32_t> free_inputs_;
  std::vector<Open> outputs_;
  std::vector<uint32_t> free_outputs_;
  Stats stats_;
};

}  // namespace tributary
