#include "test/integration/peer_prometheus.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <utility>

#include "common/http/query.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"

namespace tributary {

using nlohmann::json;

std::optional<std::string> PeerProgram(const std::string& name) {
  std::vector<std::filesystem::path> folders;
  if (const char* peers = std::getenv("TRIBUTARY_PEERS")) folders.emplace_back(peers);
  if (const char* home = std::getenv("HOME")) {
    folders.push_back(std::filesystem::path(home) / ".cache/tributary-peers");
  }
  const char* path = std::getenv("PATH");
  std::istringstream rest(path == nullptr ? "" : path);
  for (std::string folder; std::getline(rest, folder, ':');) folders.emplace_back(folder);
  for (const std::filesystem::path& folder : folders) {
    if (std::filesystem::exists(folder / name)) return (folder / name).string();
  }
  WARN("SKIPPED: no program " << name
                              << " in $TRIBUTARY_PEERS, ~/.cache/tributary-peers or the PATH");
  return std::nullopt;
}

PeerPrometheus::PeerPrometheus(std::string program, const std::string& config, Options options)
    : program_(std::move(program)), options_(std::move(options)), port_(UnusedPort()) {
  for (const auto& [name, content] : options_.files) folder_.Write(name, content);
  folder_.Write("prometheus.yml", config);
  Start();
}

void PeerPrometheus::Start() {
  std::vector<std::string> arguments = options_.arguments;
  arguments.push_back("--config.file=" + folder_ / "prometheus.yml");
  arguments.push_back("--web.listen-address=127.0.0.1:" + std::to_string(port_));
  const bool is_agent = options_.mode == Mode::kAgent;
  if (is_agent) arguments.emplace_back("--agent");
  arguments.push_back((is_agent ? "--storage.agent.path=" : "--storage.tsdb.path=") +
                      folder_ / "data");
  process_ = std::make_unique<Process>(ProcessOptions{program_, arguments, {}, folder_.path()});
  const bool ready = Eventually(seconds(40), [this] { return Get("/-/ready").status == 200; });
  INFO(process_->Err());
  REQUIRE(ready);
}

void PeerPrometheus::Kill() {
  process_->Signal(SIGKILL);
  process_->Wait(seconds(10));
}

json PeerPrometheus::Query(const std::string& expression, std::optional<double> at) const {
  std::string target = "/api/v1/query?query=" + EscapeQuery(expression);
  if (at) target += "&time=" + std::to_string(*at);
  const HttpReply reply = Get(target);
  INFO(reply.body);
  REQUIRE(reply.status == 200);
  // Chunked or not: the document is between the braces.
  const size_t begin = reply.body.find('{');
  const size_t end = reply.body.rfind('}');
  return json::parse(reply.body.substr(begin, end - begin + 1)).at("data").at("result");
}

}  // namespace tributary
