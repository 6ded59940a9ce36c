// Asks a running agent by its HTTP API.
#pragma once

#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "common/base/status.h"
#include "common/base/time.h"
#include "common/config/model.h"

namespace tributary {

// The agent's base URL: "127.0.0.1:9095" will do.
Result<std::string> AgentUrl(const std::string& text);

struct AgentAnswer {
  int status = 0;
  std::string body;
};
// Where an agent is and how to come in: what the commands that ask one have in common.
struct AgentAccess {
  std::string url = "http://127.0.0.1:9095";
  std::string http_config_file;  // promtool's: TLS, credentials, headers; "": none

  void AddOptions(CLI::App& command);
  // Makes `url` a base URL and reads the file. Errors are for people; warnings go to stderr.
  Status Prepare();

  HttpClientConfig http;  // once prepared
};

// What the agent answers to GET `path`; an error if it does not.
Result<AgentAnswer> GetFromAgent(const AgentAccess& access, const std::string& path,
                                 milliseconds timeout);

// The `data` of the answer to GET `path`. An error, for people, says whether the agent cannot be
// reached, refuses, or does not speak as one.
Result<nlohmann::ordered_json> AskAgent(const AgentAccess& access, const std::string& path,
                                        milliseconds timeout);

}  // namespace tributary
