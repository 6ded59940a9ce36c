#include "agent/web/api_json.h"

#include <algorithm>
#include <ctime>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/base/version.h"

namespace tributary {
namespace {

using Json = nlohmann::ordered_json;

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string Success(Json data) {
  Json json;
  json["status"] = "success";
  json["data"] = std::move(data);
  return Dump(json);
}

Json ToJson(const Labels& labels) {
  Json json = Json::object();
  for (const Label& label : labels) json[label.name] = label.value;
  return json;
}

std::string_view ToText(TargetStatus::Health health) {
  switch (health) {
    case TargetStatus::Health::kUp:
      return "up";
    case TargetStatus::Health::kDown:
      return "down";
    case TargetStatus::Health::kUnknown:
      break;
  }
  return "unknown";
}

Json ToJson(const TargetStatus& target, std::string_view hostname) {
  Json json;
  json["discoveredLabels"] = ToJson(target.discovered_labels);
  json["labels"] = ToJson(target.labels);
  json["scrapePool"] = target.scrape_pool;
  json["scrapeUrl"] = target.scrape_url;
  json["globalUrl"] = GlobalUrl(target.scrape_url, hostname);
  json["lastError"] = target.last_error;
  json["lastScrape"] = ApiTime(target.last_scrape_ms);
  json["lastScrapeDuration"] = target.last_scrape_duration_seconds;
  json["health"] = ToText(target.health);
  json["scrapeInterval"] = target.scrape_interval;
  json["scrapeTimeout"] = target.scrape_timeout;
  return json;
}

Json ToJson(const DroppedTarget& target) {
  Json json;
  json["discoveredLabels"] = ToJson(target.discovered_labels);
  json["scrapePool"] = target.scrape_pool;
  return json;
}

// Those of the wanted pool, by pool; inside a pool as they came.
template <typename Target>
std::vector<const Target*> Select(const std::vector<Target>& targets, std::string_view pool) {
  std::vector<const Target*> selected;
  for (const Target& target : targets) {
    if (pool.empty() || target.scrape_pool == pool) selected.push_back(&target);
  }
  std::stable_sort(selected.begin(), selected.end(), [](const Target* a, const Target* b) {
    return a->scrape_pool < b->scrape_pool;
  });
  return selected;
}

Json BuildInfo() {
  Json json;
  json["version"] = Version();
  json["revision"] = Revision();
  json["branch"] = "";
  json["buildUser"] = "";
  json["buildDate"] = "";
  json["goVersion"] = "";
  return json;
}

std::string_view ToText(ApiErrorType type) {
  switch (type) {
    case ApiErrorType::kBadData:
      return "bad_data";
    case ApiErrorType::kNotFound:
      return "not_found";
    case ApiErrorType::kExecution:
      return "execution";
    case ApiErrorType::kUnavailable:
      return "unavailable";
    case ApiErrorType::kInternal:
      break;
  }
  return "internal";
}

}  // namespace

std::string ErrorJson(ApiErrorType type, std::string_view message) {
  Json json;
  json["status"] = "error";
  json["errorType"] = ToText(type);
  json["error"] = message;
  return Dump(json);
}

int HttpStatusOf(ApiErrorType type) {
  switch (type) {
    case ApiErrorType::kBadData:
      return 400;
    case ApiErrorType::kNotFound:
      return 404;
    case ApiErrorType::kExecution:
      return 422;
    case ApiErrorType::kUnavailable:
      return 503;
    case ApiErrorType::kInternal:
      break;
  }
  return 500;
}

std::string ApiTime(TimestampMs time_ms) {
  if (time_ms == 0) return "0001-01-01T00:00:00Z";
  int64_t fraction_ms = time_ms % 1000;
  if (fraction_ms < 0) fraction_ms += 1000;
  const std::time_t whole_seconds = (time_ms - fraction_ms) / 1000;
  std::tm parts{};
  if (gmtime_r(&whole_seconds, &parts) == nullptr) return "0001-01-01T00:00:00Z";
  std::string fraction;
  if (fraction_ms != 0) {
    fraction = fmt::format(".{:03}", fraction_ms);
    while (fraction.back() == '0') fraction.pop_back();
  }
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     fraction);
}

std::string GlobalUrl(std::string_view scrape_url, std::string_view hostname) {
  const size_t scheme_end = scrape_url.find("://");
  if (scheme_end == std::string_view::npos || hostname.empty()) return std::string(scrape_url);
  const size_t host_begin = scheme_end + 3;
  const size_t authority_end =
      std::min(scrape_url.find_first_of("/?#", host_begin), scrape_url.size());
  for (const std::string_view loopback : {"localhost", "127.0.0.1", "[::1]"}) {
    if (!scrape_url.substr(host_begin).starts_with(loopback)) continue;
    const size_t host_end = host_begin + loopback.size();
    if (host_end != authority_end && scrape_url[host_end] != ':') continue;
    return fmt::format("{}{}{}", scrape_url.substr(0, host_begin), hostname,
                       scrape_url.substr(host_end));
  }
  return std::string(scrape_url);
}

std::string TargetsJson(const TargetsStatus& targets, const TargetsQuery& query,
                        std::string_view hostname) {
  std::string state = query.state;
  std::transform(state.begin(), state.end(), state.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const bool all = state.empty() || state == "any";
  Json data;
  data["activeTargets"] = Json::array();
  data["droppedTargets"] = Json::array();
  data["droppedTargetCounts"] = nullptr;
  if (all || state == "active") {
    for (const TargetStatus* target : Select(targets.active, query.scrape_pool)) {
      data["activeTargets"].push_back(ToJson(*target, hostname));
    }
  }
  if (all || state == "dropped") {
    for (const DroppedTarget* target : Select(targets.dropped, query.scrape_pool)) {
      data["droppedTargets"].push_back(ToJson(*target));
    }
    Json counts = Json::object();
    for (const auto& [pool, count] : targets.dropped_counts) counts[pool] = count;
    data["droppedTargetCounts"] = std::move(counts);
  }
  for (const DiscoveryError* error : Select(targets.discovery_errors, query.scrape_pool)) {
    data["discoveryErrors"].push_back(
        {{"scrapePool", error->scrape_pool}, {"error", error->error}});
  }
  return Success(std::move(data));
}

std::string ScrapePoolsJson(const TargetsStatus& targets) {
  std::set<std::string_view> pools;
  for (const TargetStatus& target : targets.active) pools.insert(target.scrape_pool);
  for (const DroppedTarget& target : targets.dropped) pools.insert(target.scrape_pool);
  for (const auto& [pool, count] : targets.dropped_counts) pools.insert(pool);
  Json data;
  data["scrapePools"] = Json::array();
  for (const std::string_view pool : pools) data["scrapePools"].push_back(pool);
  return Success(std::move(data));
}

std::string ConfigJson(std::string_view yaml) {
  Json data;
  data["yaml"] = yaml;
  return Success(std::move(data));
}

std::string FlagsJson(const std::vector<std::pair<std::string, std::string>>& flags) {
  Json data = Json::object();
  for (const auto& [name, value] : flags) data[name] = value;
  return Success(std::move(data));
}

std::string BuildInfoJson() { return Success(BuildInfo()); }

std::string VersionJson() { return Dump(BuildInfo()); }

std::string RuntimeInfoJson(const RuntimeInfo& info) {
  Json data;
  data["startTime"] = ApiTime(info.start_ms);
  data["CWD"] = info.cwd;
  data["hostname"] = info.hostname;
  data["serverTime"] = ApiTime(info.server_time_ms);
  data["reloadConfigSuccess"] = info.reload_config_success;
  data["lastConfigTime"] = ApiTime(info.last_config_ms);
  data["corruptionCount"] = 0;
  data["goroutineCount"] = info.threads;  // the nearest thing; clients expect the field
  data["GOMAXPROCS"] = info.threads;
  data["GOMEMLIMIT"] = 0;
  data["GOGC"] = "";
  data["GODEBUG"] = "";
  data["storageRetention"] = info.storage_retention;
  return Success(std::move(data));
}

}  // namespace tributary
