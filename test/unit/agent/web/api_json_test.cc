#include "agent/web/api_json.h"

#include <nlohmann/json.hpp>

#include "common/base/version.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

using nlohmann::json;

TargetsStatus TwoPools() {
  TargetsStatus status;
  TargetStatus b;
  b.discovered_labels = Labels{{"__address__", "localhost:9100"}, {"job", "b"}};
  b.labels = Labels{{"instance", "localhost:9100"}, {"job", "b"}};
  b.scrape_pool = "b";
  b.scrape_url = "http://localhost:9100/metrics";
  b.last_error = "connection refused";
  b.last_scrape_ms = 1767322984560;
  b.last_scrape_duration_seconds = 0.25;
  b.health = TargetStatus::Health::kDown;
  b.scrape_interval = "15s";
  b.scrape_timeout = "10s";
  TargetStatus a;
  a.scrape_pool = "a";
  a.scrape_url = "http://10.0.0.1:80/metrics";
  status.active = {b, a};
  status.dropped = {{Labels{{"__address__", "x:1"}}, "b"}};
  status.dropped_counts = {{"b", 7}, {"a", 0}};
  return status;
}

json Data(const std::string& text) {
  const json body = json::parse(text);
  REQUIRE(body["status"] == "success");
  return body["data"];
}

TEST_CASE("api time: RFC 3339 in UTC with the shortest fraction, and Go's zero time for never") {
  CHECK(ApiTime(0) == "0001-01-01T00:00:00Z");
  CHECK(ApiTime(1767322984000) == "2026-01-02T03:03:04Z");
  CHECK(ApiTime(1767322984500) == "2026-01-02T03:03:04.5Z");
  CHECK(ApiTime(1767322984056) == "2026-01-02T03:03:04.056Z");
  CHECK(ApiTime(-1) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("api targets: the fields of an active target are Prometheus' own") {
  const json data = Data(TargetsJson(TwoPools(), {"", "b"}, "host1"));
  CHECK(data["activeTargets"] == json::parse(R"([{
    "discoveredLabels": {"__address__": "localhost:9100", "job": "b"},
    "labels": {"instance": "localhost:9100", "job": "b"},
    "scrapePool": "b",
    "scrapeUrl": "http://localhost:9100/metrics",
    "globalUrl": "http://host1:9100/metrics",
    "lastError": "connection refused",
    "lastScrape": "2026-01-02T03:03:04.56Z",
    "lastScrapeDuration": 0.25,
    "health": "down",
    "scrapeInterval": "15s",
    "scrapeTimeout": "10s"}])"));
  CHECK(data["droppedTargets"] ==
        json::parse(R"([{"discoveredLabels": {"__address__": "x:1"}, "scrapePool": "b"}])"));
  CHECK(data["droppedTargetCounts"] == json::parse(R"({"a": 0, "b": 7})"));
}

TEST_CASE("api targets: pools come sorted, and a target never scraped says so") {
  const json data = Data(TargetsJson(TwoPools(), {}, "host1"));
  REQUIRE(data["activeTargets"].size() == 2);
  CHECK(data["activeTargets"][0]["scrapePool"] == "a");
  CHECK(data["activeTargets"][0]["health"] == "unknown");
  CHECK(data["activeTargets"][0]["lastScrape"] == "0001-01-01T00:00:00Z");
  CHECK(data["activeTargets"][1]["scrapePool"] == "b");
}

TEST_CASE("api targets: state selects active, dropped, both or, if unknown, neither") {
  const auto sizes = [](const char* state) {
    const json data = Data(TargetsJson(TwoPools(), {state, ""}, ""));
    return std::tuple(data["activeTargets"].size(), data["droppedTargets"].size(),
                      data["droppedTargetCounts"].is_null());
  };
  CHECK(sizes("") == std::tuple(2, 1, false));
  CHECK(sizes("any") == std::tuple(2, 1, false));
  CHECK(sizes("Active") == std::tuple(2, 0, true));
  CHECK(sizes("DROPPED") == std::tuple(0, 1, false));
  CHECK(sizes("neither") == std::tuple(0, 0, true));
}

TEST_CASE("api targets: no targets are empty lists") {
  const json data = Data(TargetsJson({}, {}, ""));
  CHECK(data ==
        json::parse(R"({"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{}})"));
}

TEST_CASE("api targets: what discovery could not find out is there while it fails, by pool") {
  TargetsStatus status = TwoPools();
  CHECK_FALSE(Data(TargetsJson(status, {}, "")).contains("discoveryErrors"));
  status.discovery_errors = {{"b", "ec2_sd: throttled"}, {"a", "dns_sd: no answer"}};
  const auto errors = [&](const TargetsQuery& query) {
    return Data(TargetsJson(status, query, ""))["discoveryErrors"];
  };
  const json of_b = {{"scrapePool", "b"}, {"error", "ec2_sd: throttled"}};
  CHECK(errors({}) == json({{{"scrapePool", "a"}, {"error", "dns_sd: no answer"}}, of_b}));
  CHECK(errors({"active", "b"}) == json::array({of_b}));
  CHECK(errors({"dropped", "b"}) == json::array({of_b}));
}

TEST_CASE("api targets: text that is not UTF-8 becomes U+FFFD instead of an exception") {
  TargetsStatus status = TwoPools();
  status.active[0].last_error = "bad \xff byte";
  status.active[0].labels.Set("l", "\xc3(");
  const json data = Data(TargetsJson(status, {"active", "b"}, "\xfe"));
  CHECK(data["activeTargets"][0]["lastError"] == "bad \xef\xbf\xbd byte");
  CHECK(data["activeTargets"][0]["labels"]["l"] == "\xef\xbf\xbd(");
}

TEST_CASE("global url: only loopback hosts are replaced, with the port kept") {
  CHECK(GlobalUrl("http://localhost:9100/metrics", "h") == "http://h:9100/metrics");
  CHECK(GlobalUrl("https://127.0.0.1/x?a=b", "h") == "https://h/x?a=b");
  CHECK(GlobalUrl("http://[::1]:1", "h") == "http://h:1");
  CHECK(GlobalUrl("http://localhost", "h") == "http://h");
  for (const char* other :
       {"http://localhost.example.org/", "http://127.0.0.10:80/", "http://a/localhost",
        "http://a?u=://localhost", "localhost:9100", ""}) {
    CHECK(GlobalUrl(other, "h") == other);
  }
  CHECK(GlobalUrl("http://localhost:9100/", "") == "http://localhost:9100/");
}

TEST_CASE("api scrape pools: every pool once, sorted, those with nothing but dropped targets too") {
  CHECK(Data(ScrapePoolsJson(TwoPools()))["scrapePools"] == json::parse(R"(["a","b"])"));
  TargetsStatus status;
  status.dropped_counts = {{"c", 1}};
  CHECK(Data(ScrapePoolsJson(status))["scrapePools"] == json::parse(R"(["c"])"));
}

TEST_CASE("api status: config, flags, build info and runtime info have Prometheus' fields") {
  CHECK(Data(ConfigJson("global: {}\n"))["yaml"] == "global: {}\n");
  CHECK(Data(FlagsJson({{"config.file", "a.yml"}})) == json::parse(R"({"config.file":"a.yml"})"));
  CHECK(Data(FlagsJson({})) == json::object());
  const json build = Data(BuildInfoJson());
  CHECK(build["version"] == Version());
  CHECK(build["goVersion"] == "");
  CHECK(build == json::parse(VersionJson()));
  RuntimeInfo info;
  info.start_ms = 1767322984000;
  info.hostname = "h";
  info.threads = 3;
  info.reload_config_success = true;
  const json runtime = Data(RuntimeInfoJson(info));
  CHECK(runtime["startTime"] == "2026-01-02T03:03:04Z");
  CHECK(runtime["lastConfigTime"] == "0001-01-01T00:00:00Z");
  CHECK(runtime["reloadConfigSuccess"] == true);
  for (const char* field : {"startTime", "CWD", "hostname", "serverTime", "reloadConfigSuccess",
                            "lastConfigTime", "corruptionCount", "goroutineCount", "GOMAXPROCS",
                            "GOMEMLIMIT", "GOGC", "GODEBUG", "storageRetention"}) {
    INFO(field);
    CHECK(runtime.contains(field));
  }
}

TEST_CASE("api remote write: remotes with their ledger, and the log") {
  RemoteWriteStatus status;
  RemoteStatus& remote = status.remotes.emplace_back();
  remote.name = "central";
  remote.url = "http://central/write";
  remote.message = "prometheus.WriteRequest";
  remote.shards = 2;
  remote.shards_max = 50;
  remote.positions = {{7, 5, 9}, {1, 1, 1}};
  remote.backlog = {10, 2, 1};
  remote.backlog_disk_bytes = 4096;
  remote.backlog_seconds = 1.5;
  remote.requests_in_flight = 1;
  remote.accepted = {100, 20, 10};
  remote.unwanted = {0, 0, 4};
  remote.dropped = {{"too_old", {3, 0, 0}}};
  const json fresh = Data(RemoteWriteJson(status))["remotes"][0];
  CHECK(fresh["lastError"] == nullptr);
  CHECK(fresh["lastSuccess"] == nullptr);
  remote.last_error_ms = 1767322984560;
  remote.last_error = "out of room \xff";
  remote.last_success_ms = 1767322984000;
  const json data = Data(RemoteWriteJson(status));
  REQUIRE(data["remotes"].size() == 1);
  const json& got = data["remotes"][0];
  CHECK(got["name"] == "central");
  CHECK(got["shards"] == json({{"current", 2}, {"desired", 0.0}, {"min", 0}, {"max", 50}}));
  CHECK(got["positions"] == json::array({{{"read", 7}, {"done", 5}, {"end", 9}},
                                         {{"read", 1}, {"done", 1}, {"end", 1}}}));
  CHECK(got["backlog"] == json({{"samples", 10},
                                {"histograms", 2},
                                {"exemplars", 1},
                                {"bytes", 4096},
                                {"seconds", 1.5}}));
  CHECK(got["requests"]["inFlight"] == 1);
  CHECK(got["lastError"]["time"] == "2026-01-02T03:03:04.56Z");
  CHECK(got["lastError"]["text"] == "out of room \xef\xbf\xbd");
  CHECK(got["lastSuccess"] == "2026-01-02T03:03:04Z");
  CHECK(got["ledger"]["accepted"] ==
        json({{"samples", 100}, {"histograms", 20}, {"exemplars", 10}}));
  CHECK(got["ledger"]["unwanted"]["exemplars"] == 4);
  CHECK(got["ledger"]["dropped"]["too_old"]["samples"] == 3);
  CHECK(data["log"]["mode"] == "memory");
  CHECK_FALSE(data["log"].contains("segments"));

  status.log.on_disk = true;
  status.log.segments = 3;
  status.log.disk_failing = true;
  status.log.last_disk_error = "No space left on device";
  const json log = Data(RemoteWriteJson(status))["log"];
  CHECK(log["mode"] == "disk");
  CHECK(log["segments"] == 3);
  CHECK(log["diskFailing"] == true);
  CHECK(log["lastDiskError"] == "No space left on device");
}

TEST_CASE("api json: limits on series, and who has most of what was dropped") {
  CHECK(Data(SeriesLimitsJson({}))["limits"] == json::array());
  SeriesLimitStatus limit;
  limit.scope = "job";
  limit.name = "node";
  limit.limit = 100;
  limit.has_active = true;
  limit.active = 90;
  limit.dropped_series = 7;
  limit.dropped_samples = 21;
  limit.sources = {{"a:1", 7, 2, 0}};
  limit.labels = {{"id\xff", 7, 0, 6}};
  const json fresh = Data(SeriesLimitsJson({limit}))["limits"][0];
  CHECK(fresh["lastDropped"] == nullptr);
  CHECK(fresh["activeSeries"] == 90);
  CHECK(
      fresh["offenders"] ==
      json({{"sources", {{{"name", "a:1"}, {"droppedSeries", 7}, {"error", 2}}}},
            {"metrics", json::array()},
            {"labels",
             {{{"name", "id\xef\xbf\xbd"}, {"droppedSeries", 7}, {"error", 0}, {"values", 6}}}}}));
  limit.has_active = false;
  limit.last_dropped_ms = 1767322984560;
  const json later = Data(SeriesLimitsJson({limit}))["limits"][0];
  CHECK(later["activeSeries"] == nullptr);
  CHECK(later["lastDropped"] == "2026-01-02T03:03:04.56Z");
}

TEST_CASE("api errors: type, text and HTTP status belong together") {
  CHECK(json::parse(ErrorJson(ApiErrorType::kExecution, "no \"samples\"")) ==
        json::parse(R"({"status":"error","errorType":"execution","error":"no \"samples\""})"));
  CHECK(HttpStatusOf(ApiErrorType::kBadData) == 400);
  CHECK(HttpStatusOf(ApiErrorType::kNotFound) == 404);
  CHECK(HttpStatusOf(ApiErrorType::kExecution) == 422);
  CHECK(HttpStatusOf(ApiErrorType::kInternal) == 500);
  CHECK(HttpStatusOf(ApiErrorType::kUnavailable) == 503);
}

}  // namespace
}  // namespace tributary
