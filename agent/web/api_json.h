// The JSON of the status API: pure functions from the agent's plain values to response bodies.
//
// Follows web/api/v1/api.go of Prometheus: field names, order of fields, times as Go prints them,
// null where Prometheus has null. Text that is not UTF-8 comes out with U+FFFD in place of the bad
// bytes.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/telemetry/status.h"

namespace tributary {

enum class ApiErrorType { kBadData, kNotFound, kExecution, kUnavailable, kInternal };
// {"status":"error","errorType":...,"error":...}
std::string ErrorJson(ApiErrorType type, std::string_view message);
int HttpStatusOf(ApiErrorType type);

// RFC 3339 in UTC, fractions as short as can be: "2026-01-02T03:04:05.6Z"; 0 is Go's zero time.
std::string ApiTime(TimestampMs time_ms);

struct TargetsQuery {
  std::string state;        // "", any, active, dropped in any case; others select nothing
  std::string scrape_pool;  // "": all
};
// `hostname` stands in for localhost in globalUrl. While discovery fails there is also
// discoveryErrors, which is ours alone (docs/operating.md).
std::string TargetsJson(const TargetsStatus& targets, const TargetsQuery& query,
                        std::string_view hostname);
// The scrape URL as others would reach it: loopback hosts become `hostname`.
std::string GlobalUrl(std::string_view scrape_url, std::string_view hostname);
std::string ScrapePoolsJson(const TargetsStatus& targets);
std::string ConfigJson(std::string_view yaml);
std::string FlagsJson(const std::vector<std::pair<std::string, std::string>>& flags);
std::string BuildInfoJson();
// What /version serves: the build info without the envelope.
std::string VersionJson();
std::string RuntimeInfoJson(const RuntimeInfo& info);
// Ours alone (docs/operating.md).
std::string RemoteWriteJson(const RemoteWriteStatus& status);
std::string SeriesLimitsJson(const std::vector<SeriesLimitStatus>& limits);

}  // namespace tributary
