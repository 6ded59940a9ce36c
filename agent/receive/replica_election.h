// Of several replicas that send the same series, one for each cluster is elected; what the others
// send is not kept. The semantics of Cortex' and Mimir's HA tracker
// (pkg/distributor/ha_tracker.go): the first that is heard of is elected, and remains so until
// nothing has been heard of it for the failover time and another one comes.
//
// One for the process, whatever the number of workers. Thread-safe: one short lock for each replica
// of a request, not for each sample. Bounds: so many clusters; what is said of one beyond that is
// always kept.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "agent/telemetry/metric_sink.h"
#include "common/base/time.h"

namespace tributary {

class ReplicaElection {
 public:
  static constexpr size_t kClustersMax = 10'000;

  struct Elected {
    std::string cluster, replica;
    TimestampMs since_ms = 0;  // when it was elected, by the wall clock
  };

  // `now` of any clock that does not step back, the same for all calls.
  bool Admit(const std::string& cluster, const std::string& replica, MonotonicTime now,
             TimestampMs wall_ms, nanoseconds failover);

  // What an earlier process had elected, as if it were heard of now: it has the failover time to
  // come back.
  void Restore(const std::vector<Elected>& elected, MonotonicTime now);
  std::vector<Elected> All() const;
  // Is called, by whichever thread has called Admit, at each change. It must neither block nor ask
  // the election. Once another one is set it is not called any more.
  void SetOnChange(std::function<void()> on_change);

  void Collect(MetricSink& sink) const;

 private:
  struct State {
    std::string replica;
    TimestampMs since_ms = 0;
    MonotonicTime heard{};
    uint64_t changes = 0;
  };

  mutable std::mutex mutex_;
  std::map<std::string, State> clusters_;  // guarded by mutex_
  uint64_t over_limit_ = 0;                // guarded by mutex_
  std::function<void()> on_change_;        // guarded by mutex_
};

}  // namespace tributary
