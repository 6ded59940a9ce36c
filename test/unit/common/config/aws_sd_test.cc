// What the loader makes of AWS' mechanisms of discovery.
#include <string>
#include <utility>

#include "common/config/loader.h"
#include "common/config/options.h"
#include "test/support/catch.h"
#include "test/unit/common/config/load_text.h"

namespace tributary {
namespace {

using std::chrono::minutes;

TEST_CASE("config: ec2, ecs and their roles of aws_sd_configs are the same mechanisms") {
  const auto job = [](const std::string& line) { return Good(Job(line))->scrape_configs.at(0); };
  ScrapeConfig config =
      job("ec2_sd_configs: [{region: r, endpoint: 'http://e', access_key: A, secret_key: B, "
          "profile: p, "
          "role_arn: a, external_id: x, port: 0, refresh_interval: 5m, proxy_url: 'http://p:1', "
          "filters: [{name: n, values: [v, w]}]}]");
  REQUIRE(config.ec2_sd_configs.size() == 1);
  const Ec2SdConfig& ec2 = config.ec2_sd_configs[0];
  CHECK(ec2.access.region == "r");
  CHECK(ec2.access.endpoint == "http://e");
  CHECK(ec2.access.access_key == "A");
  CHECK(ec2.access.secret_key.value == "B");
  CHECK(ec2.access.profile == "p");
  CHECK(ec2.access.role_arn == "a");
  CHECK(ec2.access.external_id == "x");
  CHECK(ec2.access.http.proxy.proxy_url == "http://p:1");
  CHECK(ec2.port == 0);
  CHECK(ec2.refresh_interval == std::chrono::minutes(5));
  CHECK(ec2.filters == std::vector<SdFilter>{{"n", {"v", "w"}}});

  CHECK(job("ec2_sd_configs: [{}]").ec2_sd_configs == std::vector<Ec2SdConfig>{{}});
  CHECK(job("ecs_sd_configs: [{}]").ecs_sd_configs == std::vector<EcsSdConfig>{{}});
  // There 0 means the default.
  CHECK(job("aws_sd_configs: [{role: ec2, port: 0, refresh_interval: 0s}]").ec2_sd_configs ==
        std::vector<Ec2SdConfig>{{}});
  config = job(
      "aws_sd_configs: [{role: ecs, region: r, clusters: [a, b], port: 7}, {role: ec2, filters: "
      "[{name: n}]}]");
  REQUIRE(config.ecs_sd_configs.size() == 1);
  CHECK(config.ecs_sd_configs[0].clusters == std::vector<std::string>{"a", "b"});
  CHECK(config.ecs_sd_configs[0].port == 7);
  CHECK(config.ecs_sd_configs[0].request_concurrency == 20);
  CHECK(config.ec2_sd_configs.at(0).filters == std::vector<SdFilter>{{"n", {}}});
  config = job("ecs_sd_configs: [{clusters: [a], request_concurrency: 3}]");
  CHECK(config.ecs_sd_configs.at(0).request_concurrency == 3);
  CHECK_FALSE(config.ecs_sd_configs.at(0).per_container);
  CHECK(Messages(LoadText(Job("ecs_sd_configs: [{per_container: true}]"), {})) == "");
  config = job("ecs_sd_configs: [{per_container: true}]");
  CHECK(config.ecs_sd_configs.at(0).per_container);
  config = job("aws_sd_configs: [{role: ecs, per_container: true}]");
  CHECK(config.ecs_sd_configs.at(0).per_container);
}

TEST_CASE("config: what has no effect for AWS' mechanisms is warned of") {
  const std::pair<const char*, const char*> kWarned[] = {
      {"ec2_sd_configs: [{access_key: A}]",
       "3:21: warning: 'access_key' has no effect without the other of access_key and secret_key"},
      {"ecs_sd_configs: [{secret_key: geheim}]", "3:21: warning: 'secret_key' has no effect"},
      {"aws_sd_configs: [{role: ec2, clusters: [a]}]",
       "3:32: warning: 'clusters' has no effect with the role ec2"},
      {"aws_sd_configs: [{role: ecs, filters: [{name: a, values: [b]}]}]",
       "3:32: warning: 'filters' has no effect with the role ecs"},
      {"aws_sd_configs: [{role: ec2, per_container: true}]",
       "3:32: warning: 'per_container' has no effect with the role ec2"},
      {"ecs_sd_configs: [{port: 1, per_container: true}]",
       "3:21: warning: 'port' has no effect with per_container"},
      {"aws_sd_configs: [{role: ecs, port: 1, per_container: true}]",
       "3:32: warning: 'port' has no effect with per_container"},
  };
  for (const auto& [line, expected] : kWarned) {
    CAPTURE(line);
    const LoadResult result = LoadText(Job(line), {});
    REQUIRE(result.config != nullptr);
    const std::string messages = Messages(result);
    CAPTURE(messages);
    CHECK(messages.find(expected) != std::string::npos);
    CHECK(messages.find("geheim") == std::string::npos);
  }
}

TEST_CASE("config: what Prometheus refuses of AWS' mechanisms is refused, and roles not built") {
  const std::pair<const char*, const char*> kBad[] = {
      {"ec2_sd_configs: [{filters: [{name: a}]}]", "'values' of a filter cannot be empty"},
      {"ec2_sd_configs: [{refresh_interval: 0s}]", "'refresh_interval' has to be above 0"},
      {"ec2_sd_configs: [{clusters: [a]}]", "unknown field 'clusters'"},
      {"ec2_sd_configs: [{bearer_token: a, basic_auth: {username: b}}]", "at most one of"},
      {"ecs_sd_configs: [{request_concurrency: 0}]", "'request_concurrency' has to be above 0"},
      {"aws_sd_configs: [{region: r}]", "'role' is missing in aws_sd_config"},
      {"aws_sd_configs: [{role: s3}]", "'s3' is not a valid 'role'"},
      {"aws_sd_configs: [{role: rds}]",
       "3:27: error: 'rds' is known for 'role', but not built yet"},
      {"aws_sd_configs: [{role: msk}]", "not built yet"},
      {"aws_sd_configs: [{role: lightsail}]", "not built yet"},
      {"aws_sd_configs: [{role: elasticache}]", "not built yet"},
      {"rds_sd_configs: [{}]", "'rds_sd_configs' is known, but not built yet"},
  };
  for (const auto& [line, expected] : kBad) {
    CAPTURE(line);
    const std::string messages = Bad(Job(line));
    CAPTURE(messages);
    CHECK(messages.find(expected) != std::string::npos);
  }
}

}  // namespace
}  // namespace tributary
