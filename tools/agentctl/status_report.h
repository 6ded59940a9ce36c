// How an agent is, from the answers of its API. Pure functions.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace tributary {

struct AgentAnswers {
  std::string url;
  nlohmann::ordered_json targets;       // /api/v1/targets
  nlohmann::ordered_json remote_write;  // /api/v1/status/remote_write
  nlohmann::ordered_json runtime;       // /api/v1/status/runtimeinfo
  nlohmann::ordered_json limits;        // /api/v1/status/series_limits
};

struct AgentReport {
  // What is wrong, for people; empty: the agent is healthy. Targets that are down are theirs, and
  // not here.
  std::vector<std::string> problems;
  std::string text;
  nlohmann::ordered_json json;
};

// A remote whose oldest sample is older than `behind_seconds` is behind. Throws what nlohmann-json
// throws if the answers are not those of an agent of this version.
AgentReport ReportAgent(const AgentAnswers& answers, double behind_seconds);

}  // namespace tributary
