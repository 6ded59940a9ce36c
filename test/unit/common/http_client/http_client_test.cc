#include "common/http_client/http_client.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "test/support/catch.h"
#include "test/support/sim/sim_files.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_network.h"
#include "test/support/transport_contract.h"

namespace tributary {
namespace {

// Keeps what the transport was asked, beyond what servers see.
class RecordingTransport : public HttpTransport {
 public:
  explicit RecordingTransport(HttpTransport& transport) : transport_(transport) {}
  HttpRequestId Start(const HttpRequest& request, HttpHandler* handler) override {
    asked.push_back(request);
    return transport_.Start(std::move(request), handler);
  }
  void Cancel(HttpRequestId id) override { transport_.Cancel(id); }

  std::vector<HttpRequest> asked;

 private:
  HttpTransport& transport_;
};

struct ClientWorld {
  ClientWorld() {
    for (const char* host : {"one.test:80", "sub.one.test:8080", "two.test:80"}) {
      network.Listen(host, [this](const ServedRequest& request) {
        requests.push_back(request);
        return answer ? answer(request) : ScriptedReply::Text(200, "hello");
      });
    }
    config.authorization = Authorization{"Bearer", {}, "/s/token"};
    files.WriteFile("/s/token", "sesame-1\n");
  }

  HttpClient& Client() {
    if (!client) client.emplace(loop, transport, files, config);
    return *client;
  }
  CollectingHandler Fetch(HttpRequest request) {
    CollectingHandler handler;
    Client().Start(std::move(request), &handler);
    REQUIRE_FALSE(handler.done);
    REQUIRE(loop.RunUntil([&] { return handler.done; }, seconds(60)));
    return handler;
  }
  CollectingHandler Get(const std::string& url = "http://one.test/path") {
    return Fetch(GetRequest(url));
  }

  SimLoop loop;
  SimNetwork network;
  SimTransport sim{network, loop};
  RecordingTransport transport{sim};
  SimFileSystem files;
  HttpClientConfig config;
  std::optional<HttpClient> client;
  std::function<ScriptedReply(const ServedRequest&)> answer;
  std::vector<ServedRequest> requests;
};

TEST_CASE("http client: a credential file is read for each request") {
  ClientWorld world;
  CHECK(world.Get().body == "hello");
  world.files.WriteFile("/s/token", "sesame-2\n");
  CHECK(world.Get().outcome.ok());
  REQUIRE(world.requests.size() == 2);
  CHECK(world.requests[0].Header("Authorization") == "Bearer sesame-1");
  CHECK(world.requests[1].Header("Authorization") == "Bearer sesame-2");
}

TEST_CASE("http client: a file that cannot be read is told by OnDone, and nothing is sent") {
  ClientWorld world;
  world.files.Remove("/s/token");
  const CollectingHandler got = world.Get();
  CHECK(got.outcome.failure == HttpFailure::kCredentials);
  CHECK(got.outcome.status == 0);
  CHECK(got.outcome.message.find("/s/token") != std::string::npos);
  CHECK(got.heads == 0);
  CHECK(world.requests.empty());
}

TEST_CASE("http client: an Authorization header of the request's own stays alone") {
  ClientWorld world;
  HttpRequest request = GetRequest("http://one.test/");
  request.headers = {{"authorization", "Own 1"}};
  CollectingHandler handler;
  world.Client().Start(std::move(request), &handler);
  REQUIRE(world.loop.RunUntil([&] { return handler.done; }, seconds(60)));
  REQUIRE(world.requests.size() == 1);
  CHECK(world.requests[0].Header("Authorization") == "Own 1");
  CHECK(world.requests[0].headers.size() == 2);  // Host
}

TEST_CASE("http client: cancelled requests are not heard of again, sent or not") {
  ClientWorld world;
  CollectingHandler sent, unsent, other;
  const HttpRequestId first = world.Client().Start(GetRequest("http://one.test/"), &sent);
  world.files.Remove("/s/token");
  const HttpRequestId second = world.Client().Start(GetRequest("http://one.test/"), &unsent);
  world.Client().Start(GetRequest("http://one.test/"), &other);
  for (const HttpRequestId id : {first, second, first, HttpRequestId{0}}) world.Client().Cancel(id);
  world.loop.RunFor(seconds(60));
  CHECK_FALSE(sent.done);
  CHECK_FALSE(unsent.done);
  CHECK(other.done);
  CHECK(world.sim.in_flight() == 0);
}

TEST_CASE("http client: the client may end in OnDone, and takes with it what is under way") {
  for (const bool readable : {true, false}) {
    ClientWorld world;
    if (!readable) world.files.Remove("/s/token");
    CollectingHandler first, second;
    first.on_done = [&] { world.client.reset(); };
    world.Client().Start(GetRequest("http://one.test/"), &first);
    world.Client().Start(GetRequest("http://one.test/"), &second);
    world.loop.RunFor(seconds(60));
    CHECK(first.done);
    CHECK_FALSE(second.done);
    CHECK(world.sim.in_flight() == 0);
  }
}

std::vector<std::string> ValuesOf(const ServedRequest& request, std::string_view name) {
  std::vector<std::string> values;
  for (const HttpHeader& header : request.headers) {
    if (SameHeaderName(header.name, name)) values.push_back(header.value);
  }
  return values;
}

TEST_CASE("http client: http_headers are added, files as they are now") {
  ClientWorld world;
  world.config.http_headers["X-A"] = {{"v1", "v2"}, {{"s1"}}, {"/s/header"}};
  world.files.WriteFile("/s/header", " f1\n");
  HttpRequest request = GetRequest("http://one.test/");
  request.headers = {{"x-a", "own"}};
  REQUIRE(world.Fetch(request).outcome.ok());
  world.files.WriteFile("/s/header", "f2");
  REQUIRE(world.Get().outcome.ok());
  using Values = std::vector<std::string>;
  CHECK(ValuesOf(world.requests[0], "X-A") == Values{"own", "v1", "v2", "s1", "f1"});
  CHECK(ValuesOf(world.requests[1], "X-A") == Values{"v1", "v2", "s1", "f2"});

  for (const char* content : {"a\nb", "a\rb", "a\x7f"}) {
    world.files.WriteFile("/s/header", content);
    const CollectingHandler got = world.Get();
    CHECK(got.outcome.failure == HttpFailure::kCredentials);
    CHECK(got.outcome.message.find("/s/header") != std::string::npos);
  }
  world.files.Remove("/s/header");
  CHECK(world.Get().outcome.failure == HttpFailure::kCredentials);
  CHECK(world.requests.size() == 2);
}

TEST_CASE("http client: credentials that no header can hold are not sent") {
  ClientWorld world;
  world.files.WriteFile("/s/token", "sesame\nX-Smuggled: 1");
  const CollectingHandler got = world.Get();
  CHECK(got.outcome.failure == HttpFailure::kCredentials);
  CHECK(got.outcome.message.find("/s/token") != std::string::npos);
  CHECK(got.outcome.message.find("sesame") == std::string::npos);
}

TEST_CASE("http client: the transport is told what the configuration says of connections") {
  ClientWorld world;
  REQUIRE(world.Get().outcome.ok());
  CHECK(world.transport.asked[0].tls == nullptr);
  CHECK(world.transport.asked[0].proxy == nullptr);
  CHECK(world.transport.asked[0].http2);

  world.config.enable_http2 = false;
  world.config.tls.insecure_skip_verify = true;
  world.config.tls.server_name = "s";
  world.config.tls.max_version = "TLS12";
  world.config.proxy.proxy_url = "http://two.test";
  world.config.proxy.proxy_connect_header = {{"X-P", {{"q"}}}};
  world.client.reset();
  for (int i = 0; i < 2; i++) REQUIRE(world.Get().outcome.ok());
  const HttpRequest& asked = world.transport.asked[1];
  CHECK_FALSE(asked.http2);
  REQUIRE(asked.tls != nullptr);
  CHECK_FALSE(asked.tls->verify());
  CHECK(asked.tls->server_name() == "s");
  CHECK(asked.tls->version_min() == TlsVersion::kTls12);
  CHECK(asked.tls->version_max() == TlsVersion::kTls12);
  REQUIRE(asked.proxy != nullptr);
  CHECK(asked.proxy->url == "http://two.test:80");
  CHECK(asked.proxy->connect_headers.at(0).value == "q");
  CHECK(world.transport.asked[2].tls == asked.tls);  // not made again
}

TEST_CASE("http client: a proxy that cannot be used keeps all from being sent") {
  ClientWorld world;
  world.config.proxy.proxy_url = "ftp://user:sesame@two.test";
  const CollectingHandler got = world.Get();
  CHECK(got.outcome.failure == HttpFailure::kCredentials);
  CHECK(got.outcome.message.find("sesame") == std::string::npos);
  CHECK(world.transport.asked.empty());
}

ScriptedReply To(const std::string& location, int status = 302) {
  return ScriptedReply::Text(status, "moved", {{"Location", location}});
}

TEST_CASE("http client: credentials follow to names below the first host, and no further") {
  ClientWorld world;
  world.config.http_headers["Cookie"] = {{"c=1"}, {}, {}};
  world.config.http_headers["X-Secret"] = {{}, {{"follows"}}, {}};
  world.answer = [](const ServedRequest& request) {
    if (request.target == "/1") return To("http://sub.one.test:8080/2");
    if (request.target == "/2") return To("http://two.test/3");
    if (request.target == "/3") return To("http://one.test/4");
    return ScriptedReply::Text(200, "arrived");
  };
  CHECK(world.Get("http://one.test/1").body == "arrived");
  REQUIRE(world.requests.size() == 4);
  for (size_t i = 0; i < 4; i++) {
    CAPTURE(i);
    CHECK(world.requests[i].Header("Authorization") == (i < 2 ? "Bearer sesame-1" : ""));
    CHECK(world.requests[i].Header("Cookie") == (i < 2 ? "c=1" : ""));
    CHECK(world.requests[i].Header("X-Secret") == "follows");
  }
}

TEST_CASE("http client: the proxy is chosen for each step of the way") {
  ClientWorld world;
  world.config.proxy.proxy_url = "http://proxy.test:3128";
  world.config.proxy.no_proxy = "two.test";
  world.answer = [](const ServedRequest& request) {
    return request.target == "/1" ? To("http://two.test/2") : ScriptedReply::Text(200, "");
  };
  REQUIRE(world.Get("http://one.test/1").outcome.ok());
  CHECK(world.transport.asked[0].proxy != nullptr);
  CHECK(world.transport.asked[1].proxy == nullptr);
}

TEST_CASE("http client: a redirect is not followed where it must not be, or leads nowhere") {
  ClientWorld world;
  for (const auto& [status, location] :
       {std::pair(302, ""), {300, "/x"}, {304, "/x"}, {305, "/x"}}) {
    world.answer = [status, location](const ServedRequest&) { return To(location, status); };
    CHECK(world.Get().outcome.status == status);
  }
  world.config.follow_redirects = false;
  world.client.reset();
  world.answer = [](const ServedRequest&) { return To("/x"); };
  CHECK(world.Get().outcome.status == 302);
  CHECK(world.requests.size() == 5);
}

TEST_CASE("http client: the timeout is that of the whole way, bodies of redirects included") {
  ClientWorld world;
  HttpRequest request = GetRequest("http://one.test/1");
  request.timeout = seconds(5);
  SECTION("slow steps") {
    world.answer = [](const ServedRequest&) {
      ScriptedReply reply = To("/next");
      reply.before_head = seconds(2);
      return reply;
    };
  }
  SECTION("a body that never ends") {
    world.answer = [](const ServedRequest&) {
      return To("/next").Cut(ScriptedReply::End::kHang, 1);
    };
  }
  const CollectingHandler got = world.Fetch(request);
  CHECK(got.outcome.failure == HttpFailure::kTimeout);
  CHECK(world.loop.Now() == MonotonicTime(seconds(5)));
  CHECK(world.requests.size() <= 3);
}

TEST_CASE("http client: the body of a redirect is not read beyond measure, and need not be whole") {
  ClientWorld world;
  world.answer = [](const ServedRequest& request) {
    if (request.target == "/2") return To("/3").Cut(ScriptedReply::End::kReset, 2);
    if (request.target == "/3") return ScriptedReply::Text(200, "arrived");
    ScriptedReply reply = To("/2");
    reply.chunks.assign(1'000'000, std::string(1000, 'x'));
    return reply;
  };
  CHECK(world.Get("http://one.test/1").body == "arrived");
}

}  // namespace
}  // namespace tributary
