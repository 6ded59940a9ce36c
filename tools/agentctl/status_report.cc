#include "tools/agentctl/status_report.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "common/base/units.h"
#include "tools/agentctl/value_text.h"

namespace tributary {
namespace {

using Json = nlohmann::ordered_json;

uint64_t Total(const Json& kinds) {
  return kinds.at("samples").get<uint64_t>() + kinds.at("histograms").get<uint64_t>() +
         kinds.at("exemplars").get<uint64_t>();
}

std::string KindsText(const Json& kinds) {
  std::string out = fmt::format("{} samples", kinds.at("samples").get<uint64_t>());
  for (const char* kind : {"histograms", "exemplars"}) {
    const auto count = kinds.at(kind).get<uint64_t>();
    if (count > 0) out += fmt::format(", {} {}", count, kind);
  }
  return out;
}

std::string SecondsText(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f}s", seconds);
  return FormatDuration(std::chrono::seconds(std::llround(seconds)));
}

// Its last word was an error. Times in RFC 3339 and UTC: those of one length are in their order as
// text, and fractions are the only part that may be missing.
bool IsLater(std::string a, std::string b) {
  const auto whole = [](std::string& time) {
    if (time.ends_with('Z')) time.pop_back();
    if (time.find('.') == std::string::npos) time += '.';
    time.resize(std::max<size_t>(time.size(), 30), '0');
  };
  whole(a);
  whole(b);
  return a >= b;
}

bool IsFailing(const Json& remote) {
  const Json& error = remote.at("lastError");
  if (error.is_null()) return false;
  const Json& success = remote.at("lastSuccess");
  return success.is_null() ||
         IsLater(error.at("time").get<std::string>(), success.get<std::string>());
}

std::string TargetsText(const Json& targets, Json& json) {
  struct Pool {
    size_t up = 0, all = 0;
    std::string error;
  };
  std::map<std::string, Pool> pools;
  for (const Json& target : targets.at("activeTargets")) {
    Pool& pool = pools[target.at("scrapePool").get<std::string>()];
    pool.all++;
    const auto health = target.at("health").get<std::string>();
    if (health == "up") pool.up++;
    if (health == "down" && pool.error.empty()) {
      pool.error = fmt::format("{}: {}", target.at("scrapeUrl").get<std::string>(),
                               target.at("lastError").get<std::string>());
    }
  }
  size_t up = 0, all = 0, dropped = 0;
  std::string lines;
  for (const auto& [name, pool] : pools) {
    up += pool.up;
    all += pool.all;
    lines += fmt::format("  {}: {} of {} up\n", name, pool.up, pool.all);
    if (!pool.error.empty()) lines += "    " + pool.error + "\n";
  }
  if (targets.at("droppedTargetCounts").is_object()) {
    for (const auto& [pool, count] : targets["droppedTargetCounts"].items()) {
      dropped += count.get<size_t>();
    }
  }
  json["targets"] = {{"up", up}, {"active", all}, {"dropped", dropped}};
  json["discovery_errors"] = Json::array();
  if (targets.contains("discoveryErrors")) {  // it is not while all is well
    for (const Json& failed : targets["discoveryErrors"]) {
      const auto pool = failed.at("scrapePool").get<std::string>();
      const auto error = failed.at("error").get<std::string>();
      lines += fmt::format("  {}: discovery fails: {}\n", pool, error);
      json["discovery_errors"].push_back({{"job", pool}, {"error", error}});
    }
  }
  return fmt::format("targets: {} of {} up, {} dropped by relabeling\n", up, all, dropped) + lines;
}

std::string RemoteText(const Json& remote, bool failing) {
  const Json& backlog = remote.at("backlog");
  const Json& ledger = remote.at("ledger");
  const Json& shards = remote.at("shards");
  std::string out = fmt::format("  {} ({}): {}\n", remote.at("name").get<std::string>(),
                                remote.at("url").get<std::string>(), failing ? "failing" : "ok");
  out += fmt::format("    backlog: {}, {} on disk, oldest {}\n", KindsText(backlog),
                     FormatBytes(backlog.at("bytes").get<uint64_t>()),
                     SecondsText(backlog.at("seconds").get<double>()));
  out += fmt::format("    sent {}; failed {}; {} of {} shards\n", KindsText(ledger.at("sent")),
                     KindsText(ledger.at("failed")), shards.at("current").get<uint64_t>(),
                     shards.at("max").get<uint64_t>());
  for (const auto& [reason, kinds] : ledger.at("dropped").items()) {
    if (Total(kinds) > 0) out += fmt::format("    dropped, {}: {}\n", reason, KindsText(kinds));
  }
  if (const Json& error = remote.at("lastError"); !error.is_null()) {
    out += fmt::format("    last error, {}: {}\n", error.at("time").get<std::string>(),
                       error.at("text").get<std::string>());
  }
  return out;
}

std::string RemotesText(const Json& remotes, double behind_seconds, AgentReport& report) {
  std::string out = remotes.empty() ? "no remote_write\n" : "remotes:\n";
  for (const Json& remote : remotes) {
    const bool failing = IsFailing(remote);
    const auto name = remote.at("name").get<std::string>();
    const auto seconds = remote.at("backlog").at("seconds").get<double>();
    if (failing) {
      report.problems.push_back(fmt::format("remote {} fails: {}", name,
                                            remote["lastError"].at("text").get<std::string>()));
    }
    if (seconds > behind_seconds) {
      report.problems.push_back(fmt::format("remote {} is {} behind", name, SecondsText(seconds)));
    }
    out += RemoteText(remote, failing);
  }
  return out;
}

// The first of them; "" if there is none.
std::string WorstText(const Json& offenders, const char* kind, const char* what) {
  const Json& list = offenders.at(kind);
  if (list.empty()) return "";
  const Json& worst = list.front();
  const auto name = worst.at("name").get<std::string>();
  if (worst.contains("values")) {
    return fmt::format("\n      {} {}: {} values", what, name, worst["values"].get<uint64_t>());
  }
  return fmt::format("\n      {} {}: {} series", what, name,
                     worst.at("droppedSeries").get<uint64_t>());
}

// Limits that nothing was over are not worth a line.
std::string LimitsText(const Json& limits) {
  std::string out;
  for (const Json& limit : limits) {
    if (limit.at("lastDropped").is_null()) continue;
    const auto scope = limit.at("scope").get<std::string>();
    const auto name = limit.at("name").get<std::string>();
    const std::string whose = scope == "target"   ? "a target of job " + name
                              : scope == "sender" ? "a sender"
                                                  : scope + " " + name;
    const Json& offenders = limit.at("offenders");
    out += fmt::format(
        "  {} may have {}: {} new series and {} samples dropped, last {}{}{}{}\n", whose,
        limit.at("limit").get<uint64_t>(), limit.at("droppedSeries").get<uint64_t>(),
        limit.at("droppedSamples").get<uint64_t>(), limit.at("lastDropped").get<std::string>(),
        WorstText(offenders, "sources", "most from"), WorstText(offenders, "metrics", "metric"),
        WorstText(offenders, "labels", "label"));
  }
  return out.empty() ? out : "series over their limits:\n" + out;
}

std::string LogText(const Json& log, AgentReport& report) {
  if (log.at("mode") == "memory") {
    return fmt::format("log: in memory, {}\n", FormatBytes(log.at("memoryBytes").get<uint64_t>()));
  }
  std::string out = fmt::format(
      "log: {}, {} in {} segments; {} in memory\n", log.at("path").get<std::string>(),
      FormatBytes(log.at("diskBytes").get<uint64_t>()), log.at("segments").get<uint64_t>(),
      FormatBytes(log.at("memoryBytes").get<uint64_t>()));
  const auto error = log.at("lastDiskError").get<std::string>();
  if (log.at("diskFailing").get<bool>()) {
    report.problems.push_back("the log's disk fails: " + (error.empty() ? "no room" : error));
  }
  if (!error.empty()) out += fmt::format("  last disk error: {}\n", error);
  if (const auto damaged = log.at("damagedBytes").get<uint64_t>(); damaged > 0) {
    out += fmt::format("  {} damaged bytes were found at the start\n", damaged);
  }
  return out;
}

}  // namespace

AgentReport ReportAgent(const AgentAnswers& answers, double behind_seconds) {
  AgentReport report;
  report.json["url"] = answers.url;
  if (!answers.runtime.at("reloadConfigSuccess").get<bool>()) {
    report.problems.emplace_back("the last reload of the configuration failed");
  }
  const Json& remotes = answers.remote_write.at("remotes");
  const std::string targets = TargetsText(answers.targets, report.json);
  const std::string remotes_text = RemotesText(remotes, behind_seconds, report);
  const std::string log = LogText(answers.remote_write.at("log"), report);
  report.text = fmt::format("agent at {}, since {}\n", answers.url,
                            answers.runtime.at("startTime").get<std::string>()) +
                targets + LimitsText(answers.limits.at("limits")) + remotes_text + log;
  report.json["series_limits"] = answers.limits.at("limits");
  for (const std::string& problem : report.problems) report.text += "PROBLEM: " + problem + "\n";
  if (report.problems.empty()) report.text += "healthy\n";
  report.json["healthy"] = report.problems.empty();
  report.json["problems"] = report.problems;
  report.json["remotes"] = remotes;
  report.json["log"] = answers.remote_write["log"];
  return report;
}

}  // namespace tributary
