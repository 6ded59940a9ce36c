#include "agent/tracing/request_spans.h"

#include <memory>
#include <string>

#include "common/http_client/http_client.h"
#include "test/unit/agent/tracing/tracing_world.h"

namespace tributary {
namespace {

struct Handler : HttpHandler {
  void OnHead(const HttpResponseHead&) override {}
  bool OnBody(std::string_view) override { return true; }
  void OnDone(const HttpOutcome&) override { done = true; }
  bool done = false;
};

struct RequestWorld : TracingWorld {
  RequestWorld() { tracer.Apply(TraceConfig()); }

  // Sends a request under a parent span, and waits for what is exported of it.
  void Fetch(const std::string& url, const std::string& method = "GET") {
    HttpClient client(loop, transport, files, http);
    parent = tracer.Begin("parent", SpanKind::kClient).context;
    RequestSpans spans(tracer, parent);
    Handler handler;
    HttpRequest request;
    request.method = method;
    request.url = url;
    if (method == "POST") request.body = std::make_shared<const std::string>("body");
    request.timeout = seconds(3);
    client.Start(request, &handler, &spans);
    REQUIRE(loop.RunUntil([&] { return handler.done; }, seconds(10)));
    loop.RunFor(seconds(6));
  }
  void Serve(ReplyScript script) {
    network.Listen("a.test:9100", [this, script](const ServedRequest& request) {
      seen.push_back(request);
      return script(request);
    });
  }

  Tracer tracer{environment(), 7};
  HttpClientConfig http;
  SpanContext parent;
  std::vector<ServedRequest> seen;
};

std::string Hex(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    text += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    text += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

TEST_CASE("request spans: the header has the form of W3C Trace Context") {
  SpanContext context;
  for (size_t i = 0; i < 16; i++) context.trace_id[i] = static_cast<unsigned char>(0xf0 + i);
  for (size_t i = 0; i < 8; i++) context.span_id[i] = static_cast<unsigned char>(i);
  CHECK(TraceParent(context) == "00-f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff-0001020304050607-00");
  context.sampled = true;
  CHECK(TraceParent(context) == "00-f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff-0001020304050607-01");
}

TEST_CASE("request spans: a request has a span, and tells the server of it") {
  RequestWorld world;
  world.Serve([](const ServedRequest&) { return ScriptedReply::Text(200, "ok"); });
  world.Fetch("http://user:sesame@a.test:9100/metrics?x=1@2");
  REQUIRE(world.receiver.spans.size() == 1);
  const ReceivedSpan& span = world.receiver.spans[0];
  CHECK(span.name == "HTTP GET");
  CHECK(span.kind == 3);
  CHECK(span.status == 0);
  CHECK(span.attributes ==
        std::map<std::string, std::string>{{"http.request.method", "GET"},
                                           {"url.full", "http://a.test:9100/metrics?x=1@2"},
                                           {"server.address", "a.test"},
                                           {"server.port", "9100"},
                                           {"http.response.status_code", "200"}});
  REQUIRE(world.seen.size() == 1);
  CHECK(world.seen[0].Header("traceparent") ==
        "00-" + Hex(span.trace_id) + "-" + Hex(span.span_id) + "-01");
  CHECK(span.parent_id == std::string(world.parent.span_id.begin(), world.parent.span_id.end()));
}

TEST_CASE("request spans: a standard port is not told") {
  RequestWorld world;
  world.network.Listen("a.test:80",
                       [](const ServedRequest&) { return ScriptedReply::Text(200, ""); });
  world.Fetch("http://a.test/");
  REQUIRE(world.receiver.spans.size() == 1);
  CHECK_FALSE(world.receiver.spans[0].attributes.contains("server.port"));
}

TEST_CASE("request spans: each request of a way has its own span") {
  RequestWorld world;
  world.Serve([](const ServedRequest& request) {
    return request.target == "/to" ? ScriptedReply::Text(200, "")
                                   : ScriptedReply::Text(302, "", {{"Location", "/to"}});
  });
  world.Fetch("http://a.test:9100/from", "POST");
  REQUIRE(world.receiver.spans.size() == 2);
  CHECK(world.receiver.spans[0].name == "HTTP POST");
  CHECK(world.receiver.spans[0].attributes["http.response.status_code"] == "302");
  CHECK(world.receiver.spans[1].name == "HTTP GET");
  CHECK(world.receiver.spans[0].parent_id == world.receiver.spans[1].parent_id);
  REQUIRE(world.seen.size() == 2);
  for (size_t i = 0; i < 2; i++) {
    CHECK(world.seen[i].Header("traceparent").find(Hex(world.receiver.spans[i].span_id)) !=
          std::string::npos);
    const auto is_parent = [](const HttpHeader& header) {
      return SameHeaderName(header.name, "traceparent");
    };
    CHECK(std::count_if(world.seen[i].headers.begin(), world.seen[i].headers.end(), is_parent) ==
          1);
  }
}

TEST_CASE("request spans: errors show in the status") {
  RequestWorld world;
  SECTION("an answer of 400 and above") {
    world.Serve([](const ServedRequest&) { return ScriptedReply::Text(503, "busy"); });
    world.Fetch("http://a.test:9100/");
    REQUIRE(world.receiver.spans.size() == 1);
    CHECK(world.receiver.spans[0].status == 2);
    CHECK(world.receiver.spans[0].status_message.empty());
    CHECK(world.receiver.spans[0].attributes["error.type"] == "503");
  }
  SECTION("no answer") {
    world.Fetch("http://127.0.0.1:9/");
    REQUIRE(world.receiver.spans.size() == 1);
    CHECK(world.receiver.spans[0].status == 2);
    CHECK_FALSE(world.receiver.spans[0].status_message.empty());
    CHECK(world.receiver.spans[0].attributes["error.type"] == "connect");
    CHECK_FALSE(world.receiver.spans[0].attributes.contains("http.response.status_code"));
  }
  SECTION("no end of the answer") {
    world.Serve([](const ServedRequest&) {
      return ScriptedReply::Text(200, "some").Cut(ScriptedReply::End::kHang, 2);
    });
    world.Fetch("http://a.test:9100/");
    REQUIRE(world.receiver.spans.size() == 1);
    CHECK(world.receiver.spans[0].status == 2);
    CHECK(world.receiver.spans[0].attributes["error.type"] == "timeout");
  }
}

TEST_CASE("request spans: headers are in no attribute") {
  RequestWorld world;
  world.http.authorization = Authorization{"Bearer", {"sesame"}, ""};
  world.http.http_headers["X-Key"].values = {"sesame"};
  world.Serve([](const ServedRequest&) { return ScriptedReply::Text(200, ""); });
  world.Fetch("http://a.test:9100/");
  CHECK(world.seen.at(0).Header("X-Key") == "sesame");
  for (const auto& [key, value] : world.receiver.spans.at(0).attributes) {
    CHECK(value.find("sesame") == std::string::npos);
  }
}

TEST_CASE("request spans: what is not sampled says so to the server") {
  RequestWorld world;
  TracingConfig config = TracingWorld::TraceConfig();
  config.sampling_fraction = 0;
  world.tracer.Apply(config);
  world.Serve([](const ServedRequest&) { return ScriptedReply::Text(200, ""); });
  world.Fetch("http://a.test:9100/");
  const std::string header = world.seen.at(0).Header("traceparent");
  CHECK(header.size() == 55);
  CHECK(header.ends_with("-00"));
  CHECK(world.receiver.requests.empty());
}

}  // namespace
}  // namespace tributary
