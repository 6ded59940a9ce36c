// What discovery in Kubernetes counts for as long as the agent runs. Plain numbers; control loop
// only. Names are those of prometheus/prometheus discovery/kubernetes/metrics.go and
// discovery/metrics_k8s_client.go (3.16).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "agent/telemetry/metric_sink.h"
#include "common/config/model.h"

namespace tributary {

enum class KubeChange : uint8_t { kAdd, kUpdate, kDelete };

struct KubeCounters {
  uint64_t failures = 0;        // of requests to list or to watch
  uint64_t relists = 0;         // because a watch could not go on from where it was
  uint64_t broken_watches = 0;  // that ended in the middle, and were resumed

  uint64_t& Events(KubeRole role, KubeChange change) {
    return events[static_cast<size_t>(role)][static_cast<size_t>(change)];
  }
  // `endpoint` is the path with {namespace} for a namespace's name; `status` 0 if none arrived.
  void CountRequest(const std::string& endpoint, int status, double seconds);
  void Collect(MetricSink& sink) const;

  std::array<std::array<uint64_t, 3>, 6> events{};
  std::map<int, uint64_t> requests;  // by status
  struct Latency {
    uint64_t count = 0;
    double seconds = 0;  // to the head of the answer
  };
  std::map<std::string, Latency> latencies;  // by endpoint
};

}  // namespace tributary
