#include <algorithm>
#include <string>
#include <utility>

#include "agent/remote/remote_queue.h"

namespace tributary {

void RemoteQueue::Collect(MetricSink& sink) const {
  const MetricLabels labels = {{"remote_name", spec_.config->name},
                               {"url", RedactUrl(spec_.config->url)}};
  auto counter = [&](const std::string& name, const std::string& help, uint64_t value) {
    sink.AddCounter("prometheus_remote_storage_" + name, help, labels, static_cast<double>(value));
  };
  auto gauge = [&](const std::string& name, const std::string& help, double value) {
    sink.AddGauge("prometheus_remote_storage_" + name, help, labels, value);
  };
  struct Kind {
    std::string name;
    uint64_t SampleCounts::*count;
  };
  const Kind kinds[] = {{"samples", &SampleCounts::samples},
                        {"histograms", &SampleCounts::histograms},
                        {"exemplars", &SampleCounts::exemplars}};
  const RemoteLedger ledger = this->ledger();
  for (const auto& [name, count] : kinds) {
    counter(name + "_total", "Delivered " + name + ".", stats_.sent.*count);
    counter(name + "_failed_total", "What the receiver refused for good, of " + name + ".",
            stats_.failed.*count);
    counter(name + "_retried_total", "What could not be sent and was tried again, of " + name + ".",
            stats_.retried.*count);
    for (const auto& [reason, reason_name] : kDropReasonNames) {
      // What cannot be is not shown.
      if (reason == DropReason::kCustomBuckets && name != "histograms") continue;
      if (reason == DropReason::kSwitchedOff && name == "samples") continue;
      if (reason == DropReason::kBeforeStart && name == "exemplars") continue;
      MetricLabels with_reason = labels;
      with_reason.emplace_back("reason", reason_name);
      sink.AddCounter("prometheus_remote_storage_" + name + "_dropped_total",
                      "What was read from the log and not sent, of " + name + ".", with_reason,
                      static_cast<double>(stats_.dropped[reason].*count));
    }
    gauge(name + "_pending",
          "What was read from the log and neither sent nor dropped, of " + name + ".",
          static_cast<double>(pending_.*count));
    sink.AddGauge("tributary_remote_" + name + "_unread",
                  "In the log, and not read from it yet, of " + name + ".", labels,
                  static_cast<double>(ledger.unread.*count));
    auto own_counter = [&](const std::string& what, const std::string& help, uint64_t value) {
      sink.AddCounter("tributary_remote_" + name + "_" + what + "_total", help + name + ".", labels,
                      static_cast<double>(value));
    };
    own_counter("read", "Taken from the log and sent, failed, dropped or pending, of ",
                stats_.read.*count);
    own_counter("accepted", "Put into the log since the remote was added, of ",
                ledger.accepted.*count);
    // No counter: it is put right, up or down, as what was left is read.
    sink.AddGauge("tributary_remote_" + name + "_recovered",
                  "Left in the log by an earlier process for this remote, of " + name + ".", labels,
                  static_cast<double>(ledger.recovered.*count));
    own_counter("unwanted", "Passed over in the log, as the remote does not take any, of ",
                ledger.unwanted.*count);
  }
  counter("bytes_total", "Bytes of delivered requests, compressed.", stats_.bytes_sent);
  if (spec_.config->message == RemoteWriteMessage::kV1) {
    counter("metadata_total", "Metadata entries delivered.", metadata_stats_.sent);
    counter("metadata_failed_total", "Metadata entries that the receiver refused for good.",
            metadata_stats_.failed);
    counter("metadata_retried_total", "Metadata entries whose sending failed and was tried again.",
            metadata_stats_.retried);
    counter("metadata_bytes_total", "Bytes of delivered metadata, compressed.",
            metadata_stats_.bytes);
  }
  gauge("shards", "Requests that may be under way.", static_cast<double>(shards_));
  gauge("shards_min", "The least number of shards.", static_cast<double>(min_shards()));
  gauge("shards_max", "The greatest number of shards.", static_cast<double>(max_shards()));
  gauge("shards_desired", "Shards that the queue's throughput asks for.", calculator_.desired());
  auto greatest = [&](const std::string& name, const std::string& help, double value) {
    sink.AddGreatest("prometheus_remote_storage_" + name, help, labels, value);
  };
  greatest("shard_capacity", "Samples read ahead per shard.",
           static_cast<double>(spec_.config->queue.capacity));
  greatest("max_samples_per_send", "Samples in a request, at most.",
           static_cast<double>(spec_.config->queue.max_samples_per_send));
  greatest("queue_highest_timestamp_seconds", "Latest sample that is to be delivered.",
           static_cast<double>(highest_ms() / 1000));
  greatest("queue_highest_sent_timestamp_seconds", "Latest sample delivered.",
           static_cast<double>(highest_sent_ms_ / 1000));
  if (const auto signing = client_ != nullptr ? client_->signing_stats() : std::nullopt) {
    sink.AddCounter("tributary_remote_credential_failures_total",
                    "Fetches of credentials to sign with that failed.", labels,
                    static_cast<double>(signing->credential_failures));
    sink.AddCounter("tributary_remote_clock_corrections_total",
                    "Answers which showed that the clock requests are signed by is wrong.", labels,
                    static_cast<double>(signing->clock_corrections));
  }
  sink.AddHistogram("prometheus_remote_storage_sent_batch_duration_seconds",
                    "How long attempts to send took.", labels, batch_duration_);
  sink.AddCounter("tributary_remote_requests_total", "Attempts to send.", labels,
                  static_cast<double>(stats_.requests));
  sink.AddCounter("tributary_remote_framed_samples_total",
                  "Samples of written requests that were filled into compiled frames.", labels,
                  static_cast<double>(stats_.framed));
  sink.AddCounter("tributary_relabel_dropped_total", kRelabelDroppedHelp,
                  {{"stage", "write"}, {"remote_name", spec_.config->name}},
                  static_cast<double>(stats_.dropped[DropReason::kSeries].total()));
  const TimestampMs since = WaitsSinceMs();
  sink.AddGreatest("tributary_remote_backlog_seconds",
                   "How old the oldest sample is that is neither delivered nor dropped.", labels,
                   since == 0 ? 0 : static_cast<double>(env_.loop.WallMs() - since) / 1000);
  auto memory = [&](const std::string& part, size_t bytes) {
    sink.AddGauge("tributary_memory_bytes", "Memory in use, by part.", {{"part", part}},
                  static_cast<double>(bytes));
  };
  memory("frames", frame_bytes());
  memory("queues", label_bytes() + quota_.memory_bytes());
  CollectErrors(sink, labels);
}

void RemoteQueue::CollectErrors(MetricSink& sink, const MetricLabels& labels) const {
  auto counter = [&](const std::string& name, const std::string& help, uint64_t value) {
    sink.AddCounter("tributary_remote_" + name, help, labels, static_cast<double>(value));
  };
  auto gauge = [&](const std::string& name, const std::string& help, size_t value) {
    sink.AddGauge("tributary_remote_" + name, help, labels, static_cast<double>(value));
  };
  const auto waiting = std::count_if(requests_.begin(), requests_.end(), [](const auto& request) {
    return request->credentials_backoff > nanoseconds(0);
  });
  counter("credential_waits_total",
          "Answers of 401 and 403 after which a request was kept to be tried again.",
          stats_.credential_waits);
  gauge("requests_awaiting_credentials", "Requests that were last answered with 401 or 403.",
        static_cast<size_t>(waiting));
  counter("splits_total", "Refused requests that were sent again in parts.", stats_.splits);
  counter("split_requests_total", "Parts of refused requests that were sent.",
          stats_.split_requests);
  counter("split_waits_total", "Refused requests that waited for the split of another.",
          stats_.split_waits);
  gauge("requests_awaiting_split", "Refused requests that wait for the split of another.",
        split_waiting_.size());
  counter("requests_parked_total",
          "Requests that were answered with 429 for so long that others overtook them.",
          stats_.parked);
  gauge("quarantined_series", "Series that are left out as the receiver refuses them.",
        refused_.quarantined());
  counter("quarantine_probes_total", "Samples of such series that were sent to try again.",
          stats_.probes);
  counter("dead_letter_samples_total", "What was refused and written to the dead-letter file.",
          stats_.dead_letters.written);
  counter("dead_letter_lost_samples_total",
          "What was refused and not written to the dead-letter file: too much, or the disk failed.",
          stats_.dead_letters.lost);
  counter("dead_letter_failures_total", "Writes to the dead-letter file that failed.",
          stats_.dead_letters.failures);
  counter("protocol_fallbacks_total", "Changes from remote write 2.0 to 1.0.", stats_.fallbacks);
}

}  // namespace tributary
