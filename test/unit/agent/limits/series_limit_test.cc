#include "agent/limits/series_limit.h"

#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "agent/limits/series_limits.h"
#include "agent/series/report_series.h"
#include "agent/telemetry/metric_page.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("series limit: no more than the limit have room, whoever asks") {
  SeriesLimit limit(LimitScope::kJob, "j");
  limit.SetLimit(1000);
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; i++) taken += limit.Take();
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(taken == 1000);
  CHECK(limit.active() == 1000);
  CHECK(limit.room() == 0);
  limit.Give(1);
  CHECK(limit.Take());
  CHECK_FALSE(limit.Take());
  limit.SetLimit(999);
  CHECK(limit.room() == 0);
  limit.SetLimit(0);
  CHECK(limit.Take());
}

TEST_CASE("series limit: tells the label that makes series many, not the ones that all have") {
  SeriesLimit limit(LimitScope::kTarget, "j");
  const Labels target{{"job", "j"}, {"instance", "a:1"}};
  for (int i = 0; i < 5000; i++) {
    limit.NoteDropped("a:1",
                      Labels{{"__name__", i % 10 == 0 ? "rare" : "requests_total"},
                             {"job", "j"},
                             {"instance", "a:1"},
                             {"code", i % 2 == 0 ? "200" : "500"},
                             {"request_id", fmt::format("{:x}", i)}},
                      target, 1000 + i);
  }
  limit.CountSamples(7);
  const SeriesLimitStatus status = limit.status();
  CHECK(status.scope == "target");
  CHECK(status.dropped_series == 5000);
  CHECK(status.dropped_samples == 7);
  CHECK(status.last_dropped_ms == 5999);
  REQUIRE(status.sources.size() == 1);
  CHECK(status.sources[0].name == "a:1");
  CHECK(status.sources[0].series == 5000);
  REQUIRE(status.metrics.size() == 2);
  CHECK(status.metrics[0].name == "requests_total");
  CHECK(status.metrics[0].series == 4500);
  REQUIRE(status.labels.size() == 2);
  CHECK(status.labels[0].name == "request_id");
  CHECK(status.labels[0].values > 4000);
  CHECK(status.labels[0].values < 6000);
  CHECK(status.labels[1].name == "code");
  CHECK(status.labels[1].values == 2);
}

TEST_CASE("series limit: what was long ago is no offender any more") {
  SeriesLimit limit(LimitScope::kJob, "j");
  limit.NoteDropped("old", Labels{{"__name__", "a"}}, {}, 1000);
  limit.NoteDropped("new", Labels{{"__name__", "b"}}, {}, 1001 + SeriesLimit::kForgetAfterMs);
  REQUIRE(limit.status().sources.size() == 1);
  CHECK(limit.status().sources[0].name == "new");
  CHECK(limit.dropped_series() == 2);
}

TEST_CASE("series limit: ten offenders of a kind are told, however many there are") {
  SeriesLimits limits;
  auto limit = limits.Set(LimitScope::kJob, "j", 5);
  for (int i = 0; i < 1000; i++) {
    limit->NoteDropped(fmt::format("s{}", i),
                       Labels{{"__name__", fmt::format("m{}", i)}, {fmt::format("l{}", i), "x"}},
                       {}, 1000);
  }
  MetricPage page;
  limits.Collect(page);
  const std::string text = page.Text();
  size_t offenders = 0;
  for (size_t at = text.find("\ntributary_series_limit_offender{"); at != std::string::npos;
       at = text.find("\ntributary_series_limit_offender{", at + 1)) {
    offenders++;
  }
  CHECK(offenders == 30);
  CHECK_THAT(text, Catch::Contains("tributary_series_limit_dropped_series_total{name=\"j\","
                                   "scope=\"job\"} 1000"));
}

TEST_CASE("series limits: one is the same until it is forgotten") {
  SeriesLimits limits;
  const auto limit = limits.Set(LimitScope::kJob, "j", 5);
  CHECK(limits.Set(LimitScope::kTarget, "j", 5) != limit);
  CHECK(limits.Set(LimitScope::kJob, "j", 9) == limit);
  CHECK(limit->limit() == 9);
  CHECK(limits.Status().size() == 2);
  CHECK(limits.Set(LimitScope::kJob, "j", 0) == nullptr);
  CHECK(limits.Status().size() == 1);
  CHECK(limits.Set(LimitScope::kJob, "j", 5) == limit);
  limits.Set(LimitScope::kJob, "k", 5);
  limits.Keep(LimitScope::kJob, {"k", "l"});
  CHECK(limits.Status().size() == 2);
  CHECK(limits.Status()[1].name == "k");
  CHECK(limits.Set(LimitScope::kJob, "j", 5) != limit);
}

TEST_CASE("series limits: all that a scrape reports of itself is the agent's") {
  for (size_t i = 0; i < kReportSeries; i++) {
    CHECK(IsAgentMetric(ReportSeriesName(static_cast<ReportSeries>(i))));
  }
  CHECK(IsAgentMetric("tributary_build_info"));
  CHECK_FALSE(IsAgentMetric("upper"));
  CHECK_FALSE(IsAgentMetric("scrape_something"));
}

}  // namespace
}  // namespace tributary
