// The ledger: whatever happens to remotes, disks and processes, everything is somewhere.
#include <random>

#include "agent/telemetry/metric_page.h"
#include "test/support/catch.h"
#include "test/support/sim/sim_disk.h"
#include "test/support/sim/sim_work_queue.h"
#include "test/unit/agent/remote/remote_world.h"

namespace tributary {
namespace {

TEST_CASE(
    "remote ledger: kinds that the remote does not take are unwanted, and nothing is missing") {
  RemoteWorld world;
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  config.send_exemplars = false;
  config.send_native_histograms = true;
  const auto queue = world.MakeQueue(config);
  world.loop.RunFor(seconds(1));
  const TimestampMs now = world.loop.WallMs();
  GroupSamples samples = world.SamplesOf(MakeGroup(1, 1, 3), now);
  samples.irregular = std::make_shared<const IrregularSamples>(
      IrregularSamples{{world.HistogramOf(0, now, 1)}, {world.ExemplarOf(0, now, 3)}});
  world.Append({samples});
  CHECK(queue->ledger().unread == SampleCounts{3, 1, 1});
  CHECK(queue->ledger().balances());
  world.loop.RunFor(seconds(5));
  const RemoteLedger ledger = queue->ledger();
  CHECK(ledger.accepted == SampleCounts{3, 1, 1});
  CHECK(ledger.recovered == SampleCounts{});
  CHECK(ledger.sent == SampleCounts{3, 1, 0});
  CHECK(ledger.unwanted == SampleCounts{0, 0, 1});
  CHECK(ledger.unread == SampleCounts{});
  CHECK(ledger.balances());
}

TEST_CASE("remote ledger: what was appended before a remote came is none of its business") {
  RemoteWorld world;
  const auto first = world.MakeQueue(RemoteWorld::RemoteConfig());
  world.Append(MakeGroup(1, 1, 3));
  RemoteWriteConfig other = RemoteWorld::RemoteConfig();
  other.name = "other";
  const auto second = world.MakeQueue(other);
  world.Append(MakeGroup(2, 1, 2));
  world.loop.RunFor(seconds(5));
  CHECK(first->ledger().accepted.samples == 5);
  CHECK(second->ledger().accepted.samples == 2);
  CHECK(first->ledger().balances());
  CHECK(second->ledger().balances());
}

TEST_CASE(
    "remote status: a failing remote shows its backlog, the receiver's words, and since when") {
  RemoteWorld world;
  const auto queue = world.MakeQueue(RemoteWorld::RemoteConfig());
  world.loop.RunFor(seconds(1));
  world.Answer(503, {}, "out of room\n");
  world.Append(MakeGroup(1, 1, 30));
  const TimestampMs begin = world.loop.WallMs();
  world.loop.RunFor(seconds(20));
  RemoteStatus status = queue->status();
  CHECK(status.backlog.samples == 30);
  CHECK(status.backlog_seconds == Approx(20));
  CHECK(status.requests_in_flight + status.requests_waiting == 1);
  CHECK(status.last_error.find("out of room") != std::string::npos);
  CHECK(status.last_error_ms > begin);
  CHECK(status.last_success_ms == 0);
  CHECK(status.positions.at(0).done < status.positions.at(0).end);
  CHECK(status.retried.samples > 0);
  world.Answer(204);
  world.loop.RunFor(seconds(60));
  status = queue->status();
  CHECK(status.backlog.samples == 0);
  CHECK(status.backlog_seconds == 0);
  CHECK(status.last_success_ms > status.last_error_ms);
  CHECK(status.positions.at(0).done == status.positions.at(0).end);
  CHECK(status.sent.samples == 30);
}

TEST_CASE("remote metrics: what write_relabel_configs drop is counted by remote") {
  RemoteWorld world;
  RemoteWriteConfig config = RemoteWorld::RemoteConfig();
  RelabelConfig rule;
  rule.action = RelabelAction::kDrop;
  rule.source_labels = {"i"};
  rule.regex = "1|2";
  config.write_relabel_configs = {rule};
  const auto queue = world.MakeQueue(config);
  world.Append(MakeGroup(1, 1, 5));
  world.loop.RunFor(seconds(5));
  MetricPage page;
  queue->Collect(page);
  CHECK(page.Text().find(
            "tributary_relabel_dropped_total{remote_name=\"central\",stage=\"write\"} 2\n") !=
        std::string::npos);
}

// Processes one after the other on one disk.
struct DiskWorld {
  explicit DiskWorld(uint64_t seed) : random(seed), disk(seed) {
    network.Listen(kRemoteHostPort,
                   [this](const ServedRequest&) { return ScriptedReply::Text(status, "words"); });
  }

  struct Process {
    explicit Process(DiskWorld& world) : io(world.loop) {
      auto opened = DiskLog::Open({world.loop, world.disk, io, world.logger},
                                  {.path = "/log",
                                   .segment_bytes = 1024,
                                   .retention_bytes = 5 << 10,
                                   .retention_time = std::chrono::hours(24)});
      REQUIRE(opened);
      log.emplace(world.loop, SampleLogOptions{.memory_bytes = 20 << 10, .window_bytes = 1 << 10},
                  std::move(*opened));
      for (const char* name : {"all", "floats"}) {
        RemoteWriteConfig config = RemoteWorld::RemoteConfig();
        config.identity = config.name = name;
        config.queue.capacity = 100;
        config.queue.max_backoff = seconds(1);
        config.send_exemplars = config.send_native_histograms = std::string(name) == "all";
        queues.push_back(std::make_unique<RemoteQueue>(
            RemoteEnvironment{world.loop, world.transport, world.files, *log, world.metadata,
                              world.logger, [] { return uint64_t{50}; }},
            RemoteWorld::Spec(config)));
      }
    }
    SimWorkQueue io;
    std::optional<SampleLog> log;
    std::vector<std::unique_ptr<RemoteQueue>> queues;
  };

  void Append() {
    const uint64_t target = random() % 3;
    if (groups.size() <= target) groups.resize(target + 1);
    if (groups[target] == nullptr) groups[target] = MakeGroup(target + 1, 1, 1 + random() % 30);
    const TimestampMs now = loop.WallMs();
    GroupSamples samples;
    samples.group = groups[target];
    samples.timestamp = now;
    const size_t series = samples.group->series();
    samples.present = {(uint64_t{1} << series) - 1};
    samples.values.assign(series, 1);
    if (random() % 3 == 0) {
      samples.irregular = std::make_shared<const IrregularSamples>(IrregularSamples{
          {RemoteWorld::HistogramOf(0, now, 1)}, {RemoteWorld::ExemplarOf(0, now, 3)}});
    }
    Commit commit;
    commit.target_key = target + 1;
    commit.groups.push_back(std::move(samples));
    process->log->Append(std::move(commit));
  }
  void DamageSomething() {
    for (const std::string& path : disk.Paths()) {
      if (!path.ends_with(".seg") || random() % 2 == 0) continue;
      std::string* content = disk.Content(path);
      if (content->size() > 100) (*content)[64 + random() % (content->size() - 64)] ^= 0x55;
    }
  }
  void Check() {
    for (const auto& queue : process->queues) {
      const RemoteLedger ledger = queue->ledger();
      INFO(queue->config().name);
      REQUIRE(ledger.in().samples == ledger.out().samples);
      CHECK(ledger.in().histograms == ledger.out().histograms);
      CHECK(ledger.in().exemplars == ledger.out().exemplars);
    }
  }

  std::mt19937_64 random;
  SimLoop loop;
  SimNetwork network{1};
  SimTransport transport{network, loop, "agent"};
  SimFileSystem files;
  SimDisk disk;
  Logger logger = Logger::Silent();
  MetadataPool metadata;
  std::vector<GroupRef> groups;
  int status = 204;
  std::optional<Process> process;
};

TEST_CASE("remote ledger: balances through failures, full disks, damage and restarts") {
  constexpr int kSeeds = 100;
  const auto seed = GENERATE(range(1, kSeeds + 1));
  INFO("seed " << seed);
  DiskWorld world(static_cast<uint64_t>(seed));
  world.process.emplace(world);
  uint64_t recovered = 0, dropped_segments = 0, damaged_bytes = 0;
  for (int step = 0; step < 600; step++) {
    const uint64_t what = world.random() % 24;
    INFO("step " << step << " what " << what);
    switch (what) {
      case 0:
        world.status = world.random() % 3 == 0 ? 400 : world.random() % 2 == 0 ? 503 : 204;
        break;
      case 1:
        world.disk.Fail(world.random() % 2 == 0 ? SimDisk::kWrite | SimDisk::kSync : 0,
                        "I/O error");
        break;
      case 2:
        if (world.random() % 4 == 0) {
          world.disk.Fail(0, "");
          dropped_segments += world.process->log->disk()->stats().segments_dropped;
          world.process.reset();
          if (world.random() % 2 == 0) world.disk.LosePower();
          if (world.random() % 2 == 0) world.DamageSomething();
          world.groups.clear();
          world.process.emplace(world);
          recovered += world.process->queues[0]->ledger().recovered.total();
          damaged_bytes += world.process->log->disk()->stats().damaged_bytes;
        }
        break;
      case 3:
        world.loop.RunFor(milliseconds(world.random() % 3000));
        break;
      default:
        world.Append();
        world.loop.RunFor(milliseconds(world.random() % 200));
    }
    world.Check();
  }
  world.status = 204;
  world.disk.Fail(0, "");
  world.loop.RunFor(seconds(60));
  world.Check();
  for (const auto& queue : world.process->queues) {
    CHECK(queue->ledger().pending == SampleCounts{});
    CHECK(queue->ledger().unread == SampleCounts{});
  }
  CHECK(recovered > 0);
  // All that was to be tried has happened in one of them.
  static uint64_t all_dropped = 0, all_damaged = 0;
  all_dropped += dropped_segments;
  all_damaged += damaged_bytes;
  if (seed == kSeeds) {
    CHECK(all_dropped > 0);
    CHECK(all_damaged > 0);
  }
}

}  // namespace
}  // namespace tributary
