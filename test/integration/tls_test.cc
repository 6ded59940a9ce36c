// HttpClient over libcurl and real TLS: who is trusted, what is shown, and which connections are
// shared.
#include <memory>
#include <string>

#include <openssl/ssl.h>
#include <sys/socket.h>

#include "common/http_client/http_client.h"
#include "test/integration/socket_world.h"
#include "test/support/catch.h"
#include "test/support/relay.h"
#include "test/support/sim/sim_files.h"
#include "test/support/test_ca.h"

namespace tributary {
namespace {

struct TlsWorld : CurlWorld {
  TlsWorld() {
    backend = Serve([](const ServedRequest&) { return ScriptedReply::Text(200, "hello"); });
    options.certificate = ca.Issue("server", {"IP:127.0.0.1"});
    config.tls.ca = ca.pem();
  }

  TlsRelay& relay() {
    if (!relay_) relay_ = std::make_unique<TlsRelay>(server(backend).port(), options);
    return *relay_;
  }
  std::string TlsUrl(const std::string& host = "127.0.0.1") {
    return "https://" + host + ":" + std::to_string(relay().port()) + "/path";
  }
  CollectingHandler Get() { return Get(TlsUrl()); }
  CollectingHandler Get(const std::string& url) {
    if (!client) client = std::make_unique<HttpClient>(loop(), transport(), files, config);
    CollectingHandler handler;
    client->Start(GetRequest(url), &handler);
    REQUIRE(Run([&] { return handler.done; }, seconds(30)));
    return handler;
  }
  // With a client of its own.
  HttpFailure FailureOf(const TlsConfig& tls) {
    config.tls = tls;
    client.reset();
    const CollectingHandler got = Get();
    INFO(got.outcome.message);
    REQUIRE(got.outcome.message.empty() == got.outcome.ok());
    return got.outcome.failure;
  }

  const TestCa ca{"test CA"};
  const TestCa other_ca{"other CA"};
  size_t backend = 0;
  TlsRelayOptions options;
  SimFileSystem files;
  HttpClientConfig config;
  std::unique_ptr<HttpClient> client;

 private:
  std::unique_ptr<TlsRelay> relay_;
};

TlsConfig Trusting(const std::string& ca) {
  TlsConfig tls;
  tls.ca = ca;
  return tls;
}

TEST_CASE("tls: a server is trusted by a CA of the configuration, and by no other") {
  TlsWorld world;
  CHECK(world.FailureOf(Trusting(world.ca.pem())) == HttpFailure::kNone);
  CHECK(world.FailureOf(Trusting(world.other_ca.pem() + world.ca.pem())) == HttpFailure::kNone);
  CHECK(world.FailureOf(Trusting(world.other_ca.pem())) == HttpFailure::kTls);
  CHECK(world.FailureOf({}) == HttpFailure::kTls);  // by the system's roots
  TlsConfig careless = Trusting(world.other_ca.pem());
  careless.insecure_skip_verify = true;
  CHECK(world.FailureOf(careless) == HttpFailure::kNone);
  // As in Go, what is trusted need not be a root.
  CHECK(world.FailureOf(Trusting(world.options.certificate.certificate)) == HttpFailure::kNone);
  CHECK(world.Requests(world.backend).size() == 4);
}

TEST_CASE("tls: a server has to bear the name that it is asked for by") {
  TlsWorld world;
  SECTION("another name") {
    world.options.certificate = world.ca.Issue("server", {"DNS:other.test", "IP:127.0.0.2"});
  }
  SECTION("a common name counts for nothing") {
    world.options.certificate = world.ca.Issue("127.0.0.1", {});
  }
  CHECK(world.FailureOf(Trusting(world.ca.pem())) == HttpFailure::kTls);
  CHECK(world.Requests(world.backend).empty());
}

TEST_CASE("tls: server_name is asked for and verified in place of the host") {
  TlsWorld world;
  world.options.certificate = world.ca.Issue("server", {"DNS:other.test"});
  world.config.tls.server_name = "other.test";
  REQUIRE(world.Get().body == "hello");
  CHECK(world.relay().handshakes().at(0).server_name == "other.test");
  // All else is as the URL says.
  const ServedRequest seen = world.Requests(world.backend).at(0);
  CHECK(seen.target == "/path");
  CHECK(seen.Header("Host") == "127.0.0.1:" + std::to_string(world.relay().port()));
  CHECK(seen.headers.size() == 1);

  TlsConfig wrong = world.config.tls;
  wrong.server_name = "wrong.test";
  CHECK(world.FailureOf(wrong) == HttpFailure::kTls);
}

TEST_CASE("tls: a client shows its certificate where it is asked for one") {
  TlsWorld world;
  world.options.client_ca = world.ca.pem();
  const TestCertificate own = world.ca.Issue("the client", {});
  TlsConfig tls = Trusting(world.ca.pem());
  // The server's refusal arrives after the handshake, as far as TLS 1.3's client is concerned.
  const HttpFailure without = world.FailureOf(tls);
  CHECK((without == HttpFailure::kTls || without == HttpFailure::kClosed));
  tls.cert = own.certificate;
  tls.key = {own.key};
  CHECK(world.FailureOf(tls) == HttpFailure::kNone);
  const auto handshakes = world.relay().handshakes();
  REQUIRE(handshakes.size() == 2);
  CHECK_FALSE(handshakes[0].good);
  CHECK(handshakes[1].client == "the client");
}

TEST_CASE("tls: versions are kept to") {
  TlsWorld world;
  TlsConfig tls = Trusting(world.ca.pem());
  SECTION("a server of TLS 1.2") {
    world.options.version_max = TLS1_2_VERSION;
    CHECK(world.FailureOf(tls) == HttpFailure::kNone);
    tls.min_version = "TLS13";
    CHECK(world.FailureOf(tls) == HttpFailure::kTls);
  }
  SECTION("a server of TLS 1.3") {
    world.options.version_min = TLS1_3_VERSION;
    CHECK(world.FailureOf(tls) == HttpFailure::kNone);
    tls.max_version = "TLS12";
    CHECK(world.FailureOf(tls) == HttpFailure::kTls);
  }
  SECTION("a server of TLS 1.1 needs a client that was told so") {
    world.options.version_max = TLS1_1_VERSION;
    CHECK(world.FailureOf(tls) == HttpFailure::kTls);
    tls.min_version = "TLS10";
    CHECK(world.FailureOf(tls) == HttpFailure::kNone);
  }
}

TEST_CASE("tls: files count as they are now, without another client") {
  TlsWorld world;
  world.options.client_ca = world.ca.pem();
  const TestCertificate first = world.ca.Issue("first", {});
  const TestCertificate second = world.ca.Issue("second", {});
  world.config.tls = {};
  world.config.tls.ca_file = "/s/ca.pem";
  world.config.tls.cert_file = "/s/client.pem";
  world.config.tls.key_file = "/s/client.key";
  world.files.WriteFile("/s/ca.pem", world.ca.pem());
  world.files.WriteFile("/s/client.pem", first.certificate);
  world.files.WriteFile("/s/client.key", first.key);
  for (int i = 0; i < 3; i++) REQUIRE(world.Get().outcome.ok());
  REQUIRE(world.relay().connections() == 1);

  world.files.WriteFile("/s/client.pem", second.certificate);
  const CollectingHandler halfway = world.Get();  // the key is still the old one
  CHECK(halfway.outcome.failure == HttpFailure::kCredentials);
  CHECK(halfway.outcome.message.find("/s/client.key") != std::string::npos);
  CHECK(halfway.outcome.message.find("BEGIN") == std::string::npos);
  world.files.WriteFile("/s/client.key", second.key);
  REQUIRE(world.Get().outcome.ok());
  REQUIRE(world.relay().connections() == 2);
  CHECK(world.relay().handshakes().at(1).client == "second");
  CHECK_FALSE(world.relay().handshakes().at(1).resumed);

  // A kept connection does not outlive the trust in its server.
  world.files.WriteFile("/s/ca.pem", world.other_ca.pem());
  CHECK(world.Get().outcome.failure == HttpFailure::kTls);
  world.files.Remove("/s/ca.pem");
  CHECK(world.Get().outcome.failure == HttpFailure::kCredentials);
  world.files.WriteFile("/s/ca.pem", world.ca.pem());
  CHECK(world.Get().outcome.ok());
}

TEST_CASE("tls: a server's new certificate is taken by new connections") {
  TlsWorld world;
  REQUIRE(world.Get().outcome.ok());
  world.relay().Replace(world.other_ca.Issue("server", {"IP:127.0.0.1"}));
  CHECK(world.Get().outcome.ok());  // on the connection that there is
  CHECK(world.FailureOf(Trusting(world.other_ca.pem())) == HttpFailure::kNone);
}

TEST_CASE("tls: connections are shared by equal settings only") {
  TlsWorld world;
  const auto get = [&](const TlsConfig& tls) {
    REQUIRE(world.FailureOf(tls) == HttpFailure::kNone);
    return world.relay().connections();
  };
  TlsConfig tls = Trusting(world.ca.pem());
  CHECK(get(tls) == 1);
  CHECK(get(tls) == 1);  // another client
  CHECK(get(Trusting(world.ca.pem() + world.other_ca.pem())) == 2);
  TlsConfig careless = tls;
  careless.insecure_skip_verify = true;
  CHECK(get(careless) == 3);
  TlsConfig old = tls;
  old.max_version = "TLS12";
  CHECK(get(old) == 4);
  TlsConfig shown = tls;
  const TestCertificate own = world.ca.Issue("client", {});
  shown.cert = own.certificate;
  shown.key = {own.key};
  CHECK(get(shown) == 5);
  CHECK(get(tls) == 5);
}

TEST_CASE("tls: HTTP/2 is offered where it is permitted") {
  for (const bool permitted : {true, false}) {
    TlsWorld world;
    world.config.enable_http2 = permitted;
    REQUIRE(world.Get().outcome.ok());
    CHECK(world.relay().handshakes().at(0).protocols == (permitted ? "h2,http/1.1" : "http/1.1"));
  }
}

// Answers the first bytes as servers of plain HTTP do.
class PlainServer : public Relay {
 public:
  PlainServer() { Run(); }
  ~PlainServer() override { End(); }

 private:
  void Serve(int fd) override {
    char bytes[1000];
    if (recv(fd, bytes, sizeof bytes, 0) <= 0) return;
    const std::string_view answer = "HTTP/1.1 400 Bad Request\r\n\r\n";
    send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
  }
};

TEST_CASE("tls: a server that speaks none is no TLS server") {
  TlsWorld world;
  const PlainServer plain;
  const CollectingHandler got = world.Get("https://127.0.0.1:" + std::to_string(plain.port()));
  CHECK(got.outcome.failure == HttpFailure::kTls);
}

TEST_CASE("tls: material that cannot be used is told by its name") {
  TlsWorld world;
  const TestCertificate own = world.ca.Issue("client", {});
  world.files.WriteFile("/s/good.pem", own.certificate);
  world.files.WriteFile("/s/good.key", own.key);
  world.files.WriteFile("/s/other.key", world.ca.Issue("client", {}).key);
  world.files.WriteFile("/s/bad", "sesame");
  world.files.WriteFile("/s/empty", "");
  struct Case {
    const char *ca, *certificate, *key, *named;
  };
  for (const Case& c :
       {Case{"/s/bad", "", "", "/s/bad"}, Case{"/s/empty", "", "", "/s/empty"},
        Case{"/s/gone", "", "", "/s/gone"}, Case{"", "/s/bad", "/s/good.key", "/s/bad"},
        Case{"", "/s/empty", "/s/good.key", "/s/empty"},
        Case{"", "/s/good.pem", "/s/bad", "/s/bad"},
        Case{"", "/s/good.pem", "/s/other.key", "/s/other.key"}}) {
    CAPTURE(c.named);
    world.config.tls = {};
    world.config.tls.ca_file = c.ca;
    world.config.tls.cert_file = c.certificate;
    world.config.tls.key_file = c.key;
    world.client.reset();
    const CollectingHandler got = world.Get();
    CHECK(got.outcome.failure == HttpFailure::kCredentials);
    CHECK(got.outcome.message.find(c.named) != std::string::npos);
    CHECK(got.outcome.message.find("sesame") == std::string::npos);
  }
  CHECK(world.relay().connections() == 0);
}

}  // namespace
}  // namespace tributary
