// What the mechanisms of discovery count for as long as the agent runs, whatever reloads make of
// their providers. Plain numbers; control loop only.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "agent/discovery/kubernetes/counters.h"
#include "agent/telemetry/metric_sink.h"
#include "common/aws/api_client.h"

namespace tributary {

struct SdCounters {
  uint64_t received_updates = 0;
  uint64_t file_read_errors = 0;
  uint64_t file_watcher_errors = 0;
  uint64_t http_failures = 0;
  uint64_t dns_lookups = 0;
  uint64_t dns_lookup_failures = 0;
  const void* shows_ecs_task = nullptr;  // the provider whose statistics are shown
  AwsApiCounters aws;
  KubeCounters kubernetes;
  std::map<std::string, Histogram> refresh_seconds;  // by mechanism

  void Collect(MetricSink& sink) const;
};

}  // namespace tributary
