// A limit on the series of a target, a job, a sender or a remote: how many it may have, how many it
// has, and what was over it.
//
// Any thread. Room is an atomic count, which all workers share; what was dropped goes under a lock,
// which is taken for a series that is new and over the limit, and never for a sample.
//
// Bounds: three lists of names (HeavyHitters), some 40 KiB once something was dropped.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "agent/limits/distinct_values.h"
#include "agent/limits/heavy_hitters.h"
#include "agent/telemetry/status.h"
#include "common/base/time.h"
#include "common/labels/labels.h"

namespace tributary {

enum class LimitScope : uint8_t {
  kTarget,  // each target of a job; the name is the job's
  kJob,     // all targets of a job together
  kSender,  // each sender of remote write
  kRemote,  // a remote_write entry
};
inline constexpr size_t kLimitScopes = 4;
const char* LimitScopeName(LimitScope scope);

class SeriesLimit {
 public:
  // Offenders that are told of each kind.
  static constexpr size_t kOffendersTold = 10;
  // After so long without a series over the limit the next one begins new lists.
  static constexpr TimestampMs kForgetAfterMs = 60 * 60 * 1000;

  SeriesLimit(LimitScope scope, std::string name) : scope_(scope), name_(std::move(name)) {}
  SeriesLimit(const SeriesLimit&) = delete;
  SeriesLimit& operator=(const SeriesLimit&) = delete;

  LimitScope scope() const { return scope_; }
  const std::string& name() const { return name_; }
  // 0: there is none, and everything has room.
  void SetLimit(uint64_t limit) { limit_.store(limit, std::memory_order_relaxed); }
  uint64_t limit() const { return limit_.load(std::memory_order_relaxed); }

  // Takes room for one more series. False: there is none.
  bool Take();
  // Series that have, or no longer have, their room whatever the limit is.
  void Add(uint64_t series) { active_.fetch_add(series, std::memory_order_relaxed); }
  void Give(uint64_t series) { active_.fetch_sub(series, std::memory_order_relaxed); }
  uint64_t active() const { return active_.load(std::memory_order_relaxed); }
  uint64_t room() const;

  // A new series was over the limit. `source`: whose it is, for people. Labels that all series of
  // the source have, `common`, are no suspects.
  void NoteDropped(std::string_view source, const Labels& series, const Labels& common,
                   TimestampMs now);
  void CountSamples(uint64_t samples) {
    dropped_samples_.fetch_add(samples, std::memory_order_relaxed);
  }
  uint64_t dropped_series() const { return dropped_series_.load(std::memory_order_relaxed); }
  uint64_t dropped_samples() const { return dropped_samples_.load(std::memory_order_relaxed); }
  SeriesLimitStatus status() const;

 private:
  struct Offenders {
    HeavyHitters sources, metrics, labels;
    std::array<DistinctValues, HeavyHitters::kCounters> values;  // of labels, by entry
  };

  void NoteLabel(const Label& label);

  const LimitScope scope_;
  const std::string name_;
  std::atomic<uint64_t> limit_{0}, active_{0}, dropped_series_{0}, dropped_samples_{0};
  mutable std::mutex mutex_;
  TimestampMs last_dropped_ms_ = 0;       // 0: never
  std::unique_ptr<Offenders> offenders_;  // null: none yet
};

}  // namespace tributary
