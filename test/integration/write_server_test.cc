// Remote write over real sockets: many connections that stay, on one loop.
#include "agent/web/write_server.h"

#include <sys/resource.h>

#include <filesystem>
#include <thread>

#include "agent/telemetry/metric_page.h"
#include "agent/web/server.h"
#include "test/support/catch.h"
#include "test/support/process.h"
#include "test/support/write_sender.h"

namespace tributary {
namespace {

// A web server whose requests of remote write are answered by a loop of its own.
class Server {
 public:
  explicit Server(WriteServerOptions options = {}, bool receives = true) {
    WriteServer::Seams seams{[this](IncomingWrite request, WriteDone done) {
                               Serve(std::move(request), std::move(done));
                             },
                             [] { return size_t{1} << 20; }, returns_};
    writes_.emplace(loop_, options, std::move(seams));
    thread_ = std::thread([this] { loop_.Run(); });
    WebHandlers handlers;
    handlers.ready = [] { return true; };
    handlers.runtime_info = [] { return RuntimeInfo{}; };
    if (receives) {
      handlers.write = [this](WriteVisitor visitor) {
        auto shared = std::make_shared<WriteVisitor>(std::move(visitor));
        loop_.Post([this, shared] { writes_->Adopt(std::move(*shared)); });
      };
    }
    WebOptions web;
    web.listen_address = "127.0.0.1:0";
    web.returns = returns_;
    auto started = WebServer::Start(web, handlers);
    REQUIRE(started);
    web_ = std::move(*started);
    port_ = static_cast<uint16_t>(std::stoi(web_->address().substr(web_->address().find(':') + 1)));
  }
  ~Server() {
    web_.reset();
    loop_.Stop();
    thread_.join();
  }

  uint16_t port() const { return port_; }
  // Answers nothing until Go.
  void Hold() { hold_ = true; }
  void Go() {
    hold_ = false;
    loop_.Post([this] {
      for (auto& [answer, done] : std::exchange(held_, {})) done(answer);
    });
  }
  size_t held() const { return held_count_; }
  double Metric(const std::string& name) {
    std::atomic<bool> told{false};
    std::string text;
    loop_.Post([&] {
      MetricPage page;
      writes_->Collect(page);
      text = page.Text();
      told = true;
    });
    REQUIRE(Eventually(seconds(5), [&] { return told.load(); }));
    const size_t at = text.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
  }

 private:
  // Says how many bytes there were.
  void Serve(IncomingWrite request, WriteDone done) {
    WriteAnswer answer;
    answer.status = 204;
    answer.tells_written = true;
    answer.written.samples = request.body.size();
    if (!hold_) return done(answer);
    held_.emplace_back(answer, std::move(done));
    held_count_ = held_.size();
  }

  SystemEventLoop loop_;
  std::shared_ptr<VisitorReturns> returns_ = std::make_shared<VisitorReturns>();
  std::atomic<bool> hold_{false};
  std::vector<std::pair<WriteAnswer, WriteDone>> held_;
  std::atomic<size_t> held_count_{0};
  std::optional<WriteServer> writes_;
  std::thread thread_;
  std::unique_ptr<WebServer> web_;
  uint16_t port_ = 0;
};

std::string Written(size_t samples) {
  return "X-Prometheus-Remote-Write-Samples-Written: " + std::to_string(samples) + "\r\n";
}

TEST_CASE("write server: a connection serves request after request") {
  Server server;
  WriteSender sender(server.port());
  for (size_t size : {0UL, 1UL, 100UL, 100'000UL, 3UL}) {
    const HttpReply reply = sender.Post(std::string(size, 'x'));
    CHECK(reply.status == 204);
    CHECK(reply.head.find(Written(size)) != std::string::npos);
  }
  CHECK(server.Metric("tributary_receive_connections_total") == 1);
}

TEST_CASE("write server: requests may come in pieces, and several at once") {
  Server server;
  WriteSender sender(server.port());
  REQUIRE(sender.SendPost("abc"));
  REQUIRE(sender.SendPost(""));
  REQUIRE(sender.SendPost("abcdef"));
  for (size_t size : {3UL, 0UL, 6UL}) {
    CHECK(sender.Receive().head.find(Written(size)) != std::string::npos);
  }
  const std::string request = "POST /api/v1/write HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello";
  for (const char c : request) {
    REQUIRE(sender.SendBytes(std::string(1, c)));
    std::this_thread::sleep_for(milliseconds(1));
  }
  CHECK(sender.Receive().head.find(Written(5)) != std::string::npos);
}

TEST_CASE(
    "write server: heads that leave it open where the body ends, and large bodies, are refused") {
  Server server;
  WriteSender sender(server.port());
  // The first request goes through the reception, the second does not.
  if (GENERATE(false, true)) REQUIRE(sender.Post("x").status == 204);
  const auto status = [&](const std::string& fields) {
    REQUIRE(sender.SendBytes("POST /api/v1/write HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n"));
    const int got = sender.Receive().status;
    CHECK(sender.Ends());
    return got;
  };
  const auto [fields, expected] = GENERATE(
      table<std::string, int>({{"", 411},
                               {"Transfer-Encoding: chunked\r\n", 411},
                               {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 411},
                               {"Content-Length: -1\r\n", 400},
                               {"Content-Length: 3x\r\n", 400},
                               {"Content-Length: 99999999999999999999999\r\n", 400},
                               {"Content-Length: 3\r\nContent-Length: 4\r\n", 400},
                               {"Content-Length: 1048577\r\n", 413}}));
  CHECK(status(fields) == expected);
}

TEST_CASE("write server: a head that is too long is refused") {
  Server server;
  WriteSender sender(server.port());
  REQUIRE(sender.Post("x").status == 204);
  sender.SendBytes("POST /api/v1/write HTTP/1.1\r\nX: " + std::string(17 << 10, 'x'));
  CHECK(sender.Receive().status == 431);
}

TEST_CASE("write server: a client that asks before it sends is told to go on") {
  Server server;
  WriteSender sender(server.port());
  for (int i = 0; i < 2; i++) {
    REQUIRE(sender.SendBytes(
        "POST /api/v1/write HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
    CHECK(sender.Receive().status == 100);
    REQUIRE(sender.SendBytes("ab"));
    CHECK(sender.Receive().status == 204);
  }
}

TEST_CASE("write server: who wants the connection to end, or speaks HTTP/1.0, has it ended") {
  Server server;
  WriteSender closing(server.port()), old(server.port());
  CHECK(closing.Post("x", {"Connection: close"}).head.find("Connection: close") !=
        std::string::npos);
  CHECK(closing.Ends());
  REQUIRE(old.SendBytes("POST /api/v1/write HTTP/1.0\r\nContent-Length: 1\r\n\r\nx"));
  CHECK(old.Receive().status == 204);
  CHECK(old.Ends());
}

TEST_CASE("write server: another request on the same connection is served by the others") {
  Server server;
  WriteSender sender(server.port());
  REQUIRE(sender.Post("x").status == 204);
  REQUIRE(sender.SendBytes("GET /-/healthy HTTP/1.1\r\nHost: h\r\n\r\n"));
  const HttpReply reply = sender.Receive();
  CHECK(reply.status == 200);
  CHECK(reply.body == "Tributary is Healthy.\n");
}

TEST_CASE("write server: without a receiver, senders are told how to have one") {
  Server server({}, false);
  WriteSender sender(server.port());
  const HttpReply reply = sender.Post("x");
  CHECK(reply.status == 404);
  CHECK(reply.body.find("--web.enable-remote-write-receiver") != std::string::npos);
}

TEST_CASE("write server: a thousand senders keep their connections") {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  Server server;
  const auto threads = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
  };
  const auto threads_before = threads();
  std::vector<WriteSender> senders;
  for (int i = 0; i < 1000; i++) {
    senders.emplace_back(server.port());
    REQUIRE(senders.back().Post("first").status == 204);
  }
  CHECK(server.Metric("tributary_receive_connections") == 1000);
  CHECK(threads() == threads_before);
  // All at once.
  for (int round = 0; round < 3; round++) {
    for (const WriteSender& sender : senders) REQUIRE(sender.SendPost(std::string(500, 'x')));
    for (WriteSender& sender : senders) {
      REQUIRE(sender.Receive().head.find(Written(500)) != std::string::npos);
    }
  }
  CHECK(server.Metric("tributary_receive_connections_total") == 1000);
  senders.clear();
  CHECK(
      Eventually(seconds(10), [&] { return server.Metric("tributary_receive_connections") == 0; }));
}

TEST_CASE("write server: beyond so many bytes at a time senders wait") {
  WriteServerOptions options;
  options.pending_bytes_max = 1000;
  Server server(options);
  server.Hold();
  std::vector<WriteSender> senders;
  for (int i = 0; i < 5; i++) {
    senders.emplace_back(server.port());
    REQUIRE(senders.back().SendPost(std::string(400, 'x')));
  }
  REQUIRE(Eventually(
      seconds(10), [&] { return server.Metric("tributary_receive_requests_waited_total") == 3; }));
  CHECK(server.held() == 2);
  CHECK(server.Metric("tributary_receive_pending_bytes") == 800);
  SECTION("until others are answered") {
    server.Go();
    for (WriteSender& sender : senders) CHECK(sender.Receive().status == 204);
  }
  SECTION("also when some of them have gone") {
    senders.pop_back();
    senders.pop_back();
    server.Go();
    for (WriteSender& sender : senders) CHECK(sender.Receive().status == 204);
  }
  CHECK(server.Metric("tributary_receive_pending_bytes") == 0);
}

TEST_CASE("write server: who does not go on with a request is given up") {
  WriteServerOptions options;
  options.head_timeout = options.body_timeout = milliseconds(200);
  Server server(options);
  WriteSender sender(server.port());
  REQUIRE(sender.Post("x").status == 204);
  SECTION("its head") { REQUIRE(sender.SendBytes("POST /api/v1/wr")); }
  SECTION("its body") {
    REQUIRE(sender.SendBytes("POST /api/v1/write HTTP/1.1\r\nContent-Length: 9\r\n\r\nx"));
  }
  CHECK(sender.Ends());
  CHECK(server.Metric("tributary_receive_connections_late_total") == 1);
}

TEST_CASE("write server: of too many connections the longest idle one goes") {
  WriteServerOptions options;
  options.connections_max = 2;
  Server server(options);
  WriteSender one(server.port()), two(server.port());
  REQUIRE(one.Post("x").status == 204);
  REQUIRE(two.Post("x").status == 204);
  REQUIRE(one.Post("x").status == 204);
  WriteSender three(server.port());
  REQUIRE(three.Post("x").status == 204);
  CHECK(two.Ends());
  CHECK(one.Post("x").status == 204);
}

}  // namespace
}  // namespace tributary
