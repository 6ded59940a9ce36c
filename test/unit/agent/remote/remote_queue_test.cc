#include "agent/remote/remote_queue.h"

#include <algorithm>
#include <random>
#include <set>

#include "agent/telemetry/metric_page.h"
#include "test/support/catch.h"
#include "test/unit/agent/remote/remote_world.h"

namespace tributary {
namespace {

std::vector<size_t> SizesOf(const RemoteWorld& world) {
  std::vector<size_t> sizes;
  for (const auto& request : world.received) sizes.push_back(request.decoded.samples.size());
  return sizes;
}

std::vector<double> ValuesOf(const std::vector<DecodedSample>& samples) {
  std::vector<double> values;
  for (const DecodedSample& sample : samples) values.push_back(sample.value);
  std::sort(values.begin(), values.end());
  return values;
}

std::vector<double> Count(size_t from, size_t to) {
  std::vector<double> values;
  for (size_t i = from; i <= to; i++) values.push_back(static_cast<double>(i));
  return values;
}

TEST_CASE("remote queue: full batches go at once, the rest at the deadline") {
  RemoteWorld world;
  const auto queue = world.MakeQueue(RemoteWorld::RemoteConfig());
  const GroupRef group = MakeGroup(1, 1, 25);
  world.Append(group);
  const MonotonicTime start = world.loop.Now();
  world.loop.RunFor(milliseconds(999));
  CHECK(SizesOf(world) == std::vector<size_t>{10, 10});
  CHECK(world.received[1].time - start < milliseconds(5));
  world.loop.RunFor(milliseconds(10));
  CHECK(SizesOf(world) == std::vector<size_t>{10, 10, 5});
  CHECK(world.received[2].time - start >= seconds(1));
  CHECK(ValuesOf(world.accepted()) == Count(1, 25));
  CHECK(queue->stats().sent.samples == 25);
  CHECK(queue->pending().samples == 0);
  CHECK(Balances(*queue));
  CHECK(world.log.stats().records == 0);
}

TEST_CASE("remote queue: the deadline counts from the oldest sample") {
  RemoteWorld world;
  const auto queue = world.MakeQueue(RemoteWorld::RemoteConfig());
  const GroupRef one = MakeGroup(1, 1, 3), two = MakeGroup(2, 1, 3);
  const MonotonicTime start = world.loop.Now();
  world.Append(one);
  world.loop.RunFor(milliseconds(600));
  world.Append(two);
  world.loop.RunFor(milliseconds(600));
  REQUIRE(SizesOf(world) == std::vector<size_t>{6});
  CHECK(world.received[0].time - start >= seconds(1));
  CHECK(world.received[0].time - start < milliseconds(1010));
}

TEST_CASE(
    "remote queue: requests hold no more than max_samples_per_send, nearly as many in steady "
    "state") {
  const uint64_t most = GENERATE(1, 7, 100, 250, 251, 500, 999, 2000);
  CAPTURE(most);
  RemoteWorld world;
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  config.queue.max_samples_per_send = most;
  config.queue.capacity = 100000;
  config.queue.batch_send_deadline = seconds(100);
  const auto queue = world.MakeQueue(config);
  std::vector<GroupRef> groups;
  for (uint64_t i = 0; i < 20; i++) groups.push_back(MakeGroup(i, 1, 500));
  for (int scrape = 0; scrape < 2; scrape++) {
    world.loop.RunFor(milliseconds(10));
    for (const GroupRef& group : groups) world.Append(group);
  }
  world.loop.RunFor(seconds(50));
  bool drained = false;
  queue->Drain([&] { drained = true; });
  world.loop.RunFor(seconds(50));
  CHECK(drained);
  CHECK(ValuesOf(world.accepted()) == Count(1, 20000));
  const std::vector<size_t> sizes = SizesOf(world);
  CHECK(*std::max_element(sizes.begin(), sizes.end()) <= most);
  // Chunks of 250 do not fill every size to the last sample.
  CHECK(sizes.size() <= 20000 / most * 3 / 2 + 1);
}

TEST_CASE("remote queue: it takes more shards for what lies in the log unread") {
  RemoteWorld world;
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  config.queue.max_shards = 10;
  config.queue.capacity = 20;
  const auto queue = world.MakeQueue(config);
  // A shard delivers 10 samples in 100 ms, and 300 come in a second.
  world.network.set_latency(milliseconds(50));
  std::vector<GroupRef> groups;
  for (uint64_t i = 0; i < 30; i++) groups.push_back(MakeGroup(i, 1, 10));
  const auto append_for = [&](int seconds_long) {
    for (int second = 0; second < seconds_long; second++) {
      for (const GroupRef& group : groups) world.Append(group);
      world.loop.RunFor(seconds(1));
    }
  };
  append_for(60);
  CHECK(queue->status().shards > 3);
  CHECK(queue->status().shards <= 10);
  append_for(120);
  CHECK(queue->unread().total() + queue->pending().total() < 1000);
  CHECK(Balances(*queue));
}

TEST_CASE("remote queue: the latest sample that it is to deliver is one that its rules keep") {
  RemoteWorld world;
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  RelabelConfig drop;
  drop.action = RelabelAction::kDrop;
  drop.source_labels = {"job"};
  drop.regex = "dropped";
  config.write_relabel_configs = {drop};
  const auto queue = world.MakeQueue(config);
  const auto latest = [&] {
    MetricPage page;
    queue->Collect(page);
    const std::string text = page.Text();
    const size_t at = text.find("queue_highest_timestamp_seconds{");
    return std::stod(text.substr(text.find("} ", at) + 2));
  };
  world.Append(MakeGroup(1, 1, 3));
  world.loop.RunFor(seconds(2));
  const double kept = latest();
  CHECK(kept > 0);
  world.loop.RunFor(seconds(100));
  world.Append(MakeGroup(2, 1, 3, Labels{{"job", "dropped"}}));
  world.loop.RunFor(seconds(2));
  CHECK(latest() == kept);
}

TEST_CASE("remote queue: requests are bounded in bytes") {
  constexpr size_t kBytesMax = 4 << 20;
  RemoteWorld world;
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  config.queue.max_samples_per_send = 2000;
  const auto queue = world.MakeQueue(config);
  SECTION("many long labels") {
    world.Append(MakeGroup(1, 1, 300, Labels{{"long", std::string(100'000, 'x')}}));
    world.loop.RunFor(seconds(10));
    CHECK(ValuesOf(world.accepted()) == Count(1, 300));
    for (const auto& request : world.received) {
      CHECK(request.decoded.raw_bytes <= kBytesMax + 110'000);
      CHECK(request.decoded.raw_bytes > 0);
    }
    CHECK(world.received.size() < 12);
  }
  SECTION("a sample that is larger than the bound by itself") {
    world.Append(MakeGroup(1, 1, 3, Labels{{"long", std::string(5'000'000, 'x')}}));
    world.loop.RunFor(seconds(10));
    CHECK(SizesOf(world) == std::vector<size_t>{1, 1, 1});
  }
  CHECK(Balances(*queue));
  CHECK(queue->pending().samples == 0);
}

TEST_CASE(
    "remote queue: retries with growing pauses and a tenth of jitter, until it is delivered") {
  RemoteWorld world;
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  config.queue.min_backoff = milliseconds(100);
  config.queue.max_backoff = milliseconds(500);
  const auto queue = world.MakeQueue(config);
  int failures = 5;
  world.answer = [&](const RemoteWorld::Received&) {
    return ScriptedReply::Text(failures-- > 0 ? 500 : 204, "");
  };
  world.Append(MakeGroup(1, 1, 10));
  world.loop.RunFor(seconds(20));
  REQUIRE(world.received.size() == 6);
  std::vector<int64_t> gaps;
  for (size_t i = 1; i < 6; i++) {
    gaps.push_back((world.received[i].time - world.received[i - 1].time) / milliseconds(1));
  }
  // The world's chance is always 50: half of the tenth... of a hundredth each: 5 %.
  const std::vector<int64_t> plain = {100, 200, 400, 500, 500};
  for (size_t i = 0; i < 5; i++) {
    CHECK(gaps[i] >= plain[i]);
    CHECK(gaps[i] <= plain[i] * 11 / 10 + 1);
  }
  CHECK(queue->stats().retried.samples == 50);
  CHECK(queue->stats().sent.samples == 10);
  CHECK(world.received[5].served.Header("Retry-Attempt") == "5");
  CHECK(world.received[5].served.body == world.received[0].served.body);
}

TEST_CASE("remote queue: keeps to Retry-After, and backs off from there") {
  RemoteWorld world;
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  config.queue.max_backoff = seconds(30);
  const auto queue = world.MakeQueue(config);
  world.answer = [&](const RemoteWorld::Received&) {
    if (world.received.empty()) return ScriptedReply::Text(503, "", {{"Retry-After", "4"}});
    return ScriptedReply::Text(world.received.size() == 1 ? 503 : 204, "");
  };
  world.Append(MakeGroup(1, 1, 10));
  world.loop.RunFor(seconds(60));
  REQUIRE(world.received.size() == 3);
  CHECK((world.received[1].time - world.received[0].time) / milliseconds(100) == 40);
  const auto second = world.received[2].time - world.received[1].time;
  CHECK(second >= seconds(8));
  CHECK(second < milliseconds(8900));
}

TEST_CASE("remote queue: Retry-After 0 does not make it send without a pause") {
  RemoteWorld world;
  world.Answer(503, {{"Retry-After", "0"}});
  const auto queue = world.MakeQueue(RemoteWorld::RemoteConfig());
  world.Append(MakeGroup(1, 1, 10));
  world.loop.RunFor(seconds(60));
  CHECK(world.received.size() > 10);
  CHECK(world.received.size() < 30);  // 30 ms, doubled up to 5 s
}

TEST_CASE("remote queue: what is refused is dropped and counted, and the rest goes on") {
  RemoteWorld world;
  world.answer = [&](const RemoteWorld::Received&) {
    return ScriptedReply::Text(world.received.size() == 1 ? 400 : 204, "no");
  };
  const auto queue = world.MakeQueue(RemoteWorld::RemoteConfig());
  world.Append(MakeGroup(1, 1, 30));
  world.loop.RunFor(seconds(10));
  CHECK(SizesOf(world) == std::vector<size_t>{10, 10, 10});
  CHECK(queue->stats().failed.samples == 10);
  CHECK(queue->stats().sent.samples == 20);
  CHECK(Balances(*queue));
  CHECK(world.log.stats().records == 0);
}

TEST_CASE("remote queue: series that the rules drop are counted and pin nothing") {
  RemoteWorld world;
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  RelabelConfig drop;
  drop.source_labels = {"i"};
  drop.regex = "[0-6]";
  drop.action = RelabelAction::kDrop;
  config.write_relabel_configs = {drop};
  const auto queue = world.MakeQueue(config, Labels{{"zone", "z"}});
  world.Append(MakeGroup(1, 1, 10));
  world.Append(MakeGroup(2, 1, 5));  // nothing of it is left
  world.loop.RunFor(seconds(5));
  REQUIRE(world.accepted().size() == 3);
  CHECK(world.accepted()[0].labels == Labels{{"__name__", "m"}, {"i", "7"}, {"zone", "z"}});
  CHECK(queue->stats().dropped[DropReason::kSeries].samples == 12);
  CHECK(Balances(*queue));
  CHECK(world.log.stats().records == 0);
}

TEST_CASE("remote queue: samples over the age limit when they are read are dropped and counted") {
  RemoteWorld world;
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  config.queue.sample_age_limit = seconds(10);
  const auto queue = world.MakeQueue(config);
  const GroupRef group = MakeGroup(1, 1, 4);
  world.Append({world.SamplesOf(group, world.loop.WallMs() - 10'001)});
  world.Append({world.SamplesOf(group, world.loop.WallMs() - 9'000)});
  world.loop.RunFor(seconds(5));
  CHECK(ValuesOf(world.accepted()) == Count(5, 8));
  CHECK(queue->stats().dropped[DropReason::kTooOld].samples == 4);
  CHECK(Balances(*queue));
  CHECK(queue->pending().samples == 0);
  CHECK(world.log.stats().records == 0);
}

TEST_CASE("remote queue: samples that grow over the age limit between attempts are left out") {
  RemoteWorld world;
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  config.queue.sample_age_limit = seconds(10);
  config.queue.max_backoff = seconds(1);
  config.queue.batch_send_deadline = seconds(4);
  const auto queue = world.MakeQueue(config);
  const GroupRef one = MakeGroup(1, 1, 3), two = MakeGroup(2, 1, 3);
  world.Answer(503);
  world.Append(one);
  world.loop.RunFor(milliseconds(3500));
  world.Append(two);
  // Both go in one request; 10 s after the first was made, only the second's samples are left in
  // it.
  REQUIRE(world.loop.RunUntil(
      [&] { return queue->stats().dropped[DropReason::kTooOld].samples > 0; }, seconds(30)));
  CHECK(queue->stats().dropped[DropReason::kTooOld].samples == 3);
  CHECK(Balances(*queue));
  CHECK(queue->pending().samples == 3);
  world.loop.RunFor(milliseconds(1200));
  CHECK(world.received.front().decoded.samples.size() == 6);
  CHECK(world.received.back().decoded.samples.size() == 3);
  SECTION("and the rest is delivered") {
    world.Answer(204);
    world.loop.RunFor(seconds(2));
    CHECK(ValuesOf(world.accepted()) == Count(4, 6));
  }
  SECTION("and in the end the whole request is dropped") {
    world.loop.RunFor(seconds(10));
    CHECK(queue->stats().dropped[DropReason::kTooOld].samples == 6);
    CHECK(world.accepted().empty());
  }
  SECTION("and are counted once, though the queue is reconfigured meanwhile") {
    config.headers = {{"X-New", "1"}};
    config.queue.batch_send_deadline = seconds(1);
    queue->Reconfigure(RemoteWorld::Spec(config));
    world.Answer(204);
    world.loop.RunFor(seconds(6));
    CHECK(queue->stats().dropped[DropReason::kTooOld].samples == 3);
    CHECK(ValuesOf(world.accepted()) == Count(4, 6));
  }
  CHECK(Balances(*queue));
  CHECK(queue->pending().samples == 0);
  CHECK(world.log.stats().records == 0);
}

TEST_CASE("remote queue: samples with own times from before its start are dropped and counted") {
  RemoteWorld world;
  const auto queue = world.MakeQueue(RemoteWorld::RemoteConfig());
  const TimestampMs start = world.loop.WallMs();
  world.loop.RunFor(seconds(1));
  const GroupRef group = MakeGroup(1, 1, 4);
  GroupSamples samples = world.SamplesOf(group, world.loop.WallMs());
  samples.present = {0b0010};  // the second at the scrape's time
  samples.values = {100};
  samples.own = {{0, start - 1, 1}, {0, start, 2}, {2, start + 1, 3}, {3, start + 60'000, 4}};
  world.Append({samples});
  world.loop.RunFor(seconds(5));
  CHECK(ValuesOf(world.accepted()) == std::vector<double>{3, 4, 100});
  CHECK(queue->stats().dropped[DropReason::kBeforeStart].samples == 2);
  CHECK(Balances(*queue));
  CHECK(queue->pending().samples == 0);
}

TEST_CASE("remote queue: of one scrape, a series' samples go in the order of their times") {
  RemoteWorld world;
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  config.queue.max_samples_per_send = 2;
  const auto queue = world.MakeQueue(config);
  world.loop.RunFor(seconds(10));
  const TimestampMs now = world.loop.WallMs();
  GroupSamples samples = world.SamplesOf(MakeGroup(1, 1, 2), now);
  samples.own = {
      {0, now - 2, 10}, {1, now - 5, 20}, {0, now - 1, 11}, {0, now + 3, 12}, {1, now + 1, 21}};
  world.Append({samples});
  world.loop.RunFor(seconds(10));
  std::map<std::string, std::vector<double>> by_series;
  for (const DecodedSample& sample : world.accepted()) {
    by_series[std::string(sample.labels.Get("i"))].push_back(sample.value);
  }
  CHECK(by_series["0"] == std::vector<double>{10, 11, 1, 12});
  CHECK(by_series["1"] == std::vector<double>{20, 2, 21});
}

TEST_CASE("remote queue: reads ahead no more than capacity and one batch") {
  RemoteWorld world;
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  config.queue.capacity = 40;
  const auto queue = world.MakeQueue(config);
  world.server->unreachable = true;
  for (int i = 0; i < 50; i++) world.Append(MakeGroup(1, 1, 10));
  world.loop.RunFor(seconds(60));
  CHECK(queue->pending().samples >= 40);
  CHECK(queue->pending().samples <= 40 + 40);
  CHECK(world.log.stats().records == 50);
  world.server->unreachable = false;
  world.loop.RunFor(seconds(60));
  CHECK(ValuesOf(world.accepted()) == Count(1, 500));
  CHECK(world.log.stats().records == 0);
}

TEST_CASE("remote queue: what a full log drops before it was read is counted to the sample") {
  RemoteWorld world({.memory_bytes = 4000});
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  config.queue.capacity = 20;
  const auto queue = world.MakeQueue(config);
  world.server->refusing = true;
  for (int i = 0; i < 200; i++) {
    world.Append(MakeGroup(1, 1, 10));
    world.loop.RunFor(milliseconds(100));
  }
  world.server->refusing = false;
  world.loop.RunFor(seconds(60));
  const RemoteQueueStats& stats = queue->stats();
  CHECK(stats.read.samples == 2000);
  CHECK(stats.dropped[DropReason::kLogFull].samples > 1000);
  CHECK(stats.sent.samples + stats.dropped[DropReason::kLogFull].samples == 2000);
  CHECK(world.accepted().size() == stats.sent.samples);
  CHECK(world.log.stats().records == 0);
}

TEST_CASE("remote queue: Drain sends what has not filled a batch, and tells when all is done") {
  RemoteWorld world;
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  config.queue.batch_send_deadline = seconds(1000);
  const auto queue = world.MakeQueue(config);
  int drained = 0;
  SECTION("nothing there") {
    queue->Drain([&] { drained++; });
    CHECK(drained == 0);
  }
  SECTION("a part of a batch") {
    world.Append(MakeGroup(1, 1, 3));
    world.loop.RunFor(seconds(10));
    CHECK(world.received.empty());
    queue->Drain([&] { drained++; });
    world.loop.RunFor(seconds(1));
    CHECK(world.accepted().size() == 3);
  }
  SECTION("appended just before, not read yet") {
    world.Append(MakeGroup(1, 1, 3));
    world.loop.RunDue();
    queue->Drain([&] { drained++; });
    world.loop.RunFor(seconds(1));
    CHECK(world.accepted().size() == 3);
  }
  SECTION("a request in its backoff") {
    world.Answer(500);
    world.Append(MakeGroup(1, 1, 13));
    world.loop.RunFor(seconds(20));
    queue->Drain([&] { drained++; });
    world.loop.RunFor(seconds(20));
    CHECK(drained == 0);
    world.Answer(204);
    world.loop.RunFor(seconds(10));
    CHECK(world.accepted().size() == 13);
  }
  world.loop.RunFor(seconds(1));
  CHECK(drained == 1);
  CHECK(queue->pending().samples == 0);
}

TEST_CASE("remote queue: its metrics have Prometheus' names") {
  RemoteWorld world;
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  config.url = "http://user:hunter2@central.test/write";
  const auto queue = world.MakeQueue(config);
  world.Append(MakeGroup(1, 1, 20));
  world.loop.RunFor(seconds(5));
  MetricPage page;
  queue->Collect(page);
  const std::string text = page.Text();
  CHECK(text.find("hunter2") == std::string::npos);
  const std::string labels =
      R"({remote_name="central",url="http://user:xxxxx@central.test/write"})";
  for (const char* line :
       {"samples_total% 20\n", "samples_failed_total% 0\n", "samples_retried_total% 0\n",
        "samples_pending% 0\n", "shards% 1\n", "shards_min% 1\n", "shards_max% 1\n",
        "shard_capacity% 1000\n", "max_samples_per_send% 10\n", "bytes_total% ", "shards_desired% ",
        "metadata_total% 0\n", "metadata_failed_total% 0\n", "metadata_retried_total% 0\n",
        "queue_highest_timestamp_seconds% ", "queue_highest_sent_timestamp_seconds% ",
        "sent_batch_duration_seconds_count% 2\n"}) {
    std::string expected = std::string("\nprometheus_remote_storage_") + line;
    expected.replace(expected.find('%'), 1, labels);
    CAPTURE(expected);
    CHECK(text.find(expected) != std::string::npos);
  }
}

}  // namespace
}  // namespace tributary
