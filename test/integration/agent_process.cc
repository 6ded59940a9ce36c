#include "test/integration/agent_process.h"

#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "test/support/catch.h"

namespace tributary {

using nlohmann::json;

std::string AgentProgram() { return TRIBUTARY_PROGRAM; }
std::string AgentctlProgram() { return AGENTCTL_PROGRAM; }

std::map<std::string, std::string> WithSlowNames() {
  // A library before the sanitizer's own is what it warns of.
  const char* options = std::getenv("ASAN_OPTIONS");
  return {{"LD_PRELOAD", SLOW_NAMES_LIBRARY},
          {"ASAN_OPTIONS",
           (options == nullptr ? "" : std::string(options) + ":") + "verify_asan_link_order=0"}};
}

ProcessResult RunAgent(const std::vector<std::string>& arguments, nanoseconds timeout) {
  return RunProcess({AgentProgram(), arguments, {}, ""}, timeout);
}

AgentProcess::AgentProcess(const std::string& config, const AgentSetup& setup) {
  WriteConfig(config);
  Start(setup);
}

void AgentProcess::Launch(const AgentSetup& setup) {
  std::vector<std::string> arguments = {
      "--config.file=" + folder_ / "agent.yml", "--storage.path=" + folder_ / "data",
      "--web.listen-address=127.0.0.1:" + std::to_string(setup.port)};
  arguments.insert(arguments.end(), setup.arguments.begin(), setup.arguments.end());
  process_ = std::make_unique<Process>(
      ProcessOptions{AgentProgram(), arguments, setup.environment, folder_.path()});
}

void AgentProcess::Start(const AgentSetup& setup) {
  Launch(setup);
  const auto line = process_->WaitForLine({"msg=listening"}, seconds(20));
  INFO(process_->Err());
  REQUIRE(line);
  port_ = static_cast<uint16_t>(std::stoi(line->substr(line->rfind(':') + 1)));
}

AgentProcess::~AgentProcess() {
  if (process_->Running()) {
    // The second makes it end at once; two at a time could become one.
    process_->Signal(SIGTERM);
    process_->WaitForLine({"msg=\"stopping"}, seconds(5));
    process_->Signal(SIGTERM);
    CHECK(process_->Wait(seconds(10)) == 0);
  }
  CheckOutput();
}

void AgentProcess::Kill() {
  process_->Signal(SIGKILL);
  CHECK(process_->Wait(seconds(10)) == -SIGKILL);
  CheckOutput();
}

void AgentProcess::CheckOutput() const {
  CHECK(process_->Out() == "");
  for (const std::string& line : LinesOf(process_->Err())) {
    CAPTURE(line);
    CHECK(LogfmtError(line) == "");
  }
}

json AgentProcess::Api(const std::string& target) const {
  const HttpReply reply = Get(target);
  CAPTURE(target, reply.body);
  REQUIRE(reply.status == 200);
  const json answer = json::parse(reply.body);
  REQUIRE(answer.at("status") == "success");
  return answer.at("data");
}

json AgentProcess::TargetOf(const std::string& job) const {
  const json targets = Api("/api/v1/targets");
  for (const json& target : targets.at("activeTargets")) {
    if (target.at("scrapePool") == job) return target;
  }
  return nullptr;
}

double AgentProcess::Metric(const std::string& series) const {
  const std::string page = "\n" + Get("/metrics").body;
  const size_t begin = page.find("\n" + series + " ");
  if (begin == std::string::npos) return -1;
  return std::atof(page.c_str() + begin + series.size() + 2);
}

bool AgentProcess::WaitForMetric(const std::string& series, double at_least,
                                 nanoseconds timeout) const {
  return Eventually(timeout, [&] { return Metric(series) >= at_least; });
}

std::optional<int> AgentProcess::Stop(nanoseconds timeout) {
  process_->Signal(SIGTERM);
  return process_->Wait(timeout);
}

std::string LogfmtError(const std::string& line) {
  size_t at = 0;
  std::vector<std::string> keys;
  while (at < line.size()) {
    const size_t equals = line.find('=', at);
    if (equals == std::string::npos) return "no = after " + line.substr(at);
    keys.push_back(line.substr(at, equals - at));
    if (keys.back().empty() || keys.back().find_first_of(" \"\t") != std::string::npos) {
      return "a bad key: " + keys.back();
    }
    at = equals + 1;
    size_t end = at;
    if (at < line.size() && line[at] == '"') {
      for (end = at + 1; end < line.size() && line[end] != '"'; end++) end += line[end] == '\\';
      if (end >= line.size()) return "a quote without an end";
      end++;
      if (!json::accept(line.substr(at, end - at))) return "bad quoting";
    } else {
      while (end < line.size() && line[end] != ' ') end++;
      if (line.substr(at, end - at).find_first_of("\"=") != std::string::npos) return "a bad value";
      if (end == at) return "an empty value";
    }
    if (end < line.size() && line[end] != ' ') return "no space after a value";
    at = end + 1;
  }
  if (keys.size() < 3 || keys[0] != "ts" || keys[1] != "level" || keys[2] != "msg") {
    return "not ts, level and msg first";
  }
  std::sort(keys.begin(), keys.end());
  if (std::adjacent_find(keys.begin(), keys.end()) != keys.end()) return "a key twice";
  return "";
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace tributary
