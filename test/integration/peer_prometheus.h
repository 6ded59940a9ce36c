// A real Prometheus beside the agent, for tests that compare the two or have one pull from the
// other. Looked for where tools/bench does: $TRIBUTARY_PEERS, ~/.cache/tributary-peers, the PATH.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "test/support/http_client.h"
#include "test/support/process.h"

namespace tributary {

// Nullopt: there is none, which has been said ("SKIPPED: ...").
std::optional<std::string> PeerProgram(const std::string& name = "prometheus");

class PeerPrometheus {
 public:
  enum class Mode : uint8_t { kServer, kAgent };
  struct Options {
    Mode mode = Mode::kServer;
    std::vector<std::string> arguments = {};        // beside configuration, storage and address
    std::map<std::string, std::string> files = {};  // of its folder, for the configuration to name
  };
  // Started in a folder of its own, and listening.
  PeerPrometheus(std::string program, const std::string& config, Options options);
  PeerPrometheus(std::string program, const std::string& config)
      : PeerPrometheus(std::move(program), config, Options()) {}

  // kill -9, if it runs. Another process in the same folder and at the same port may be started
  // then.
  void Kill();
  void Start();
  Process& process() { return *process_; }

  uint16_t port() const { return port_; }
  HttpReply Get(const std::string& target) const { return HttpAsk(port_, "GET", target); }
  // The result of an instant query, now or at a time in seconds.
  nlohmann::json Query(const std::string& expression, std::optional<double> at = {}) const;

 private:
  const std::string program_;
  const Options options_;
  TemporaryFolder folder_;
  const uint16_t port_;
  std::unique_ptr<Process> process_;
};

}  // namespace tributary
