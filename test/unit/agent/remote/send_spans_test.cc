#include "agent/remote/send_spans.h"

#include <string>

#include "agent/tracing/tracer.h"
#include "test/support/catch.h"
#include "test/support/trace_receiver.h"
#include "test/unit/agent/remote/remote_world.h"

namespace tributary {
namespace {

struct TracedWorld : RemoteWorld {
  TracedWorld() {
    network.Listen("traces.test:4317", receiver.Script());
    TracingConfig tracing;
    tracing.endpoint = "traces.test:4317";
    tracing.insecure = true;
    tracing.sampling_fraction = 1;
    tracer.Apply(tracing);
  }
  std::unique_ptr<RemoteQueue> MakeTracedQueue(const RemoteWriteConfig& config) {
    RemoteEnvironment traced = environment();
    traced.tracer = &tracer;
    return std::make_unique<RemoteQueue>(traced, Spec(config));
  }

  TraceReceiver receiver;
  Tracer tracer{{loop, transport, files, logger}, 1};
};

TEST_CASE("send spans: each attempt of a request is a trace") {
  TracedWorld world;
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  config.url = "http://user:sesame@central.test/write";
  const auto queue = world.MakeTracedQueue(config);
  world.answer = [attempts = 0](const RemoteWorld::Received&) mutable {
    return ++attempts == 1 ? ScriptedReply::Text(503, "busy") : ScriptedReply::Text(204, "");
  };
  const GroupRef group = MakeGroup(1, 1, 3);
  world.Append(group);
  world.loop.RunFor(seconds(10));
  CHECK(world.receiver.problems == std::vector<std::string>());
  const auto batches = world.receiver.Named("Remote Send Batch");
  REQUIRE(batches.size() == 2);
  for (size_t i = 0; i < 2; i++) {
    CHECK(batches[i].parent_id.empty());
    CHECK(batches[i].kind == 1);
    CHECK(batches[i].status == 0);
    CHECK(batches[i].attributes ==
          std::map<std::string, std::string>{
              {"request_size", std::to_string(world.received.at(i).served.body.size())},
              {"samples", "3"},
              {"try", std::to_string(i)},
              {"remote_name", "central"},
              {"remote_url", "http://user:xxxxx@central.test/write"}});
  }
  CHECK(batches[0].trace_id != batches[1].trace_id);
  CHECK(batches[0].errors == std::vector<std::string>{"the receiver answered 503: busy"});
  CHECK(batches[1].errors.empty());
  const auto stores = world.receiver.Named("Remote Store");
  const auto posts = world.receiver.Named("HTTP POST");
  REQUIRE(stores.size() == 2);
  REQUIRE(posts.size() == 2);
  for (size_t i = 0; i < 2; i++) {
    CHECK(stores[i].parent_id == batches[i].span_id);
    CHECK(stores[i].kind == 3);
    CHECK(stores[i].attributes.empty());
    CHECK(posts[i].parent_id == stores[i].span_id);
    CHECK(posts[i].kind == 3);
    CHECK(posts[i].attributes.at("url.full") == "http://central.test/write");
    CHECK(world.received.at(i).served.Header("traceparent").size() == 55);
  }
  CHECK(posts[0].status == 2);
  CHECK(world.receiver.spans.size() == 6);
}

TEST_CASE("send spans: histograms and exemplars are told where there are any") {
  TracedWorld world;
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  config.send_exemplars = config.send_native_histograms = true;
  const auto queue = world.MakeTracedQueue(config);
  world.loop.RunFor(seconds(1));
  const GroupRef group = MakeGroup(1, 1, 2);
  GroupSamples samples = world.SamplesOf(group, world.loop.WallMs());
  auto irregular = std::make_shared<IrregularSamples>();
  irregular->histograms = {RemoteWorld::HistogramOf(0, world.loop.WallMs(), 5)};
  irregular->exemplars = {RemoteWorld::ExemplarOf(1, world.loop.WallMs(), 7)};
  samples.irregular = irregular;
  world.Append({samples});
  world.loop.RunFor(seconds(10));
  const auto batches = world.receiver.Named("Remote Send Batch");
  REQUIRE(batches.size() == 1);
  CHECK(batches[0].attributes.at("histograms") == "1");
  CHECK(batches[0].attributes.at("exemplars") == "1");
}

TEST_CASE("send spans: metadata has its own name") {
  TracedWorld world;
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  config.metadata.send = true;
  config.metadata.send_interval = seconds(10);
  const auto family = world.metadata.Intern({"m", MetricType::kCounter, "help", "unit"});
  const auto queue = world.MakeTracedQueue(config);
  world.loop.RunFor(seconds(18));
  const auto batches = world.receiver.Named("Remote Metadata Send Batch");
  REQUIRE(batches.size() == 1);
  CHECK(batches[0].attributes == std::map<std::string, std::string>{{"metadata", "1"},
                                                                    {"try", "0"},
                                                                    {"remote_name", "central"},
                                                                    {"remote_url", kRemoteUrl}});
  CHECK(world.receiver.Named("Remote Store").size() == 1);
}

TEST_CASE("send spans: without a section requests are what they were") {
  TracedWorld world;
  world.tracer.Apply(std::nullopt);
  const auto queue = world.MakeTracedQueue(RemoteWorld::RemoteConfig());
  world.Append(MakeGroup(1, 1, 3));
  world.loop.RunFor(seconds(10));
  REQUIRE(world.received.size() == 1);
  CHECK(world.received[0].served.Header("traceparent").empty());
  CHECK(world.receiver.requests.empty());
}

}  // namespace
}  // namespace tributary
