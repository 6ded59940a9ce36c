#include "test/integration/peer_prometheus.h"

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "common/http/query.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"

namespace tributary {

using nlohmann::json;

std::optional<std::string> PeerProgram() {
  std::vector<std::filesystem::path> folders;
  if (const char* peers = std::getenv("TRIBUTARY_PEERS")) folders.emplace_back(peers);
  if (const char* home = std::getenv("HOME")) {
    folders.push_back(std::filesystem::path(home) / ".cache/tributary-peers");
  }
  const char* path = std::getenv("PATH");
  std::istringstream rest(path == nullptr ? "" : path);
  for (std::string folder; std::getline(rest, folder, ':');) folders.emplace_back(folder);
  for (const std::filesystem::path& folder : folders) {
    if (std::filesystem::exists(folder / "prometheus")) return (folder / "prometheus").string();
  }
  WARN("SKIPPED: no program prometheus in $TRIBUTARY_PEERS, ~/.cache/tributary-peers or the PATH");
  return std::nullopt;
}

PeerPrometheus::PeerPrometheus(const std::string& program, const std::string& config,
                               const std::vector<std::string>& arguments,
                               const std::map<std::string, std::string>& files)
    : port_(UnusedPort()) {
  for (const auto& [name, content] : files) folder_.Write(name, content);
  std::vector<std::string> all{"--config.file=" + folder_.Write("prometheus.yml", config),
                               "--storage.tsdb.path=" + folder_ / "data",
                               "--web.listen-address=127.0.0.1:" + std::to_string(port_)};
  all.insert(all.end(), arguments.begin(), arguments.end());
  process_ = std::make_unique<Process>(ProcessOptions{program, all, {}, folder_.path()});
  INFO(process_->Err());
  REQUIRE(Eventually(seconds(20), [this] { return Get("/-/ready").status == 200; }));
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
