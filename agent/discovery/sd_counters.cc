#include "agent/discovery/sd_counters.h"

#include <string_view>

namespace tributary {

void SdCounters::Collect(MetricSink& sink) const {
  const auto add = [&sink](std::string_view name, std::string_view help, uint64_t value,
                           const MetricLabels& labels = {}) {
    sink.AddCounter(name, help, labels, static_cast<double>(value));
  };
  add("prometheus_sd_received_updates_total", "Updates received from the providers of discovery.",
      received_updates, {{"name", "scrape"}});
  add("prometheus_sd_file_read_errors_total", "Failures to read a file of targets.",
      file_read_errors);
  add("prometheus_sd_file_watcher_errors_total",
      "Folders of target files that could not be watched.", file_watcher_errors);
  add("prometheus_sd_http_failures_total", "Failures to get targets from a web server.",
      http_failures);
  add("prometheus_sd_dns_lookups_total", "Names looked up for targets.", dns_lookups);
  add("prometheus_sd_dns_lookup_failures_total", "Names whose records could not be found out.",
      dns_lookup_failures);
  add("tributary_sd_aws_requests_total", "Requests to AWS' APIs for targets.", aws.requests);
  add("tributary_sd_aws_retries_total", "Of these, those that asked once more.", aws.retries);
  add("tributary_sd_aws_throttled_total", "Answers of AWS' APIs that there were too many requests.",
      aws.throttled);
  add("tributary_sd_aws_credential_failures_total",
      "Failures to get credentials for AWS' APIs of discovery.", aws.credential_failures);
  add("tributary_sd_aws_clock_corrections_total",
      "How often the clock was off by so much that AWS' APIs refused a signature.",
      aws.clock_corrections);
  kubernetes.Collect(sink);
  for (const auto& [mechanism, histogram] : refresh_seconds) {
    sink.AddHistogram("prometheus_sd_refresh_duration_histogram_seconds",
                      "How long a mechanism's refreshes take.", {{"mechanism", mechanism}},
                      histogram);
  }
}

}  // namespace tributary
