#include "agent/receive/replica_election.h"

#include <utility>

namespace tributary {

bool ReplicaElection::Admit(const std::string& cluster, const std::string& replica,
                            MonotonicTime now, TimestampMs wall_ms, nanoseconds failover) {
  const std::lock_guard lock(mutex_);
  auto it = clusters_.find(cluster);
  if (it == clusters_.end()) {
    if (clusters_.size() >= kClustersMax) {
      over_limit_++;
      return true;
    }
    it = clusters_.emplace(cluster, State{}).first;
  }
  State& state = it->second;
  if (state.replica != replica) {
    const bool is_first = state.replica.empty();
    if (!is_first && now - state.heard <= failover) return false;
    state.changes += is_first ? 0 : 1;
    state.replica = replica;
    state.since_ms = wall_ms;
    if (on_change_) on_change_();
  }
  state.heard = now;
  return true;
}

void ReplicaElection::Restore(const std::vector<Elected>& elected, MonotonicTime now) {
  const std::lock_guard lock(mutex_);
  for (const Elected& one : elected) {
    if (clusters_.size() >= kClustersMax) return;
    clusters_[one.cluster] = {one.replica, one.since_ms, now, 0};
  }
}

std::vector<ReplicaElection::Elected> ReplicaElection::All() const {
  const std::lock_guard lock(mutex_);
  std::vector<Elected> all;
  all.reserve(clusters_.size());
  for (const auto& [cluster, state] : clusters_) {
    all.push_back({cluster, state.replica, state.since_ms});
  }
  return all;
}

void ReplicaElection::SetOnChange(std::function<void()> on_change) {
  const std::lock_guard lock(mutex_);
  on_change_ = std::move(on_change);
}

void ReplicaElection::Collect(MetricSink& sink) const {
  const std::lock_guard lock(mutex_);
  uint64_t changes = 0;
  for (const auto& [cluster, state] : clusters_) changes += state.changes;
  sink.AddGauge("tributary_receive_replicated_clusters", "Clusters of which a replica is elected.",
                {}, static_cast<double>(clusters_.size()));
  sink.AddCounter("tributary_receive_replica_changes_total",
                  "How often another replica was elected, as nothing was heard of the one before.",
                  {}, static_cast<double>(changes));
  sink.AddCounter("tributary_receive_replicas_over_limit_total",
                  "Requests of clusters beyond the number of those that are deduplicated.", {},
                  static_cast<double>(over_limit_));
}

}  // namespace tributary
