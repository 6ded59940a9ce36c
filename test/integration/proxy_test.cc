// HttpClient over libcurl through proxies and Unix sockets.
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "common/http_client/http_client.h"
#include "test/integration/socket_world.h"
#include "test/support/catch.h"
#include "test/support/relay.h"
#include "test/support/sim/sim_files.h"
#include "test/support/test_ca.h"

namespace tributary {
namespace {

struct ProxyWorld : CurlWorld {
  ProxyWorld() {
    config.proxy.proxy_url = "http://user:sesa%6De@127.0.0.1:" + std::to_string(proxy.port());
    config.proxy.proxy_connect_header = {{"X-Connect", {{"one"}, {"two"}}}};
    config.tls.ca = ca.pem();
  }
  CollectingHandler Get(const std::string& url, const std::string& unix_socket = "") {
    HttpClient client(loop(), transport(), files, config);
    CollectingHandler handler;
    HttpRequest request = GetRequest(url);
    request.unix_socket = unix_socket;
    request.headers = {{"X-Test", "1"}};
    client.Start(std::move(request), &handler);
    REQUIRE(Run([&] { return handler.done; }, seconds(30)));
    INFO(handler.outcome.message);
    CHECK(handler.outcome.message.find("sesame") == std::string::npos);
    return handler;
  }
  std::string TlsUrl(const std::string& host) {
    return "https://" + host + ":" + std::to_string(tls.port()) + "/path";
  }

  const TestCa ca{"test CA"};
  const size_t backend =
      Serve([](const ServedRequest&) { return ScriptedReply::Text(200, "hello"); });
  ProxyRelay proxy{server(backend).port()};
  TlsRelay tls{server(backend).port(), {ca.Issue("server", {"DNS:nowhere.invalid"}), "", 0, 0}};
  SimFileSystem files;
  HttpClientConfig config;
};

TEST_CASE("proxy: an http URL is asked of the proxy, which looks the name up") {
  ProxyWorld world;
  REQUIRE(world.Get("http://nowhere.invalid/path?q=1").body == "hello");
  const ServedRequest seen = world.Requests(world.backend).at(0);
  CHECK(seen.target == "http://nowhere.invalid/path?q=1");
  CHECK(seen.Header("Proxy-Authorization") == "Basic dXNlcjpzZXNhbWU=");
  CHECK(seen.Header("X-Connect").empty());
  CHECK(seen.Header("X-Test") == "1");
  CHECK(seen.headers.size() == 3);  // and Host
}

TEST_CASE("proxy: an https URL goes through a tunnel that the server sees nothing of") {
  ProxyWorld world;
  const CollectingHandler got = world.Get(world.TlsUrl("nowhere.invalid"));
  REQUIRE(got.body == "hello");
  CHECK(got.head.Header("X-Proxy").empty());
  const std::string head = world.proxy.heads().at(0);
  CAPTURE(head);
  CHECK(head.starts_with("CONNECT nowhere.invalid:" + std::to_string(world.tls.port())));
  CHECK(head.find("Proxy-Authorization: Basic dXNlcjpzZXNhbWU=\r\n") != std::string::npos);
  CHECK(head.find("X-Connect: one\r\nX-Connect: two\r\n") != std::string::npos);
  CHECK(head.find("X-Test") == std::string::npos);
  const ServedRequest seen = world.Requests(world.backend).at(0);
  CHECK(seen.target == "/path");
  CHECK(seen.headers.size() == 2);  // Host and X-Test
}

TEST_CASE("proxy: a tunnel that is refused is kConnect") {
  ProxyWorld world;
  for (const char* status : {"403 Forbidden", "407 Who are you", "503 Later"}) {
    world.proxy.Refuse(std::string("HTTP/1.1 ") + status + "\r\nContent-Length: 0\r\n\r\n");
    const CollectingHandler got = world.Get(world.TlsUrl("nowhere.invalid"));
    CHECK(got.outcome.failure == HttpFailure::kConnect);
    CHECK(got.outcome.status == 0);
    CHECK(got.heads == 0);
  }
}

TEST_CASE("proxy: a proxy that is not there is kConnect, and one without an address kResolve") {
  ProxyWorld world;
  world.config.proxy.proxy_url = "http://user:sesame@127.0.0.1:" + std::to_string(UnusedPort());
  CHECK(world.Get("http://nowhere.invalid/").outcome.failure == HttpFailure::kConnect);
  world.config.proxy.proxy_url = "http://user:sesame@gone-1.test:80";
  CHECK(world.Get("http://nowhere.invalid/").outcome.failure == HttpFailure::kResolve);
}

TEST_CASE("proxy: the https proxy is verified as servers are") {
  ProxyWorld world;
  TlsRelay front(world.proxy.port(), {world.ca.Issue("proxy", {"IP:127.0.0.1"}), "", 0, 0});
  world.config.proxy.proxy_url = "https://127.0.0.1:" + std::to_string(front.port());
  CHECK(world.Get("http://nowhere.invalid/").body == "hello");
  CHECK(world.Get(world.TlsUrl("nowhere.invalid")).body == "hello");
  world.config.tls.ca = TestCa("other CA").pem();
  CHECK(world.Get("http://nowhere.invalid/").outcome.failure == HttpFailure::kTls);
}

TEST_CASE("proxy: exceptions are asked directly, whatever the environment says") {
  ProxyWorld world;
  world.config.proxy.no_proxy = "slow-1-b.test";
  setenv("no_proxy", "*", 1);
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  CHECK(world.Get(world.Url(world.backend, "slow-1-a.test")).outcome.ok());
  CHECK(world.proxy.connections() == 1);
  CHECK(world.Get(world.Url(world.backend, "slow-1-b.test")).outcome.ok());
  CHECK(world.Get(world.Url(world.backend, "127.0.0.1")).outcome.ok());
  CHECK(world.proxy.connections() == 1);
  world.config.proxy = {};
  CHECK(world.Get(world.Url(world.backend)).outcome.ok());
  unsetenv("no_proxy");
  unsetenv("http_proxy");
}

TEST_CASE("proxy: a Unix socket is where the server is, whatever the host") {
  ProxyWorld world;
  char folder[] = "/tmp/tributary-test-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  const std::string plain = std::string(folder) + "/plain", secure = std::string(folder) + "/tls";
  {
    UnixRelay plain_relay(plain, world.server(world.backend).port());
    UnixRelay secure_relay(secure, world.tls.port());
    for (int i = 0; i < 2; i++) {
      CHECK(world.Get("http://nowhere.invalid/path", plain).body == "hello");
      CHECK(world.Get("https://nowhere.invalid/path", secure).body == "hello");
    }
    // A connection belongs to its socket.
    CHECK(plain_relay.connections() == 1);
    CHECK(secure_relay.connections() == 1);
    CHECK(world.Get("http://nowhere.invalid/path", secure).outcome.failure == HttpFailure::kClosed);
    CHECK(world.Requests(world.backend).at(0).Header("Host") == "nowhere.invalid");
  }
  CHECK(world.Get("http://elsewhere.invalid/", folder + std::string("/none")).outcome.failure ==
        HttpFailure::kConnect);
  CHECK(world.proxy.connections() == 0);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tributary
