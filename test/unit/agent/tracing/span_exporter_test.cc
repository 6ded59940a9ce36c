#include "agent/tracing/span_exporter.h"

#include <memory>
#include <optional>

#include "test/unit/agent/tracing/tracing_world.h"

namespace tributary {
namespace {

struct ExporterWorld : TracingWorld {
  SpanExporter& exporter() {
    if (!exporter_) {
      exporter_ = std::make_unique<SpanExporter>(environment(), config, stats, [] { return 500; });
    }
    return *exporter_;
  }
  void Add(size_t count = 1) {
    for (size_t i = 0; i < count; i++) {
      Span span;
      span.context.sampled = true;
      span.context.span_id[0] = 1;
      span.name = "span " + std::to_string(added++);
      exporter().Add(std::move(span));
    }
  }
  void End() { exporter_.reset(); }

  TracingConfig config = TraceConfig();
  TracingStats stats;
  size_t added = 0;

 private:
  std::unique_ptr<SpanExporter> exporter_;
};

TEST_CASE(
    "span exporter: spans go out after five seconds, by gRPC and by HTTP, plain and in gzip") {
  for (const TracingProtocol protocol : {TracingProtocol::kGrpc, TracingProtocol::kHttp}) {
    for (const bool gzip : {false, true}) {
      ExporterWorld world;
      world.config.protocol = protocol;
      world.config.gzip = gzip;
      world.config.headers = {{"X-Scope-OrgID", {"team-a"}}};
      world.Add(3);
      world.loop.RunFor(milliseconds(4900));
      CHECK(world.receiver.requests.empty());
      world.loop.RunFor(milliseconds(200));
      REQUIRE(world.receiver.requests.size() == 1);
      CHECK(world.receiver.problems == std::vector<std::string>());
      REQUIRE(world.receiver.spans.size() == 3);
      CHECK(world.receiver.spans[0].name == "span 0");
      CHECK(world.receiver.spans[2].name == "span 2");
      CHECK(world.receiver.resource["service.name"] == "tributary");
      CHECK(world.receiver.requests[0].Header("x-scope-orgid") == "team-a");
      CHECK(world.receiver.requests[0].Header("user-agent").starts_with("Tributary/"));
      CHECK(world.stats.exported == 3);
      CHECK(world.exporter().spans() == 0);
      // Nothing to do: nothing wakes the loop.
      CHECK(world.loop.pending() == 0);
    }
  }
}

TEST_CASE("span exporter: a full batch goes out at once, and the next waits for its answer") {
  ExporterWorld world;
  world.receiver.answer = [](const ServedRequest&) {
    ScriptedReply reply = TraceReceiver::GrpcReply(0);
    reply.before_head = seconds(2);
    return reply;
  };
  world.Add(SpanExporter::kBatchMax * 2 + 7);
  world.loop.RunFor(seconds(1));
  CHECK(world.receiver.requests.size() == 1);
  CHECK(world.receiver.spans.size() == SpanExporter::kBatchMax);
  world.loop.RunFor(seconds(2));
  CHECK(world.receiver.spans.size() == 2 * SpanExporter::kBatchMax);
  world.loop.RunFor(seconds(10));
  CHECK(world.receiver.spans.size() == world.added);
  CHECK(world.stats.exported == world.added);
  for (size_t i = 0; i < world.added; i++) {
    REQUIRE(world.receiver.spans[i].name == "span " + std::to_string(i));
  }
}

TEST_CASE("span exporter: what does not fit into the queue is dropped and counted") {
  ExporterWorld world;
  world.server.unreachable = true;
  const size_t most = SpanExporter::kQueueMax + SpanExporter::kBatchMax;  // one batch is under way
  world.Add(most + 100);
  CHECK(world.exporter().spans() == most);
  CHECK(world.stats.queue_full == 100);
  world.loop.RunFor(seconds(300));
  CHECK(world.exporter().spans() == 0);
  CHECK(world.stats.failed == most);
  CHECK(Accounted(world.stats) == world.added);
}

TEST_CASE("span exporter: enormous spans are cut into requests that receivers take") {
  ExporterWorld world;
  for (int i = 0; i < 500; i++) {
    Span span;
    span.context.sampled = true;
    for (int j = 0; j < 20; j++) span.Set("a", std::string(1 << 20, 'x'));
    world.exporter().Add(std::move(span));
  }
  world.loop.RunFor(seconds(60));
  CHECK(world.receiver.spans.size() == 500);
  CHECK(world.receiver.requests.size() > 5);
  for (const ServedRequest& request : world.receiver.requests) CHECK(request.body.size() < 4 << 20);
}

TEST_CASE("span exporter: what may pass is tried again within the time, and then given up") {
  ExporterWorld world;
  world.config.timeout = seconds(20);
  const auto failing = [&](const ScriptedReply& reply) {
    world.receiver.answer = [reply](const ServedRequest&) { return reply; };
  };
  SECTION("gRPC: each of the codes that may pass") {
    for (const int code : {1, 4, 10, 11, 14, 15}) {
      CAPTURE(code);
      const auto before = world.receiver.requests.size();
      failing(TraceReceiver::GrpcReply(code, "later"));
      world.Add();
      world.loop.RunFor(seconds(60));
      // At 0, 5 and 12.5 s; the timeout of 20 s is that of all attempts.
      CHECK(world.receiver.requests.size() == before + 3);
    }
    CHECK(world.stats.failed == 6);
    CHECK(world.stats.retries == 12);
    CHECK(world.receiver.requests[0].Header("grpc-timeout") == "20000m");
  }
  SECTION("gRPC: all others are refusals") {
    for (const int code : {2, 3, 5, 6, 7, 8, 9, 12, 13, 16}) {
      CAPTURE(code);
      const auto before = world.receiver.requests.size();
      failing(TraceReceiver::GrpcReply(code, "no"));
      world.Add();
      world.loop.RunFor(seconds(60));
      CHECK(world.receiver.requests.size() == before + 1);
    }
    CHECK(world.stats.rejected == 10);
  }
  SECTION("HTTP: four statuses may pass") {
    world.config.protocol = TracingProtocol::kHttp;
    for (const int status : {429, 502, 503, 504}) {
      CAPTURE(status);
      const auto before = world.receiver.requests.size();
      failing(ScriptedReply::Text(status, "later"));
      world.Add();
      world.loop.RunFor(seconds(60));
      // At 0, 5, 12.5 and 23.75 s, of 30.
      CHECK(world.receiver.requests.size() == before + 4);
    }
    CHECK(world.stats.failed == 4);
  }
  SECTION("HTTP: others are refusals") {
    world.config.protocol = TracingProtocol::kHttp;
    for (const int status : {400, 401, 403, 404, 408, 413, 500, 501, 505}) {
      CAPTURE(status);
      const auto before = world.receiver.requests.size();
      failing(ScriptedReply::Text(status, "no"));
      world.Add();
      world.loop.RunFor(seconds(60));
      CHECK(world.receiver.requests.size() == before + 1);
    }
    CHECK(world.stats.rejected == 9);
  }
  SECTION("a server that is not there") {
    world.server.refusing = true;
    world.Add();
    world.loop.RunFor(seconds(12));
    world.server.refusing = false;
    world.loop.RunFor(seconds(10));
    CHECK(world.stats.exported == 1);
    CHECK(world.stats.retries == 2);
  }
  SECTION("connections that break") {
    failing(ScriptedReply::Broken(ScriptedReply::End::kReset));
    world.Add();
    world.loop.RunFor(seconds(60));
    CHECK(world.receiver.requests.size() == 3);
    CHECK(world.stats.failed == 1);
  }
  CHECK(world.receiver.problems == std::vector<std::string>());
  CHECK(Accounted(world.stats) == world.added);
  CHECK(world.exporter().spans() == 0);
  CHECK(world.loop.pending() == 0);
}

TEST_CASE("span exporter: a receiver may ask for more time") {
  ExporterWorld world;
  world.config.protocol = TracingProtocol::kHttp;
  int attempts = 0;
  std::string after = "11";
  world.receiver.answer = [&](const ServedRequest&) {
    if (++attempts > 1) return ScriptedReply::Text(200, "");
    return ScriptedReply::Text(429, "", {{"Retry-After", after}});
  };
  world.Add();
  SECTION("which it gets") {
    world.loop.RunFor(seconds(15));
    CHECK(attempts == 1);
    world.loop.RunFor(seconds(2));
    CHECK(world.stats.exported == 1);
  }
  SECTION("but not for ever") {
    after = "99999999999";
    world.loop.RunFor(seconds(6));
    CHECK(world.stats.failed == 1);
    CHECK(world.exporter().spans() == 0);
  }
}

TEST_CASE("span exporter: spans that a receiver did not take are counted as rejected") {
  for (const TracingProtocol protocol : {TracingProtocol::kGrpc, TracingProtocol::kHttp}) {
    ExporterWorld world;
    world.config.protocol = protocol;
    int64_t rejected = 2;
    world.receiver.answer = [&](const ServedRequest&) {
      const std::string message = TraceReceiver::PartialSuccess(rejected, "two were bad");
      if (protocol == TracingProtocol::kGrpc) return TraceReceiver::GrpcReply(0, "", message);
      return ScriptedReply::Text(200, message, {{"Content-Type", "application/x-protobuf"}});
    };
    world.Add(5);
    world.loop.RunFor(seconds(6));
    CHECK(world.stats.exported == 3);
    CHECK(world.stats.rejected == 2);
    // Nonsense does not upset the accounts.
    rejected = 1000;
    world.Add(5);
    world.loop.RunFor(seconds(6));
    rejected = -7;
    world.Add(5);
    world.loop.RunFor(seconds(6));
    CHECK(world.stats.rejected == 7);
    CHECK(world.stats.exported == 8);
    CHECK(Accounted(world.stats) == 15);
  }
}

TEST_CASE("span exporter: answers that make no sense lose the batch and nothing more") {
  ExporterWorld world;
  ScriptedReply reply = TraceReceiver::GrpcReply(0);
  SECTION("no message") { reply.chunks = {}; }
  SECTION("a message that is cut off") { reply.chunks = {std::string("\0\0\0\0\2x", 6)}; }
  SECTION("a message of something else") { reply.chunks = {std::string("\0\0\0\0\1\x0f", 6)}; }
  SECTION("no status") { reply.trailers.clear(); }
  SECTION("an enormous body") { reply.chunks = {std::string(10 << 20, 'x')}; }
  SECTION("no gRPC") { reply = ScriptedReply::Text(200, "<html>"); }
  world.receiver.answer = [&reply](const ServedRequest&) { return reply; };
  world.Add();
  world.loop.RunFor(seconds(60));
  CHECK(world.receiver.requests.size() == 1);
  CHECK(world.stats.failed + world.stats.rejected == 1);
  world.receiver.answer = nullptr;
  world.Add();
  world.loop.RunFor(seconds(6));
  CHECK(world.stats.exported == 1);
}

TEST_CASE("span exporter: a flush exports without waiting, and ends") {
  ExporterWorld world;
  std::optional<MonotonicTime> flushed;
  const auto flush = [&] {
    world.exporter().Flush(seconds(5), [&] {
      REQUIRE_FALSE(flushed);
      flushed = world.loop.Now();
      world.End();
    });
    CHECK_FALSE(flushed);  // never from inside
  };
  SECTION("with nothing to export") {
    flush();
    world.loop.RunFor(seconds(1));
    REQUIRE(flushed);
    CHECK(world.receiver.requests.empty());
  }
  SECTION("with several batches") {
    world.Add(1000);
    flush();
    world.loop.RunFor(seconds(1));
    REQUIRE(flushed);
    CHECK(world.stats.exported == 1000);
  }
  SECTION("with a batch under way") {
    world.receiver.answer = [](const ServedRequest&) {
      ScriptedReply reply = TraceReceiver::GrpcReply(0);
      reply.before_head = seconds(1);
      return reply;
    };
    world.Add(600);
    flush();
    world.loop.RunFor(seconds(4));
    REQUIRE(flushed);
    CHECK(world.stats.exported == 600);
  }
  SECTION("at the limit, when nobody answers") {
    const MonotonicTime start = world.loop.Now();
    world.server.unreachable = true;
    world.Add(600);
    flush();
    world.loop.RunFor(seconds(4));
    CHECK_FALSE(flushed);
    world.loop.RunFor(seconds(4));
    REQUIRE(flushed);
    CHECK(*flushed - start == seconds(5));
    CHECK(world.stats.stopped == 600);
    CHECK(world.transport.in_flight() == 0);
  }
  SECTION("at the limit, while it waits to try again") {
    world.server.refusing = true;
    world.Add(2);
    flush();
    world.loop.RunFor(milliseconds(5100));
    REQUIRE(flushed);
    CHECK(world.stats.stopped + world.stats.failed == 2);
  }
  CHECK(Accounted(world.stats) == world.added);
}

TEST_CASE("span exporter: what it has is counted as dropped when it goes") {
  ExporterWorld world;
  world.server.unreachable = true;
  world.Add(515);
  world.End();
  CHECK(world.stats.stopped == 515);
  CHECK(world.transport.in_flight() == 0);
  CHECK(world.loop.pending() == 0);
}

TEST_CASE("span exporter: a CA file that is not there yet is waited for") {
  ExporterWorld world;
  world.config.insecure = false;
  world.config.tls.ca_file = "/ca.pem";
  world.config.timeout = seconds(20);
  world.Add();
  world.loop.RunFor(seconds(7));
  CHECK(world.receiver.requests.empty());
  CHECK(world.exporter().spans() == 1);
  world.loop.RunFor(seconds(60));
  CHECK(world.stats.failed == 1);
}

TEST_CASE("span exporter: an endpoint without a port means that of the protocol") {
  const struct {
    TracingProtocol protocol;
    bool insecure;
    const char* host_port;
  } cases[] = {{TracingProtocol::kGrpc, true, "other.test:443"},
               {TracingProtocol::kGrpc, false, "other.test:443"},
               {TracingProtocol::kHttp, true, "other.test:80"},
               {TracingProtocol::kHttp, false, "other.test:443"}};
  for (const auto& expected : cases) {
    ExporterWorld world;
    world.network.Listen(expected.host_port, world.receiver.Script());
    world.config.endpoint = "other.test";
    world.config.protocol = expected.protocol;
    world.config.insecure = expected.insecure;
    world.Add();
    world.loop.RunFor(seconds(6));
    CHECK(world.stats.exported == 1);
  }
}

}  // namespace
}  // namespace tributary
