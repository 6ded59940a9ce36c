#include "agent/aggregate/interval_aggregator.h"

#include <algorithm>
#include <cmath>

#include "agent/series/samples.h"

namespace tributary {

void Join(IntervalAggregate& aggregate, const IntervalAggregate& part) {
  aggregate.increase_count += part.increase_count;
  aggregate.increase += part.increase;
  aggregate.rate_sum += part.rate_sum;
  if (part.count == 0) return;
  bool first = aggregate.count == 0;
  aggregate.count += part.count;
  aggregate.sum += part.sum;
  aggregate.min = first ? part.min : std::fmin(aggregate.min, part.min);
  aggregate.max = first ? part.max : std::fmax(aggregate.max, part.max);
  if (first || part.last_time > aggregate.last_time) {
    aggregate.last = part.last;
    aggregate.last_time = part.last_time;
  } else if (part.last_time == aggregate.last_time) {
    aggregate.last = std::fmax(aggregate.last, part.last);
  }
}

IntervalAggregator::IntervalAggregator(const IntervalOptions& options, TimestampMs now)
    : options_(options), now_(now), closed_(ClosedAt(now)) {}

TimestampMs IntervalAggregator::EndOf(TimestampMs time) const {
  TimestampMs past = time % options_.interval_ms;
  if (past == 0) return time;
  return past > 0 ? time - past + options_.interval_ms : time - past;
}

TimestampMs IntervalAggregator::ClosedAt(TimestampMs now) const {
  TimestampMs up_to = now - options_.late_ms;
  TimestampMs end = EndOf(up_to);
  return end == up_to ? end : end - options_.interval_ms;
}

uint32_t IntervalAggregator::AddOutput() {
  outputs_.emplace_back();
  return static_cast<uint32_t>(outputs_.size() - 1);
}

uint32_t IntervalAggregator::AddInput(uint32_t output) {
  Input input;
  input.output = output;
  if (free_inputs_.empty()) {
    inputs_.push_back(input);
    return static_cast<uint32_t>(inputs_.size() - 1);
  }
  uint32_t number = free_inputs_.back();
  free_inputs_.pop_back();
  inputs_[number] = input;
  return number;
}

void IntervalAggregator::RemoveInput(uint32_t input) {
  Fold(inputs_[input]);
  free_inputs_.push_back(input);
}

IntervalAggregator::Outcome IntervalAggregator::Take(uint32_t number, TimestampMs time,
                                                     double value) {
  // Before anything is computed from it: a time may be any number.
  if (time <= closed_) {
    stats_.late++;
    return Outcome::kLate;
  }
  if (time > now_ + options_.ahead_ms) {
    stats_.ahead++;
    return Outcome::kAhead;
  }
  Input& input = inputs_[number];
  if (input.seen && time <= input.newest) {
    stats_.out_of_order++;
    return Outcome::kOutOfOrder;
  }
  stats_.taken++;
  TimestampMs end = EndOf(time);
  if (input.interval_end != end) {
    Fold(input);
    input.interval_end = end;
    input.rate_from = input.value_time;
  }
  input.seen = true;
  input.newest = time;
  if (IsStaleNan(value)) {
    input.live = false;
    return Outcome::kTaken;
  }
  if (input.has_value && time - input.value_time <= options_.gap_ms) {
    input.increase += value < input.value ? value : value - input.value;
    input.has_increase = true;
  } else if (!input.has_increase) {
    input.rate_from = time;
  }
  input.has_value = true;
  input.live = true;
  input.value = value;
  input.value_time = time;
  return Outcome::kTaken;
}

void IntervalAggregator::Fold(Input& input) {
  if (input.interval_end == 0) return;
  TimestampMs end = input.interval_end;
  if (input.live || input.has_increase) {
    Open& open = outputs_[input.output];
    auto it = std::ranges::lower_bound(open, end, {}, &IntervalAggregate::end);
    if (it == open.end() || it->end != end) {
      it = open.insert(it, IntervalAggregate{});
      it->end = end;
    }
    IntervalAggregate part;
    part.end = end;
    if (input.live) {
      part.count = 1;
      part.sum = part.min = part.max = part.last = input.value;
      part.last_time = input.value_time;
    }
    if (input.has_increase) {
      auto span_ms = static_cast<double>(input.value_time - input.rate_from);
      part.increase_count = 1;
      part.increase = input.increase;
      part.rate_sum = input.increase * 1000 / span_ms;
    }
    Join(*it, part);
  }
  input.interval_end = 0;
  input.live = false;
  input.has_increase = false;
  input.increase = 0;
}

void IntervalAggregator::Close(TimestampMs now, const Emit& emit) {
  now_ = now;
  TimestampMs up_to = ClosedAt(now);
  if (up_to <= closed_) return;
  closed_ = up_to;
  for (Input& input : inputs_) {
    if (input.interval_end <= up_to) Fold(input);
  }
  for (size_t output = 0; output < outputs_.size(); output++) {
    Open& open = outputs_[output];
    auto end = std::ranges::upper_bound(open, up_to, {}, &IntervalAggregate::end);
    for (auto it = open.begin(); it != end; ++it) emit(static_cast<uint32_t>(output), *it);
    open.erase(open.begin(), end);
  }
}

}  // namespace tributary
