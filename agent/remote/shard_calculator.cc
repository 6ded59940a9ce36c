#include "agent/remote/shard_calculator.h"

#include <algorithm>
#include <cmath>

namespace tributary {

namespace {

constexpr double kEwmaWeight = 0.2;
// Of the backlog, so much is to be caught up with each second.
constexpr double kCatchUpPerSecond = 0.05;
// Changes smaller than this fraction of the present number are not worth it.
constexpr double kTolerance = 0.3;
// Farther behind than this, the number does not go down.
constexpr double kDelayMaxSeconds = 10;

}  // namespace

void EwmaRate::Tick(double interval_seconds) {
  const double instant = events_ / interval_seconds;
  events_ = 0;
  if (started_) {
    rate_ += kEwmaWeight * (instant - rate_);
  } else if (instant > 0) {
    started_ = true;
    rate_ = instant;
  }
}

uint64_t ShardCalculator::Tick(const Inputs& inputs) {
  const double interval = std::chrono::duration<double>(kInterval).count();
  for (EwmaRate* rate : {&in_, &dropped_, &out_, &out_duration_}) rate->Tick(interval);
  if (out_.rate() <= 0) return inputs.shards;

  const double kept = out_.rate() / (dropped_.rate() + out_.rate());
  const double delay = std::max(inputs.delay_seconds, 0.0);
  const double pending = delay * in_.rate() * kept;
  const double seconds_per_sample = out_duration_.rate() / out_.rate();
  desired_ = seconds_per_sample * (in_.rate() * kept + kCatchUpPerSecond * pending);

  const auto shards = static_cast<double>(inputs.shards);
  const double wanted = std::ceil(desired_);
  if (shards * (1 - kTolerance) <= wanted && wanted <= shards * (1 + kTolerance)) {
    return inputs.shards;
  }
  if (wanted < shards && delay > kDelayMaxSeconds) return inputs.shards;
  // Clamped before the conversion: the formula may ask for more than an integer holds.
  return static_cast<uint64_t>(std::clamp(wanted, static_cast<double>(inputs.min_shards),
                                          static_cast<double>(inputs.max_shards)));
}

}  // namespace tributary
