// The real agent, run with a configuration in a folder of its own, for integration tests.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "test/support/http_client.h"
#include "test/support/process.h"

namespace tributary {

// Bounds on time are stretched so, and those on memory left out, where sanitizers slow programs
// down.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int kSlowdown = 4;
#else
inline constexpr int kSlowdown = 1;
#endif

// The built programs.
std::string AgentProgram();
std::string AgentctlProgram();
// Shared library with slow names (test/support/slow_resolver.cc), as environment for a program.
std::map<std::string, std::string> WithSlowNames();

// Runs the agent to its end; `arguments` as given, and nothing else.
ProcessResult RunAgent(const std::vector<std::string>& arguments, nanoseconds timeout = seconds(8));

struct AgentSetup {
  std::vector<std::string> arguments;  // beside config file, storage path and a free port
  std::map<std::string, std::string> environment;
  uint16_t port = 0;  // 0: any that is free
};

// Started, listening and checked: in the end its stdout must be empty and its log well-formed.
class AgentProcess {
 public:
  explicit AgentProcess(const std::string& config, const AgentSetup& setup = {});
  ~AgentProcess();

  // kill -9, at whatever it is. Another process in the same folder may be started then, at once or
  // without waiting for it to listen.
  void Kill();
  void Start(const AgentSetup& setup = {});
  void Launch(const AgentSetup& setup = {});

  Process& process() { return *process_; }
  const TemporaryFolder& folder() const { return folder_; }
  uint16_t port() const { return port_; }
  void WriteConfig(const std::string& config) { folder_.Write("agent.yml", config); }

  HttpReply Get(const std::string& target) const { return HttpAsk(port_, "GET", target); }
  HttpReply Post(const std::string& target) const { return HttpAsk(port_, "POST", target); }
  // The data of an API answer.
  nlohmann::json Api(const std::string& target) const;
  // The active target of a job; null if there is none.
  nlohmann::json TargetOf(const std::string& job) const;
  // Of a sample line of /metrics, as in `name{label="x"}`; -1 if it is not there.
  double Metric(const std::string& series) const;
  bool WaitForMetric(const std::string& series, double at_least, nanoseconds timeout) const;

  // SIGTERM; the exit code, or nothing if it does not come in time.
  std::optional<int> Stop(nanoseconds timeout = seconds(8));

 private:
  void CheckOutput() const;

  TemporaryFolder folder_;
  std::unique_ptr<Process> process_;
  uint16_t port_ = 0;
};

// Why a line is no logfmt line of ours; "" if it is one.
std::string LogfmtError(const std::string& line);
std::vector<std::string> LinesOf(const std::string& text);

}  // namespace tributary
