#include "agent/discovery/kubernetes/counters.h"

namespace tributary {

void KubeCounters::Collect(MetricSink& sink) const {
  constexpr const char* kChanges[] = {"add", "update", "delete"};
  for (size_t role = 0; role < events.size(); role++) {
    for (size_t change = 0; change < events[role].size(); change++) {
      sink.AddCounter(
          "prometheus_sd_kubernetes_events_total", "Events of Kubernetes' API handled.",
          {{"role", KubeRoleName(static_cast<KubeRole>(role))}, {"event", kChanges[change]}},
          static_cast<double>(events[role][change]));
    }
  }
  const auto add = [&sink](const char* name, const char* help, uint64_t value) {
    sink.AddCounter(name, help, {}, static_cast<double>(value));
  };
  add("prometheus_sd_kubernetes_failures_total", "Requests to list or watch that failed.",
      failures);
  add("tributary_sd_kubernetes_relists_total",
      "Lists taken anew because a watch could not go on from where it was.", relists);
  add("tributary_sd_kubernetes_broken_watches_total",
      "Watches that broke off in the middle and were resumed.", broken_watches);
  for (const auto& [status, count] : requests) {
    sink.AddCounter("prometheus_sd_kubernetes_http_request_total",
                    "Requests to Kubernetes' API, by the status of their answers.",
                    {{"status_code", status == 0 ? "<error>" : std::to_string(status)}},
                    static_cast<double>(count));
  }
  for (const auto& [endpoint, latency] : latencies) {
    sink.AddSummary("prometheus_sd_kubernetes_http_request_duration_seconds",
                    "How long Kubernetes' API takes to begin its answers.",
                    {{"endpoint", endpoint}}, latency.count, latency.seconds);
  }
}

void KubeCounters::CountRequest(const std::string& endpoint, int status, double seconds) {
  requests[status]++;
  Latency& latency = latencies[endpoint];
  latency.count++;
  latency.seconds += seconds;
}

}  // namespace tributary
