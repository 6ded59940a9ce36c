#include "agent/series/series_metadata.h"

#include <algorithm>
#include <random>

#include "agent/series/group_definition.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("series metadata: says of each series what it was given") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::vector<FamilyRef> families = {nullptr};
  for (size_t i = 0; i < kGroupSeriesMax; i++) {
    families.push_back(std::make_shared<const FamilyMetadata>(
        FamilyMetadata{"f" + std::to_string(i), MetricType::kGauge, std::string(i, 'h'), "u"}));
  }
  for (const size_t distinct : {1u, 2u, 10u, 501u}) {
    std::vector<FamilyRef> of_series;
    for (size_t i = 0; i < kGroupSeriesMax; i++) of_series.push_back(families[random() % distinct]);
    // All of them, once.
    if (distinct == 501) of_series.assign(families.begin() + 1, families.end());
    const SeriesMetadata metadata(of_series);
    size_t text = 0;
    for (const FamilyRef& family : families) {
      const bool used = std::find(of_series.begin(), of_series.end(), family) != of_series.end();
      if (family != nullptr && used) text += family->help.size() + family->unit.size();
    }
    CHECK(metadata.text_bytes() == text);
    for (uint32_t i = 0; i < of_series.size(); i++) {
      REQUIRE(metadata.Of(i) == of_series[i].get());
    }
  }
}

TEST_CASE("series metadata: costs two bytes a series beside its families") {
  const auto family = std::make_shared<const FamilyMetadata>();
  const SeriesMetadata metadata(std::vector<FamilyRef>(500, family));
  CHECK(metadata.memory_bytes() <= sizeof(SeriesMetadata) + 500 * 2 + sizeof(FamilyRef));
}

}  // namespace
}  // namespace tributary
