// --web.config.file, with the real agent, agentctl and curl.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>

#include "test/integration/agent_process.h"
#include "test/support/catch.h"
#include "test/support/test_ca.h"

namespace tributary {
namespace {

constexpr char kConfig[] = "scrape_configs: []\n";
// Of "secret1".
constexpr char kUsers[] =
    "basic_auth_users: {ann: $2y$08$abcdefghijklmnopqrstuuG8NgT8Qjpn0EiI2f1ILYIyjvF9aZ2x6}\n";
constexpr char kMutual[] =
    "tls_server_config:\n"
    "  cert_file: a.crt\n"
    "  key_file: a.key\n"
    "  client_auth_type: RequireAndVerifyClientCert\n"
    "  client_ca_file: ca.pem\n"
    "  client_allowed_sans: [probe.test]\n";
constexpr char kTls[] = "tls_server_config: {cert_file: a.crt, key_file: a.key}\n";

struct World {
  TestCa ca{"ca"};
  TemporaryFolder folder;
  std::unique_ptr<AgentProcess> agent;

  explicit World(const std::string& web_config) {
    WritePair("a", {"IP:127.0.0.1"});
    WritePair("probe", {"DNS:probe.test"});
    WritePair("other", {"DNS:other.test"});
    folder.Write("ca.pem", ca.pem());
    folder.Write("web.yml", web_config);
    agent = std::make_unique<AgentProcess>(
        kConfig, AgentSetup{{"--web.config.file=" + folder / "web.yml"}, {}});
  }

  void WritePair(const std::string& name, const std::vector<std::string>& names) {
    const TestCertificate pair = ca.Issue(name, names);
    folder.Write(name + ".crt", pair.certificate);
    folder.Write(name + ".key", pair.key);
  }

  // The status that curl prints; "000" if there is no answer.
  std::string Curl(const std::string& scheme, const std::string& path,
                   std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {
        "-s", "-m", "8", "-o", folder / "body", "-D", folder / "head", "-w", "%{http_code}"};
    if (scheme == "https") {
      more.push_back("--cacert");
      more.push_back(folder / "ca.pem");
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    arguments.push_back(scheme + "://127.0.0.1:" + std::to_string(agent->port()) + path);
    return RunProcess({"/usr/bin/curl", arguments, {}, folder.path()}, seconds(10)).out;
  }
  std::vector<std::string> As(const std::string& name) {
    return {"--cert", folder / (name + ".crt"), "--key", folder / (name + ".key")};
  }
};

// Connections that say this and then nothing more.
class SilentClients {
 public:
  SilentClients(uint16_t port, int count, std::string_view text) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < count; i++) {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      REQUIRE(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
      send(fd, text.data(), text.size(), MSG_NOSIGNAL);
      fds_.push_back(fd);
    }
  }
  SilentClients(const SilentClients&) = delete;
  SilentClients& operator=(const SilentClients&) = delete;
  ~SilentClients() {
    for (const int fd : fds_) close(fd);
  }

 private:
  std::vector<int> fds_;
};

TEST_CASE("web access: users come with their passwords, all others are refused") {
  World world(std::string(kUsers) + "http_server_config: {headers: {X-Frame-Options: sameorigin}}");
  for (const char* path : {"/metrics", "/-/healthy", "/", "/nonsense"}) {
    INFO(path);
    CHECK(world.Curl("http", path) == "401");
    CHECK(world.Curl("http", path, {"-u", "ann:wrong"}) == "401");
    CHECK(world.Curl("http", path, {"-u", "eve:secret1"}) == "401");
  }
  CHECK(world.agent->Get("/metrics").head.find("WWW-Authenticate: Basic\r\n") != std::string::npos);
  CHECK(world.agent->Get("/metrics").head.find("X-Frame-Options: sameorigin\r\n") !=
        std::string::npos);
  CHECK(world.Curl("http", "/-/healthy", {"-u", "ann:secret1"}) == "200");
  CHECK(world.Curl("http", "/metrics", {"-u", "ann:secret1"}) == "200");
  CHECK(world.Curl("http", "/nonsense", {"-u", "ann:secret1"}) == "404");
  // agentctl by promtool's file.
  const std::string url = "http://127.0.0.1:" + std::to_string(world.agent->port());
  const std::string http =
      world.folder.Write("http.yml", "basic_auth: {username: ann, password: secret1}\n");
  const auto health = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"health", "--url", url});
    return RunProcess({AgentctlProgram(), more, {}, ""}, seconds(8)).status;
  };
  CHECK(health({}) == 1);
  CHECK(health({"--http.config.file", http}) == 0);
  CHECK(health({"--http.config.file", world.folder / "absent.yml"}) == 2);
  // Read again: the user goes, another rule comes.
  world.folder.Write("web.yml", "http_server_config: {headers: {X-XSS-Protection: '0'}}\n");
  CHECK(world.Curl("http", "/-/healthy") == "200");
}

TEST_CASE("web access: TLS with client certificates, read again when they change") {
  World world(kMutual);
  CHECK(world.Curl("https", "/-/ready") == "000");
  CHECK(world.Curl("https", "/-/ready", world.As("other")) == "000");  // not an allowed name
  CHECK(world.Curl("https", "/-/ready", world.As("probe")) == "200");
  CHECK(world.Curl("https", "/metrics", world.As("probe")) == "200");
  CHECK(world.Curl("http", "/-/healthy") == "400");  // "an HTTP request to an HTTPS server"
  const std::string http = world.folder.Write(
      "http.yml", "tls_config: {ca_file: ca.pem, cert_file: probe.crt, key_file: probe.key}\n");
  const auto status =
      RunProcess({AgentctlProgram(),
                  {"status", "--url", "https://127.0.0.1:" + std::to_string(world.agent->port()),
                   "--http.config.file", http},
                  {},
                  ""},
                 seconds(8));
  INFO(status.err);
  CHECK(status.status == 0);
  // A server's certificate for another name, which clients then refuse.
  world.WritePair("a", {"DNS:elsewhere.test"});
  CHECK(world.Curl("https", "/-/ready", world.As("probe")) == "000");
  world.WritePair("a", {"IP:127.0.0.1"});
  CHECK(world.Curl("https", "/-/ready", world.As("probe")) == "200");
  CHECK(world.Curl("https", "/-/ready", {"-k", "--tls-max", "1.1"}) == "000");
}

TEST_CASE(
    "web access: idle and slow connections and guesses do not keep health from who may come") {
  World world(std::string(kTls) + kUsers);
  REQUIRE(world.Curl("https", "/-/healthy", {"-u", "ann:secret1"}) == "200");
  // More than are held: without a word, and in the middle of a handshake.
  const SilentClients silent(world.agent->port(), 100, "");
  const SilentClients begun(world.agent->port(), 100, std::string_view("\x16\x03\x01\x02", 4));
  std::vector<std::unique_ptr<Process>> guesses;
  for (int i = 0; i < 8; i++) {
    guesses.push_back(std::make_unique<Process>(
        ProcessOptions{"/usr/bin/curl",
                       {"-sk", "-u", "ann:guess" + std::to_string(i),
                        "https://127.0.0.1:" + std::to_string(world.agent->port()) + "/metrics"},
                       {},
                       world.folder.path()}));
  }
  for (const char* path : {"/-/healthy", "/-/ready"}) {
    const auto begin = std::chrono::steady_clock::now();
    CHECK(world.Curl("https", path, {"-u", "ann:secret1"}) == "200");
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(1) * kSlowdown);
  }
  for (const auto& guess : guesses) CHECK(guess->Wait(seconds(20)));
}

TEST_CASE("web access: a web configuration with an error keeps the agent from starting") {
  const TemporaryFolder folder;
  const std::string web = folder.Write("web.yml", "\nbasic_auth_users: {ann: hidden1}\n");
  const std::string config = folder.Write("agent.yml", kConfig);
  const ProcessResult agent = RunAgent(
      {"--config.file=" + config, "--storage.path=" + folder / "d", "--web.config.file=" + web});
  CHECK(agent.status == 2);
  CHECK_THAT(agent.err, Catch::Contains(web + ":2:25: error: what stands for the user 'ann'"));
  CHECK(agent.err.find("hidden1") == std::string::npos);
  const auto check = [](const std::string& file) {
    return RunProcess({AgentctlProgram(), {"check", "web-config", file}, {}, ""}, seconds(8))
        .status;
  };
  CHECK(check(web) == 1);
  CHECK(check(folder / "absent.yml") == 2);
  CHECK(check(folder.Write("good.yml", kUsers)) == 0);
  CHECK(check(folder.Write("tls.yml", kTls)) == 1);  // there are no such files
}

}  // namespace
}  // namespace tributary
