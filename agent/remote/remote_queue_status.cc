// What a queue tells about itself: its ledger, and its status for the API.
#include <algorithm>

#include "agent/remote/remote_queue.h"

namespace tributary {

namespace {

KindCounts Kinds(const SampleCounts& counts) {
  return {counts.samples, counts.histograms, counts.exemplars};
}

// Of the answer to a page of the API.
constexpr size_t kErrorBytesMax = 2048;

}  // namespace

RemoteLedger RemoteQueue::ledger() const {
  RemoteLedger ledger;
  ledger.accepted = env_.log.stats().appended - appended_before_;
  ledger.recovered = env_.log.Recovered(reader_);
  ledger.sent = stats_.sent;
  ledger.failed = stats_.failed;
  ledger.dropped = stats_.dropped;
  ledger.unwanted = stats_.unwanted;
  ledger.pending = pending_;
  ledger.unread = unread();
  return ledger;
}

void RemoteQueue::NoteError(const std::string& message) {
  last_error_ = message.substr(0, kErrorBytesMax);
  last_error_ms_ = env_.loop.WallMs();
}

TimestampMs RemoteQueue::WaitsSinceMs() const {
  // Those that are finished are popped a little later.
  auto oldest = std::find_if(outstanding_.begin(), outstanding_.end(),
                             [](const Outstanding& record) { return record.unfinished > 0; });
  if (oldest != outstanding_.end()) return oldest->timestamp;
  if (filter_.Wanted(unread()).total() == 0) return 0;
  return env_.log.PlaceOf(reader_).unread_since;
}

RemoteStatus RemoteQueue::status() const {
  const RemoteLedger ledger = this->ledger();
  RemoteStatus status;
  status.name = spec_.config->name;
  status.url = RedactUrl(spec_.config->url);
  status.message = spec_.config->message == RemoteWriteMessage::kV1
                       ? "prometheus.WriteRequest"
                       : "io.prometheus.write.v2.Request";
  status.shards = shards_;
  status.shards_min = spec_.config->queue.min_shards;
  status.shards_max = spec_.config->queue.max_shards;
  status.shards_desired = calculator_.desired();
  const SampleLog::Place place = env_.log.PlaceOf(reader_);
  status.position_read = place.read;
  status.position_done = place.done;
  status.position_end = env_.log.end();
  const SampleCounts backlog = pending_ + filter_.Wanted(ledger.unread);
  status.backlog = Kinds(backlog);
  if (backlog.total() > 0) status.backlog_disk_bytes = place.disk_bytes;
  if (const TimestampMs since = WaitsSinceMs(); since > 0) {
    status.backlog_seconds = static_cast<double>(env_.loop.WallMs() - since) / 1000;
  }
  for (const auto& request : requests_) {
    request->send != 0 ? status.requests_in_flight++ : status.requests_waiting++;
  }
  status.last_error_ms = last_error_ms_;
  status.last_error = last_error_;
  status.last_success_ms = last_success_ms_;
  status.requests = stats_.requests;
  status.bytes_sent = stats_.bytes_sent;
  status.accepted = Kinds(ledger.accepted);
  status.recovered = Kinds(ledger.recovered);
  status.sent = Kinds(ledger.sent);
  status.failed = Kinds(ledger.failed);
  status.retried = Kinds(stats_.retried);
  status.unwanted = Kinds(ledger.unwanted);
  status.pending = Kinds(ledger.pending);
  status.unread = Kinds(ledger.unread);
  for (const auto& [reason, name] : kDropReasonNames) {
    status.dropped.emplace_back(name, Kinds(ledger.dropped[reason]));
  }
  return status;
}

}  // namespace tributary
