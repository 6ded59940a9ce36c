// How many shards a queue should have, by Prometheus' formula (queue_manager.go
// calculateDesiredShards). Plain arithmetic; no clock, no thread.
#pragma once

#include <cstdint>

#include "common/base/time.h"

namespace tributary {

// An exponentially weighted moving average of a rate, ticked at even intervals (ewma.go).
class EwmaRate {
 public:
  void Add(double events) { events_ += events; }
  void Tick(double interval_seconds);
  double rate() const { return rate_; }

 private:
  double events_ = 0;
  double rate_ = 0;
  bool started_ = false;
};

class ShardCalculator {
 public:
  static constexpr seconds kInterval{10};

  void AddIn(uint64_t samples) { in_.Add(static_cast<double>(samples)); }
  void AddDropped(uint64_t samples) { dropped_.Add(static_cast<double>(samples)); }
  void AddOut(uint64_t samples, nanoseconds duration) {
    out_.Add(static_cast<double>(samples));
    out_duration_.Add(std::chrono::duration<double>(duration).count());
  }

  struct Inputs {
    uint64_t shards = 1, min_shards = 1, max_shards = 1;
    // Seconds between the latest sample read and the latest one delivered.
    double delay_seconds = 0;
  };
  // To be called every kInterval. Returns the number of shards to run.
  uint64_t Tick(const Inputs& inputs);
  // What the formula asks for, before clamping.
  double desired() const { return desired_; }

 private:
  EwmaRate in_, dropped_, out_, out_duration_;
  double desired_ = 0;
};

}  // namespace tributary
