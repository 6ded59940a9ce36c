// The limit on the series of each sender.
#include <map>
#include <random>

#include "test/support/catch.h"
#include "test/unit/agent/receive/receive_rig.h"

namespace tributary {
namespace {

std::vector<Label> Series(int number, const std::string& job = "j") {
  return {{"__name__", "m"}, {"instance", "i"}, {"job", job}, {"n", std::to_string(number)}};
}

struct LimitedRig : ReceiveRig {
  explicit LimitedRig(SimLoop& world_loop, uint64_t limit, SeriesLimits* shared = nullptr)
      : ReceiveRig(world_loop, {}, shared) {
    SetLimit(limit);
  }
  void SetLimit(uint64_t limit) {
    config.receive.series_limit_per_sender = limit;
    Apply();
  }
  // One sample of each now.
  WriteAnswer SendSome(const std::string& sender, int begin, int end,
                       const std::string& job = "j") {
    std::vector<SentSample> samples;
    for (int i = begin; i < end; i++) samples.push_back({Series(i, job), 1, now()});
    return SendAs(sender, samples);
  }
  WriteAnswer SendAs(const std::string& sender, const std::vector<SentSample>& samples) {
    IncomingWrite request = V2Request(samples);
    request.sender = sender;
    return Send(request);
  }
  SeriesLimitStatus Status() const {
    for (const SeriesLimitStatus& status : limits.Status()) {
      if (status.scope == "sender") return status;
    }
    return {};
  }
  size_t Logged() { return TakeLogged().size(); }
};

TEST_CASE("sender limit: what is over it is refused, the rest is taken, others are not touched") {
  SimLoop loop;
  LimitedRig rig(loop, 10);
  CHECK(rig.SendSome("a", 0, 8).status == 204);
  loop.RunFor(seconds(15));
  const WriteAnswer answer = rig.SendSome("a", 0, 20);
  CHECK(answer.status == 400);
  CHECK(answer.written.samples == 10);
  CHECK_THAT(answer.text, Catch::Contains("10 refused, the first for: series_limit_per_sender "
                                          "exceeded: the sender may have 10 series for series "
                                          "{__name__=\"m\""));
  CHECK(rig.SendSome("b", 100, 110).status == 204);
  CHECK(rig.Logged() == 8 + 10 + 10);
  const SeriesLimitStatus status = rig.Status();
  CHECK(status.dropped_series == 10);
  CHECK(status.dropped_samples == 10);
  REQUIRE(status.sources.size() == 1);
  CHECK(status.sources[0].name == "a");
  CHECK(status.labels[0].name == "n");
  // A series that has been refused is not counted at each of its samples.
  loop.RunFor(seconds(15));
  CHECK(rig.SendSome("a", 0, 20).status == 400);
  CHECK(rig.Status().dropped_series == 10);
  CHECK(rig.Status().dropped_samples == 20);
  CHECK(rig.receiver.stats().refused[static_cast<size_t>(ReceiveRefusal::kSeriesLimit)] == 20);
}

TEST_CASE("sender limit: a series that another one has brought takes no room") {
  SimLoop loop;
  LimitedRig rig(loop, 10);
  CHECK(rig.SendSome("a", 0, 10).status == 204);
  loop.RunFor(seconds(15));
  CHECK(rig.SendSome("b", 0, 20).status == 204);
  loop.RunFor(seconds(15));
  CHECK(rig.SendSome("b", 0, 21).status == 400);
}

TEST_CASE("sender limit: what tells of an agent is always taken") {
  SimLoop loop;
  LimitedRig rig(loop, 1);
  CHECK(rig.SendSome("a", 0, 1).status == 204);
  std::vector<SentSample> samples;
  for (const char* name : {"up", "scrape_duration_seconds", "tributary_scrapes_total"}) {
    samples.push_back({{{"__name__", name}, {"job", "j"}}, 1, rig.now()});
  }
  CHECK(rig.SendAs("a", samples).status == 204);
  CHECK(rig.Logged() == 4);
}

TEST_CASE(
    "sender limit: series that come no more leave their room, and a higher limit gives some") {
  SimLoop loop;
  LimitedRig rig(loop, 10);
  CHECK(rig.SendSome("a", 0, 10).status == 204);
  for (int i = 0; i < 4; i++) {
    CHECK(rig.SendSome("a", 10, 11).status == 400);
    CHECK(rig.SendSome("a", 0, 5).status == 204);
    loop.RunFor(std::chrono::minutes(5));
  }
  CHECK(rig.SendSome("a", 10, 15).status == 204);
  CHECK(rig.SendSome("a", 15, 16).status == 400);
  rig.SetLimit(11);
  loop.RunFor(seconds(15));
  CHECK(rig.SendSome("a", 15, 16).status == 204);
  CHECK(rig.SendSome("a", 16, 17).status == 400);
  // One that was gone and is known still goes on, and counts again.
  loop.RunFor(seconds(15));
  CHECK(rig.SendSome("a", 9, 10).status == 204);
  for (int i = 0; i < 2; i++) {
    loop.RunFor(std::chrono::minutes(5));
    CHECK(rig.SendSome("a", 0, 5).status == 204);
    CHECK(rig.SendSome("a", 9, 16).status == 204);
  }
  rig.SetLimit(12);
  CHECK(rig.SendSome("a", 16, 17).status == 400);
  rig.SetLimit(13);
  CHECK(rig.SendSome("a", 16, 17).status == 204);
}

TEST_CASE("sender limit: one that comes later ends nothing and counts what is there") {
  SimLoop loop;
  LimitedRig rig(loop, 0);
  CHECK(rig.SendSome("a", 0, 20).status == 204);
  rig.SetLimit(10);
  loop.RunFor(seconds(15));
  CHECK(rig.SendSome("a", 0, 20).status == 204);
  CHECK(rig.SendSome("a", 20, 21).status == 400);
  rig.SetLimit(21);
  CHECK(rig.SendSome("a", 20, 22).written.samples == 1);
  rig.SetLimit(0);
  loop.RunFor(seconds(15));
  CHECK(rig.SendSome("a", 0, 100).status == 204);
}

TEST_CASE("sender limit: several workers share the room of a sender") {
  SimLoop loop;
  SeriesLimits limits;
  LimitedRig one(loop, 80, &limits), two(loop, 80, &limits);
  two.hash = one.hash;
  const std::vector<Receiver::Peer> peers{{&loop, &one.receiver}, {&loop, &two.receiver}};
  one.receiver.SetPeers(peers);
  two.receiver.SetPeers(peers);
  std::vector<SentSample> samples;
  for (int i = 0; i < 100; i++) {
    samples.push_back({Series(i, "j" + std::to_string(i)), 1, one.now()});
  }
  const WriteAnswer answer = one.SendAs("a", samples);
  CHECK(answer.status == 400);
  CHECK(answer.written.samples == 80);
  const size_t of_one = one.Logged(), of_two = two.Logged();
  CHECK(of_one + of_two == 80);
  CHECK(of_one > 0);
  CHECK(of_two > 0);
}

TEST_CASE("sender limit: at random with regroupings, no sender has more than it may") {
  std::mt19937_64 random(Catch::rngSeed());
  SimLoop loop;
  constexpr size_t kLimit = 300;
  LimitedRig rig(loop, kLimit);
  std::map<int, int> owner;  // by series: who brought it; those of three sweeps only
  std::map<int, int> seen;   // the sweep in which it came last
  int begin = 0;
  for (int sweep = 0; sweep < 20; sweep++) {
    for (int request = 0; request < 6; request++) {
      const int who = static_cast<int>(random() % 2);
      // Each has its own, which drift on.
      const int first = who * 100'000 + begin + static_cast<int>(random() % 50);
      std::vector<SentSample> samples;
      for (int i = 0; i < 150; i++) samples.push_back({Series(first + i), 1, rig.now()});
      rig.SendAs(who == 0 ? "a" : "b", samples);
      for (const LoggedSample& sample : rig.TakeLogged()) {
        const int number = std::stoi(std::string(sample.labels.Get("n")));
        owner.try_emplace(number, who);
        seen[number] = sweep;
      }
      size_t of[2] = {0, 0};
      for (const auto& [number, last] : seen) of[owner[number]] += last >= sweep - 3 ? 1 : 0;
      REQUIRE(rig.limits.SenderRoom("a")->active() <= kLimit);
      REQUIRE(rig.limits.SenderRoom("b")->active() <= kLimit);
      REQUIRE(rig.limits.SenderRoom("a")->active() <= of[0]);
      REQUIRE(rig.limits.SenderRoom("b")->active() <= of[1]);
      loop.RunFor(seconds(1));
    }
    loop.RunFor(std::chrono::minutes(5));
    begin += 60;
  }
  loop.RunFor(std::chrono::minutes(30));
  CHECK(rig.limits.SenderRoom("a")->active() == 0);
  CHECK(rig.limits.SenderRoom("b")->active() == 0);
}

}  // namespace
}  // namespace tributary
