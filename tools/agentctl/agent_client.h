// Asks a running agent by its HTTP API.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "common/base/status.h"
#include "common/base/time.h"

namespace tributary {

// The agent's base URL: "127.0.0.1:9095" will do.
Result<std::string> AgentUrl(const std::string& text);

struct AgentAnswer {
  int status = 0;
  std::string body;
};
// What the agent answers to GET `path`; an error if it does not.
Result<AgentAnswer> GetFromAgent(const std::string& url, const std::string& path,
                                 milliseconds timeout);

// The `data` of the answer to GET `path`. An error, for people, says whether the agent cannot be
// reached, refuses, or does not speak as one.
Result<nlohmann::ordered_json> AskAgent(const std::string& url, const std::string& path,
                                        milliseconds timeout);

}  // namespace tributary
