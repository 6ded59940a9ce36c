// HTTP/2 over libcurl and real sockets: demanded without TLS, chosen by ALPN with it; and what
// needs it, spans exported by gRPC.
#include <memory>
#include <optional>
#include <string>

#include "agent/tracing/span_exporter.h"
#include "common/http_client/http_client.h"
#include "test/integration/socket_world.h"
#include "test/support/catch.h"
#include "test/support/h2_server.h"
#include "test/support/sim/sim_files.h"
#include "test/support/trace_receiver.h"

namespace tributary {
namespace {

HttpRequest Http2Post(const std::string& url, std::string body) {
  HttpRequest request = PostRequest(url, std::move(body));
  request.headers = {{"content-type", "application/grpc"}, {"te", "trailers"}};
  request.http2_only = true;
  return request;
}

ScriptedReply WithTrailers(const ServedRequest&) {
  ScriptedReply reply = ScriptedReply::Text(200, std::string(100'000, 'r'), {{"x-head", "h"}});
  reply.trailers = {{"grpc-status", "0"}, {"grpc-message", ""}};
  return reply;
}

TEST_CASE("http2: it is spoken without asking where that is demanded, time after time") {
  CurlWorld world;
  H2Server server(WithTrailers);
  for (int i = 0; i < 3; i++) {
    const CollectingHandler got =
        Fetch(world, Http2Post("http://" + server.address() + "/a/B", std::string(300'000, 'x')));
    INFO(got.outcome.message);
    REQUIRE(got.outcome.ok());
    REQUIRE(got.heads == 1);
    REQUIRE(got.head.Header("x-head") == "h");
    REQUIRE(got.head.Header("grpc-status").empty());
    REQUIRE(got.body.size() == 100'000);
    REQUIRE(got.trailers.size() == 2);
    REQUIRE(FindHeader(got.trailers, "grpc-status") == "0");
  }
  const auto requests = server.Requests();
  REQUIRE(requests.size() == 3);
  REQUIRE(requests[0].method == "POST");
  REQUIRE(requests[0].target == "/a/B");
  REQUIRE(requests[0].Header("te") == "trailers");
  REQUIRE(requests[0].Header("Host") == server.address());
  REQUIRE(requests[0].body == std::string(300'000, 'x'));
  REQUIRE(requests[0].headers.size() == 4);  // Host, ours and content-length: nothing is added
}

TEST_CASE("http2: an answer without a body") {
  CurlWorld world;
  H2Server server([](const ServedRequest&) { return TraceReceiver::GrpcReply(7, "no"); });
  const CollectingHandler got = Fetch(world, Http2Post("http://" + server.address() + "/", "x"));
  REQUIRE(got.outcome.ok());
  REQUIRE(got.head.Header("grpc-status") == "7");
  REQUIRE(got.trailers.empty());
}

TEST_CASE("http2: a server that does not speak it fails the request, and is not asked twice") {
  CurlWorld world;
  const size_t server =
      world.Serve([](const ServedRequest&) { return ScriptedReply::Text(400, "what?"); });
  const CollectingHandler got = Fetch(world, Http2Post(world.Url(server) + "/", "x"));
  INFO(got.outcome.message);
  REQUIRE_FALSE(got.outcome.ok());
  REQUIRE(got.outcome.status == 0);
  REQUIRE(world.server(server).connections() == 1);
}

TEST_CASE("http2: behind TLS it is chosen, and the connection is kept") {
  CurlWorld world;
  const TestCa ca("test CA");
  H2Server server(WithTrailers, ca.Issue("server", {"IP:127.0.0.1"}));
  SimFileSystem files;
  HttpClientConfig config;
  config.tls.ca = ca.pem();
  HttpClient client(world.loop(), world.transport(), files, config);
  for (int i = 0; i < 3; i++) {
    CollectingHandler got;
    client.Start(Http2Post("https://" + server.address() + "/", "x"), &got);
    REQUIRE(world.Run([&] { return got.done; }, seconds(10)));
    INFO(got.outcome.message);
    REQUIRE(got.outcome.ok());
    REQUIRE(FindHeader(got.trailers, "grpc-status") == "0");
  }
  REQUIRE(server.connections() == 1);
}

TEST_CASE("span exporter: by gRPC over real HTTP/2, with TLS and without, plain and in gzip") {
  const TestCa ca("test CA");
  for (const bool tls : {false, true}) {
    for (const bool gzip : {false, true}) {
      CurlWorld world;
      TraceReceiver receiver;
      std::optional<TestCertificate> certificate;
      if (tls) certificate = ca.Issue("server", {"IP:127.0.0.1"});
      auto server = std::make_unique<H2Server>(receiver.Script(), certificate);
      TracingConfig config;
      config.endpoint = server->address();
      config.insecure = !tls;
      config.tls.ca = ca.pem();
      config.gzip = gzip;
      config.headers = {{"X-Key", {"k"}}};
      SimFileSystem files;
      Logger logger = Logger::Silent();
      TracingStats stats;
      SpanExporter exporter({world.loop(), world.transport(), files, logger}, config, stats,
                            [] { return 0; });
      for (int i = 0; i < 600; i++) {
        Span span;
        span.context.sampled = true;
        span.name = "span";
        exporter.Add(std::move(span));
      }
      bool flushed = false;
      exporter.Flush(seconds(5), [&] { flushed = true; });
      REQUIRE(world.Run([&] { return flushed; }, seconds(10)));
      CHECK(server->connections() == (tls ? 1 : 2));
      server.reset();  // the receiver is its thread's until then
      CHECK(stats.exported == 600);
      CHECK(stats.retries == 0);
      CHECK(receiver.problems == std::vector<std::string>());
      CHECK(receiver.spans.size() == 600);
      CHECK(receiver.requests.size() == 2);
      CHECK(receiver.requests.at(0).Header("x-key") == "k");
    }
  }
}

TEST_CASE("span exporter: a server's refusal over real HTTP/2 is understood") {
  CurlWorld world;
  H2Server server([](const ServedRequest&) { return TraceReceiver::GrpcReply(16, "who%3F"); });
  TracingConfig config;
  config.endpoint = server.address();
  config.insecure = true;
  SimFileSystem files;
  Logger logger = Logger::Silent();
  TracingStats stats;
  SpanExporter exporter({world.loop(), world.transport(), files, logger}, config, stats,
                        [] { return 0; });
  Span span;
  span.context.sampled = true;
  exporter.Add(std::move(span));
  bool flushed = false;
  exporter.Flush(seconds(5), [&] { flushed = true; });
  REQUIRE(world.Run([&] { return flushed; }, seconds(10)));
  CHECK(stats.rejected == 1);
}

}  // namespace
}  // namespace tributary
