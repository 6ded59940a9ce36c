// What is particular to remote write 2.0: start times, metadata of series, and what receivers say
// of what they have written.
#include "agent/remote/remote_queue.h"
#include "agent/telemetry/metric_page.h"
#include "test/support/catch.h"
#include "test/unit/agent/remote/remote_world.h"

namespace tributary {
namespace {

RemoteWriteConfig V2Config() {
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  config.message = RemoteWriteMessage::kV2;
  config.send_exemplars = config.send_native_histograms = true;
  return config;
}

std::vector<HttpHeader> Written(const std::string& samples, const std::string& histograms = "",
                                const std::string& exemplars = "") {
  std::vector<HttpHeader> headers;
  if (!samples.empty()) {
    headers.push_back({"X-Prometheus-Remote-Write-Samples-Written", samples});
  }
  if (!histograms.empty()) {
    headers.push_back({"x-prometheus-remote-write-histograms-written", histograms});
  }
  if (!exemplars.empty()) {
    headers.push_back({"X-Prometheus-Remote-Write-Exemplars-Written", exemplars});
  }
  return headers;
}

// Three floats, two histograms and an exemplar.
GroupSamples AllKinds(RemoteWorld& world) {
  const TimestampMs now = world.loop.WallMs();
  GroupSamples samples = world.SamplesOf(MakeGroup(1, 1, 3), now);
  samples.irregular = std::make_shared<const IrregularSamples>(
      IrregularSamples{{RemoteWorld::HistogramOf(0, now, 1), RemoteWorld::HistogramOf(1, now, 2)},
                       {RemoteWorld::ExemplarOf(0, now, 3)}});
  return samples;
}

FamilyRef Family(MetricType type, const std::string& help, const std::string& unit) {
  return std::make_shared<const FamilyMetadata>(FamilyMetadata{"m", type, help, unit});
}

TEST_CASE("remote 2.0: requests say what they are") {
  RemoteWorld world;
  RemoteWriteConfig config = V2Config();
  const bool is_v1 = GENERATE(false, true);
  if (is_v1) config.message = RemoteWriteMessage::kV1;
  const auto queue = world.MakeQueue(config);
  world.Append(MakeGroup(1, 1, 10));
  world.loop.RunFor(seconds(1));
  REQUIRE(world.received.size() == 1);
  const ServedRequest& request = world.received[0].served;
  CHECK(request.Header("Content-Type") ==
        (is_v1 ? "application/x-protobuf"
               : "application/x-protobuf;proto=io.prometheus.write.v2.Request"));
  CHECK(request.Header("X-Prometheus-Remote-Write-Version") == (is_v1 ? "0.1.0" : "2.0.0"));
  CHECK(request.Header("Content-Encoding") == "snappy");
}

TEST_CASE("remote 2.0: samples and histograms have their start times, stale markers none") {
  RemoteWorld world;
  const auto queue = world.MakeQueue(V2Config());
  world.loop.RunFor(seconds(1));
  const TimestampMs now = world.loop.WallMs();
  GroupSamples samples = world.SamplesOf(MakeGroup(1, 1, 4), now);
  samples.values[1] = StaleNan();
  samples.own = {{2, now + 5, 50}};
  samples.starts = std::make_shared<const StartTimes>(StartTimes{100, 200, 300, 0});
  HistogramSample histogram = RemoteWorld::HistogramOf(3, now, 1);
  histogram.start = 400;
  samples.irregular = std::make_shared<const IrregularSamples>(IrregularSamples{{histogram}, {}});
  world.Append({samples});
  world.loop.RunFor(seconds(5));
  std::vector<std::pair<std::string, TimestampMs>> starts;
  for (const DecodedSample& sample : world.accepted()) {
    starts.emplace_back(sample.labels.Get("i"), sample.start);
  }
  CHECK(starts == std::vector<std::pair<std::string, TimestampMs>>{
                      {"0", 100}, {"1", 0}, {"2", 300}, {"3", 0}, {"2", 300}});
  REQUIRE(world.accepted_histograms().size() == 1);
  CHECK(world.accepted_histograms()[0].start == 400);
}

TEST_CASE("remote 2.0: each series has the metadata that its record has for it") {
  RemoteWorld world;
  RemoteWriteConfig config = V2Config();
  RelabelConfig rename;
  rename.source_labels = {"i"};
  rename.regex = "1";
  rename.target_label = "__name__";
  rename.replacement = "renamed";
  config.write_relabel_configs = {rename};
  const auto queue = world.MakeQueue(config);
  world.loop.RunFor(seconds(1));
  const FamilyRef counter = Family(MetricType::kCounter, "first", "");
  const FamilyRef gauge = Family(MetricType::kGauge, "of a temperature", "celsius");
  const std::vector<std::vector<FamilyRef>> scrapes = {
      {}, {counter, counter, nullptr}, {counter, gauge, gauge}};
  for (const std::vector<FamilyRef>& families : scrapes) {
    GroupSamples samples = AllKinds(world);
    if (!families.empty()) samples.metadata = std::make_shared<const SeriesMetadata>(families);
    world.received.clear();
    world.Append({samples});
    // A reload in the middle keeps it.
    if (GENERATE(false, true)) {
      world.loop.RunFor(milliseconds(100));
      config.headers["X-Reload"] += "1";
      queue->Reconfigure(RemoteWorld::Spec(config));
    }
    world.loop.RunFor(seconds(5));
    auto expected = [&](const Labels& labels) -> DecodedMetadata {
      const auto index = static_cast<size_t>(std::stoi(std::string(labels.Get("i"))));
      CHECK(labels.Get(kMetricName) == (index == 1 ? "renamed" : "m"));
      if (families.empty() || families[index] == nullptr) return {};
      const FamilyMetadata& family = *families[index];
      return {"", static_cast<int>(family.type), family.help, family.unit};
    };
    REQUIRE(world.accepted().size() == 3);
    for (const auto& sample : world.accepted()) CHECK(sample.metadata == expected(sample.labels));
    REQUIRE(world.accepted_histograms().size() == 2);
    for (const auto& sample : world.accepted_histograms()) {
      CHECK(sample.metadata == expected(sample.labels));
    }
    REQUIRE(world.accepted_exemplars().size() == 1);
    for (const auto& exemplar : world.accepted_exemplars()) {
      CHECK(exemplar.metadata == expected(exemplar.labels));
    }
  }
}

TEST_CASE("remote 2.0: enormous helps do not make requests of single series") {
  RemoteWorld world;
  RemoteWriteConfig config = V2Config();
  config.queue.max_samples_per_send = 2000;
  const auto queue = world.MakeQueue(config);
  const FamilyRef family = Family(MetricType::kGauge, std::string(6'000'000, 'x'), "");
  GroupSamples samples = world.SamplesOf(MakeGroup(1, 1, 400), world.loop.WallMs());
  samples.metadata = std::make_shared<const SeriesMetadata>(std::vector<FamilyRef>(400, family));
  world.Append({samples});
  world.loop.RunFor(seconds(10));
  CHECK(world.accepted().size() == 400);
  CHECK(world.received.size() <= 2);
}

TEST_CASE("remote 2.0: metadata has no requests and no metrics of its own") {
  RemoteWorld world;
  RemoteWriteConfig config = V2Config();
  config.metadata.send = true;
  config.metadata.send_interval = seconds(1);
  const FamilyRef family = world.metadata.Intern({"m", MetricType::kCounter, "help", ""});
  const auto queue = world.MakeQueue(config);
  world.loop.RunFor(seconds(10));
  CHECK(world.received.empty());
  MetricPage page;
  queue->Collect(page);
  CHECK(page.Text().find("prometheus_remote_storage_metadata") == std::string::npos);
  SECTION("until a reload to 1.0") {
    config.message = RemoteWriteMessage::kV1;
    queue->Reconfigure(RemoteWorld::Spec(config));
    world.loop.RunFor(milliseconds(1500));
    REQUIRE(world.received.size() == 1);
    CHECK(world.received[0].decoded.metadata.size() == 1);
  }
  SECTION("nor does a drain need one") {
    bool drained = false;
    queue->Drain([&] { drained = true; });
    world.loop.RunFor(seconds(1));
    CHECK(drained);
  }
}

TEST_CASE("remote 2.0: a receiver that says nothing of what it wrote does not speak 2.0") {
  RemoteWorld world;
  world.says_written = false;
  const auto queue = world.MakeQueue(V2Config());
  world.loop.RunFor(seconds(1));
  SECTION("no headers") { world.Answer(204); }
  SECTION("nothing") { world.Answer(200, Written("0", "0", "0")); }
  SECTION("no numbers") { world.Answer(200, Written("junk", "1.5", "99999999999999999999")); }
  SECTION("empty ones") { world.Answer(200, {{"X-Prometheus-Remote-Write-Samples-Written", ""}}); }
  SECTION("numbers that cancel out") { world.Answer(200, Written("-3", "2", "1")); }
  world.Append({AllKinds(world)});
  world.loop.RunFor(seconds(20));
  CHECK(world.received.size() == 1);
  const SampleCounts& failed = queue->stats().failed;
  CHECK(failed.samples == 3);
  CHECK(failed + queue->stats().sent == SampleCounts{3, 2, 1});
  CHECK(queue->stats().retried == SampleCounts{});
  CHECK(Balances(*queue));
  CHECK(world.log.stats().records == 0);
}

TEST_CASE("remote 2.0: what a receiver says that it wrote is delivered, the rest has failed") {
  RemoteWorld world;
  world.says_written = false;
  const auto queue = world.MakeQueue(V2Config());
  world.loop.RunFor(seconds(1));
  int status = 200;
  std::vector<HttpHeader> headers;
  SampleCounts sent;
  SECTION("all") { headers = Written("3", "2", "1"), sent = {3, 2, 1}; }
  SECTION("some") { headers = Written("2", "1", "0"), sent = {2, 1, 0}; }
  SECTION("only samples") { headers = Written("+3"), sent = {3, 0, 0}; }
  SECTION("more than there was") { headers = Written("300", "2", "1"), sent = {3, 2, 1}; }
  SECTION("less than nothing of one") { headers = Written("3", "-5", "1"), sent = {3, 0, 1}; }
  SECTION("of a request that it refuses") {
    status = 400;
    headers = Written("2", "2", "0"), sent = {2, 2, 0};
  }
  SECTION("nothing of one that it refuses") { status = 400; }
  SECTION("415: there is no falling back to 1.0") { status = 415; }
  world.Answer(status, headers);
  world.Append({AllKinds(world)});
  world.loop.RunFor(seconds(20));
  CHECK(world.received.size() == 1);
  CHECK(queue->stats().sent == sent);
  CHECK(queue->stats().failed == SampleCounts{3, 2, 1} - sent);
  CHECK(Balances(*queue));
  // And the next request is 2.0 again.
  world.Answer(204, Written("3", "2", "1"));
  world.Append({AllKinds(world)});
  world.loop.RunFor(seconds(5));
  CHECK(world.received.back().decoded.is_v2);
  CHECK(queue->stats().sent == sent + SampleCounts{3, 2, 1});
}

TEST_CASE("remote 2.0: what was written adds up over the attempts of a request") {
  RemoteWorld world;
  world.says_written = false;
  const auto queue = world.MakeQueue(V2Config());
  world.loop.RunFor(seconds(1));
  world.answer = [&](const RemoteWorld::Received&) {
    const bool first = world.received.empty();
    return ScriptedReply::Text(first ? 503 : 200, "", first ? Written("2", "1") : Written("1"));
  };
  world.Append({AllKinds(world)});
  world.loop.RunFor(seconds(5));
  CHECK(world.received.size() == 2);
  CHECK(queue->stats().sent == SampleCounts{3, 1, 0});
  CHECK(queue->stats().failed == SampleCounts{0, 1, 1});
  CHECK(queue->stats().retried == SampleCounts{3, 2, 1});
  CHECK(Balances(*queue));
}

TEST_CASE("remote 1.0: the headers of 2.0 count where they are there") {
  RemoteWorld world;
  RemoteWriteConfig config = V2Config();
  config.message = RemoteWriteMessage::kV1;
  const auto queue = world.MakeQueue(config);
  world.loop.RunFor(seconds(1));
  SampleCounts sent;
  SECTION("none") { world.Answer(200), sent = {3, 2, 1}; }
  SECTION("some") { world.Answer(200, Written("2", "2", "1")), sent = {2, 2, 1}; }
  SECTION("nothing") { world.Answer(200, Written("0")), sent = {}; }
  SECTION("none at the end") {
    world.answer = [&](const RemoteWorld::Received&) {
      const bool first = world.received.empty();
      return ScriptedReply::Text(first ? 503 : 200, "", first ? Written("1") : Written(""));
    };
    sent = {3, 2, 1};
  }
  world.Append({AllKinds(world)});
  world.loop.RunFor(seconds(20));
  CHECK(queue->stats().sent == sent);
  CHECK(queue->stats().failed == SampleCounts{3, 2, 1} - sent);
  CHECK(Balances(*queue));
}

}  // namespace
}  // namespace tributary
