// Requests that are filled from compiled frames (agent/frame): the same random worlds with frames
// and without tell a receiver the same.
#include <algorithm>
#include <bit>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "agent/remote/remote_queue.h"
#include "agent/telemetry/metric_page.h"
#include "test/support/catch.h"
#include "test/support/strict_write_request.h"
#include "test/unit/agent/remote/remote_world.h"

namespace tributary {
namespace {

using std::chrono::minutes;

constexpr int kWorlds = 60;

// Kind, time, value (its bits, or what stands for it).
using Entry = std::tuple<char, TimestampMs, std::string>;

std::string TextOf(const Labels& labels) {
  std::string text;
  for (const Label& label : labels) text += label.name + "=" + label.value + ",";
  return text;
}

// What a receiver learns from one request: by series, in the order of the request.
struct Told {
  MonotonicTime time;
  int status = 0;
  std::map<std::string, std::vector<Entry>> series;
  bool operator==(const Told&) const = default;
};

Told ToldBy(const RemoteWorld::Received& request) {
  Told told{request.time, request.status, {}};
  const DecodedRequest& decoded = request.decoded;
  for (const DecodedSample& sample : decoded.samples) {
    // Minus zero is sent as zero.
    const double value = sample.value == 0 ? 0 : sample.value;
    const DecodedMetadata& metadata = sample.metadata;
    told.series[TextOf(sample.labels)].emplace_back(
        'f', sample.timestamp,
        fmt::format("{:x} {} {} {} {}", std::bit_cast<uint64_t>(value), sample.start, metadata.type,
                    metadata.help, metadata.unit));
  }
  for (const DecodedHistogram& sample : decoded.histograms) {
    told.series[TextOf(sample.labels)].emplace_back('h', sample.timestamp,
                                                    fmt::format("{}", sample.histogram.count));
  }
  for (const DecodedExemplar& sample : decoded.exemplars) {
    told.series[TextOf(sample.labels)].emplace_back(
        'x', sample.timestamp, TextOf(sample.own_labels) + fmt::format("{}", sample.value));
  }
  return told;
}

struct Outcome {
  std::vector<Told> told;
  std::string books;
  uint64_t framed[2] = {};  // by 1.0, by 2.0
};

std::string BooksOf(const RemoteQueue& queue) {
  auto text = [](const SampleCounts& counts) {
    return fmt::format("{}/{}/{} ", counts.samples, counts.histograms, counts.exemplars);
  };
  const RemoteQueueStats& stats = queue.stats();
  std::string books = text(stats.read) + text(stats.unwanted) + text(stats.sent) +
                      text(stats.failed) + text(stats.retried) + text(queue.pending());
  for (const auto& [reason, name] : kDropReasonNames) books += text(stats.dropped[reason]);
  return books + fmt::format("{} {} {} {}", stats.requests, stats.splits, stats.split_requests,
                             stats.probes);
}

// One target after the other is scraped, by chance in all the ways that there are.
class RandomScrapes : public RemoteWorld {
 public:
  RandomScrapes(uint64_t seed, bool has_frames) : RemoteWorld({}, has_frames), random_(seed) {
    config_ = RemoteConfig();
    config_.queue.capacity = 10'000;
    config_.send_exemplars = config_.send_native_histograms = true;
    RandomSettings();
    for (uint64_t key = 1; key <= 1 + Below(3); key++) {
      targets_.push_back({key, 1, {}, Below(3) == 0});
      NewGeneration(targets_.back());
    }
    answer = [this](const Received& request) {
      const std::string body = request.served.body;
      CHECK(ReadStrictly(body, request.decoded.is_v2).error == "");
      return AnswerTo(request.decoded);
    };
  }

  Outcome Run() {
    const auto queue = MakeQueue(config_, external_);
    loop.RunFor(seconds(1));
    for (int step = 0; step < 40; step++) {
      if (OneIn(12)) trouble_ = static_cast<int>(Below(4));
      if (OneIn(15)) {
        NoteFramed(*queue);
        RandomSettings();
        queue->Reconfigure(Spec(config_, external_));
      }
      for (Target& target : targets_) Scrape(target);
      loop.RunFor(milliseconds(500 + 500 * Below(30)));
      CHECK(Balances(*queue));
    }
    trouble_ = 0;
    bool drained = false;
    queue->Drain([&] { drained = true; });
    loop.RunFor(minutes(30));
    CHECK(drained);
    CHECK(Balances(*queue));
    NoteFramed(*queue);
    Outcome outcome{{}, BooksOf(*queue), {framed_[0], framed_[1]}};
    for (const Received& request : received) outcome.told.push_back(ToldBy(request));
    return outcome;
  }

 private:
  struct Target {
    uint64_t key;
    uint32_t generation;
    std::vector<GroupRef> groups;
    bool has_own;
    bool has_irregular = false;
    bool has_constants = false;
    std::vector<std::shared_ptr<const StartTimes>> starts = {};  // by group
    std::vector<std::shared_ptr<const SeriesMetadata>> metadata = {};
  };

  void NoteFramed(const RemoteQueue& queue) {
    const uint64_t before = framed_[0] + framed_[1];
    framed_[config_.message == RemoteWriteMessage::kV1 ? 0 : 1] += queue.stats().framed - before;
  }

  uint64_t Below(uint64_t n) { return random_() % n; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

  void RandomSettings() {
    const uint64_t sizes[] = {3, 10, 64, 200, 500, 2000};
    config_.queue.max_samples_per_send = sizes[Below(6)];
    config_.queue.max_shards = 1 + Below(3);
    config_.queue.min_shards = config_.queue.max_shards;
    config_.queue.sample_age_limit = OneIn(3) ? seconds(20) : seconds(0);
    config_.queue.retry_on_http_429 = true;
    config_.queue.max_backoff = seconds(5);
    config_.errors = OneIn(2) ? RemoteErrorsConfig{} : RemoteErrorsConfig::Off();
    config_.errors.dead_letter_size = 0;
    config_.message = OneIn(2) ? RemoteWriteMessage::kV2 : RemoteWriteMessage::kV1;
    external_ = OneIn(2) ? Labels() : Labels{{"zone", "z"}, {"g", "external"}};
    config_.write_relabel_configs.clear();
    if (OneIn(3)) {
      RelabelConfig drop;
      drop.source_labels = {"i"};
      drop.regex = OneIn(2) ? ".*3" : "1.*";
      drop.action = RelabelAction::kDrop;
      config_.write_relabel_configs = {drop};
    }
  }

  void NewGeneration(Target& target) {
    target.groups.clear();
    target.generation++;
    for (uint64_t g = 0; g <= Below(2); g++) {
      Labels beside{{"g", fmt::format("{}-{}", target.key, g)}};
      if (OneIn(2)) beside.Set("pod", std::string(Below(40), 'p') + std::to_string(Below(5)));
      const uint64_t series = OneIn(3) ? 1 + Below(3) : 1 + Below(300);
      target.groups.push_back(MakeGroup(target.key, target.generation, series, beside));
    }
    target.has_irregular = OneIn(3);
    target.starts.assign(target.groups.size(), nullptr);
    target.metadata.assign(target.groups.size(), nullptr);
    target.has_constants = OneIn(2);
  }

  // What is known of series changes now and then.
  void ChangeConstants(Target& target, size_t g) {
    const size_t series = target.groups[g]->series();
    StartTimes starts;
    std::vector<FamilyRef> families;
    const FamilyRef one = Family(), other = Family();
    for (size_t i = 0; i < series; i++) {
      starts.push_back(OneIn(3) ? 0 : loop.WallMs() - 100);
      families.push_back(OneIn(5) ? nullptr : OneIn(2) ? one : other);
    }
    if (OneIn(2)) target.starts[g] = std::make_shared<const StartTimes>(std::move(starts));
    if (OneIn(2)) target.metadata[g] = std::make_shared<const SeriesMetadata>(families);
  }

  FamilyRef Family() {
    return std::make_shared<const FamilyMetadata>(
        FamilyMetadata{"m", OneIn(2) ? MetricType::kGauge : MetricType::kCounter,
                       fmt::format("help {}", Below(1'000'000)), OneIn(2) ? "" : "bytes"});
  }

  void Scrape(Target& target) {
    if (OneIn(25)) NewGeneration(target);
    if (OneIn(10)) target.has_own = !target.has_own;
    std::vector<GroupSamples> commit;
    for (size_t g = 0; g < target.groups.size(); g++) {
      if (target.has_constants && OneIn(8)) ChangeConstants(target, g);
      GroupSamples samples = Samples(target, target.groups[g]);
      samples.starts = target.starts[g];
      samples.metadata = target.metadata[g];
      if (!samples.empty()) commit.push_back(std::move(samples));
    }
    if (!commit.empty()) Append(std::move(commit));
  }

  GroupSamples Samples(const Target& target, const GroupRef& group) {
    const TimestampMs now = loop.WallMs();
    GroupSamples samples;
    samples.group = group;
    samples.timestamp = now;
    samples.present.resize((group->series() + 63) / 64);
    const uint64_t gaps = OneIn(3) ? 1 + Below(20) : 0;
    const bool ends = OneIn(20);
    IrregularSamples irregular;
    for (uint32_t i = 0; i < group->series(); i++) {
      // One that comes and goes, and now and then any other.
      if (i == 7 ? OneIn(2) : gaps > 0 && OneIn(gaps)) continue;
      const double value = ends || OneIn(200) ? StaleNan() : OneIn(10) ? 0.0 : next_value++;
      if (target.has_own && !OneIn(8)) {
        samples.own.push_back({i, OwnTime(now), value});
        if (OneIn(15)) samples.own.push_back({i, OwnTime(now), next_value++});
        if (!OneIn(20)) continue;
      }
      samples.present[i / 64] |= uint64_t{1} << (i % 64);
      samples.values.push_back(value);
      if (target.has_irregular && OneIn(9)) AddIrregular(i, now, irregular);
    }
    if (!irregular.histograms.empty() || !irregular.exemplars.empty()) {
      samples.irregular = std::make_shared<const IrregularSamples>(std::move(irregular));
    }
    return samples;
  }

  TimestampMs OwnTime(TimestampMs now) {
    if (OneIn(60)) return TimestampMs{1} << 43;
    return now - 20'000 + static_cast<TimestampMs>(Below(30'000));
  }

  void AddIrregular(uint32_t i, TimestampMs now, IrregularSamples& irregular) {
    if (OneIn(2)) irregular.exemplars.push_back(ExemplarOf(i, now - Below(1000), next_value++));
    if (OneIn(2)) irregular.histograms.push_back(HistogramOf(i, now, 1 + Below(9)));
  }

  // Depends on what is in the request, not on where in it, as the order of series is no promise.
  ScriptedReply AnswerTo(const DecodedRequest& request) {
    requests_++;
    if (trouble_ == 1 && requests_ % 3 != 0) return ScriptedReply::Text(500, "later");
    if (trouble_ == 2 && requests_ % 2 != 0) return ScriptedReply::Text(429, "too many");
    const bool is_bad =
        std::any_of(request.samples.begin(), request.samples.end(),
                    [](const DecodedSample& sample) { return sample.labels.Get("i") == "5"; });
    if (trouble_ == 3 && is_bad) return ScriptedReply::Text(400, "out of order sample");
    return ScriptedReply::Text(204, "");
  }

  std::mt19937_64 random_;
  RemoteWriteConfig config_;
  Labels external_;
  std::vector<Target> targets_;
  int trouble_ = 0;
  uint64_t framed_[2] = {};
  uint64_t requests_ = 0;
};

TEST_CASE("remote frames: random worlds with frames and without tell a receiver the same") {
  uint64_t framed[2] = {}, all = 0;
  for (int number = 0; number < kWorlds; number++) {
    const uint64_t seed = Catch::rngSeed() * 1'000'003ull + static_cast<uint64_t>(number);
    INFO("world " << number << " of seed " << Catch::rngSeed());
    const Outcome with = RandomScrapes(seed, true).Run();
    const Outcome without = RandomScrapes(seed, false).Run();
    CHECK(without.framed[0] + without.framed[1] == 0);
    CHECK(with.books == without.books);
    REQUIRE(with.told.size() == without.told.size());
    for (size_t i = 0; i < with.told.size(); i++) {
      INFO("request " << i << " of " << with.told.size());
      REQUIRE((with.told[i] == without.told[i]));
      for (const auto& [series, entries] : with.told[i].series) all += entries.size();
    }
    framed[0] += with.framed[0];
    framed[1] += with.framed[1];
  }
  // It is frames that are tested.
  CHECK(framed[0] > all / 20);
  CHECK(framed[1] > all / 100);
}

// A queue of one target with so many hundred series, scraped every 10 s.
struct SteadyWorld : RemoteWorld {
  explicit SteadyWorld(size_t hundreds) {
    for (size_t i = 0; i < hundreds; i += 4) {
      const size_t series = 100 * std::min<size_t>(4, hundreds - i);
      groups.push_back(MakeGroup(1, 1, series, Labels{{"job", fmt::format("j{}", i)}}));
    }
    config.queue.max_samples_per_send = 2000;
    config.queue.capacity = 10'000;
  }
  std::vector<GroupSamples> Page() {
    std::vector<GroupSamples> page;
    for (const GroupRef& group : groups) page.push_back(SamplesOf(group, loop.WallMs()));
    return page;
  }
  void Scrape() {
    Append(Page());
    loop.RunFor(seconds(10));
  }
  double Memory(const RemoteQueue& queue, const std::string& part) {
    MetricPage page;
    queue.Collect(page);
    const std::string text = page.Text();
    const std::string name = "tributary_memory_bytes{part=\"" + part + "\"} ";
    const size_t at = text.find(name);
    REQUIRE(at != std::string::npos);
    return std::stod(text.substr(at + name.size()));
  }

  RemoteWriteConfig config = RemoteConfig();
  std::vector<GroupRef> groups;
};

TEST_CASE("remote frames: from the third scrape on all samples come by frames") {
  SteadyWorld world(11);
  if (GENERATE(false, true)) world.config.message = RemoteWriteMessage::kV2;
  const auto queue = world.MakeQueue(world.config);
  world.Scrape();
  world.Scrape();
  CHECK(queue->stats().framed == 0);
  CHECK(world.frames.waiting() == 0);
  for (uint64_t scrape = 1; scrape <= 3; scrape++) {
    world.Scrape();
    CHECK(queue->stats().framed == scrape * 1'100);
  }
  CHECK(world.accepted().size() == 5 * 1'100);
  // Nothing wakes the loop but what did before.
  const uint64_t before = world.loop.callbacks_run();
  world.loop.RunFor(seconds(10));
  CHECK(world.loop.callbacks_run() - before <= 2);
}

TEST_CASE("remote frames: of 2.0, a target's series share requests with no other target's") {
  SteadyWorld world(25);
  world.config.message = RemoteWriteMessage::kV2;
  world.groups.push_back(MakeGroup(2, 1, 200, Labels{{"job", "other"}}));
  world.groups.push_back(MakeGroup(3, 1, 50, Labels{{"job", "small"}}));
  world.groups.push_back(MakeGroup(4, 1, 49, Labels{{"job", "small as well"}}));
  const auto queue = world.MakeQueue(world.config);
  for (int i = 0; i < 2; i++) world.Scrape();
  world.received.clear();
  world.Scrape();
  std::vector<size_t> sizes;
  for (const RemoteWorld::Received& request : world.received) {
    sizes.push_back(request.decoded.samples.size());
  }
  CHECK(sizes == std::vector<size_t>{2'000, 500, 299});
  // The small ones go by the general path.
  CHECK(queue->stats().framed == 2'500);
}

TEST_CASE("remote frames: of 2.0, symbols that nobody needs any more do not pile up") {
  SteadyWorld world(4);
  world.config.message = RemoteWriteMessage::kV2;
  world.config.queue.max_samples_per_send = 1'000;
  const auto queue = world.MakeQueue(world.config);
  double most = 0;
  for (int change = 0; change < 40; change++) {
    std::vector<FamilyRef> families;
    for (int i = 0; i < 400; i++) {
      families.push_back(std::make_shared<const FamilyMetadata>(
          FamilyMetadata{"m", MetricType::kGauge, fmt::format("help {} of {}", change, i), ""}));
    }
    const auto metadata = std::make_shared<const SeriesMetadata>(families);
    for (int i = 0; i < 4; i++) {
      std::vector<GroupSamples> page = world.Page();
      page[0].metadata = metadata;
      // A series that is never there must not matter.
      page[0].present[0] &= ~uint64_t{1};
      page[0].values.erase(page[0].values.begin());
      world.Append(std::move(page));
      world.loop.RunFor(seconds(10));
    }
    most = std::max(most, world.Memory(*queue, "frames"));
    CHECK(world.accepted().back().metadata.help == fmt::format("help {} of 399", change));
  }
  CHECK(queue->stats().framed > 40 * 399);
  CHECK(most < 120'000);
}

TEST_CASE("remote frames: labels are kept once, in the frame where it has them all") {
  SteadyWorld world(10);
  const auto queue = world.MakeQueue(world.config);
  world.Scrape();
  CHECK(world.Memory(*queue, "frames") == 0);
  const double labels = world.Memory(*queue, "queues");
  for (int i = 0; i < 3; i++) world.Scrape();
  CHECK(world.Memory(*queue, "frames") > 10 * 1'000);
  const double fixed = world.Memory(*queue, "queues");
  CHECK(fixed < labels);
  // A series that is gone leaves the frame, and what is known of its labels remains.
  for (int i = 0; i < 4; i++) {
    std::vector<GroupSamples> page = world.Page();
    page[1].present[5] &= ~uint64_t{1};
    page[1].values.erase(page[1].values.begin() + 320);
    world.Append(std::move(page));
    world.loop.RunFor(seconds(10));
  }
  CHECK(world.Memory(*queue, "queues") > fixed);
  world.received.clear();
  world.Scrape();
  REQUIRE(world.accepted().size() == 1'000);
  const std::vector<DecodedSample> samples = world.accepted();
  CHECK(std::any_of(samples.begin(), samples.end(), [](const DecodedSample& sample) {
    return sample.labels.Get("i") == "320" && sample.labels.Get("job") == "j4";
  }));
  for (int i = 0; i < 3; i++) world.Scrape();
  CHECK(world.Memory(*queue, "queues") == fixed);
}

TEST_CASE("remote frames: what is compiled for a queue that is gone is dropped") {
  SteadyWorld world(20);
  auto queue = world.MakeQueue(world.config);
  world.Append(world.Page());
  world.loop.RunFor(seconds(2));
  world.Append(world.Page());
  CHECK(world.loop.RunUntil([&] { return world.frames.waiting() > 3; }, seconds(5)));
  SECTION("destroyed") {
    queue.reset();
    world.loop.RunFor(seconds(1));
  }
  SECTION("under other rules") {
    world.config.headers["X-Other"] = "1";
    queue->Reconfigure(RemoteWorld::Spec(world.config, Labels{{"zone", "z"}}));
    world.loop.RunFor(seconds(10));
    for (int i = 0; i < 4; i++) world.Scrape();
    CHECK(queue->stats().framed >= 2 * 2'000);
    CHECK(world.accepted().back().labels.Get("zone") == "z");
  }
  CHECK(world.frames.waiting() == 0);
}

}  // namespace
}  // namespace tributary
