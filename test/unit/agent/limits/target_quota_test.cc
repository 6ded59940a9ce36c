#include "agent/limits/target_quota.h"

#include <memory>

#include "test/support/catch.h"

namespace tributary {
namespace {

std::shared_ptr<SeriesLimit> Limit(LimitScope scope, uint64_t limit) {
  auto made = std::make_shared<SeriesLimit>(scope, "j");
  made->SetLimit(limit);
  return made;
}

const Labels kSeries{{"__name__", "m"}};

TEST_CASE("target quota: each target has its own limit, and all share the job's") {
  auto each = Limit(LimitScope::kTarget, 3), job = Limit(LimitScope::kJob, 4);
  TargetQuota a(each, job), b(each, job);
  for (int i = 0; i < 3; i++) CHECK(a.Admit(kSeries, {}, 1));
  CHECK_FALSE(a.Admit(kSeries, {}, 1));
  CHECK(a.room() == 0);
  CHECK(each->dropped_series() == 1);
  CHECK(b.room() == 1);
  CHECK(b.Admit(kSeries, {}, 1));
  CHECK_FALSE(b.Admit(kSeries, {}, 1));
  CHECK(job->dropped_series() == 1);
  a.CountDropped(10);
  b.CountDropped(20);
  CHECK(each->dropped_samples() == 10);
  CHECK(job->dropped_samples() == 20);
  a.SetActive(1);
  CHECK(job->active() == 2);
  CHECK(b.room() == 2);
}

TEST_CASE("target quota: a target that is gone leaves its room to others") {
  auto job = Limit(LimitScope::kJob, 2);
  {
    TargetQuota gone(nullptr, job);
    gone.SetActive(5);
    CHECK(job->active() == 5);
    CHECK(gone.room() == 0);
  }
  CHECK(job->active() == 0);
}

TEST_CASE("target quota: without the one or the other limit that one has room") {
  TargetQuota each(Limit(LimitScope::kTarget, 1), nullptr);
  CHECK(each.Admit(kSeries, {}, 1));
  CHECK_FALSE(each.Admit(kSeries, {}, 1));
  TargetQuota job(nullptr, Limit(LimitScope::kJob, 1));
  CHECK(job.room() == 1);
  CHECK(job.Admit(kSeries, {}, 1));
  CHECK_FALSE(job.Admit(kSeries, {}, 1));
}

}  // namespace
}  // namespace tributary
