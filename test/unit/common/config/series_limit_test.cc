// Limits on series: of jobs, by the job and by the top level.
#include "common/config/loader.h"
#include "test/support/catch.h"
#include "test/unit/common/config/load_text.h"

namespace tributary {
namespace {

constexpr char kJobs[] = R"(tributary:
  scrape: {series_limit_per_target: 1000, series_limit: 5000}
scrape_configs:
  - job_name: inherits
  - job_name: says_one
    tributary: {series_limit_per_target: 20}
  - job_name: says_none
    tributary: {series_limit_per_target: 0, series_limit: 0}
)";

TEST_CASE("config: jobs have the limits on series of the top level unless they say their own") {
  const auto config = LoadText(kJobs).config;
  REQUIRE(config);
  const auto& jobs = config->scrape_configs;
  REQUIRE(jobs.size() == 3);
  CHECK(jobs[0].series_limit_per_target == 1000);
  CHECK(jobs[0].series_limit == 5000);
  CHECK(jobs[1].series_limit_per_target == 20);
  CHECK(jobs[1].series_limit == 5000);
  CHECK(jobs[2].series_limit_per_target == 0);
  CHECK(jobs[2].series_limit == 0);
  // What is printed means the same when it is read.
  const auto again = LoadText(config->yaml).config;
  REQUIRE(again);
  CHECK(again->scrape_configs == jobs);
}

TEST_CASE("config: there are no limits on series unless somebody says so") {
  const auto config = LoadText("scrape_configs: [{job_name: a}]\n").config;
  REQUIRE(config);
  CHECK(config->scrape_configs[0].series_limit_per_target == 0);
  CHECK(config->scrape_configs[0].series_limit == 0);
  CHECK(config->yaml.find("series_limit") == std::string::npos);
}

TEST_CASE("config: limits on series that are none are refused where they stand") {
  const auto loaded = LoadText(
      "scrape_configs:\n"
      "  - job_name: a\n"
      "    tributary:\n"
      "      series_limit: -1\n"
      "      series_limits_per_target: 5\n");
  CHECK(loaded.config == nullptr);
  REQUIRE(loaded.diagnostics.size() == 2);
  CHECK(loaded.diagnostics[0].line == 4);
  CHECK(loaded.diagnostics[0].column == 21);
  CHECK(loaded.diagnostics[1].line == 5);
  CHECK(loaded.diagnostics[1].ToString().find("series_limit_per_target") != std::string::npos);
}

}  // namespace
}  // namespace tributary
