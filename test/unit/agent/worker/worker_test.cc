#include "agent/worker/worker.h"

#include "agent/target/target.h"
#include "agent/telemetry/metric_page.h"
#include "test/support/catch.h"
#include "test/support/sim/sim_files.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_network.h"
#include "test/support/trace_receiver.h"
#include "test/support/write_request.h"

namespace tributary {
namespace {

constexpr char kTarget[] = "target.test:80";

RemoteWriteConfig Remote(const std::string& name, const std::string& host) {
  RemoteWriteConfig remote;
  remote.name = name;
  remote.url = "http://" + host + "/write";
  remote.metadata.send = false;
  remote.queue.batch_send_deadline = milliseconds(100);
  remote.queue.max_backoff = seconds(1);
  return remote;
}

WorkerOptions OptionsOf(TimestampMs look_back_ms) {
  WorkerOptions options;
  options.look_back_ms = look_back_ms;
  return options;
}

// A worker with one target of one series, and receivers by host.
struct WorkerWorld {
  explicit WorkerWorld(TimestampMs look_back_ms = 0)
      : worker(loop, transport, files, logger, hash, OptionsOf(look_back_ms)) {
    network.Listen(kTarget, [this](const ServedRequest&) {
      return ScriptedReply::Text(200, "m " + std::to_string(++scrapes) + "\n");
    });
    config.scrape_interval = seconds(1);
    config.scrape_timeout = seconds(1);
    config.job_name = "j";
    config.fallback_scrape_protocol = "PrometheusText0.0.4";
  }

  SimServer& Receive(const std::string& host) {
    return network.Listen(host + ":80", [this, host](const ServedRequest& request) {
      for (const DecodedSample& sample : DecodeWriteRequest(request.body).samples) {
        if (sample.name() == "m") received[host].push_back(sample);
      }
      return ScriptedReply::Text(200, "");
    });
  }
  void Apply(std::vector<RemoteWriteConfig> remotes, const Labels& external = {}) {
    auto whole = std::make_shared<Config>();
    whole->remote_write = std::move(remotes);
    whole->global.external_labels = external;
    worker.ApplyConfig(whole, 0);
  }
  void StartTarget() {
    TargetGroup group;
    group.targets = {kTarget};
    worker.ApplyTargets(std::make_shared<const ScrapeJob>(config, milliseconds(0)),
                        BuildTargets(config, {group}, RelabelRules()).active);
  }
  // Whether a host has got exactly the scrapes [first, last], in order.
  bool Has(const std::string& host, int first, int last) {
    const auto& samples = received[host];
    if (static_cast<int>(samples.size()) != last - first + 1) return false;
    for (size_t i = 0; i < samples.size(); i++) {
      if (samples[i].value != first + static_cast<double>(i)) return false;
    }
    return true;
  }

  SimLoop loop;
  SimNetwork network{1};
  SimTransport transport{network, loop, "agent"};
  SimFileSystem files;
  Logger logger = Logger::Silent();
  HashKey hash = HashKey::Random();
  Worker worker;
  ScrapeConfig config;
  int scrapes = 0;
  std::map<std::string, std::vector<DecodedSample>> received;
};

TEST_CASE("worker: the latest samples are kept where they are asked for, without any remote") {
  WorkerWorld world(60'000);
  world.Apply({});
  world.StartTarget();
  world.loop.RunFor(seconds(5));
  const std::vector<LatestOfGroup> latest = world.worker.Latest();
  REQUIRE(latest.size() == 1);
  std::vector<LatestSample> samples;
  FillLatest(latest[0], world.loop.WallMs(), samples);
  const std::vector<Labels> labels = latest[0].group->Decode();
  for (size_t i = 0; i < labels.size(); i++) {
    CHECK(samples[i].found);
    if (labels[i].Get(kMetricName) == "m") CHECK(samples[i].value == world.scrapes);
  }
  WorkerWorld without;
  without.Apply({});
  without.StartTarget();
  without.loop.RunFor(seconds(5));
  CHECK(without.worker.Latest().empty());
}

TEST_CASE("worker: every remote gets every sample") {
  WorkerWorld world;
  world.Receive("one.test");
  world.Receive("two.test");
  world.Apply({Remote("one", "one.test"), Remote("two", "two.test")});
  world.StartTarget();
  world.loop.RunFor(milliseconds(20500));
  CHECK(world.scrapes >= 20);
  CHECK(world.Has("one.test", 1, world.scrapes));
  CHECK(world.Has("two.test", 1, world.scrapes));
}

TEST_CASE("worker: a remote keeps its backlog when it gets another URL or another name") {
  WorkerWorld world;
  SimServer& one = world.Receive("one.test");
  world.Receive("two.test");
  one.refusing = true;
  world.Apply({Remote("one", "one.test")});
  world.StartTarget();
  world.loop.RunFor(milliseconds(10500));
  std::string host = "one.test";
  SECTION("another URL under the same name") {
    host = "two.test";
    world.Apply({Remote("one", host)});
  }
  SECTION("another name for the same URL") { world.Apply({Remote("renamed", host)}); }
  SECTION("other external labels") { world.Apply({Remote("one", host)}, Labels{{"cluster", "c"}}); }
  SECTION("another place in the list") {
    world.Apply({Remote("new", "two.test"), Remote("one", host)});
  }
  one.refusing = false;
  world.loop.RunFor(seconds(10));
  CHECK(world.Has(host, 1, world.scrapes));
}

TEST_CASE("worker: of two remotes that change places and URLs each keeps its own backlog") {
  WorkerWorld world;
  SimServer &one = world.Receive("one.test"), &two = world.Receive("two.test");
  world.Apply({Remote("one", "one.test"), Remote("two", "two.test")});
  world.StartTarget();
  world.loop.RunFor(milliseconds(5500));
  one.refusing = true;
  world.loop.RunFor(seconds(5));
  const auto before = world.received["one.test"].size();
  // The entry "one" has the backlog; by its name it takes it to the other's URL.
  world.received.clear();
  world.Apply({Remote("two", "one.test"), Remote("one", "two.test")});
  one.refusing = false;
  two.refusing = false;
  world.loop.RunFor(seconds(10));
  REQUIRE_FALSE(world.received["two.test"].empty());
  CHECK(world.Has("two.test", static_cast<int>(before) + 1, world.scrapes));
}

TEST_CASE("worker: a remote that goes frees what only it kept, and its requests end") {
  WorkerWorld world;
  world.Receive("one.test").unreachable = true;
  world.Apply({Remote("one", "one.test")});
  world.StartTarget();
  world.loop.RunFor(milliseconds(10500));
  CHECK(world.worker.log().stats().records > 5);
  world.Apply({});
  CHECK(world.worker.log().stats().records == 0);
  CHECK(world.transport.in_flight() == 0);
  // A new one begins with the present.
  const int before = world.scrapes;
  world.Receive("two.test");
  world.Apply({Remote("two", "two.test")});
  world.loop.RunFor(seconds(5));
  CHECK(world.Has("two.test", before + 1, world.scrapes));
}

TEST_CASE("worker: StopScraping and Drain deliver what is there") {
  WorkerWorld world;
  world.Receive("one.test");
  RemoteWriteConfig remote = Remote("one", "one.test");
  remote.queue.batch_send_deadline = std::chrono::hours(1);
  int drained = 0;
  SECTION("with a remote") {
    world.Apply({remote});
    world.StartTarget();
    world.loop.RunFor(milliseconds(10500));
    CHECK(world.received["one.test"].empty());
    world.worker.StopScraping();
    world.worker.Drain([&] { drained++; });
    const int scrapes = world.scrapes;
    world.loop.RunFor(seconds(5));
    CHECK(world.scrapes == scrapes);
    CHECK(world.Has("one.test", 1, scrapes));
  }
  SECTION("without any") {
    world.Apply({});
    world.worker.Drain([&] { drained++; });
    CHECK(drained == 0);
    world.loop.RunFor(seconds(1));
  }
  CHECK(drained == 1);
}

TEST_CASE(
    "worker: scrapes and sends are traced as the configuration says, and the rest at the end") {
  WorkerWorld world;
  world.Receive("one.test");
  TraceReceiver traces;
  world.network.Listen("traces.test:4318", traces.Script());
  const auto apply = [&](std::optional<TracingConfig> tracing) {
    auto whole = std::make_shared<Config>();
    whole->remote_write = {Remote("one", "one.test")};
    whole->tracing = std::move(tracing);
    world.worker.ApplyConfig(whole, 0);
  };
  TracingConfig tracing;
  tracing.protocol = TracingProtocol::kHttp;
  tracing.endpoint = "traces.test:4318";
  tracing.insecure = true;
  tracing.sampling_fraction = 1;
  apply(std::nullopt);
  world.StartTarget();
  world.loop.RunFor(milliseconds(5500));
  // The queue and the targets are those that there were before.
  apply(tracing);
  world.loop.RunFor(milliseconds(7500));
  CHECK_FALSE(traces.Named("scrape").empty());
  CHECK_FALSE(traces.Named("Remote Send Batch").empty());
  const size_t before = traces.spans.size();
  MetricPage page;
  world.worker.Collect(page);
  CHECK(page.Text().find("tributary_tracing_spans_exported_total " + std::to_string(before)) !=
        std::string::npos);

  bool drained = false;
  world.worker.StopScraping();
  world.worker.Drain([&] { drained = true; });
  world.loop.RunFor(milliseconds(500));
  CHECK(drained);
  CHECK(traces.spans.size() > before);
  CHECK(traces.problems == std::vector<std::string>());
  CHECK(world.worker.tracer().spans() == 0);
  CHECK(world.Has("one.test", 1, world.scrapes));
}

TEST_CASE("worker: a receiver of traces that is gone holds up the end for five seconds") {
  WorkerWorld world;
  world.Receive("one.test");
  world.network.Listen("traces.test:4317", nullptr).unreachable = true;
  auto whole = std::make_shared<Config>();
  whole->remote_write = {Remote("one", "one.test")};
  whole->tracing.emplace().endpoint = "traces.test:4317";
  whole->tracing->sampling_fraction = 1;
  whole->tracing->insecure = true;
  world.worker.ApplyConfig(whole, 0);
  world.StartTarget();
  world.loop.RunFor(seconds(8));
  bool drained = false;
  world.worker.StopScraping();
  world.worker.Drain([&] { drained = true; });
  world.loop.RunFor(seconds(4));
  CHECK_FALSE(drained);
  CHECK(world.Has("one.test", 1, world.scrapes));
  world.loop.RunFor(seconds(2));
  CHECK(drained);
  CHECK(world.worker.tracer().stats().stopped > 0);
}

}  // namespace
}  // namespace tributary
