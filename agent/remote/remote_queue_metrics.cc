#include <string>

#include "agent/remote/remote_queue.h"

namespace tributary {

void RemoteQueue::Collect(MetricSink& sink) const {
  const MetricLabels labels = {{"remote_name", spec_.config->name},
                               {"url", RedactUrl(spec_.config->url)}};
  auto counter = [&](const char* name, const char* help, uint64_t value) {
    sink.AddCounter(std::string("prometheus_remote_storage_") + name, help, labels,
                    static_cast<double>(value));
  };
  auto gauge = [&](const char* name, const char* help, double value) {
    sink.AddGauge(std::string("prometheus_remote_storage_") + name, help, labels, value);
  };
  counter("samples_total", "Samples delivered.", stats_.samples_sent);
  counter("samples_failed_total", "Samples that the receiver refused for good.",
          stats_.samples_failed);
  counter("samples_retried_total", "Samples whose sending failed and was tried again.",
          stats_.samples_retried);
  counter("bytes_total", "Bytes of delivered requests, compressed.", stats_.bytes_sent);
  counter("metadata_total", "Metadata entries delivered.", metadata_stats_.sent);
  counter("metadata_failed_total", "Metadata entries that the receiver refused for good.",
          metadata_stats_.failed);
  counter("metadata_retried_total", "Metadata entries whose sending failed and was tried again.",
          metadata_stats_.retried);
  counter("metadata_bytes_total", "Bytes of delivered metadata, compressed.",
          metadata_stats_.bytes);
  auto dropped = [&](const char* reason, uint64_t value) {
    MetricLabels with_reason = labels;
    with_reason.emplace_back("reason", reason);
    sink.AddCounter("prometheus_remote_storage_samples_dropped_total",
                    "Samples read from the log and not sent.", with_reason,
                    static_cast<double>(value));
  };
  dropped("dropped_series", stats_.dropped_series);
  dropped("too_old", stats_.dropped_too_old);
  dropped("log_full", stats_.dropped_evicted);
  dropped("before_start", stats_.dropped_before_start);
  gauge("samples_pending", "Samples read from the log and neither sent nor dropped.",
        static_cast<double>(pending_));
  gauge("shards", "Requests that may be under way.", static_cast<double>(shards_));
  gauge("shards_min", "The least number of shards.",
        static_cast<double>(spec_.config->queue.min_shards));
  gauge("shards_max", "The greatest number of shards.",
        static_cast<double>(spec_.config->queue.max_shards));
  gauge("shards_desired", "Shards that the queue's throughput asks for.", calculator_.desired());
  gauge("shard_capacity", "Samples read ahead per shard.",
        static_cast<double>(spec_.config->queue.capacity));
  gauge("max_samples_per_send", "Samples in a request, at most.",
        static_cast<double>(spec_.config->queue.max_samples_per_send));
  gauge("queue_highest_timestamp_seconds", "Latest sample read from the log.",
        static_cast<double>(highest_read_ms_ / 1000));
  gauge("queue_highest_sent_timestamp_seconds", "Latest sample delivered.",
        static_cast<double>(highest_sent_ms_ / 1000));
  sink.AddHistogram("prometheus_remote_storage_sent_batch_duration_seconds",
                    "How long attempts to send took.", labels, batch_duration_);
  sink.AddCounter("tributary_remote_samples_read_total",
                  "Samples taken from the log: sent, failed, dropped or pending.", labels,
                  static_cast<double>(stats_.samples_read));
  sink.AddCounter("tributary_remote_requests_total", "Attempts to send.", labels,
                  static_cast<double>(stats_.requests));
}

}  // namespace tributary
