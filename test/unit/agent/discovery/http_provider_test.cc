#include "agent/discovery/http_provider.h"

#include <random>

#include "agent/discovery/target_file.h"
#include "common/base/version.h"
#include "test/support/catch.h"
#include "test/unit/agent/discovery/discovery_world.h"

namespace tributary {
namespace {

const std::string kFailures = "prometheus_sd_http_failures_total";
const std::string kRefreshFailures = "prometheus_sd_refresh_failures_total mechanism=http config=j";
const std::string kRefreshes = "prometheus_sd_refresh_duration_seconds mechanism=http config=j";

ScrapeConfig HttpJob(const std::string& name, const std::string& url = "http://sd.test/list",
                     milliseconds interval = seconds(10)) {
  ScrapeConfig job;
  job.job_name = name;
  job.http_sd_configs = {{url, interval, {}}};
  return job;
}

ScriptedReply Json(const std::string& body) {
  return ScriptedReply::Text(200, body, {{"Content-Type", "application/json"}});
}
std::string List(const std::string& target) { return R"([{"targets": [")" + target + "\"]}]"; }

struct HttpSdWorld : DiscoveryWorld {
  HttpSdWorld() {
    network.Listen("sd.test:80", [this](const ServedRequest& request) {
      requests.push_back(request);
      return reply;
    });
  }
  ScriptedReply reply = Json(List("a:1"));
  std::vector<ServedRequest> requests;
};

TEST_CASE("http_sd: the request is Prometheus', and comes at once and at each interval") {
  HttpSdWorld world;
  ScrapeConfig job = HttpJob("j", "http://sd.test/list?x=y", milliseconds(12'500));
  job.http_sd_configs[0].http.basic_auth = BasicAuth{"me", "", {"secret"}, ""};
  world.Apply({job});
  world.Run(seconds(1));
  REQUIRE(world.requests.size() == 1);
  const ServedRequest& request = world.requests[0];
  CHECK(request.method == "GET");
  CHECK(request.target == "/list?x=y");
  CHECK(request.Header("Accept") == "application/json");
  CHECK(request.Header("User-Agent") == "Tributary/" + std::string(Version()));
  CHECK(request.Header("X-Prometheus-Refresh-Interval-Seconds") == "12.5");
  CHECK(request.Header("Authorization") == "Basic bWU6c2VjcmV0");
  world.Run(seconds(51));
  CHECK(world.requests.size() == 5);
}

TEST_CASE("http_sd: groups come with their URL and place, after the static ones") {
  HttpSdWorld world;
  world.reply = Json(R"([{"targets": ["a:1", "b:1"], "labels": {"x": "y"}}, {"targets": []},
                         {"targets": ["c:1"], "labels": {"__meta_url": "mine"}}])");
  ScrapeConfig job = HttpJob("j");
  job.static_configs = {{{"s:1"}, {}, ""}};
  world.Apply({job});
  CHECK(world.Updates() == "j: s:1");
  world.Run(seconds(2));
  CHECK(world.Updates() == "j: s:1 a:1{x=y} b:1{x=y} c:1");
  const std::vector<TargetGroup>& groups = world.groups["j"];
  REQUIRE(groups.size() == 3);
  CHECK(groups[1].source == "http://sd.test/list:0");
  CHECK(groups[2].source == "http://sd.test/list:2");
  CHECK(groups[2].labels.Get("__meta_url") == "http://sd.test/list");
  CHECK(world.Metric("prometheus_sd_discovered_targets name=scrape config=j") == 4);
  CHECK(world.Metric(kFailures) == 0);
}

TEST_CASE("http_sd: the first answer is told at once, and what is gone two seconds later") {
  HttpSdWorld world;
  world.Apply({HttpJob("j")});
  CHECK(world.Updates() == "j: ");
  world.Run(milliseconds(10));
  CHECK(world.Updates() == "j: a:1");
  world.reply = Json("[]");
  world.Run(milliseconds(11'900));
  CHECK(world.Updates() == "");
  world.Run(milliseconds(200));
  CHECK(world.Updates() == "j: ");
  CHECK(world.warnings.empty());
}

TEST_CASE("http_sd: whatever is no good answer keeps the targets, is counted, and is told once") {
  const auto typed = [](const std::string& type) {
    return ScriptedReply::Text(200, List("b:1"), {{"Content-Type", type}});
  };
  struct Case {
    ScriptedReply reply;
    std::string reason;
  };
  std::string huge = "[";
  huge.resize(kTargetFileBytesMax + 1, ' ');
  const std::vector<Case> cases = {
      {ScriptedReply::Text(500, "oops"), "answers with status 500"},
      {ScriptedReply::Text(204, ""), "answers with status 204"},
      {ScriptedReply::Text(404, List("b:1"), {{"Content-Type", "application/json"}}),
       "answers with status 404"},
      {ScriptedReply::Text(200, List("b:1")), "content type is \"\", not application/json"},
      {typed("text/plain"), "content type is \"text/plain\""},
      {typed("application/json; charset=latin1"), "charset=latin1"},
      {typed("application/jsonx"), "application/jsonx"},
      {typed("application/json;"), "content type"},
      {typed("application/json ; charset=utf-8"), "content type"},
      {Json(""), "parse error"},
      {Json("[\"" + std::string(100'000, 'x')), "parse error"},
      {Json("[{\"targets\": [\"b:1\"]}"), "parse error"},
      {Json("{}"), "a list of target groups"},
      {Json("[null]"), "a group is null"},
      {Json(R"([{"targets": ["b:1"], "extra": 1}])"), "unknown field \"extra\""},
      {Json(huge), "larger than 32 MiB"},
      {Json(List("b:1")).Cut(ScriptedReply::End::kReset, 5), ""},
      {ScriptedReply::Broken(ScriptedReply::End::kHang), ""},
      {ScriptedReply::Broken(ScriptedReply::End::kClose), ""},
  };
  for (const Case& c : cases) {
    INFO(c.reason);
    HttpSdWorld world;
    world.Apply({HttpJob("j")});
    world.Run(seconds(5));
    world.Updates();
    world.reply = c.reply;
    world.Run(seconds(40));
    CHECK(world.Updates() == "");
    CHECK(TargetsText(world.discovery.Groups("j")) == "a:1");
    CHECK(world.Metric(kFailures) >= 3);
    CHECK(world.Metric(kRefreshFailures) == world.Metric(kFailures));
    CHECK(world.Metric("prometheus_sd_discovered_targets name=scrape config=j") == 1);
    REQUIRE(world.warnings.size() == 1);
    CHECK(world.warnings[0].starts_with("http_sd: http://sd.test/list: "));
    CHECK(world.warnings[0].find(c.reason) != std::string::npos);
    CHECK(world.warnings[0].ends_with(" (its last good targets are kept)"));
    CHECK(world.warnings[0].size() < 600);
    CHECK(world.Errors() == "j: " + world.warnings[0]);
    // It heals, and what fails next is told again.
    world.reply = Json(List("c:1"));
    world.Run(seconds(20));
    CHECK(world.Updates() == "j: c:1");
    CHECK(world.Errors() == "");
    world.reply = c.reply;
    world.Run(seconds(20));
    CHECK(world.warnings.size() == 2);
  }
}

TEST_CASE("http_sd: content types that say JSON are good, in whatever case") {
  for (const char* type : {"application/json", "APPLICATION/JSON", " application/json ",
                           "application/json;charset=utf-8", "application/json; charset=\"UTF-8\"",
                           "application/json;\t charset=Utf-8"}) {
    INFO(type);
    HttpSdWorld world;
    world.reply = ScriptedReply::Text(200, List("b:1"), {{"Content-Type", type}});
    world.Apply({HttpJob("j")});
    world.Run(seconds(2));
    CHECK(TargetsText(world.groups["j"]) == "b:1");
  }
}

TEST_CASE("http_sd: a server that is silent holds up no one, and its targets come when it speaks") {
  HttpSdWorld world;
  world.network.Find("sd.test:80")->unreachable = true;
  ScrapeConfig job = HttpJob("j");
  job.static_configs = {{{"s:1"}, {}, ""}};
  world.Apply({job});
  CHECK(world.Updates() == "j: s:1");
  CHECK_FALSE(world.discovery.SettledGroups("j").has_value());
  CHECK_FALSE(world.discovery.SettledGroups("unknown").has_value());
  world.Run(seconds(35));  // of the first refresh, and of that a whole interval after its end
  CHECK(world.Metric(kFailures) == 2);
  REQUIRE(world.discovery.SettledGroups("j").has_value());
  CHECK(TargetsText(*world.discovery.SettledGroups("j")) == "s:1");
  REQUIRE(world.warnings.size() == 1);
  CHECK(world.warnings[0].find("kept") == std::string::npos);
  world.network.Find("sd.test:80")->unreachable = false;
  world.Run(seconds(20));
  CHECK(world.Updates() == "j: s:1 a:1");
}

TEST_CASE("http_sd: passwords of a URL are neither told nor labels") {
  HttpSdWorld world;
  world.Apply({HttpJob("j", "http://me:geheim@sd.test/list")});
  world.Run(seconds(2));
  REQUIRE(world.groups["j"].size() == 1);
  CHECK(world.groups["j"][0].labels.Get("__meta_url") == "http://me:xxxxx@sd.test/list");
  CHECK(world.groups["j"][0].source.find("geheim") == std::string::npos);
  world.reply = ScriptedReply::Text(500, "");
  world.Run(seconds(20));
  REQUIRE(world.warnings.size() == 1);
  CHECK(world.warnings[0].find("geheim") == std::string::npos);
}

TEST_CASE("http_sd: a credential that cannot be read fails the refresh and names its file") {
  HttpSdWorld world;
  ScrapeConfig job = HttpJob("j");
  job.http_sd_configs[0].http.authorization = Authorization{"Bearer", {}, "/secrets/token"};
  world.Apply({job});
  world.Run(seconds(2));
  CHECK(world.requests.empty());
  CHECK(world.Metric(kFailures) == 1);
  REQUIRE(world.warnings.size() == 1);
  CHECK(world.warnings[0].find("/secrets/token") != std::string::npos);
  world.files.WriteFile("/secrets/token", "geheim\n");
  world.Run(seconds(10));
  REQUIRE(world.requests.size() == 1);
  CHECK(world.requests[0].Header("Authorization") == "Bearer geheim");
}

TEST_CASE("http_sd: jobs with equal entries share one request") {
  HttpSdWorld world;
  ScrapeConfig job = HttpJob("j");
  job.http_sd_configs.push_back(job.http_sd_configs[0]);
  world.Apply({job, HttpJob("k")});
  world.Run(seconds(2));
  CHECK(world.requests.size() == 1);
  CHECK(TargetsText(world.groups["j"]) == "a:1");
  CHECK(TargetsText(world.groups["k"]) == "a:1");
  // One of them changes its entry while the server fails: both keep their targets.
  world.reply = ScriptedReply::Text(500, "");
  world.Apply({HttpJob("j", "http://sd.test/list", seconds(7)), HttpJob("k")});
  world.Run(seconds(20));
  CHECK(TargetsText(world.discovery.Groups("j")) == "a:1");
  CHECK(TargetsText(world.discovery.Groups("k")) == "a:1");
  // The one that it was made for goes: the other keeps it.
  world.Apply({HttpJob("k")});
  world.Run(seconds(20));
  CHECK(TargetsText(world.discovery.Groups("k")) == "a:1");
}

TEST_CASE("http_sd: a reload that changes an entry keeps its targets until the answer") {
  HttpSdWorld world;
  world.Apply({HttpJob("j")});
  world.Run(seconds(2));
  world.Updates();
  const size_t asked = world.requests.size();
  world.Apply({HttpJob("j")});  // nothing changed
  world.Run(seconds(1));
  CHECK(world.requests.size() == asked);

  // The same URL, while it fails.
  world.reply = ScriptedReply::Text(500, "");
  world.Apply({HttpJob("j", "http://sd.test/list", seconds(7))});
  world.Run(seconds(30));
  CHECK(world.Updates() == "");
  CHECK(TargetsText(world.discovery.Groups("j")) == "a:1");

  // Another URL, which answers in time with the same targets under its own name.
  world.reply = Json(List("a:1"));
  world.Apply({HttpJob("j", "http://sd.test/other", seconds(7))});
  world.Run(seconds(10));
  CHECK(world.Updates() == "j: a:1");
  CHECK(world.groups["j"][0].labels.Get("__meta_url") == "http://sd.test/other");

  // Another URL, which does not answer.
  world.reply = ScriptedReply::Broken(ScriptedReply::End::kHang);
  world.Apply({HttpJob("j", "http://sd.test/third", seconds(7))});
  world.Run(milliseconds(1'900));
  CHECK(world.Updates() == "");
  world.Run(milliseconds(200));
  CHECK(world.Updates() == "j: ");
}

TEST_CASE("http_sd: what is gone asks no more, also with a request under way") {
  HttpSdWorld world;
  world.reply = ScriptedReply::Broken(ScriptedReply::End::kHang);
  world.Apply({HttpJob("j")});
  world.Run(seconds(1));
  CHECK(world.requests.size() == 1);
  CHECK(world.Metric(kRefreshes) == 0);
  world.Apply({});
  CHECK(world.http.in_flight() == 0);
  CHECK(world.Metric(kRefreshes) == -1);
  world.Run(seconds(100));
  CHECK(world.requests.size() == 1);
  CHECK(world.loop.pending() == 0);
}

TEST_CASE("http_sd: metrics have Prometheus' names, and totals outlive their providers") {
  HttpSdWorld world;
  world.Apply({HttpJob("j")});
  world.Run(seconds(35));
  const std::string histogram = "prometheus_sd_refresh_duration_histogram_seconds mechanism=http";
  CHECK(world.Metric(kRefreshes) == 4);
  CHECK(world.Metric(histogram) == 4);
  CHECK(world.Metric(kRefreshFailures) == 0);
  CHECK(world.Metric("prometheus_sd_received_updates_total name=scrape") == 5);
  world.reply = ScriptedReply::Text(500, "");
  world.Run(seconds(10));
  CHECK(world.Metric(kRefreshFailures) == 1);
  world.Apply({});
  CHECK(world.Metric(kRefreshFailures) == -1);
  CHECK(world.Metric(histogram) == 5);
  CHECK(world.Metric(kFailures) == 1);
}

TEST_CASE("http_sd: after any faults, the groups are those of the last good answer") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  HttpSdWorld world;
  SimServer* server = world.network.Find("sd.test:80");
  server->faults = {.refuse = 0.1,
                    .lose_request = 0.1,
                    .lose_reply = 0.1,
                    .hang = 0.1,
                    .cut = 0.2,
                    .error = 0.2,
                    .latency_max = seconds(3),
                    .piece_bytes_max = 7};
  std::string served;  // the target of the last answer; "": it was no list
  world.network.Listen("sd.test:80", [&](const ServedRequest&) {
    served = random() % 3 == 0 ? "" : std::to_string(random() % 4) + ":1";
    return served.empty() ? ScriptedReply::Text(200, "no") : Json(List(served));
  });
  world.Apply({HttpJob("j")});
  std::string expected;
  uint64_t failures = 0, seen = 0, compared = 0;
  const auto next_ended = [&] { return world.network.exchanges_total() > seen; };
  for (int round = 0; round < 500; round++) {
    REQUIRE(world.loop.RunUntil(next_ended, seconds(60)));
    REQUIRE(world.network.exchanges_total() == ++seen);
    const SimExchange& exchange = world.network.exchanges().back();
    if (exchange.served && !served.empty() && exchange.outcome.ok() &&
        exchange.outcome.status == 200) {
      expected = served;
    } else {
      failures++;
    }
    REQUIRE(world.Metric(kFailures) == static_cast<double>(failures));
    if (world.loop.RunUntil(next_ended, milliseconds(3'500))) continue;  // not told in that time
    REQUIRE(TargetsText(world.discovery.Groups("j")) == expected);
    compared++;
  }
  CHECK(compared > 200);
  CHECK(failures > 100);
  CHECK(failures < 450);
}

}  // namespace
}  // namespace tributary
