// The series that a remote refuses: how often in a row, and those that are left out of what is
// sent. Known by a hash of their labels, so that they stay known when series are grouped anew.
//
// One that was refused three times in a row is *quarantined*: it is sent alone, once an hour, until
// the remote takes it. Bounds: 10,000 series; of more, none is remembered. What was last refused
// more than an hour ago, and is not quarantined, is forgotten. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <boost/unordered/unordered_flat_map.hpp>

#include "common/base/time.h"

namespace tributary {

class RefusedSeries {
 public:
  static constexpr int kRefusalsMax = 3;
  static constexpr size_t kSeriesMax = 10'000;
  static constexpr nanoseconds kProbeInterval = std::chrono::hours(1);
  // Between the probes of two series: after an outage all of them are due.
  static constexpr nanoseconds kProbeGap = milliseconds(250);

  struct Words {
    int status = 0;
    std::string message;
  };

  // Refused alone, once more. True: it is quarantined from now on.
  bool Refused(uint64_t series, std::shared_ptr<const Words> words, bool may_quarantine,
               MonotonicTime now);
  void Accepted(uint64_t series);
  void Clear();

  bool empty() const { return series_.empty(); }
  bool Knows(uint64_t series) const { return series_.contains(series); }
  // Why it is quarantined; null: it is not.
  std::shared_ptr<const Words> Quarantined(uint64_t series) const;
  // Whether a quarantined series is to be tried now; the next time is an hour later.
  bool TakeProbe(uint64_t series, MonotonicTime now);
  size_t quarantined() const { return quarantined_; }

 private:
  struct State {
    int refusals = 0;
    MonotonicTime last{};  // refused or looked for
    MonotonicTime probe{};
    bool quarantined = false;
    std::shared_ptr<const Words> words;
  };
  void Prune(MonotonicTime now);

  boost::unordered_flat_map<uint64_t, State> series_;
  size_t quarantined_ = 0;
  MonotonicTime next_probe_{};
  MonotonicTime next_prune_{};
};

}  // namespace tributary
