#include "agent/series/metadata_pool.h"

#include "test/support/catch.h"

namespace tributary {
namespace {

FamilyMetadata Family(std::string name, std::string help) {
  return {std::move(name), MetricType::kGauge, std::move(help), ""};
}

TEST_CASE("metadata pool: what is the same is kept once") {
  MetadataPool pool;
  const FamilyRef one = pool.Intern(Family("m", "text"));
  const FamilyRef two = pool.Intern(Family("m", "text"));
  CHECK(one == two);
  const FamilyRef other = pool.Intern(Family("m", "other"));
  CHECK(other != one);
  FamilyMetadata counter = Family("m", "text");
  counter.type = MetricType::kCounter;
  CHECK(pool.Intern(counter) != one);
  FamilyMetadata seconds = Family("m", "text");
  seconds.unit = "seconds";
  CHECK(pool.Intern(seconds) != one);
  // What ends one text must not begin the next.
  CHECK(pool.Intern(Family("mt", "ext")) != one);
}

TEST_CASE("metadata pool: gives what is in use, sorted, and forgets the rest") {
  MetadataPool pool;
  const FamilyRef b = pool.Intern(Family("b", "1"));
  FamilyRef a = pool.Intern(Family("a", "1"));
  pool.Intern(Family("c", "1"));
  CHECK(pool.size() == 3);
  CHECK(pool.InUse() == std::vector<FamilyRef>{a, b});
  CHECK(pool.size() == 2);
  a.reset();
  CHECK(pool.InUse() == std::vector<FamilyRef>{b});
}

TEST_CASE("metadata pool: stays small though nobody asks what is in use") {
  MetadataPool pool;
  std::vector<FamilyRef> used;
  for (int i = 0; i < 2000; i++) used.push_back(pool.Intern(Family("used", std::to_string(i))));
  for (int i = 0; i < 100'000; i++) pool.Intern(Family("unused", std::to_string(i)));
  CHECK(pool.size() <= 2 * used.size() + 1001);
  CHECK(pool.InUse().size() == used.size());
}

}  // namespace
}  // namespace tributary
