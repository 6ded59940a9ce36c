// Histograms and exemplars in the queue: what of them is sent, and how they are counted.
#include <algorithm>

#include "agent/remote/remote_queue.h"
#include "agent/telemetry/metric_page.h"
#include "common/wire/histogram.h"
#include "test/support/catch.h"
#include "test/unit/agent/remote/remote_world.h"

namespace tributary {
namespace {

RemoteWriteConfig ConfigOf(RemoteWriteMessage message) {
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  config.message = message;
  config.send_exemplars = config.send_native_histograms = true;
  return config;
}

RemoteWriteMessage EachMessage() {
  return GENERATE(RemoteWriteMessage::kV1, RemoteWriteMessage::kV2);
}

struct KindsWorld : RemoteWorld {
  using RemoteWorld::RemoteWorld;

  // A scrape of `group`: all floats, and of `irregular` what is given.
  void AppendWith(const GroupRef& group, IrregularSamples irregular) {
    GroupSamples samples = SamplesOf(group, loop.WallMs());
    samples.irregular = std::make_shared<const IrregularSamples>(std::move(irregular));
    Append({samples});
  }
  void AppendSome(const GroupRef& group) {
    const TimestampMs now = loop.WallMs();
    AppendWith(group, {{HistogramOf(0, now, 1), HistogramOf(1, now, 2)}, {ExemplarOf(0, now, 3)}});
  }
};

// Nothing is left, neither in the queue nor in the log.
void CheckSettled(const KindsWorld& world, const RemoteQueue& queue) {
  CHECK(Balances(queue));
  CHECK(queue.pending() == SampleCounts{});
  CHECK(world.log.stats().records == 0);
}

TEST_CASE("remote kinds: floats, histograms and exemplars of a scrape arrive, counted by kind") {
  KindsWorld world;
  const auto queue = world.MakeQueue(ConfigOf(EachMessage()), Labels{{"zone", "z"}});
  world.loop.RunFor(seconds(1));
  const TimestampMs now = world.loop.WallMs();
  world.AppendSome(MakeGroup(1, 1, 3));
  world.loop.RunFor(seconds(5));
  REQUIRE(world.received.size() == 1);
  CHECK(world.accepted().size() == 3);
  const auto histograms = world.accepted_histograms();
  REQUIRE(histograms.size() == 2);
  CHECK(histograms[1].labels == Labels{{"__name__", "m"}, {"i", "1"}, {"zone", "z"}});
  CHECK(histograms[1].histogram.count == 2);
  CHECK(histograms[1].histogram.positive_deltas == std::vector<int64_t>{2});
  CHECK(histograms[1].timestamp == now);
  const auto exemplars = world.accepted_exemplars();
  REQUIRE(exemplars.size() == 1);
  CHECK(exemplars[0].labels == Labels{{"__name__", "m"}, {"i", "0"}, {"zone", "z"}});
  CHECK(exemplars[0].own_labels == Labels{{"trace_id", std::to_string(3.0)}});
  CHECK(exemplars[0].value == 3);
  CHECK(exemplars[0].timestamp == now);
  CHECK(queue->stats().read == SampleCounts{3, 2, 1});
  CHECK(queue->stats().sent == SampleCounts{3, 2, 1});
  CheckSettled(world, *queue);
}

TEST_CASE("remote kinds: what a remote is not configured to take, it does not read") {
  KindsWorld world;
  RemoteWriteConfig config = ConfigOf(EachMessage());
  config.send_exemplars = GENERATE(false, true);
  config.send_native_histograms = GENERATE(false, true);
  const auto queue = world.MakeQueue(config);
  world.loop.RunFor(seconds(1));
  world.AppendSome(MakeGroup(1, 1, 3));
  GroupSamples only = world.SamplesOf(MakeGroup(2, 1, 3), world.loop.WallMs());
  only.present = {0};
  only.values.clear();
  IrregularSamples irregular{{}, {world.ExemplarOf(2, world.loop.WallMs(), 4)}};
  only.irregular = std::make_shared<const IrregularSamples>(std::move(irregular));
  world.Append({only});
  world.loop.RunFor(seconds(5));
  const SampleCounts wanted{3, config.send_native_histograms ? 2u : 0u,
                            config.send_exemplars ? 2u : 0u};
  CHECK(queue->stats().read == wanted);
  CHECK(queue->stats().sent == wanted);
  CHECK(world.accepted_histograms().size() == wanted.histograms);
  CHECK(world.accepted_exemplars().size() == wanted.exemplars);
  CheckSettled(world, *queue);
}

TEST_CASE("remote kinds: histograms with custom buckets go by 2.0 only, stale markers by both") {
  KindsWorld world;
  const RemoteWriteMessage message = EachMessage();
  const auto queue = world.MakeQueue(ConfigOf(message));
  world.loop.RunFor(seconds(1));
  const TimestampMs now = world.loop.WallMs();
  HistogramSample custom = world.HistogramOf(0, now, 1);
  custom.custom_buckets = true;
  NativeHistogram ended;
  ended.sum = StaleNan();
  HistogramSample marker{1, now, 0, false, ""};
  EncodeHistogram(ended, marker.encoded);
  world.AppendWith(MakeGroup(1, 1, 3), {{custom, marker}, {}});
  world.loop.RunFor(seconds(5));
  const auto histograms = world.accepted_histograms();
  REQUIRE(!histograms.empty());
  CHECK(IsStaleNan(histograms.back().histogram.sum));
  const bool is_v1 = message == RemoteWriteMessage::kV1;
  CHECK(histograms.size() == (is_v1 ? 1 : 2));
  CHECK(queue->stats().dropped[DropReason::kCustomBuckets] == SampleCounts{0, is_v1 ? 1u : 0u, 0});
  CHECK(queue->stats().read == SampleCounts{3, 2, 0});
  CheckSettled(world, *queue);
}

TEST_CASE("remote kinds: histograms from before the start are dropped, exemplars are not") {
  KindsWorld world;
  const auto queue = world.MakeQueue(ConfigOf(EachMessage()));
  const TimestampMs start = world.loop.WallMs();
  world.loop.RunFor(seconds(1));
  world.AppendWith(MakeGroup(1, 1, 3),
                   {{world.HistogramOf(0, start, 1), world.HistogramOf(0, start + 1, 2)},
                    {world.ExemplarOf(0, start - 1000, 3)}});
  world.loop.RunFor(seconds(5));
  REQUIRE(world.accepted_histograms().size() == 1);
  CHECK(world.accepted_histograms()[0].histogram.count == 2);
  CHECK(world.accepted_exemplars().size() == 1);
  CHECK(queue->stats().dropped[DropReason::kBeforeStart] == SampleCounts{0, 1, 0});
  CHECK(queue->stats().sent == SampleCounts{3, 1, 1});
  CheckSettled(world, *queue);
}

TEST_CASE("remote kinds: write_relabel_configs drop all that a series has") {
  KindsWorld world;
  RemoteWriteConfig config = ConfigOf(EachMessage());
  RelabelConfig drop;
  drop.source_labels = {"i"};
  drop.regex = "0";
  drop.action = RelabelAction::kDrop;
  config.write_relabel_configs = {drop};
  const auto queue = world.MakeQueue(config);
  world.loop.RunFor(seconds(1));
  world.AppendSome(MakeGroup(1, 1, 3));
  world.loop.RunFor(seconds(5));
  CHECK(queue->stats().dropped[DropReason::kSeries] == SampleCounts{1, 1, 1});
  CHECK(queue->stats().sent == SampleCounts{2, 1, 0});
  CHECK(world.accepted_histograms().at(0).labels.Get("i") == "1");
  CheckSettled(world, *queue);
}

TEST_CASE("remote kinds: sample_age_limit goes by the time of each") {
  KindsWorld world;
  RemoteWriteConfig config = ConfigOf(EachMessage());
  config.queue.sample_age_limit = seconds(10);
  config.queue.max_backoff = seconds(1);
  const auto queue = world.MakeQueue(config);
  world.loop.RunFor(seconds(100));
  const TimestampMs now = world.loop.WallMs();
  const GroupRef group = MakeGroup(1, 1, 2);
  const IrregularSamples irregular{
      {world.HistogramOf(0, now - 11'000, 1), world.HistogramOf(0, now - 5'000, 2)},
      {world.ExemplarOf(0, now - 11'000, 3), world.ExemplarOf(0, now - 1'000, 4)}};
  SECTION("when it is read") {
    world.AppendWith(group, irregular);
    world.loop.RunFor(seconds(3));
    CHECK(world.accepted_histograms().at(0).histogram.count == 2);
    CHECK(world.accepted_exemplars().at(0).value == 4);
    CHECK(queue->stats().dropped[DropReason::kTooOld] == SampleCounts{0, 1, 1});
    CHECK(queue->stats().sent == SampleCounts{2, 1, 1});
  }
  SECTION("between attempts") {
    world.Answer(503);
    world.AppendWith(group, irregular);
    world.loop.RunFor(milliseconds(6'500));
    // The second histogram is over the limit now, the second exemplar and the floats are not.
    CHECK(queue->stats().dropped[DropReason::kTooOld] == SampleCounts{0, 2, 1});
    CHECK(queue->pending() == SampleCounts{2, 0, 1});
    CHECK(Balances(*queue));
    world.Answer(204);
    world.loop.RunFor(seconds(2));
    CHECK(queue->stats().sent == SampleCounts{2, 0, 1});
    CHECK(world.accepted_histograms().empty());
  }
  SECTION("also where the scrape's own time is over the limit") {
    GroupSamples old = world.SamplesOf(group, now - 20'000);
    old.irregular = std::make_shared<const IrregularSamples>(irregular);
    world.Append({old});
    world.loop.RunFor(seconds(3));
    CHECK(queue->stats().dropped[DropReason::kTooOld] == SampleCounts{2, 1, 1});
    CHECK(queue->stats().sent == SampleCounts{0, 1, 1});
  }
  CheckSettled(world, *queue);
}

TEST_CASE("remote kinds: max_samples_per_send counts all kinds") {
  KindsWorld world;
  RemoteWriteConfig config = ConfigOf(EachMessage());
  config.queue.max_samples_per_send = GENERATE(1, 2, 7, 10);
  const auto queue = world.MakeQueue(config);
  world.loop.RunFor(seconds(1));
  const GroupRef group = MakeGroup(1, 1, 12);
  for (int scrape = 0; scrape < 3; scrape++) {
    IrregularSamples irregular;
    for (uint32_t i = 0; i < 12; i++) {
      irregular.histograms.push_back(world.HistogramOf(i, world.loop.WallMs(), 1));
      irregular.exemplars.push_back(world.ExemplarOf(i, world.loop.WallMs(), 1));
    }
    world.AppendWith(group, std::move(irregular));
    world.loop.RunFor(seconds(2));
  }
  world.loop.RunFor(seconds(10));
  size_t most = 0;
  for (const auto& request : world.received) most = std::max(most, request.decoded.entries());
  CHECK(most == config.queue.max_samples_per_send);
  CHECK(queue->stats().sent == SampleCounts{36, 36, 36});
  CHECK(world.accepted_exemplars().size() == 36);
  CheckSettled(world, *queue);
}

TEST_CASE("remote kinds: requests are bounded in bytes, however large the histograms are") {
  KindsWorld world;
  RemoteWriteConfig config = ConfigOf(EachMessage());
  config.queue.max_samples_per_send = 2000;
  const auto queue = world.MakeQueue(config);
  world.loop.RunFor(seconds(1));
  NativeHistogram large;
  large.positive_deltas.assign(100'000, 1'000'000);
  IrregularSamples irregular;
  for (uint32_t i = 0; i < 50; i++) {
    irregular.histograms.push_back({i, world.loop.WallMs(), 0, false, ""});
    EncodeHistogram(large, irregular.histograms.back().encoded);
  }
  const size_t size = irregular.histograms[0].encoded.size();
  REQUIRE(size > 250'000);
  world.AppendWith(MakeGroup(1, 1, 50), std::move(irregular));
  world.loop.RunFor(seconds(30));
  CHECK(queue->stats().sent == SampleCounts{50, 50, 0});
  for (const auto& request : world.received) CHECK(request.decoded.raw_bytes <= 4 << 20);
  CHECK(world.received.size() < 12);
  CheckSettled(world, *queue);
}

TEST_CASE("remote kinds: what a full log drops is counted by kind") {
  KindsWorld world({.memory_bytes = 8000});
  RemoteWriteConfig config = ConfigOf(RemoteWriteMessage::kV1);
  config.send_exemplars = GENERATE(false, true);
  config.queue.capacity = 20;
  const auto queue = world.MakeQueue(config);
  world.loop.RunFor(seconds(1));
  world.server->refusing = true;
  for (int i = 0; i < 100; i++) {
    world.AppendSome(MakeGroup(1, 1, 4));
    world.loop.RunFor(milliseconds(100));
  }
  world.server->refusing = false;
  world.loop.RunFor(seconds(60));
  const uint64_t exemplars = config.send_exemplars ? 1 : 0;
  const RemoteQueueStats& stats = queue->stats();
  CHECK(stats.read == SampleCounts{400, 200, 100 * exemplars});
  const SampleCounts& lost = stats.dropped[DropReason::kLogFull];
  CHECK(lost.samples > 100);
  CHECK(lost.histograms == lost.samples / 2);
  CHECK(lost.exemplars == exemplars * (lost.samples / 4));
  CHECK(stats.sent + lost == stats.read);
  CheckSettled(world, *queue);
}

TEST_CASE("remote kinds: what is refused and what is tried again is counted by kind") {
  KindsWorld world;
  const auto queue = world.MakeQueue(ConfigOf(EachMessage()));
  world.loop.RunFor(seconds(1));
  world.answer = [&](const RemoteWorld::Received&) {
    return ScriptedReply::Text(world.received.size() < 2 ? 503 : 400, "no");
  };
  world.AppendSome(MakeGroup(1, 1, 3));
  world.loop.RunFor(seconds(5));
  CHECK(world.received.size() == 3);
  CHECK(world.received[2].served.body == world.received[0].served.body);
  CHECK(queue->stats().retried == SampleCounts{6, 4, 2});
  CHECK(queue->stats().failed == SampleCounts{3, 2, 1});
  CHECK(queue->stats().sent == SampleCounts{});
  CheckSettled(world, *queue);
}

TEST_CASE("remote kinds: a reload may change what of a backlog is sent, and how") {
  KindsWorld world;
  RemoteWriteConfig config = ConfigOf(RemoteWriteMessage::kV2);
  const auto queue = world.MakeQueue(config);
  world.loop.RunFor(seconds(1));
  world.Answer(503);
  const GroupRef group = MakeGroup(1, 1, 3);
  const TimestampMs now = world.loop.WallMs();
  HistogramSample custom = world.HistogramOf(1, now, 2);
  custom.custom_buckets = true;
  // One in lanes, one behind it in a later generation.
  for (uint32_t generation : {1u, 2u}) {
    world.AppendWith(MakeGroup(1, generation, 3),
                     {{world.HistogramOf(0, now, 1), custom}, {world.ExemplarOf(0, now, 3)}});
  }
  world.loop.RunFor(seconds(2));
  CHECK(queue->pending() == SampleCounts{6, 4, 2});
  SECTION("to version 1.0") {
    config.message = RemoteWriteMessage::kV1;
    queue->Reconfigure(RemoteWorld::Spec(config));
    world.Answer(204);
    world.loop.RunFor(seconds(10));
    CHECK(queue->stats().dropped[DropReason::kCustomBuckets] == SampleCounts{0, 2, 0});
    CHECK(queue->stats().sent == SampleCounts{6, 2, 2});
    CHECK_FALSE(world.received.back().decoded.is_v2);
  }
  SECTION("to no exemplars and no histograms") {
    config.send_exemplars = config.send_native_histograms = false;
    queue->Reconfigure(RemoteWorld::Spec(config));
    world.Answer(204);
    world.loop.RunFor(seconds(10));
    CHECK(queue->stats().dropped[DropReason::kSwitchedOff] == SampleCounts{0, 4, 2});
    CHECK(queue->stats().sent == SampleCounts{6, 0, 0});
    CHECK(world.accepted_histograms().empty());
  }
  SECTION("to nothing else") {
    config.headers = {{"X", "1"}};
    queue->Reconfigure(RemoteWorld::Spec(config));
    world.Answer(204);
    world.loop.RunFor(seconds(10));
    CHECK(queue->stats().sent == SampleCounts{6, 4, 2});
  }
  CheckSettled(world, *queue);
}

TEST_CASE("remote kinds: the metrics have Prometheus' names") {
  KindsWorld world;
  const auto queue = world.MakeQueue(ConfigOf(RemoteWriteMessage::kV1));
  world.loop.RunFor(seconds(1));
  world.AppendSome(MakeGroup(1, 1, 3));
  world.loop.RunFor(seconds(5));
  MetricPage page;
  queue->Collect(page);
  const std::string text = page.Text();
  const std::string labels = R"(remote_name="central",url="http://central.test/write")";
  for (const char* line : {
           "histograms_total{%} 2\n",
           "exemplars_total{%} 1\n",
           "histograms_failed_total{%} 0\n",
           "exemplars_failed_total{%} 0\n",
           "histograms_retried_total{%} 0\n",
           "exemplars_retried_total{%} 0\n",
           "histograms_pending{%} 0\n",
           "exemplars_pending{%} 0\n",
           "histograms_dropped_total{reason=\"nhcb_in_rw1_not_supported\",%} 0\n",
           "histograms_dropped_total{reason=\"too_old\",%} 0\n",
           "exemplars_dropped_total{reason=\"dropped_series\",%} 0\n",
           "samples_dropped_total{reason=\"dropped_series\",%} 0\n",
       }) {
    std::string expected = std::string("\nprometheus_remote_storage_") + line;
    expected.replace(expected.find('%'), 1, labels);
    CAPTURE(expected);
    CHECK(text.find(expected) != std::string::npos);
  }
  CHECK(text.find("tributary_remote_histograms_read_total{") != std::string::npos);
}

}  // namespace
}  // namespace tributary
