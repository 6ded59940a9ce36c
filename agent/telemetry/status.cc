#include "agent/telemetry/status.h"

#include <algorithm>

namespace tributary {

namespace {

void Add(KindCounts& sum, const KindCounts& part) {
  sum.samples += part.samples;
  sum.histograms += part.histograms;
  sum.exemplars += part.exemplars;
}

void Add(RemoteStatus& sum, const RemoteStatus& part) {
  for (const auto member :
       {&RemoteStatus::shards, &RemoteStatus::shards_min, &RemoteStatus::shards_max,
        &RemoteStatus::backlog_disk_bytes, &RemoteStatus::requests_in_flight,
        &RemoteStatus::requests_waiting, &RemoteStatus::requests, &RemoteStatus::bytes_sent}) {
    sum.*member += part.*member;
  }
  for (const auto member :
       {&RemoteStatus::backlog, &RemoteStatus::accepted, &RemoteStatus::recovered,
        &RemoteStatus::sent, &RemoteStatus::failed, &RemoteStatus::retried, &RemoteStatus::unwanted,
        &RemoteStatus::pending, &RemoteStatus::unread}) {
    Add(sum.*member, part.*member);
  }
  sum.shards_desired += part.shards_desired;
  sum.positions.insert(sum.positions.end(), part.positions.begin(), part.positions.end());
  sum.backlog_seconds = std::max(sum.backlog_seconds, part.backlog_seconds);
  if (part.last_error_ms > sum.last_error_ms) {
    sum.last_error_ms = part.last_error_ms;
    sum.last_error = part.last_error;
  }
  sum.last_success_ms = std::max(sum.last_success_ms, part.last_success_ms);
  for (size_t i = 0; i < std::min(sum.dropped.size(), part.dropped.size()); i++) {
    Add(sum.dropped[i].second, part.dropped[i].second);
  }
}

void Add(LogStatus& sum, const LogStatus& part) {
  for (const auto member :
       {&LogStatus::memory_bytes, &LogStatus::memory_records, &LogStatus::unwritten_records,
        &LogStatus::disk_bytes, &LogStatus::segments, &LogStatus::damaged_bytes,
        &LogStatus::unfinished_bytes, &LogStatus::foreign_files, &LogStatus::segments_removed,
        &LogStatus::segments_dropped, &LogStatus::write_failures, &LogStatus::sync_failures,
        &LogStatus::read_failures}) {
    sum.*member += part.*member;
  }
  for (const auto member : {&LogStatus::appended, &LogStatus::recovered, &LogStatus::evicted}) {
    Add(sum.*member, part.*member);
  }
  sum.disk_failing |= part.disk_failing;
  if (sum.last_disk_error.empty()) sum.last_disk_error = part.last_disk_error;
}

}  // namespace

void Add(RemoteWriteStatus& sum, const RemoteWriteStatus& part) {
  Add(sum.log, part.log);
  for (const RemoteStatus& remote : part.remotes) {
    auto known = std::find_if(sum.remotes.begin(), sum.remotes.end(),
                              [&](const RemoteStatus& one) { return one.name == remote.name; });
    if (known == sum.remotes.end()) {
      sum.remotes.push_back(remote);  // this worker has been told of it, others not yet
    } else {
      Add(*known, remote);
    }
  }
}

}  // namespace tributary
