// /api/v1/status/remote_write: what became of every sample, remote by remote.
#include <nlohmann/json.hpp>

#include "agent/web/api_json.h"

namespace tributary {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const KindCounts& counts) {
  return {{"samples", counts.samples},
          {"histograms", counts.histograms},
          {"exemplars", counts.exemplars}};
}

// Null: there was none.
Json TimeJson(TimestampMs time_ms) { return time_ms == 0 ? Json(nullptr) : Json(ApiTime(time_ms)); }

Json LedgerJson(const RemoteStatus& remote) {
  Json dropped = Json::object();
  for (const auto& [reason, counts] : remote.dropped) dropped[reason] = ToJson(counts);
  return {{"accepted", ToJson(remote.accepted)}, {"recovered", ToJson(remote.recovered)},
          {"sent", ToJson(remote.sent)},         {"failed", ToJson(remote.failed)},
          {"dropped", std::move(dropped)},       {"unwanted", ToJson(remote.unwanted)},
          {"pending", ToJson(remote.pending)},   {"unread", ToJson(remote.unread)}};
}

Json ToJson(const RemoteStatus& remote) {
  Json json;
  json["name"] = remote.name;
  json["url"] = remote.url;
  json["protobufMessage"] = remote.message;
  json["shards"] = {{"current", remote.shards},
                    {"desired", remote.shards_desired},
                    {"min", remote.shards_min},
                    {"max", remote.shards_max}};
  json["position"] = {
      {"read", remote.position_read}, {"done", remote.position_done}, {"end", remote.position_end}};
  json["backlog"] = ToJson(remote.backlog);
  json["backlog"]["bytes"] = remote.backlog_disk_bytes;
  json["backlog"]["seconds"] = remote.backlog_seconds;
  json["requests"] = {{"sent", remote.requests},
                      {"inFlight", remote.requests_in_flight},
                      {"waitingForRetry", remote.requests_waiting}};
  json["bytesSent"] = remote.bytes_sent;
  json["lastError"] = nullptr;
  if (remote.last_error_ms != 0) {
    json["lastError"] = {{"time", ApiTime(remote.last_error_ms)}, {"text", remote.last_error}};
  }
  json["lastSuccess"] = TimeJson(remote.last_success_ms);
  json["retried"] = ToJson(remote.retried);
  json["ledger"] = LedgerJson(remote);
  return json;
}

Json ToJson(const LogStatus& log) {
  Json json;
  json["mode"] = log.on_disk ? "disk" : "memory";
  json["end"] = log.end;
  json["memoryBytes"] = log.memory_bytes;
  json["memoryRecords"] = log.memory_records;
  json["appended"] = ToJson(log.appended);
  json["evicted"] = ToJson(log.evicted);
  if (!log.on_disk) return json;
  json["path"] = log.path;
  json["diskBytes"] = log.disk_bytes;
  json["segments"] = log.segments;
  json["unwrittenRecords"] = log.unwritten_records;
  json["diskFailing"] = log.disk_failing;
  json["lastDiskError"] = log.last_disk_error;
  json["recovered"] = ToJson(log.recovered);
  json["damagedBytes"] = log.damaged_bytes;
  json["unfinishedBytes"] = log.unfinished_bytes;
  json["foreignFiles"] = log.foreign_files;
  json["segmentsRemoved"] = log.segments_removed;
  json["segmentsDropped"] = log.segments_dropped;
  json["writeFailures"] = log.write_failures;
  json["syncFailures"] = log.sync_failures;
  json["readFailures"] = log.read_failures;
  return json;
}

}  // namespace

std::string RemoteWriteJson(const RemoteWriteStatus& status) {
  Json json;
  json["status"] = "success";
  json["data"]["remotes"] = Json::array();
  for (const RemoteStatus& remote : status.remotes) {
    json["data"]["remotes"].push_back(ToJson(remote));
  }
  json["data"]["log"] = ToJson(status.log);
  // A receiver's words need not be UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tributary
