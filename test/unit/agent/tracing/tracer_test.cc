#include "agent/tracing/tracer.h"

#include <optional>
#include <set>

#include "agent/telemetry/metric_page.h"
#include "agent/tracing/request_spans.h"
#include "test/unit/agent/tracing/tracing_world.h"

namespace tributary {
namespace {

struct TracerWorld : TracingWorld {
  Tracer tracer{environment(), 42};

  void Apply(double fraction) {
    TracingConfig config = TraceConfig();
    config.sampling_fraction = fraction;
    tracer.Apply(config);
  }
  void Make(const std::string& name) { tracer.End(tracer.Begin(name, SpanKind::kInternal)); }
};

TEST_CASE("tracer: it is off until a section says otherwise") {
  TracerWorld world;
  CHECK_FALSE(world.tracer.on());
  world.tracer.Apply(std::nullopt);
  CHECK_FALSE(world.tracer.on());
  MetricPage page;
  world.tracer.Collect(page);
  CHECK(page.Text().find("tributary_tracing") == std::string::npos);
  world.Apply(0);
  CHECK(world.tracer.on());
  world.tracer.Apply(std::nullopt);
  CHECK_FALSE(world.tracer.on());
}

TEST_CASE("tracer: children are of their parent's trace, and have ids of their own") {
  TracerWorld world;
  world.Apply(1);
  Span root = world.tracer.Begin("root", SpanKind::kInternal);
  Span child = world.tracer.Begin("child", SpanKind::kClient, &root.context);
  CHECK(root.parent == SpanId{});
  CHECK(child.parent == root.context.span_id);
  CHECK(child.context.trace_id == root.context.trace_id);
  CHECK(child.context.span_id != root.context.span_id);
  CHECK(child.context.sampled);
  std::set<TraceId> traces;
  std::set<SpanId> spans;
  for (int i = 0; i < 1000; i++) {
    const Span span = world.tracer.Begin("x", SpanKind::kInternal);
    traces.insert(span.context.trace_id);
    spans.insert(span.context.span_id);
  }
  CHECK(traces.size() == 1000);
  CHECK(spans.size() == 1000);
  Tracer other(world.environment(), 43);
  other.Apply(TracingWorld::TraceConfig());
  CHECK_FALSE(traces.contains(other.Begin("x", SpanKind::kInternal).context.trace_id));
}

// TraceIDRatioBased: the lower half of the id, without its lowest bit, below the fraction of 2^63.
TEST_CASE("tracer: a trace is sampled by its id alone") {
  for (const double fraction : {0.0, -1.0, 1e-3, 0.25, 0.5, 0.999, 1.0, 7.0}) {
    CAPTURE(fraction);
    TracerWorld world;
    world.Apply(fraction);
    int sampled = 0;
    for (int i = 0; i < 20'000; i++) {
      const Span span = world.tracer.Begin("x", SpanKind::kInternal);
      uint64_t low = 0;
      for (size_t byte = 8; byte < 16; byte++) low = low * 256 + span.context.trace_id[byte];
      const bool expected = static_cast<long double>(low / 2) < fraction * 9223372036854775808.0L;
      REQUIRE(span.context.sampled == expected);
      REQUIRE(world.tracer.Begin("y", SpanKind::kClient, &span.context).context.sampled ==
              expected);
      sampled += expected;
    }
    const double share = std::min(std::max(fraction, 0.0), 1.0);
    CHECK(std::abs(sampled - share * 20'000) < 500);
  }
}

TEST_CASE("tracer: what is not sampled is not exported") {
  TracerWorld world;
  world.Apply(0);
  for (int i = 0; i < 600; i++) world.Make("x");
  world.loop.RunFor(seconds(20));
  CHECK(world.receiver.requests.empty());
  CHECK(world.tracer.spans() == 0);
}

TEST_CASE("tracer: a step of the wall clock does not show in a span's length") {
  TracerWorld world;
  world.Apply(1);
  const int64_t start = world.loop.WallNs();
  Span span = world.tracer.Begin("x", SpanKind::kInternal);
  world.loop.RunFor(milliseconds(1500));
  world.loop.StepWall(-seconds(3600));
  world.tracer.AddError(span, "broken");
  world.tracer.End(std::move(span));
  world.loop.RunFor(seconds(6));
  REQUIRE(world.receiver.spans.size() == 1);
  CHECK(world.receiver.spans[0].start_ns == static_cast<uint64_t>(start));
  CHECK(world.receiver.spans[0].end_ns == static_cast<uint64_t>(start) + 1'500'000'000);
  CHECK(world.receiver.spans[0].errors == std::vector<std::string>{"broken"});
  CHECK(world.receiver.spans[0].status == 0);
}

TEST_CASE(
    "tracer: a reload exports what there is to where it was to go, and what comes to the new") {
  TracerWorld world;
  TraceReceiver other;
  world.network.Listen("other.test:4318", other.Script());
  world.Apply(1);
  world.Make("old");
  Span between = world.tracer.Begin("between", SpanKind::kInternal);
  TracingConfig config = TracingWorld::TraceConfig(TracingProtocol::kHttp);
  config.endpoint = "other.test:4318";
  world.tracer.Apply(config);
  world.loop.RunFor(milliseconds(100));
  CHECK(world.receiver.Named("old").size() == 1);
  world.tracer.End(std::move(between));
  world.Make("new");
  world.loop.RunFor(seconds(6));
  CHECK(other.Named("between").size() == 1);
  CHECK(other.Named("new").size() == 1);
  CHECK(other.problems == std::vector<std::string>());
  CHECK(world.receiver.requests.size() == 1);

  // A section that says the same changes nothing: what waits goes on waiting.
  world.Make("waiting");
  world.tracer.Apply(config);
  world.loop.RunFor(milliseconds(100));
  CHECK(other.Named("waiting").empty());
  world.tracer.Apply(std::nullopt);
  world.loop.RunFor(milliseconds(100));
  CHECK(other.Named("waiting").size() == 1);
  world.loop.RunFor(seconds(60));
  CHECK(world.loop.pending() == 0);
  CHECK(world.tracer.stats().exported == 4);
}

TEST_CASE("tracer: reloads in a row while nobody answers lose spans, and count them") {
  TracerWorld world;
  world.server.unreachable = true;
  for (int i = 0; i < 10; i++) {
    world.Apply(1 + i);
    for (int j = 0; j < 100; j++) world.Make("x");
    world.loop.RunFor(seconds(1));
  }
  CHECK(world.tracer.spans() == 200);
  CHECK(world.tracer.stats().stopped == 800);
  world.tracer.Apply(std::nullopt);
  world.loop.RunFor(seconds(6));
  CHECK(world.tracer.spans() == 0);
  CHECK(world.tracer.stats().stopped == 1000);
  CHECK(world.transport.in_flight() == 0);
}

TEST_CASE("tracer: the end exports what there is, and is not held up for long") {
  TracerWorld world;
  std::optional<MonotonicTime> done;
  const MonotonicTime start = world.loop.Now();
  SECTION("nothing was ever traced") {}
  SECTION("a receiver that answers") {
    world.Apply(1);
    world.Make("x");
  }
  SECTION("a receiver that does not") {
    world.server.unreachable = true;
    world.Apply(1);
    world.Make("x");
  }
  const bool was_on = world.tracer.on();
  world.tracer.Finish([&] { done = world.loop.Now(); });
  CHECK_FALSE(done);
  CHECK_FALSE(world.tracer.on());
  world.loop.RunFor(seconds(6));
  REQUIRE(done);
  CHECK(*done - start <= Tracer::kFlushMax);
  CHECK(world.tracer.stats().exported + world.tracer.stats().stopped == (was_on ? 1 : 0));
}

TEST_CASE("tracer: metrics tell what became of the spans") {
  TracerWorld world;
  world.Apply(1);
  world.Make("x");
  world.loop.RunFor(seconds(6));
  world.receiver.answer = [](const ServedRequest&) { return TraceReceiver::GrpcReply(7); };
  world.Make("y");
  world.loop.RunFor(seconds(6));
  world.Make("z");
  MetricPage page;
  world.tracer.Collect(page);
  const std::string text = page.Text();
  for (const char* line :
       {"tributary_tracing_spans_exported_total 1\n", "tributary_tracing_spans_pending 1\n",
        "tributary_tracing_spans_dropped_total{reason=\"rejected\"} 1\n",
        "tributary_tracing_spans_dropped_total{reason=\"queue_full\"} 0\n",
        "tributary_tracing_export_retries_total 0\n"}) {
    CAPTURE(line);
    CHECK(text.find(line) != std::string::npos);
  }
}

}  // namespace
}  // namespace tributary
