#include "tools/agentctl/status_report.h"

#include "test/support/catch.h"
#include "tools/agentctl/agent_client.h"
#include "tools/agentctl/time_text.h"

namespace tributary {
namespace {

using Json = nlohmann::ordered_json;

Json Kinds(uint64_t samples) { return {{"samples", samples}, {"histograms", 0}, {"exemplars", 0}}; }

AgentAnswers Healthy() {
  AgentAnswers answers;
  answers.url = "http://127.0.0.1:9095";
  answers.targets = {
      {"activeTargets",
       {{{"scrapePool", "node"}, {"health", "up"}, {"scrapeUrl", "http://a/"}, {"lastError", ""}},
        {{"scrapePool", "node"},
         {"health", "down"},
         {"scrapeUrl", "http://b/"},
         {"lastError", "connection refused"}}}},
      {"droppedTargetCounts", {{"node", 3}}}};
  Json remote = {{"name", "central"},
                 {"url", "http://central/write"},
                 {"shards", {{"current", 1}, {"max", 50}}},
                 {"backlog", Kinds(12)},
                 {"lastError", nullptr},
                 {"lastSuccess", "2026-01-02T03:04:05Z"},
                 {"ledger",
                  {{"sent", Kinds(1000)},
                   {"failed", Kinds(0)},
                   {"dropped", {{"dropped_series", Kinds(5)}, {"too_old", Kinds(0)}}}}}};
  remote["backlog"]["bytes"] = 4096;
  remote["backlog"]["seconds"] = 2.5;
  answers.remote_write = {{"remotes", {remote}},
                          {"log", {{"mode", "memory"}, {"memoryBytes", 1024}}}};
  answers.runtime = {{"startTime", "2026-01-01T00:00:00Z"}, {"reloadConfigSuccess", true}};
  answers.limits = {{"limits", Json::array()}};
  return answers;
}

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("status report: a healthy agent, whose targets may be down") {
  const AgentReport report = ReportAgent(Healthy(), 60);
  INFO(report.text);
  CHECK(report.problems.empty());
  CHECK(report.json["healthy"] == true);
  CHECK(report.json["targets"] == Json({{"up", 1}, {"active", 2}, {"dropped", 3}}));
  CHECK(Has(report.text, "targets: 1 of 2 up, 3 dropped by relabeling\n"));
  CHECK(Has(report.text, "http://b/: connection refused\n"));
  CHECK(Has(report.text, "backlog: 12 samples, 4.0 KiB on disk, oldest 2.5s\n"));
  CHECK(Has(report.text, "dropped, dropped_series: 5 samples\n"));
  CHECK_FALSE(Has(report.text, "too_old"));
  CHECK(Has(report.text, "log: in memory, 1.0 KiB\n"));
  CHECK(Has(report.text, "\nhealthy\n"));
}

TEST_CASE("status report: limits that drop series are told with who is to blame") {
  AgentAnswers answers = Healthy();
  CHECK_FALSE(Has(ReportAgent(answers, 60).text, "limit"));
  const Json offenders = {
      {"sources", {{{"name", "10.0.0.1:80"}, {"droppedSeries", 20}, {"error", 0}}}},
      {"metrics", {{{"name", "requests"}, {"droppedSeries", 18}, {"error", 0}}}},
      {"labels", {{{"name", "id"}, {"droppedSeries", 20}, {"error", 0}, {"values", 17}}}}};
  Json limit = {{"scope", "target"},       {"name", "node"},        {"limit", 100},
                {"activeSeries", nullptr}, {"droppedSeries", 20},   {"droppedSamples", 60},
                {"lastDropped", nullptr},  {"offenders", offenders}};
  answers.limits["limits"].push_back(limit);
  CHECK_FALSE(Has(ReportAgent(answers, 60).text, "series over their limits"));
  answers.limits["limits"][0]["lastDropped"] = "2026-01-02T03:04:05Z";
  const AgentReport report = ReportAgent(answers, 60);
  INFO(report.text);
  CHECK(report.problems.empty());
  CHECK(Has(report.text,
            "series over their limits:\n"
            "  a target of job node may have 100: 20 new series and 60 samples dropped, last "
            "2026-01-02T03:04:05Z\n"
            "      most from 10.0.0.1:80: 20 series\n"
            "      metric requests: 18 series\n"
            "      label id: 17 values\n"));
  CHECK(report.json["series_limits"] == answers.limits["limits"]);
}

TEST_CASE("status report: what discovery cannot find out is told with the targets") {
  AgentAnswers answers = Healthy();
  CHECK(ReportAgent(answers, 60).json["discovery_errors"] == Json::array());
  answers.targets["discoveryErrors"] = {{{"scrapePool", "pods"}, {"error", "kubernetes_sd: away"}}};
  const AgentReport report = ReportAgent(answers, 60);
  CHECK(report.problems.empty());  // the last good targets are scraped
  CHECK(Has(report.text, "  pods: discovery fails: kubernetes_sd: away\n"));
  CHECK(report.json["discovery_errors"] ==
        Json::array({{{"job", "pods"}, {"error", "kubernetes_sd: away"}}}));
}

TEST_CASE("status report: a remote fails while its last word is an error") {
  AgentAnswers answers = Healthy();
  Json& remote = answers.remote_write["remotes"][0];
  const auto problems = [&] { return ReportAgent(answers, 60).problems; };
  remote["lastError"] = {{"time", "2026-01-02T03:04:04.999Z"}, {"text", "out of room"}};
  CHECK(problems().empty());
  remote["lastError"]["time"] = "2026-01-02T03:04:05.001Z";
  CHECK(problems() == std::vector<std::string>{"remote central fails: out of room"});
  remote["lastError"]["time"] = "2026-01-02T03:04:05Z";
  CHECK(problems().size() == 1);
  remote["lastSuccess"] = "2026-01-02T03:04:05.1Z";
  CHECK(problems().empty());
  remote["lastSuccess"] = nullptr;
  CHECK(problems().size() == 1);
}

TEST_CASE("status report: behind, a failing disk and a failed reload are problems") {
  AgentAnswers answers = Healthy();
  CHECK(ReportAgent(answers, 2).problems ==
        std::vector<std::string>{"remote central is 2.5s behind"});
  answers.remote_write["log"] = {{"mode", "disk"},
                                 {"path", "data/log"},
                                 {"memoryBytes", 0},
                                 {"diskBytes", 1},
                                 {"segments", 1},
                                 {"diskFailing", true},
                                 {"lastDiskError", "No space"},
                                 {"damagedBytes", 9}};
  answers.runtime["reloadConfigSuccess"] = false;
  const AgentReport report = ReportAgent(answers, 60);
  CHECK(report.problems == std::vector<std::string>{"the last reload of the configuration failed",
                                                    "the log's disk fails: No space"});
  CHECK(report.json["healthy"] == false);
  CHECK(Has(report.text, "9 damaged bytes"));
}

TEST_CASE("status report: answers of something else are an exception, not a report") {
  AgentAnswers answers = Healthy();
  answers.remote_write = Json::object();
  CHECK_THROWS_AS(ReportAgent(answers, 60), nlohmann::json::exception);
}

TEST_CASE("agent client: addresses with and without a scheme; others are refused") {
  CHECK(AgentUrl("127.0.0.1:9095").value() == "http://127.0.0.1:9095");
  CHECK(AgentUrl("http://agent/x/").value() == "http://agent/x");
  CHECK_FALSE(AgentUrl("ftp://agent"));
  CHECK_FALSE(AgentUrl(""));
}

TEST_CASE("time text: RFC 3339 with any zone, or seconds, and back") {
  CHECK(ParseTime("2026-01-02T03:04:05Z").value() == 1767323045000);
  CHECK(ParseTime("2026-01-02T03:04:05.678Z").value() == 1767323045678);
  CHECK(ParseTime("2026-01-02T05:04:05+02:00").value() == 1767323045000);
  CHECK(ParseTime("1767323045.5").value() == 1767323045500);
  for (const char* wrong : {"", "yesterday", "2026-01-02", "2026-01-02T03:04:05",
                            "2026-01-02T03:04:05.Z", "1e300", "nan", "2026-01-02T03:04:05Zx"}) {
    INFO(wrong);
    CHECK_FALSE(ParseTime(wrong));
  }
  CHECK(FormatTime(1767323045678) == "2026-01-02T03:04:05.678Z");
  CHECK(FormatTime(0) == "-");
}

}  // namespace
}  // namespace tributary
