#include "agent/aggregate/interval_aggregator.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "agent/series/samples.h"

namespace tributary {

namespace {

// False: they cannot be put together.
bool Add(HistogramRef& sum, const HistogramRef& part) {
  if (part == nullptr) return true;
  if (sum == nullptr) {
    sum = part;
    return true;
  }
  auto both = std::make_shared<HistogramCounts>(*sum);
  if (!AddCounts(*both, *part)) return false;
  sum = std::move(both);
  return true;
}

}  // namespace

void Join(IntervalAggregate& aggregate, const IntervalAggregate& part) {
  aggregate.increase_count += part.increase_count;
  aggregate.increase += part.increase;
  aggregate.histograms += part.histograms;
  aggregate.mixed |= part.mixed || !Add(aggregate.histogram_sum, part.histogram_sum) ||
                     !Add(aggregate.histogram_increase, part.histogram_increase);
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
    : options_(options), now_(now), closed_(ClosedAt(now)), silent_until_(EndOf(now)) {}

void IntervalAggregator::Resume(TimestampMs closed) {
  closed_ = std::max(closed_, closed);
  silent_until_ = closed_;
}

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
  if (free_outputs_.empty()) {
    outputs_.emplace_back();
    return static_cast<uint32_t>(outputs_.size() - 1);
  }
  const uint32_t number = free_outputs_.back();
  free_outputs_.pop_back();
  return number;
}

void IntervalAggregator::RemoveOutput(uint32_t output) {
  outputs_[output] = {};
  free_outputs_.push_back(output);
}

uint32_t IntervalAggregator::AddInput(uint32_t output, const IntervalInput& known) {
  Input input{known, output, true};
  if (known.next_end != 0) {
    input.known.next_end = std::max(known.next_end, closed_ + options_.interval_ms);
  }
  if (free_inputs_.empty()) {
    inputs_.push_back(input);
    return static_cast<uint32_t>(inputs_.size() - 1);
  }
  const uint32_t number = free_inputs_.back();
  free_inputs_.pop_back();
  inputs_[number] = input;
  return number;
}

void IntervalAggregator::RemoveInput(uint32_t number) {
  Input& input = inputs_[number];
  if (input.known.next_end != 0) Give(input, input.known.next_end);
  input = {};
  free_inputs_.push_back(number);
}

void IntervalAggregator::AddOpen(uint32_t output, IntervalAggregate open) {
  if (open.end > closed_) return Join(OpenAt(output, open.end), open);
  // Its time has passed, but what was gained is not lost.
  if (open.increase_count == 0 && open.histogram_increase == nullptr) return;
  IntervalAggregate increase;
  increase.increase_count = open.increase_count;
  increase.increase = open.increase;
  increase.histogram_increase = std::move(open.histogram_increase);
  Join(OpenAt(output, closed_ + options_.interval_ms), increase);
}

bool IntervalAggregator::MayCount(uint32_t number) const {
  const IntervalInput& input = inputs_[number].known;
  return input.has_increase || (input.has_value && input.value_time > closed_ - options_.stale_ms);
}

IntervalAggregator::Outcome IntervalAggregator::Judge(uint32_t number, TimestampMs time) {
  // Before anything is computed from it: a time may be any number.
  if (time <= closed_) {
    stats_.late++;
    return Outcome::kLate;
  }
  if (time > now_ + options_.ahead_ms) {
    stats_.ahead++;
    return Outcome::kAhead;
  }
  IntervalInput& input = inputs_[number].known;
  if (input.seen && time <= input.newest) {
    stats_.out_of_order++;
    return Outcome::kOutOfOrder;
  }
  stats_.taken++;
  const TimestampMs end = EndOf(time);
  if (input.next_end == 0) input.next_end = end;
  if (input.next_end != end) GiveUpTo(inputs_[number], end);
  input.seen = true;
  input.newest = time;
  return Outcome::kTaken;
}

IntervalAggregator::Outcome IntervalAggregator::Take(uint32_t number, TimestampMs time,
                                                     double value) {
  if (const Outcome outcome = Judge(number, time); outcome != Outcome::kTaken) return outcome;
  IntervalInput& input = inputs_[number].known;
  if (IsStaleNan(value)) {
    input.live = false;
    return Outcome::kTaken;
  }
  if (input.histogram != nullptr) {
    input.histogram = input.histogram_increase = nullptr;
    input.has_value = input.has_increase = false;
  }
  if (input.has_value && time - input.value_time <= options_.stale_ms) {
    input.increase += value < input.value ? value : value - input.value;
    input.has_increase = true;
  }
  input.has_value = true;
  input.live = true;
  input.value = value;
  input.value_time = time;
  return Outcome::kTaken;
}

IntervalAggregator::Outcome IntervalAggregator::Take(uint32_t number, TimestampMs time,
                                                     HistogramRef histogram,
                                                     NativeHistogram::ResetHint hint) {
  if (const Outcome outcome = Judge(number, time); outcome != Outcome::kTaken) return outcome;
  IntervalInput& input = inputs_[number].known;
  if (input.histogram == nullptr) {
    input.has_value = input.has_increase = false;
    input.increase = 0;
  }
  if (input.has_value && time - input.value_time <= options_.stale_ms) {
    const bool known =
        hint == NativeHistogram::ResetHint::kYes || hint == NativeHistogram::ResetHint::kNo;
    const bool reset =
        known ? hint == NativeHistogram::ResetHint::kYes : IsReset(*histogram, *input.histogram);
    auto rise = std::make_shared<HistogramCounts>(*histogram);
    // What cannot be compared is another one.
    if (!reset) AddCounts(*rise, *input.histogram, -1);
    // Where bounds have changed within an interval, what was gained since counts.
    if (!Add(input.histogram_increase, rise)) input.histogram_increase = rise;
    input.has_increase = true;
  }
  input.has_value = true;
  input.live = true;
  input.histogram = std::move(histogram);
  input.value_time = time;
  return Outcome::kTaken;
}

IntervalAggregate& IntervalAggregator::OpenAt(uint32_t output, TimestampMs end) {
  Open& open = outputs_[output];
  auto it = std::ranges::lower_bound(open, end, {}, &IntervalAggregate::end);
  if (it == open.end() || it->end != end) {
    it = open.insert(it, IntervalAggregate{});
    it->end = end;
  }
  return *it;
}

bool IntervalAggregator::Give(Input& input, TimestampMs end) {
  IntervalInput& known = input.known;
  const bool counts = known.live && known.value_time > end - options_.stale_ms;
  if (!counts && !known.has_increase) return false;
  IntervalAggregate part;
  if (counts && known.histogram != nullptr) {
    part.histograms = 1;
    part.histogram_sum = known.histogram;
  } else if (counts) {
    part.count = 1;
    part.sum = part.min = part.max = part.last = known.value;
    part.last_time = known.value_time;
  }
  if (known.has_increase && known.histogram != nullptr) {
    part.histogram_increase = std::exchange(known.histogram_increase, nullptr);
  } else if (known.has_increase) {
    part.increase_count = 1;
    part.increase = std::exchange(known.increase, 0);
  }
  known.has_increase = false;
  Join(OpenAt(input.output, end), part);
  return true;
}

void IntervalAggregator::GiveUpTo(Input& input, TimestampMs end) {
  TimestampMs& next = input.known.next_end;
  while (next < end && Give(input, next)) next += options_.interval_ms;
  next = std::max(next, end);
}

void IntervalAggregator::Close(TimestampMs now, const Emit& emit) {
  now_ = now;
  const TimestampMs up_to = ClosedAt(now);
  if (up_to <= closed_) return;
  closed_ = up_to;
  for (Input& input : inputs_) {
    if (!input.in_use || input.known.next_end == 0) continue;
    if (input.known.next_end <= up_to) GiveUpTo(input, up_to + options_.interval_ms);
  }
  for (size_t output = 0; output < outputs_.size(); output++) {
    Open& open = outputs_[output];
    auto end = std::ranges::upper_bound(open, up_to, {}, &IntervalAggregate::end);
    for (auto it = open.begin(); it != end; ++it) {
      if (it->end > silent_until_) emit(static_cast<uint32_t>(output), *it);
    }
    open.erase(open.begin(), end);
  }
}

size_t IntervalAggregator::memory_bytes() const {
  size_t bytes = inputs_.capacity() * sizeof(Input) + outputs_.capacity() * sizeof(Open);
  for (const Open& open : outputs_) bytes += open.capacity() * sizeof(IntervalAggregate);
  return bytes;
}

}  // namespace tributary
