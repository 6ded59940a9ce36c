// Limits on the series of targets and jobs, by whole scrapes.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <fmt/format.h>

#include "agent/series/samples.h"
#include "test/support/catch.h"
#include "test/unit/agent/scrape/scrape_world.h"

namespace tributary {
namespace {

constexpr char kA[] = "a.test:80", kB[] = "b.test:80";

std::string Page(int begin, int end) {
  std::string page;
  for (int i = begin; i < end; i++) page += fmt::format("m{{n=\"{}\"}} {}\n", i, i);
  return page;
}

struct LimitedWorld : ScrapeWorld {
  LimitedWorld() { environment.limits = &limits; }
  void ApplyLimits(uint64_t each, uint64_t all, const std::vector<std::string>& addresses = {kA}) {
    config.series_limit_per_target = each;
    config.series_limit = all;
    auto job = std::make_shared<ScrapeJob>(config, milliseconds(0));
    job->target_series_limit = limits.Set(LimitScope::kTarget, "j", each);
    job->series_limit = limits.Set(LimitScope::kJob, "j", all);
    manager.Apply(job, Targets(config, addresses));
  }
  const std::vector<Sample>& OfNumber(int n, const std::string& instance = kA) {
    return Of(
        Labels{{"__name__", "m"}, {"instance", instance}, {"job", "j"}, {"n", std::to_string(n)}});
  }
  // Those with a number that have any sample.
  size_t Numbers(const std::string& instance = kA) const {
    size_t count = 0;
    for (const auto& [labels, samples] : logged) {
      count += labels.Get("instance") == instance && labels.Has("n") && !samples.empty();
    }
    return count;
  }
  SeriesLimitStatus Status(const std::string& scope) const {
    for (const SeriesLimitStatus& status : limits.Status()) {
      if (status.scope == scope) return status;
    }
    return {};
  }

  SeriesLimits limits{"this process"};
  ScrapeConfig config = JobConfig("j");
};

TEST_CASE("series limit: what is known goes on, what is new has the room there is") {
  LimitedWorld world;
  world.Serve(kA, Page(0, 50));
  world.ApplyLimits(100, 0);
  world.Run(seconds(10));
  CHECK(world.Numbers() == 50);
  world.Serve(kA, Page(1000, 1500) + Page(0, 50));
  world.Run(seconds(30));
  CHECK(world.Numbers() == 100);
  CHECK(world.OfNumber(0).size() == 4);
  CHECK(world.OfNumber(49).size() == 4);
  CHECK(world.OfNumber(1049).size() == 3);
  CHECK(world.OfNumber(1050).empty());
  CHECK(world.StaleMarkers() == 0);
  // The scrape is good, and its report is not limited.
  CHECK(world.Of("up", kA).back().value == 1);
  CHECK(world.Of("scrape_samples_scraped", kA).back().value == 550);
  CHECK(world.Of("scrape_samples_post_metric_relabeling", kA).back().value == 550);
  CHECK(world.Of("scrape_series_added", kA)[1].value == 50);
  const SeriesLimitStatus status = world.Status("target");
  CHECK(status.dropped_series == 450);
  CHECK(status.dropped_samples == 3 * 450);
  REQUIRE(status.sources.size() == 1);
  CHECK(status.sources[0].name == kA);
  REQUIRE(!status.labels.empty());
  CHECK(status.labels[0].name == "n");
}

TEST_CASE("series limit: after an explosion there is room again, and only what was has an end") {
  LimitedWorld world;
  world.Serve(kA, Page(0, 50));
  world.ApplyLimits(60, 0);
  world.Run(seconds(10));
  world.Serve(kA, Page(0, 50) + Page(1000, 1100));
  world.Run(seconds(10));
  CHECK(world.Numbers() == 60);
  // Too few are gone for a regrouping, and they leave their room all the same.
  world.Serve(kA, Page(0, 55));
  world.Run(seconds(50));
  CHECK(world.Numbers() == 65);
  CHECK(world.StaleMarkers() == 10);
  CHECK(EndsStale(world.OfNumber(1009)));
  CHECK(world.OfNumber(1010).empty());
  CHECK(world.OfNumber(54).size() >= 1);
  // One that is gone and comes again is new.
  world.Serve(kA, Page(0, 55) + Page(1000, 1100));
  world.Run(seconds(10));
  CHECK(world.Numbers() == 65);
  CHECK_FALSE(EndsStale(world.OfNumber(1004)));
  CHECK(EndsStale(world.OfNumber(1005)));
}

TEST_CASE("series limit: a higher one takes what waits, none takes all, a lower one ends nothing") {
  LimitedWorld world;
  world.Serve(kA, Page(0, 50));
  world.ApplyLimits(10, 0);
  world.Run(seconds(10));
  CHECK(world.Numbers() == 10);
  world.ApplyLimits(20, 0);
  world.Run(seconds(10));
  CHECK(world.Numbers() == 20);
  CHECK(world.OfNumber(19).size() == 1);
  world.ApplyLimits(5, 0);
  world.Run(seconds(10));
  CHECK(world.OfNumber(19).size() == 2);
  world.ApplyLimits(0, 0);
  world.Run(seconds(10));
  CHECK(world.Numbers() == 50);
  CHECK(world.StaleMarkers() == 0);
  CHECK(world.OfNumber(0).size() == 4);
}

TEST_CASE("series limit: the targets of a job share theirs, and one that goes leaves it") {
  LimitedWorld world;
  world.Serve(kA, Page(0, 80));
  world.Serve(kB, Page(0, 80));
  world.ApplyLimits(0, 100, {kA, kB});
  world.Run(seconds(30));
  CHECK(world.Numbers(kA) + world.Numbers(kB) == 100);
  CHECK(world.Status("job").active == 100);
  CHECK(world.Of("up", kA).back().value == 1);
  CHECK(world.Of("up", kB).back().value == 1);
  world.ApplyLimits(0, 100, {kB});
  world.Run(seconds(60));
  CHECK(world.Numbers(kB) == 80);
  CHECK(world.Status("job").active == 80);
}

TEST_CASE("series limit: the agent's own page has none, whatever its address") {
  LimitedWorld world;
  std::string process = "this process";
  world.network.Listen(kA, [&](const ServedRequest&) {
    return ScriptedReply::Text(200, Page(0, 50), {{std::string(kProcessHeader), process}});
  });
  world.ApplyLimits(10, 20);
  world.Run(seconds(10));
  CHECK(world.Numbers() == 50);
  CHECK(world.Status("job").active == 0);
  CHECK(world.Status("target").dropped_series == 0);
  // Another agent's is limited as all others.
  process = "another one";
  world.Serve(kB, Page(0, 50));
  world.ApplyLimits(10, 20, {kA, kB});
  world.Run(seconds(20));
  CHECK(world.Numbers(kB) == 10);
}

TEST_CASE("series limit: a page that fails takes no room") {
  LimitedWorld world;
  world.Serve(kA, Page(0, 50));
  world.ApplyLimits(0, 60, {kA, kB});
  world.Run(seconds(10));
  // Nothing of it is kept, as it breaks off.
  world.network.Listen(kB, [](const ServedRequest&) {
    return ScriptedReply::Text(200, Page(0, 10)).Cut(ScriptedReply::End::kReset, 50);
  });
  world.Run(seconds(20));
  CHECK(world.Status("job").active == 50);
  world.Serve(kB, Page(0, 100));
  world.Run(seconds(10));
  CHECK(world.Numbers(kB) == 10);
}

TEST_CASE("series limit: at random, never too many, nothing known is dropped, ends are right") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  LimitedWorld world;
  const int limit = 40;
  std::set<int> on_page;
  std::map<int, int> absent;  // of those that live: pages in a row without it
  const auto serve = [&] {
    std::vector<int> numbers(on_page.begin(), on_page.end());
    std::shuffle(numbers.begin(), numbers.end(), random);
    std::string page;
    for (const int n : numbers) page += Page(n, n + 1);
    world.Serve(kA, page);
  };
  serve();
  world.ApplyLimits(limit, 0);
  std::map<int, size_t> samples;
  for (int scrape = 0; scrape < 300; scrape++) {
    on_page.clear();
    const int size = static_cast<int>(random() % 90);
    for (int i = 0; i < size; i++) on_page.insert(static_cast<int>(random() % 120));
    serve();
    world.Run(seconds(10));
    std::set<int> taken;
    for (int n = 0; n < 120; n++) {
      const auto& logged = world.OfNumber(n);
      const bool has_new = logged.size() > samples[n];
      if (has_new && !IsStaleNan(logged.back().value)) taken.insert(n);
      // An end only after a sample, and only once.
      if (has_new && IsStaleNan(logged.back().value)) {
        REQUIRE(logged.size() >= 2);
        REQUIRE_FALSE(IsStaleNan(logged[logged.size() - 2].value));
        REQUIRE_FALSE(on_page.contains(n));
      }
      samples[n] = logged.size();
    }
    for (const auto& [n, pages] : absent) {
      INFO("scrape " << scrape << " number " << n);
      if (pages < 3 && on_page.contains(n)) REQUIRE(taken.contains(n));
    }
    for (auto it = absent.begin(); it != absent.end();) {
      it->second = taken.contains(it->first) ? 0 : it->second + 1;
      it = it->second >= 3 ? absent.erase(it) : std::next(it);
    }
    for (const int n : taken) absent[n] = 0;
    REQUIRE(static_cast<int>(absent.size()) <= limit);
  }
  // Once it is calm, all have room that the limit allows.
  on_page.clear();
  for (int n = 0; n < limit; n++) on_page.insert(n);
  serve();
  world.Run(seconds(60));
  for (int n = 0; n < limit; n++) {
    CHECK(world.OfNumber(n).back().timestamp > world.loop.WallMs() - 10'001);
    CHECK_FALSE(IsStaleNan(world.OfNumber(n).back().value));
  }
}

}  // namespace
}  // namespace tributary
