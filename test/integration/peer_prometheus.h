// A real Prometheus beside the agent, for tests that compare the two or have one pull from the
// other. Looked for where tools/bench does: $TRIBUTARY_PEERS, ~/.cache/tributary-peers, the PATH.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "test/support/http_client.h"
#include "test/support/process.h"

namespace tributary {

// Nullopt: there is none, which has been said ("SKIPPED: ...").
std::optional<std::string> PeerProgram();

class PeerPrometheus {
 public:
  // Started in a folder of its own, and listening. `files`: of the folder, by name, for the
  // configuration to name.
  PeerPrometheus(const std::string& program, const std::string& config,
                 const std::vector<std::string>& arguments = {},
                 const std::map<std::string, std::string>& files = {});

  uint16_t port() const { return port_; }
  HttpReply Get(const std::string& target) const { return HttpAsk(port_, "GET", target); }
  // The result of an instant query, now or at a time in seconds.
  nlohmann::json Query(const std::string& expression, std::optional<double> at = {}) const;

 private:
  TemporaryFolder folder_;
  uint16_t port_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace tributary
