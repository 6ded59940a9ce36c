// What becomes of errors that are no refusal of samples: credentials, the protocol, too many
// series, and what may have been delivered before a crash.
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "agent/log/disk_log.h"
#include "agent/remote/credential_watch.h"
#include "agent/remote/remote_queue.h"
#include "common/wire/remote_write.h"
#include "test/support/catch.h"
#include "test/support/sim/sim_disk.h"
#include "test/support/sim/sim_work_queue.h"
#include "test/unit/agent/remote/remote_world.h"

namespace tributary {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

std::vector<double> GapsOf(const RemoteWorld& world) {
  std::vector<double> gaps;
  for (size_t i = 1; i < world.received.size(); i++) {
    const nanoseconds gap = world.received[i].time - world.received[i - 1].time;
    gaps.push_back(std::chrono::duration<double>(gap).count());
  }
  return gaps;
}

struct ErrorsWorld : RemoteWorld {
  ErrorsWorld() { config.errors = {}; }
  RemoteWriteConfig config = RemoteConfig();
};

TEST_CASE("errors: 401 and 403 are kept and tried again, from 2 s doubling to a minute") {
  const int status = GENERATE(401, 403);
  ErrorsWorld world;
  world.Answer(status, {}, "who are you?");
  const auto queue = world.MakeQueue(world.config);
  world.Append(MakeGroup(1, 1, 10));
  world.loop.RunFor(minutes(5));
  const std::vector<double> gaps = GapsOf(world);
  const std::vector<double> expected = {2, 4, 8, 16, 32, 60, 60, 60};
  REQUIRE(gaps.size() >= expected.size());
  for (size_t i = 0; i < expected.size(); i++) CHECK(gaps[i] == Approx(expected[i]).margin(0.05));
  CHECK(world.received.back().served.Header("Retry-Attempt") ==
        std::to_string(world.received.size() - 1));
  CHECK(queue->pending().samples == 10);
  CHECK(queue->stats().failed.samples == 0);
  CHECK(queue->stats().credential_waits == world.received.size());
  CHECK(Balances(*queue));
  world.Answer(204);
  world.loop.RunFor(minutes(1));
  CHECK(world.accepted().size() == 10);
  // Another refusal begins with 2 s again.
  world.Answer(status);
  world.received.clear();
  world.Append(MakeGroup(1, 1, 10));
  world.loop.RunFor(seconds(4));
  CHECK(world.received.size() == 2);
}

TEST_CASE("errors: after a 401 other failures have pauses of their own") {
  ErrorsWorld world;
  world.answer = [&](const RemoteWorld::Received&) {
    return ScriptedReply::Text(world.received.empty() ? 401 : 503, "");
  };
  const auto queue = world.MakeQueue(world.config);
  world.Append(MakeGroup(1, 1, 10));
  world.loop.RunFor(minutes(1));
  CHECK(world.received.size() > 10);
  CHECK(world.received.size() < 30);  // 30 ms, doubled up to 5 s
}

TEST_CASE("errors: without retry_auth_errors 401 and 403 are dropped, as in Prometheus") {
  const int status = GENERATE(401, 403);
  ErrorsWorld world;
  world.config.errors.retry_auth_errors = false;
  world.Answer(status);
  const auto queue = world.MakeQueue(world.config);
  world.Append(MakeGroup(1, 1, 10));
  world.loop.RunFor(minutes(5));
  CHECK(world.received.size() == 1);
  CHECK(queue->stats().failed.samples == 10);
}

TEST_CASE("errors: what waits for credentials goes at once when their file changes") {
  ErrorsWorld world;
  world.config.http.authorization = Authorization{"Bearer", {}, "/secrets/token"};
  world.files.WriteFile("/secrets/token", "old-token");
  const bool notified = GENERATE(true, false);
  world.files.LoseNotifications(!notified);
  world.answer = [](const RemoteWorld::Received& request) {
    const bool good = request.served.Header("Authorization") == "Bearer new-token";
    return ScriptedReply::Text(good ? 204 : 401, "token old-token is no good");
  };
  const auto queue = world.MakeQueue(world.config);
  world.Append(MakeGroup(1, 1, 10));
  world.loop.RunFor(seconds(150));  // the next attempt would be half a minute later
  const size_t before = world.received.size();
  // Another file there, or the same content, is no change.
  world.files.WriteFile("/secrets/other", "x");
  world.files.WriteFile("/secrets/token", "old-token");
  world.loop.RunFor(seconds(3));
  CHECK(world.received.size() == before);
  world.files.WriteFile("/secrets/token", "new-token");
  world.loop.RunFor(notified ? milliseconds(200) : milliseconds(2100));
  CHECK(world.received.size() == before + 1);
  CHECK(world.accepted().size() == 10);
  CHECK(queue->stats().sent.samples == 10);
}

TEST_CASE("errors: the files of credentials are all that a remote may use") {
  RemoteWriteConfig config;
  CHECK(CredentialFiles(config).empty());
  config.http.basic_auth = BasicAuth{"", "/user", {}, "/password"};
  config.http.tls.cert_file = "/cert";
  config.http.tls.key_file = "/key";
  config.http.http_headers["X-Key"].files = {"/header", "/key"};
  config.http.oauth2.emplace().client_secret_file = "/client";
  CHECK(CredentialFiles(config) ==
        std::vector<std::string>{"/cert", "/client", "/header", "/key", "/password", "/user"});
}

struct EchoWorld : ErrorsWorld {
  // What is said of a request that is answered with this.
  std::string MessageOf(const std::string& words) {
    Answer(400, {}, words);
    RemoteClient client(loop, transport, files, std::make_shared<const RemoteWriteConfig>(config));
    std::string message;
    WriteRequestBuilder body;
    body.AddSample(EncodeLabels(Labels{{"__name__", "m"}}), 1, 1700000000000);
    client.Send(std::make_shared<const std::string>(body.Finish()), 0,
                [&](const SendOutcome& outcome) { message = outcome.message; });
    loop.RunFor(seconds(5));
    return message;
  }
};

TEST_CASE("errors: a receiver's words do not show the secrets that it repeats") {
  EchoWorld world;
  world.config.http.basic_auth = BasicAuth{"me", "", {"hunter2hunter2"}, ""};
  CHECK(world.MessageOf("bad: hunter2hunter2 and bWU6aHVudGVyMmh1bnRlcjI=") ==
        "the receiver answered 400: bad: <secret> and <secret>");
}

TEST_CASE("errors: nor the token that an oauth2 server gave") {
  EchoWorld world;
  world.network.Listen("token.test:80", [](const ServedRequest&) {
    ScriptedReply reply = ScriptedReply::Text(200, R"({"access_token": "fetched-token"})");
    reply.headers.push_back({"Content-Type", "application/json"});
    return reply;
  });
  Oauth2Config& oauth2 = world.config.http.oauth2.emplace();
  oauth2.client_id = "me";
  oauth2.client_secret = {"hunter2"};
  oauth2.token_url = "http://token.test/token";
  CHECK(world.MessageOf("no such token: Bearer fetched-token") ==
        "the receiver answered 400: no such token: Bearer <secret>");
}

TEST_CASE("errors: protobuf_message auto falls back to 1.0 when the receiver does not know 2.0") {
  ErrorsWorld world;
  world.config.message = RemoteWriteMessage::kV2;
  world.config.falls_back_to_v1 = true;
  world.config.send_native_histograms = true;
  world.says_written = false;
  const int status = GENERATE(415, 204);  // the other says not what it has written
  world.answer = [&](const RemoteWorld::Received& request) {
    return ScriptedReply::Text(request.decoded.is_v2 ? status : 204, "what is this?");
  };
  const auto queue = world.MakeQueue(world.config);
  GroupSamples samples = world.SamplesOf(MakeGroup(1, 1, 5), world.loop.WallMs());
  IrregularSamples irregular;
  irregular.histograms.push_back(RemoteWorld::HistogramOf(1, samples.timestamp + 1, 3));
  irregular.histograms.push_back(RemoteWorld::HistogramOf(2, samples.timestamp + 1, 3));
  irregular.histograms.back().custom_buckets = true;
  samples.irregular = std::make_shared<const IrregularSamples>(irregular);
  world.Append({samples});
  world.loop.RunFor(seconds(5));
  REQUIRE(world.received.size() == 2);
  CHECK(world.received[0].decoded.is_v2);
  CHECK_FALSE(world.received[1].decoded.is_v2);
  CHECK(world.received[1].decoded.samples.size() == 5);
  CHECK(world.received[1].decoded.histograms.size() == 1);
  CHECK(queue->stats().sent == SampleCounts{5, 1, 0});
  CHECK(queue->stats().dropped[DropReason::kCustomBuckets].histograms == 1);
  CHECK(queue->stats().fallbacks == 1);
  CHECK(Balances(*queue));
  // It stays with it, and an entry that did not change does not begin anew.
  CHECK(queue->Serves(RemoteWorld::Spec(world.config)));
  world.Append(MakeGroup(1, 1, 5));
  world.loop.RunFor(seconds(5));
  CHECK(world.received.size() == 3);
  CHECK_FALSE(world.received[2].decoded.is_v2);
}

TEST_CASE("errors: without auto a 415 is dropped, as in Prometheus") {
  ErrorsWorld world;
  world.config.message = GENERATE(RemoteWriteMessage::kV1, RemoteWriteMessage::kV2);
  world.Answer(415);
  const auto queue = world.MakeQueue(world.config);
  world.Append(MakeGroup(1, 1, 5));
  world.loop.RunFor(minutes(5));
  CHECK(world.received.size() == 1);
  CHECK(queue->stats().failed.samples == 5);
}

// A receiver that has room for the series that it knows, and answers 429 to requests with others.
struct FullWorld : ErrorsWorld {
  FullWorld() {
    config.queue.retry_on_http_429 = true;
    config.queue.max_samples_per_send = 100;
    answer = [this](const Received& request) {
      bool good = true;
      for (const DecodedSample& sample : request.decoded.samples) {
        good &= known.count(sample.labels) > 0;
      }
      // It takes what it can.
      return ScriptedReply::Text(good ? 204 : 429, "per-user series limit of 100 exceeded");
    };
  }
  void Know(const GroupRef& group, size_t from, size_t to) {
    std::string buffer;
    const auto packed = group->Packed(buffer);
    for (size_t i = from; i < to; i++) known.insert(UnpackLabels(packed[i]));
  }
  struct Less {
    bool operator()(const Labels& a, const Labels& b) const {
      return EncodeLabels(a) < EncodeLabels(b);
    }
  };
  std::set<Labels, Less> known;
};

TEST_CASE("errors: too many series: others are not blocked, new series are dropped in the end") {
  FullWorld world;
  const GroupRef old = MakeGroup(1, 1, 50), fresh = MakeGroup(2, 1, 5, Labels{{"new", "1"}});
  world.Know(old, 0, 50);
  const auto queue = world.MakeQueue(world.config);
  world.Append(fresh);
  world.loop.RunFor(seconds(2));
  for (int i = 0; i < 40; i++) {
    world.Append(old);
    world.loop.RunFor(seconds(15));
    REQUIRE(Balances(*queue));
  }
  // 10 minutes with one shard: all of the others came through.
  CHECK(queue->stats().sent.samples == 40 * 50);
  CHECK(queue->stats().failed.samples == 5);
  CHECK(queue->stats().parked >= 1);
  CHECK(queue->pending().samples == 0);
}

TEST_CASE("errors: too many series: what the receiver knows of the same request is delivered") {
  FullWorld world;
  const GroupRef group = MakeGroup(1, 1, 50);
  world.Know(group, 0, 47);
  const auto queue = world.MakeQueue(world.config);
  world.Append(group);
  world.loop.RunFor(minutes(3));
  CHECK(queue->stats().sent.samples == 47);
  CHECK(queue->stats().failed.samples == 0);
  CHECK(queue->pending().samples == 3);
  // With nobody else to tell, the rest is given up after ten minutes, and later samples follow.
  world.Append(group);
  world.loop.RunFor(minutes(30));
  CHECK(queue->pending().samples == 0);
  CHECK(queue->stats().sent.samples == 2 * 47);
  CHECK(queue->stats().failed.samples == 2 * 3);
  CHECK(Balances(*queue));
}

TEST_CASE("errors: a 429 that means 'too fast' loses nothing, however long it lasts") {
  FullWorld world;
  const bool passes_some = GENERATE(true, false);
  int count = 0;
  bool over = false;
  world.answer = [&](const RemoteWorld::Received&) {
    const bool passes = over || (passes_some && ++count % 4 == 0);
    return ScriptedReply::Text(passes ? 204 : 429, "slow down");
  };
  world.config.queue.min_shards = world.config.queue.max_shards = 3;
  const auto queue = world.MakeQueue(world.config);
  for (int i = 0; i < 100; i++) {
    world.Append(MakeGroup(1, 1, 50));
    world.Append(MakeGroup(2, 1, 50));
    world.loop.RunFor(seconds(10));
    REQUIRE(Balances(*queue));
  }
  over = true;
  world.loop.RunFor(minutes(5));
  CHECK(queue->stats().failed.samples == 0);
  CHECK(queue->stats().sent.samples == 100 * 100);
  CHECK(world.accepted().size() == 100 * 100);
}

TEST_CASE("errors: without split_too_many_series a 429 is retried for ever, as in Prometheus") {
  FullWorld world;
  world.config.errors.split_too_many_series = false;
  const auto queue = world.MakeQueue(world.config);
  world.Append(MakeGroup(1, 1, 50));
  world.loop.RunFor(hours(1));
  for (const auto& request : world.received) CHECK(request.decoded.samples.size() == 50);
  CHECK(queue->pending().samples == 50);
  CHECK(queue->stats().parked == 0);
}

TEST_CASE("errors: without retry_on_http_429 a 429 is dropped, as in Prometheus") {
  FullWorld world;
  world.config.queue.retry_on_http_429 = false;
  const auto queue = world.MakeQueue(world.config);
  world.Append(MakeGroup(1, 1, 50));
  world.loop.RunFor(hours(1));
  CHECK(world.received.size() == 1);
  CHECK(queue->stats().failed.samples == 50);
}

// A process with a log on disk; steps are what happens until it dies.
void RunProcess(ErrorsWorld& world, SimDisk& disk,
                const std::function<void(SampleLog&, RemoteQueue&)>& steps) {
  SimWorkQueue work(world.loop);
  auto opened = DiskLog::Open({world.loop, disk, work, world.logger}, {.path = "/data/log"});
  REQUIRE(opened);
  SampleLog log(world.loop, {}, std::move(*opened));
  RemoteEnvironment environment{
      world.loop, world.transport, world.files, log, world.metadata, world.logger, [] {
        return uint64_t{50};
      }};
  RemoteQueue queue(environment, RemoteWorld::Spec(world.config));
  steps(log, queue);
}

void AppendTo(SampleLog& log, ErrorsWorld& world, const GroupRef& group) {
  Commit commit;
  commit.target_key = group->target_key();
  commit.groups = {world.SamplesOf(group, world.loop.WallMs())};
  log.Append(std::move(commit));
}

// The first process dies with requests under way, of which some have been stored. The store takes
// nothing of a request with a sample that is not later than the last of its series, as Prometheus
// does in remote write 1.0.
TEST_CASE("errors: what had not been delivered before a crash is, though what had is refused") {
  ErrorsWorld world;
  SimDisk disk;
  std::mt19937_64 random(GENERATE(range(1, 10)));
  world.config.identity = "name central";
  world.config.queue.max_shards = world.config.queue.min_shards = 4;
  world.config.queue.max_samples_per_send = 500;
  std::map<Labels, std::vector<std::pair<TimestampMs, double>>> stored;
  bool dies = true;
  world.answer = [&](const RemoteWorld::Received& request) {
    if (dies && random() % 4 == 0) return ScriptedReply::Broken(ScriptedReply::End::kHang);
    for (const DecodedSample& sample : request.decoded.samples) {
      const auto& of_series = stored[sample.labels];
      const std::pair point{sample.timestamp, sample.value};
      if (!of_series.empty() && point < of_series.back()) {
        return ScriptedReply::Text(400, "out of order");
      }
    }
    for (const DecodedSample& sample : request.decoded.samples) {
      auto& of_series = stored[sample.labels];
      const std::pair point{sample.timestamp, sample.value};
      if (of_series.empty() || point != of_series.back()) of_series.push_back(point);
    }
    const bool hangs = dies && random() % 3 == 0;
    return hangs ? ScriptedReply::Broken(ScriptedReply::End::kHang) : ScriptedReply::Text(204, "");
  };
  std::vector<GroupRef> groups;
  for (uint64_t i = 1; i <= 60; i++) groups.push_back(MakeGroup(i, 1, 1 + random() % 30));
  for (const GroupRef& group : groups) {
    groups[group->target_key() - 1] = MakeGroup(group->target_key(), 1, group->series(),
                                                {{"t", std::to_string(group->target_key())}});
  }
  RunProcess(world, disk, [&](SampleLog& log, RemoteQueue&) {
    for (int scrape = 0; scrape < 4; scrape++) {
      for (const GroupRef& group : groups) AppendTo(log, world, group);
      world.loop.RunFor(milliseconds(400));
    }
  });
  dies = false;
  RunProcess(world, disk, [&](SampleLog& log, RemoteQueue& queue) {
    world.loop.RunFor(seconds(1));
    for (const GroupRef& group : groups) AppendTo(log, world, group);
    world.loop.RunFor(seconds(60));
    CHECK(queue.pending().samples == 0);
    CHECK(queue.stats().failed.samples == 0);
    CHECK(Balances(queue));
  });
  size_t series = 0;
  for (const GroupRef& group : groups) series += group->series();
  CHECK(stored.size() == series);
  for (const auto& [labels, points] : stored) {
    CAPTURE(labels);
    CHECK(points.size() == 5);
  }
}

// Two processes with one log on disk; the first dies with a request under way.
TEST_CASE("errors: a 400 for what may have been delivered before a crash is no failure") {
  ErrorsWorld world;
  SimDisk disk;
  const bool counted = GENERATE(true, false);
  const bool splits = GENERATE(true, false);
  world.config.errors.count_maybe_duplicates = counted;
  world.config.errors.split_rejected = splits;
  world.config.identity = "name central";
  std::set<double> stored;
  bool hangs = true;
  world.answer = [&](const RemoteWorld::Received& request) {
    // Samples that it has already are out of order.
    for (const DecodedSample& sample : request.decoded.samples) {
      if (stored.count(sample.value) > 0) return ScriptedReply::Text(400, "out of order");
    }
    for (const DecodedSample& sample : request.decoded.samples) stored.insert(sample.value);
    return hangs ? ScriptedReply::Broken(ScriptedReply::End::kHang) : ScriptedReply::Text(204, "");
  };
  const GroupRef group = MakeGroup(1, 1, 10);
  auto append = [&](SampleLog& log) {
    AppendTo(log, world, group);
    world.loop.RunFor(seconds(3));
  };
  RunProcess(world, disk, [&](SampleLog& log, RemoteQueue&) { append(log); });
  CHECK(stored.size() == 10);
  hangs = false;
  RunProcess(world, disk, [&](SampleLog& log, RemoteQueue& queue) {
    world.loop.RunFor(seconds(1));
    append(log);
    world.loop.RunFor(seconds(10));
    CHECK(stored.size() == 20);
    CHECK(queue.stats().sent.samples == 10);
    CHECK(queue.stats().dropped[DropReason::kMaybeDuplicate].samples == (counted ? 10 : 0));
    CHECK(queue.stats().failed.samples == (counted ? 0 : 10));
    CHECK(Balances(queue));
    // None of these series is suspected for it.
    append(log);
    CHECK(queue.stats().sent.samples == 20);
  });
}

}  // namespace
}  // namespace tributary
