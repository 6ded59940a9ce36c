// What is traced of scrapes, and that it costs nothing where tracing is off.
#include <algorithm>
#include <string>

#include "agent/tracing/tracer.h"
#include "test/support/catch.h"
#include "test/support/trace_receiver.h"
#include "test/unit/agent/scrape/scrape_world.h"

namespace tributary {
namespace {

struct TracedWorld {
  TracedWorld() {
    world.network.Listen("traces.test:4317", receiver.Script());
    world.environment.tracer = &tracer;
    config.endpoint = "traces.test:4317";
    config.insecure = true;
    config.sampling_fraction = 1;
    tracer.Apply(config);
  }
  // Of the first scrape of a target that serves this.
  void ScrapeOnce(const ScriptedReply& reply) {
    world.network.Listen("a.test:80", [this, reply](const ServedRequest& request) {
      seen.push_back(request);
      return reply;
    });
    world.Apply(ScrapeWorld::JobConfig("j"), {"a.test:80"});
    world.Run(seconds(9));
    world.manager.Stop();
    world.Run(seconds(12));
    CHECK(receiver.problems == std::vector<std::string>());
  }
  ReceivedSpan Only(const std::string& name) const {
    const auto named = receiver.Named(name);
    CAPTURE(name);
    REQUIRE(named.size() == 1);
    return named[0];
  }

  ScrapeWorld world;
  TraceReceiver receiver;
  Tracer tracer{{world.loop, world.transport, world.files, world.logger}, 1};
  TracingConfig config;
  std::vector<ServedRequest> seen;
};

TEST_CASE("scrape spans: a scrape is a trace of its stages") {
  TracedWorld traced;
  traced.ScrapeOnce(ScriptedReply::Text(200, "m 1\nn{i=\"1\"} 2\n"));
  const ReceivedSpan scrape = traced.Only("scrape");
  CHECK(scrape.parent_id.empty());
  CHECK(scrape.kind == 1);
  CHECK(scrape.status == 0);
  CHECK(scrape.errors.empty());
  CHECK(scrape.attributes == std::map<std::string, std::string>{{"samples_scraped", "2"},
                                                                {"samples_added", "2"},
                                                                {"series_added", "2"},
                                                                {"bytes", "15"}});
  const ReceivedSpan request = traced.Only("scrapeRequest");
  CHECK(request.parent_id == scrape.span_id);
  CHECK(request.kind == 3);
  CHECK(request.attributes ==
        std::map<std::string, std::string>{{"url", "http://a.test:80/metrics"}});
  const ReceivedSpan http = traced.Only("HTTP GET");
  CHECK(http.parent_id == request.span_id);
  CHECK(http.attributes.at("http.response.status_code") == "200");
  const ReceivedSpan read = traced.Only("scrapeRead");
  CHECK(read.parent_id == scrape.span_id);
  CHECK(read.kind == 1);
  for (const ReceivedSpan& span : traced.receiver.spans) {
    CHECK(span.trace_id == scrape.trace_id);
    CHECK(span.start_ns >= scrape.start_ns);
    CHECK(span.end_ns <= scrape.end_ns);
  }
  CHECK(request.end_ns <= read.start_ns);
  CHECK(traced.receiver.spans.size() == 4);
  CHECK(traced.seen.at(0).Header("traceparent").size() == 55);
}

TEST_CASE("scrape spans: failures show where they happened") {
  TracedWorld traced;
  SECTION("the server refuses") {
    traced.ScrapeOnce(ScriptedReply::Text(500, "broken"));
    const std::string error = "server returned HTTP status 500";
    CHECK(traced.Only("scrape").errors == std::vector<std::string>{error});
    CHECK(traced.Only("scrape").status == 2);
    CHECK(traced.Only("scrape").status_message == error);
    CHECK(traced.Only("scrapeRead").errors == std::vector<std::string>{error});
    CHECK(traced.Only("scrapeRequest").status == 0);
  }
  SECTION("the connection ends") {
    traced.ScrapeOnce(ScriptedReply::Broken(ScriptedReply::End::kReset));
    CHECK(traced.Only("scrape").status == 2);
    CHECK(traced.Only("HTTP GET").status == 2);
    CHECK(traced.Only("scrapeRequest").status == 0);
    CHECK(traced.receiver.Named("scrapeRead").empty());
    CHECK(traced.Only("scrape").attributes.at("bytes") == "0");
  }
  SECTION("the page makes no sense") {
    traced.ScrapeOnce(ScriptedReply::Text(200, "m one two three\n"));
    CHECK(traced.Only("scrape").status == 2);
    CHECK(traced.Only("scrapeRead").status == 0);
  }
}

TEST_CASE("scrape spans: tracing that goes on and off between scrapes and in the midst of them") {
  TracedWorld traced;
  ScriptedReply slow = ScriptedReply::Text(200, "m 1\n");
  slow.before_head = seconds(2);
  traced.world.network.Listen("a.test:80", [&](const ServedRequest& request) {
    traced.seen.push_back(request);
    return slow;
  });
  traced.world.Apply(ScrapeWorld::JobConfig("j"), {"a.test:80"});
  for (int i = 0; i < 120; i++) {
    traced.world.Run(seconds(1));
    if (i % 3 == 0) traced.tracer.Apply(std::nullopt);
    if (i % 3 == 1) traced.tracer.Apply(traced.config);
  }
  traced.world.manager.Stop();
  traced.tracer.Apply(std::nullopt);
  traced.world.Run(seconds(10));
  const auto with_header = [](const ServedRequest& request) {
    return !request.Header("traceparent").empty();
  };
  const auto traced_requests = std::count_if(traced.seen.begin(), traced.seen.end(), with_header);
  CHECK(traced.seen.size() >= 11);
  CHECK(traced_requests > 0);
  CHECK(traced_requests < static_cast<std::ptrdiff_t>(traced.seen.size()));
  CHECK(traced.receiver.problems == std::vector<std::string>());
  CHECK(traced.tracer.spans() == 0);
}

TEST_CASE("scrape spans: without a section, nothing is sent and nothing is kept") {
  TracedWorld traced;
  traced.tracer.Apply(std::nullopt);
  traced.ScrapeOnce(ScriptedReply::Text(200, "m 1\n"));
  CHECK(traced.seen.at(0).Header("traceparent").empty());
  CHECK(traced.receiver.requests.empty());
}

}  // namespace
}  // namespace tributary
