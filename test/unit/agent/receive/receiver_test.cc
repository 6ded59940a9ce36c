#include "agent/receive/receiver.h"

#include <limits>
#include <map>
#include <random>

#include "agent/telemetry/metric_page.h"
#include "common/wire/protobuf_writer.h"
#include "test/support/catch.h"
#include "test/unit/agent/receive/receive_rig.h"

namespace tributary {
namespace {

std::vector<Label> Series(const std::string& name, const std::string& job = "j",
                          const std::string& more = "") {
  std::vector<Label> labels{{"__name__", name}, {"instance", "i"}, {"job", job}};
  if (!more.empty()) labels.push_back({"more", more});
  return labels;
}

TEST_CASE("receiver: what is sent is in the log, with its labels and times") {
  SimLoop loop;
  ReceiveRig rig(loop);
  const TimestampMs t = rig.now();
  const bool is_v2 = GENERATE(false, true);
  const std::vector<SentSample> samples{{Series("b"), 1, t}, {Series("a"), StaleNan(), t}};
  const WriteAnswer answer = rig.Send(is_v2 ? V2Request(samples) : V1Request(samples));
  CHECK(answer.status == 204);
  CHECK(answer.tells_written == is_v2);
  CHECK(answer.written == SampleCounts{2, 0, 0});
  const auto logged = rig.TakeLogged();
  REQUIRE(logged.size() == 2);
  CHECK(logged[0].labels == Labels(Series("a")));
  CHECK(IsStaleNan(logged[0].value));
  CHECK(logged[1] == LoggedSample{Labels(Series("b")), t, 1});
}

TEST_CASE("receiver: it answers when the log has it, and not before") {
  SimLoop loop;
  ReceiveRig rig(loop);
  bool answered = false;
  rig.receiver.Take(V1Request({{Series("a"), 1, rig.now()}}),
                    [&](const WriteAnswer&) { answered = true; });
  CHECK(!answered);
  loop.RunFor(milliseconds(1));
  CHECK(answered);
}

TEST_CASE("receiver: a scrape's samples of one source are records of one time") {
  SimLoop loop;
  ReceiveRig rig(loop);
  std::vector<SentSample> samples;
  for (int i = 0; i < 300; i++) samples.push_back({Series("m" + std::to_string(i)), 1.0 * i, 0});
  for (int scrape = 0; scrape < 3; scrape++) {
    for (SentSample& sample : samples) sample.timestamp = rig.now();
    REQUIRE(rig.Send(V1Request(samples)).status == 204);
    const auto records = rig.TakeRecords();
    REQUIRE(records.size() == 1);
    CHECK(records[0]->values.size() == 300);
    CHECK(records[0]->own.empty());
  }
}

TEST_CASE("receiver: of a version or an encoding that it does not know it takes nothing") {
  SimLoop loop;
  ReceiveRig rig(loop);
  IncomingWrite request = V1Request({{Series("a"), 1, rig.now()}});
  const auto status = [&](const std::string& type, const std::string& encoding) {
    request.content_type = type;
    request.content_encoding = encoding;
    return rig.Send(request).status;
  };
  const std::string plain = "application/x-protobuf";
  CHECK(status("text/plain", "snappy") == 415);
  CHECK(status(plain, "zstd") == 415);
  CHECK(status(plain, "gzip") == 415);
  CHECK(status(plain + ";proto=io.prometheus.write.v3.Request", "snappy") == 415);
  CHECK(status(plain + ";proto", "snappy") == 415);
  CHECK(rig.TakeLogged().empty());
  CHECK(status(plain, "") == 204);
  CHECK(status("", "Snappy") == 204);
  CHECK(status(plain + "; proto=prometheus.WriteRequest", "snappy") == 204);
  CHECK(rig.TakeLogged().size() == 1);
}

TEST_CASE("receiver: sizes that a request only claims to have cost nothing") {
  SimLoop loop;
  ReceiveRig rig(loop);
  IncomingWrite request;
  SECTION("more than the limit") {
    protobuf::AppendVarint(0xfffffffe, request.body);
    request.body += std::string(100, '\0');
    CHECK(rig.Send(request).status == 413);
  }
  SECTION("more than snappy can make of it") {
    protobuf::AppendVarint(30 << 20, request.body);
    request.body += std::string(1000, '\0');
    CHECK(rig.Send(request).status == 400);
  }
  SECTION("less than there is") {
    request = V1Request({{Series("a"), 1, rig.now()}});
    request.body[0] = 5;
    CHECK(rig.Send(request).status == 400);
  }
  SECTION("cut off") {
    request = V1Request({{Series("a"), 1, rig.now()}});
    request.body.resize(request.body.size() - 3);
    CHECK(rig.Send(request).status == 400);
  }
  SECTION("nothing") { CHECK(rig.Send(request).status == 400); }
  SECTION("what is no protobuf") {
    CHECK(rig.Send(RequestOf(std::string(100, '\xff'))).status == 400);
  }
  CHECK(rig.receiver.stats().decoded_bytes <= 200);
  CHECK(rig.TakeLogged().empty());
}

TEST_CASE("receiver: an empty request is good") {
  SimLoop loop;
  ReceiveRig rig(loop);
  CHECK(rig.Send(RequestOf("")).status == 204);
}

TEST_CASE("receiver: more samples than the limit are refused, in one series or in many") {
  SimLoop loop;
  ReceiveRig rig(loop);
  rig.config.receive.sample_limit = 3;
  rig.Apply();
  std::vector<SentSample> samples;
  for (int i = 0; i < 4; i++) samples.push_back({Series("m" + std::to_string(i)), 1, rig.now()});
  CHECK(rig.Send(V1Request(samples)).status == 413);
  samples.pop_back();
  CHECK(rig.Send(V1Request(samples)).status == 204);
}

TEST_CASE(
    "receiver: what is good of a request is taken, the rest is counted and answered with 400") {
  const bool is_v2 = GENERATE(false, true);
  SimLoop loop;
  ReceiveRig rig(loop);
  const TimestampMs t = rig.now();
  REQUIRE(rig.Send(V1Request({{Series("a"), 1, t}, {Series("b"), 1, t}})).status == 204);
  rig.TakeLogged();
  std::string problem;
  SentSample bad{Series("a"), 1, t};
  ReceiveRefusal reason{};
  SECTION("out of order") {
    bad.timestamp = t - 1;
    problem = "out of order sample for series";
    reason = ReceiveRefusal::kOutOfOrder;
  }
  SECTION("another value at the same time") {
    bad.value = 2;
    problem = "duplicate sample for timestamp";
    reason = ReceiveRefusal::kConflict;
  }
  SECTION("far ahead of the clock") {
    bad.timestamp = t + 11 * 60'000;
    problem = "too far in the future";
    reason = ReceiveRefusal::kTooFarAhead;
  }
  SECTION("no name") {
    bad.labels = {{"job", "j"}};
    problem = "it has no __name__";
    reason = ReceiveRefusal::kInvalidLabels;
  }
  SECTION("no labels at all") {
    bad.labels = {};
    problem = "it has no __name__";
    reason = ReceiveRefusal::kInvalidLabels;
  }
  SECTION("an empty name") {
    bad.labels.push_back({"", "x"});
    problem = "invalid labels";
    reason = ReceiveRefusal::kInvalidLabels;
  }
  SECTION("a label twice") {
    bad.labels.push_back({"job", "x"});
    problem = "the label job is there twice";
    reason = ReceiveRefusal::kInvalidLabels;
  }
  SECTION("not UTF-8") {
    bad.labels.push_back({"x", "\xff"});
    problem = "UTF-8";
    reason = ReceiveRefusal::kInvalidLabels;
  }
  SECTION("too many labels") {
    for (int i = 0; i < 201; i++) bad.labels.push_back({"l" + std::to_string(i), "x"});
    problem = "the limit is 200";
    reason = ReceiveRefusal::kLabelLimit;
  }
  SECTION("a long name") {
    bad.labels.push_back({std::string(1025, 'n'), "x"});
    problem = "the limit is 1024";
    reason = ReceiveRefusal::kLabelLimit;
  }
  SECTION("a long value") {
    bad.labels.push_back({"x", std::string(16385, 'v')});
    problem = "the limit is 16384";
    reason = ReceiveRefusal::kLabelLimit;
  }
  const std::vector<SentSample> samples{bad, {Series("b"), 2, t + 5}};
  const WriteAnswer answer = rig.Send(is_v2 ? V2Request(samples) : V1Request(samples));
  CHECK(answer.status == 400);
  CHECK(answer.text.find(problem) != std::string::npos);
  CHECK(answer.text.find("(1 samples, 0 histograms, 0 exemplars written)") != std::string::npos);
  CHECK(answer.written == SampleCounts{1, 0, 0});
  CHECK(rig.receiver.stats().refused[static_cast<size_t>(reason)] == 1);
  CHECK(rig.TakeLogged() == std::vector<LoggedSample>{{Labels(Series("b")), t + 5, 2}});
}

TEST_CASE("receiver: a request that comes again is as good as taken, and taken once") {
  SimLoop loop;
  ReceiveRig rig(loop);
  const TimestampMs t = rig.now();
  const auto request = V1Request({{Series("a"), 1, t}, {Series("b"), StaleNan(), t}});
  for (int i = 0; i < 3; i++) {
    const WriteAnswer answer = rig.Send(request);
    CHECK(answer.status == 204);
    CHECK(answer.written.samples == 2);
  }
  CHECK(rig.TakeLogged().size() == 2);
  CHECK(rig.receiver.stats().repeated.samples == 4);
}

TEST_CASE("receiver: labels may come in any order, and empty ones are none") {
  SimLoop loop;
  ReceiveRig rig(loop);
  const TimestampMs t = rig.now();
  REQUIRE(rig.Send(V1Request({{{{"job", "j"}, {"a", ""}, {"__name__", "m"}}, 1, t}})).status ==
          204);
  REQUIRE(rig.Send(V2Request({{{{"__name__", "m"}, {"job", "j"}}, 2, t + 1}})).status == 204);
  CHECK(rig.receiver.intake().series().series() == 1);
  const Labels labels{{"__name__", "m"}, {"job", "j"}};
  CHECK(rig.TakeLogged() == std::vector<LoggedSample>{{labels, t, 1}, {labels, t + 1, 2}});
}

TEST_CASE("receiver: late samples are taken within the window") {
  SimLoop loop;
  ReceiveRig rig(loop);
  rig.config.out_of_order_time_window = seconds(10);
  rig.Apply();
  const TimestampMs t = rig.now();
  CHECK(rig.Send(V1Request({{Series("a"), 1, t}})).status == 204);
  CHECK(rig.Send(V1Request({{Series("a"), 2, t - 9'999}})).status == 204);
  CHECK(rig.Send(V1Request({{Series("a"), 3, t - 10'000}})).status == 400);
  CHECK(rig.TakeLogged().size() == 2);
}

TEST_CASE(
    "receiver: in 2.0 labels that name no symbol are refused, and so is a series of nothing") {
  SimLoop loop;
  ReceiveRig rig(loop);
  std::string refs, series, request;
  protobuf::AppendVarint(1, refs);
  protobuf::AppendVarint(99, refs);
  std::string sample;
  protobuf::AppendVarintField(2, static_cast<uint64_t>(rig.now()), sample);
  protobuf::AppendBytesField(4, "", request);
  protobuf::AppendBytesField(4, "__name__", request);
  SECTION("a number that is too high") {
    protobuf::AppendBytesField(1, refs, series);
    protobuf::AppendBytesField(2, sample, series);
  }
  SECTION("a name without a value") {
    protobuf::AppendBytesField(1, refs.substr(0, 1), series);
    protobuf::AppendBytesField(2, sample, series);
  }
  SECTION("no samples") { protobuf::AppendBytesField(1, std::string("\x01\x01"), series); }
  protobuf::AppendBytesField(5, series, request);
  const WriteAnswer answer =
      rig.Send(RequestOf(request, "application/x-protobuf;proto=io.prometheus.write.v2.Request"));
  CHECK(answer.status == 400);
  CHECK(answer.tells_written);
  CHECK(answer.written.total() == 0);
  CHECK(rig.TakeLogged().empty());
}

TEST_CASE("receiver: a log that is nearly full takes nothing more") {
  SimLoop loop;
  SampleLogOptions options;
  options.memory_bytes = 20'000;
  ReceiveRig rig(loop, options);
  int taken = 0;
  for (int i = 0; i < 1000; i++) {
    const WriteAnswer answer = rig.Send(V1Request({{Series("a"), 1.0 * i, rig.now()}}));
    if (answer.status == 204) {
      taken++;
      continue;
    }
    CHECK(answer.status == 503);
    CHECK(answer.retry_after_s > 0);
  }
  CHECK(taken > 10);
  CHECK(taken < 1000);
  CHECK(static_cast<int>(rig.TakeLogged().size()) == taken);
  CHECK(rig.log.stats().evicted.samples == 0);
  CHECK(rig.Send(V1Request({{Series("a"), 1, rig.now() + 1}})).status == 204);
}

TEST_CASE("receiver: while memory is short new series are sent back, others are taken") {
  SimLoop loop;
  ReceiveRig rig(loop);
  const TimestampMs t = rig.now();
  REQUIRE(rig.Send(V1Request({{Series("old"), 1, t}})).status == 204);
  rig.shed = ShedStep::kRefuseNew;
  const auto request = V1Request({{Series("old"), 2, t + 1}, {Series("new"), 1, t + 1}});
  const WriteAnswer answer = rig.Send(request);
  CHECK(answer.status == 503);
  CHECK(answer.retry_after_s > 0);
  CHECK(rig.TakeLogged().size() == 2);
  rig.shed = ShedStep::kNone;
  CHECK(rig.Send(request).status == 204);
  CHECK(rig.TakeLogged() == std::vector<LoggedSample>{{Labels(Series("new")), t + 1, 1}});
}

TEST_CASE("receiver: when it has stopped, senders are to come again") {
  SimLoop loop;
  ReceiveRig rig(loop);
  rig.receiver.Stop();
  const WriteAnswer answer = rig.Send(V1Request({{Series("a"), 1, rig.now()}}));
  CHECK(answer.status == 503);
  CHECK(answer.retry_after_s > 0);
}

TEST_CASE("receiver: series that are gone are forgotten, and come back as new ones") {
  SimLoop loop;
  ReceiveRig rig(loop);
  const auto send = [&](int count) {
    std::vector<SentSample> samples;
    for (int i = 0; i < count; i++) {
      samples.push_back({Series("m" + std::to_string(i)), 1, rig.now()});
    }
    samples.push_back({Series("x", "other"), 1, rig.now()});
    REQUIRE(rig.Send(V1Request(samples)).status == 204);
  };
  send(1000);
  CHECK(rig.receiver.intake().series().series() == 1001);
  for (int i = 0; i < 4; i++) {
    loop.RunFor(std::chrono::minutes(5));
    send(200);
  }
  CHECK(rig.receiver.intake().series().series() == 201);
  for (int i = 0; i < 4; i++) {
    loop.RunFor(std::chrono::minutes(5));
    REQUIRE(rig.Send(V1Request({{Series("x", "other"), 1, rig.now()}})).status == 204);
  }
  CHECK(rig.receiver.intake().series().sources() == 1);
  rig.TakeLogged();
  send(300);
  CHECK(rig.TakeLogged().size() == 301);
  loop.RunFor(std::chrono::minutes(30));
  CHECK(rig.receiver.intake().series().sources() == 0);
  CHECK(rig.receiver.intake().series().series() == 0);
}

// When the layout is regrouped it has been absent for too long, and has a sample all the same.
TEST_CASE("receiver: a series that was gone comes with the request that regroups its source") {
  SimLoop loop;
  ReceiveRig rig(loop);
  REQUIRE(rig.Send(V1Request({{Series("back"), 1, rig.now()}})).status == 204);
  for (int i = 0; i < 4; i++) {
    REQUIRE(rig.Send(V1Request({{Series("steady"), 1, rig.now()}})).status == 204);
    loop.RunFor(std::chrono::minutes(5));
  }
  rig.TakeLogged();
  // Each adds a group: soon there are too many.
  for (int i = 0; i < 10; i++) {
    REQUIRE(rig.Send(V1Request({{Series("back"), 2, rig.now()},
                                {Series("new" + std::to_string(i)), 1, rig.now()}}))
                .status == 204);
    CHECK(rig.TakeLogged().size() == 2);
    loop.RunFor(seconds(1));
  }
}

// Any samples in any requests: of each series what is later than all before arrives, in its order.
TEST_CASE("receiver: random requests arrive as a plain model has them") {
  std::mt19937_64 random(Catch::rngSeed());
  const auto below = [&](uint64_t n) { return random() % n; };
  for (int round = 0; round < 30; round++) {
    SimLoop loop;
    ReceiveRig rig(loop);
    struct Modelled {
      TimestampMs time = std::numeric_limits<TimestampMs>::min();
      double value = 0;
      std::vector<LoggedSample> taken;
    };
    std::map<Labels, Modelled> model;
    const uint64_t jobs = 1 + below(3), names = 1 + below(900), times = 1 + below(50);
    const TimestampMs begin = rig.now();
    for (int i = 0; i < 40; i++) {
      std::vector<SentSample> samples;
      uint64_t written = 0;
      const bool by_scrape = below(2) == 0;
      const TimestampMs scrape = begin + static_cast<TimestampMs>(i) * 100;
      const uint64_t first = below(names);
      for (uint64_t n = below(600); n > 0; n--) {
        const uint64_t name = by_scrape ? (first + n) % names : below(names);
        SentSample sample{Series("m" + std::to_string(name), "j" + std::to_string(below(jobs))),
                          static_cast<double>(below(3)), scrape};
        if (!by_scrape) sample.timestamp += static_cast<TimestampMs>(below(times));
        Modelled& modelled = model[Labels(sample.labels)];
        if (sample.timestamp > modelled.time) {
          modelled.time = sample.timestamp;
          modelled.value = sample.value;
          modelled.taken.push_back({Labels(sample.labels), sample.timestamp, sample.value});
          written++;
        } else if (sample.timestamp == modelled.time && sample.value == modelled.value) {
          written++;
        }
        samples.push_back(std::move(sample));
      }
      const WriteAnswer answer = rig.Send(below(2) == 0 ? V1Request(samples) : V2Request(samples));
      REQUIRE(answer.status == (written == samples.size() ? 204 : 400));
      REQUIRE(answer.written.samples == written);
    }
    std::map<Labels, std::vector<LoggedSample>> logged;
    for (LoggedSample& sample : rig.TakeLogged()) logged[sample.labels].push_back(sample);
    for (const auto& [labels, modelled] : model) REQUIRE(logged[labels] == modelled.taken);
    REQUIRE(logged.size() == model.size());
  }
}

TEST_CASE("receiver: with several workers each has its sources, by whichever a request comes") {
  SimLoop loop;
  ReceiveRig one(loop), two(loop);
  two.hash = one.hash;
  const std::vector<Receiver::Peer> peers{{&loop, &one.receiver}, {&loop, &two.receiver}};
  one.receiver.SetPeers(peers);
  two.receiver.SetPeers(peers);
  const TimestampMs t = one.now();
  const auto samples = [&](int scrape) {
    std::vector<SentSample> all;
    for (int i = 0; i < 40; i++)
      all.push_back({Series("m", "j" + std::to_string(i)), 1, t + scrape});
    return all;
  };
  CHECK(one.Send(V1Request(samples(0))).written.samples == 40);
  const WriteAnswer answer = two.Send(V2Request(samples(1)));
  CHECK(answer.status == 204);
  CHECK(answer.written.samples == 40);
  std::map<Labels, int> of_one, of_two;
  for (const LoggedSample& sample : one.TakeLogged()) of_one[sample.labels]++;
  for (const LoggedSample& sample : two.TakeLogged()) of_two[sample.labels]++;
  CHECK(of_one.size() + of_two.size() == 40);
  CHECK(of_one.size() > 5);
  CHECK(of_two.size() > 5);
  for (const auto& [labels, count] : of_one) CHECK((count == 2 && of_two.count(labels) == 0));
  SECTION("what one refuses is in the answer") {
    const WriteAnswer mixed = one.Send(V1Request(samples(1)));
    CHECK(mixed.status == 204);
    const WriteAnswer refused = one.Send(V1Request(samples(0)));
    CHECK(refused.status == 400);
    CHECK(refused.written.samples == 0);
  }
  SECTION("what one cannot take now the sender has to send again") {
    two.receiver.Stop();
    CHECK(one.Send(V1Request(samples(2))).status == 503);
    CHECK(one.TakeLogged().size() == of_one.size());
  }
}

TEST_CASE("receiver: metrics are told once somebody may send") {
  SimLoop loop;
  ReceiveRig rig(loop);
  MetricPage before, after;
  rig.receiver.Collect(before);
  CHECK(before.Text().find("receive") == std::string::npos);
  rig.receiver.TurnOn();
  rig.Send(V1Request({{Series("a"), 1, rig.now()}}));
  rig.receiver.Collect(after);
  CHECK(after.Text().find("tributary_receive_taken_total{kind=\"samples\"} 1") !=
        std::string::npos);
  CHECK(after.Text().find("tributary_receive_requests_total{code=\"204\"} 1") != std::string::npos);
}

}  // namespace
}  // namespace tributary
