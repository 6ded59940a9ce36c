// The web server over real sockets: endpoints, refusals, and health while everything else is busy.
#include "agent/web/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include <httplib.h>
#include <nlohmann/json.hpp>

#include "test/support/catch.h"

namespace tributary {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

// Blocks all who come until it is opened.
class Gate {
 public:
  void Pass() {
    std::unique_lock lock(mutex_);
    waiting_++;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  bool WaitForWaiting(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return waiting_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

struct Fake {
  std::atomic<bool> ready = true;
  std::atomic<int> reloads = 0;
  std::atomic<int> quits = 0;
  std::atomic<bool> refuse_reload = false;
  std::string metrics_page = "up 1\n";
  std::function<void()> on_metrics = [] {};

  WebHandlers Handlers() {
    WebHandlers handlers;
    handlers.ready = [this] { return ready.load(); };
    handlers.metrics = [this]() -> Result<std::string> {
      on_metrics();
      return metrics_page;
    };
    handlers.targets = []() -> Result<TargetsStatus> {
      TargetsStatus status;
      status.active.emplace_back();
      status.active[0].scrape_pool = "node";
      status.active[0].labels = Labels{{"instance", "a<b>\xff"}};
      return status;
    };
    handlers.remote_write = []() -> Result<RemoteWriteStatus> {
      RemoteWriteStatus status;
      status.remotes.emplace_back();
      status.remotes[0].last_error = "no\xff";
      status.remotes[0].last_error_ms = 1;
      return status;
    };
    handlers.config_yaml = [] { return std::string("global: {}\n"); };
    handlers.flags = [] { return std::vector<std::pair<std::string, std::string>>{{"a", "b"}}; };
    handlers.runtime_info = [] { return RuntimeInfo{}; };
    handlers.reload = [this]() -> Status {
      reloads++;
      if (refuse_reload) return Fail("prometheus.yml:3:1: unknown field");
      return {};
    };
    handlers.quit = [this] { quits++; };
    return handlers;
  }
};

std::unique_ptr<WebServer> Start(Fake& fake, bool lifecycle = false) {
  auto server = WebServer::Start({"127.0.0.1:0", lifecycle}, fake.Handlers());
  REQUIRE(server);
  return std::move(*server);
}

int PortOf(const WebServer& server) {
  return std::stoi(server.address().substr(server.address().rfind(':') + 1));
}

httplib::Client ClientOf(const WebServer& server) {
  httplib::Client client("127.0.0.1", PortOf(server));
  client.set_read_timeout(std::chrono::seconds(20));
  return client;
}

// A TCP connection that says only what it is told to.
class RawClient {
 public:
  explicit RawClient(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    const timeval timeout{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  }
  RawClient(RawClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}
  RawClient& operator=(RawClient&&) = delete;
  ~RawClient() {
    if (fd_ >= 0) close(fd_);
  }
  bool connected() const { return connected_; }
  bool Send(std::string_view text) {
    return send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  std::string ReadAll() {
    std::string all;
    char buffer[4096];
    ssize_t count;
    while ((count = recv(fd_, buffer, sizeof(buffer), 0)) > 0)
      all.append(buffer, static_cast<size_t>(count));
    return all;
  }

 private:
  int fd_;
  bool connected_ = false;
};

TEST_CASE("web: health and readiness") {
  Fake fake;
  const auto server = Start(fake);
  auto client = ClientOf(*server);
  auto response = client.Get("/-/healthy");
  REQUIRE(response);
  CHECK(response->status == 200);
  CHECK(response->body == "Tributary is Healthy.\n");
  CHECK(client.Get("/-/ready")->status == 200);
  CHECK(client.Head("/-/healthy")->status == 200);
  fake.ready = false;
  CHECK(client.Get("/-/ready")->status == 503);
  CHECK(client.Get("/-/ready")->body == "Service Unavailable");
  CHECK(client.Head("/-/ready")->status == 503);
  CHECK(client.Get("/-/healthy")->status == 200);
}

TEST_CASE("web: the lifecycle is closed unless enabled") {
  Fake fake;
  const auto server = Start(fake);
  auto client = ClientOf(*server);
  for (const char* path : {"/-/reload", "/-/quit"}) {
    CHECK(client.Post(path)->status == 403);
    CHECK(client.Put(path, "", "text/plain")->body == "Lifecycle API is not enabled.");
    CHECK(client.Get(path)->status == 405);
  }
  CHECK(fake.reloads == 0);
  CHECK(fake.quits == 0);
}

TEST_CASE("web: a POST that announces no body, as of 'curl -X POST', is answered at once") {
  Fake fake;
  const auto server = Start(fake, true);
  const auto before = Clock::now();
  for (const char* method : {"POST", "PUT"}) {
    RawClient client(PortOf(*server));
    REQUIRE(client.Send(method + std::string(" /-/reload HTTP/1.1\r\nHost: x\r\n\r\n")));
    CHECK(client.ReadAll().rfind("HTTP/1.1 200 ", 0) == 0);
  }
  RawClient late(PortOf(*server));
  REQUIRE(late.Send("POST /-/reload HTTP/1.1\r\nHost: x\r\ncontent-LENGTH: 4\r\n\r\nbo"));
  REQUIRE(late.Send("dy"));
  CHECK(late.ReadAll().rfind("HTTP/1.1 200 ", 0) == 0);
  CHECK(fake.reloads == 3);
  CHECK(Clock::now() - before < std::chrono::seconds(2));
}

TEST_CASE("web: an enabled lifecycle reloads, says why it does not, and quits") {
  Fake fake;
  const auto server = Start(fake, true);
  auto client = ClientOf(*server);
  CHECK(client.Post("/-/reload")->status == 200);
  CHECK(client.Put("/-/reload", "", "text/plain")->status == 200);
  CHECK(client.Get("/-/reload")->status == 405);
  CHECK(fake.reloads == 2);
  fake.refuse_reload = true;
  const auto refused = client.Post("/-/reload");
  CHECK(refused->status == 500);
  CHECK(refused->body == "failed to reload config: prometheus.yml:3:1: unknown field\n");
  CHECK(client.Post("/-/quit", {{"Sec-Fetch-Site", "cross-site"}}, "", "text/plain")->status ==
        403);
  CHECK(fake.quits == 0);
  CHECK(client.Post("/-/quit")->status == 200);
  CHECK(fake.quits == 1);
}

TEST_CASE("web: metrics are served as text 0.0.4, compressed for those who ask") {
  Fake fake;
  fake.metrics_page = std::string(50'000, 'x') + "\n";
  const auto server = Start(fake);
  auto client = ClientOf(*server);
  const auto response = client.Get("/metrics");
  REQUIRE(response);
  CHECK(response->get_header_value("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(response->body == fake.metrics_page);
  const auto compressed = client.Get("/metrics", {{"Accept-Encoding", "gzip"}});
  CHECK(compressed->get_header_value("Content-Encoding") == "gzip");
  CHECK(compressed->body == fake.metrics_page);
}

TEST_CASE("web: the status API answers in Prometheus' envelope") {
  Fake fake;
  const auto server = Start(fake);
  auto client = ClientOf(*server);
  for (const char* path :
       {"/api/v1/targets?state=any&scrapePool=node", "/api/v1/scrape_pools",
        "/api/v1/status/config", "/api/v1/status/flags", "/api/v1/status/buildinfo",
        "/api/v1/status/runtimeinfo", "/api/v1/status/remote_write"}) {
    INFO(path);
    const auto response = client.Get(path);
    REQUIRE(response);
    CHECK(response->status == 200);
    CHECK(response->get_header_value("Content-Type") == "application/json");
    CHECK(json::parse(response->body)["status"] == "success");
  }
  const json targets = json::parse(client.Get("/api/v1/targets?scrapePool=other")->body);
  CHECK(targets["data"]["activeTargets"].empty());
  CHECK(json::parse(client.Get("/version")->body).contains("version"));
}

TEST_CASE("web: what an agent cannot answer is an error in JSON") {
  Fake fake;
  const auto server = Start(fake);
  auto client = ClientOf(*server);
  for (const char* path : {"/api/v1/query?query=up", "/api/v1/label/job/values", "/api/v1/rules"}) {
    const auto response = client.Get(path);
    INFO(path);
    CHECK(response->status == 422);
    CHECK(json::parse(response->body)["errorType"] == "execution");
  }
  CHECK(
      client.Post("/api/v1/query_range", "query=up", "application/x-www-form-urlencoded")->status ==
      422);
  const auto unknown = client.Get("/api/v1/nonsense");
  CHECK(unknown->status == 404);
  CHECK(json::parse(unknown->body)["errorType"] == "not_found");
  CHECK(client.Get("/nonsense")->status == 404);
}

TEST_CASE("web: every answer carries the security headers, errors too") {
  Fake fake;
  const auto server = Start(fake);
  auto client = ClientOf(*server);
  for (const char* path : {"/", "/app.js", "/style.css", "/icon.svg", "/-/healthy", "/metrics",
                           "/nonsense", "/api/v1/query", "/-/quit"}) {
    const auto response = client.Get(path);
    INFO(path);
    REQUIRE(response);
    CHECK(response->get_header_value("Content-Security-Policy").find("default-src 'none'") == 0);
    CHECK(response->get_header_value("X-Content-Type-Options") == "nosniff");
    CHECK(response->get_header_value("X-Frame-Options") == "DENY");
    CHECK(response->get_header_value("Connection") == "close");
  }
  CHECK(client.Get("/")->get_header_value("Content-Type") == "text/html; charset=utf-8");
}

TEST_CASE("web: a second server on the same address is an error that names both and the way out") {
  Fake fake;
  const auto server = Start(fake);
  const auto second = WebServer::Start({server->address(), false}, fake.Handlers());
  REQUIRE_FALSE(second);
  CHECK(second.error().message ==
        "cannot listen on " + server->address() +
            ": address already in use; choose another with --web.listen-address");
  const auto elsewhere = WebServer::Start({"203.0.113.1:0", false}, fake.Handlers());
  REQUIRE_FALSE(elsewhere);
  CHECK(elsewhere.error().message.find("203.0.113.1:0") != std::string::npos);
}

TEST_CASE("web: a name, all addresses and IPv6 can be listened on") {
  Fake fake;
  const auto named = WebServer::Start({"localhost:0", false}, fake.Handlers());
  REQUIRE(named);
  CHECK((*named)->address().starts_with("127.0.0.1:"));
  const auto all = WebServer::Start({":0", false}, fake.Handlers());
  REQUIRE(all);
  CHECK(ClientOf(**all).Get("/-/healthy")->status == 200);  // by IPv4
}

TEST_CASE("web: health is answered at once while collections block and clients say nothing") {
  Fake fake;
  Gate gate;
  fake.on_metrics = [&gate] { gate.Pass(); };
  const auto server = Start(fake);
  const int port = PortOf(*server);
  std::vector<RawClient> silent;
  for (int i = 0; i < 100; i++) silent.emplace_back(port);  // more than the reception holds
  std::vector<RawClient> blocked;
  for (int i = 0; i < 3; i++) {
    blocked.emplace_back(port);
    REQUIRE(blocked.back().Send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"));
  }
  REQUIRE(gate.WaitForWaiting(2));  // both threads are in it, the third request waits
  auto client = ClientOf(*server);
  for (const char* path : {"/-/healthy", "/-/ready"}) {
    const auto begin = Clock::now();
    const auto response = client.Get(path);
    const auto took = Clock::now() - begin;
    REQUIRE(response);
    CHECK(response->status == 200);
    CHECK(took < std::chrono::milliseconds(100));
  }
  gate.Open();
  for (RawClient& each : blocked) CHECK(each.ReadAll().find("up 1\n") != std::string::npos);
}

TEST_CASE("web: beyond the queue a request is refused at once") {
  Fake fake;
  Gate gate;
  fake.on_metrics = [&gate] { gate.Pass(); };
  const auto server = Start(fake);
  std::vector<RawClient> clients;
  for (int i = 0; i < 2; i++) {
    clients.emplace_back(PortOf(*server));
    REQUIRE(clients.back().Send("GET /metrics HTTP/1.1\r\n\r\n"));
    REQUIRE(gate.WaitForWaiting(i + 1));
  }
  for (int i = 0; i < 40; i++) {
    clients.emplace_back(PortOf(*server));
    REQUIRE(clients.back().Send("GET /metrics HTTP/1.1\r\n\r\n"));
  }
  CHECK(clients.back().ReadAll().starts_with("HTTP/1.1 503 "));
  gate.Open();
  CHECK(clients.front().ReadAll().starts_with("HTTP/1.1 200 "));
}

TEST_CASE("web: a request in pieces is put together, garbage and giants are refused") {
  Fake fake;
  const auto server = Start(fake);
  const int port = PortOf(*server);
  RawClient pieces(port);
  for (const char* piece : {"GET /-/hea", "lthy HTTP/1.1\r\nHost: x\r", "\n\r", "\n"}) {
    REQUIRE(pieces.Send(piece));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK(pieces.ReadAll().find("Tributary is Healthy.\n") != std::string::npos);

  RawClient garbage(port);
  REQUIRE(garbage.Send("\x16\x03\x01 not http\r\n\r\n"));
  CHECK(garbage.ReadAll().starts_with("HTTP/1.1 400 "));

  RawClient giant(port);
  giant.Send("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x'));
  CHECK(giant.ReadAll().starts_with("HTTP/1.1 431 "));

  RawClient bodied(port);
  bodied.Send("POST /api/v1/query HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n");
  CHECK(bodied.ReadAll().starts_with("HTTP/1.1 413 "));
  CHECK(ClientOf(*server).Get("/-/healthy")->status == 200);
}

TEST_CASE("web: the stop waits for running handlers and answers them") {
  Fake fake;
  Gate gate;
  fake.on_metrics = [&gate] { gate.Pass(); };
  auto server = Start(fake);
  RawClient running(PortOf(*server));
  RawClient silent(PortOf(*server));
  REQUIRE(running.Send("GET /metrics HTTP/1.1\r\n\r\n"));
  REQUIRE(gate.WaitForWaiting(1));
  auto stopped = std::async(std::launch::async, [&server] { server.reset(); });
  CHECK(stopped.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout);
  CHECK(silent.ReadAll().empty());  // let go at once
  gate.Open();
  CHECK(stopped.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  CHECK(running.ReadAll().find("up 1\n") != std::string::npos);
}

}  // namespace
}  // namespace tributary
