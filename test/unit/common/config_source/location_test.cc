#include "common/config_source/location.h"

#include "test/support/catch.h"

namespace tributary {
namespace {

using Kind = ConfigLocation::Kind;

TEST_CASE("config location: places, and everything else is a file") {
  const auto env = ParseConfigLocation("env:AGENT_CONFIG_2");
  REQUIRE(env);
  CHECK(env->kind == Kind::kEnvironment);
  CHECK(env->name == "AGENT_CONFIG_2");
  const auto ssm = ParseConfigLocation("ssm:/agents/prod/config:3");
  REQUIRE(ssm);
  CHECK(ssm->kind == Kind::kSsm);
  CHECK(ssm->name == "/agents/prod/config:3");
  CHECK(ssm->region.empty());
  const std::string arn = "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/agents/config";
  const auto by_arn = ParseConfigLocation("ssm:" + arn);
  REQUIRE(by_arn);
  CHECK(by_arn->name == arn);
  CHECK(by_arn->region == "cn-north-1");
  const auto s3 = ParseConfigLocation("s3://my-bucket.eu/a folder/agent.yml");
  REQUIRE(s3);
  CHECK(s3->kind == Kind::kS3);
  CHECK(s3->bucket == "my-bucket.eu");
  CHECK(s3->name == "a folder/agent.yml");
  for (const char* file : {"prometheus.yml", "/etc/s3:", "./env:X", "s3:/x/y", "C:x", ""}) {
    const auto place = ParseConfigLocation(file);
    REQUIRE(place);
    CHECK(place->is_file());
    CHECK(place->name == file);
  }
}

TEST_CASE("config location: what cannot be one is refused") {
  for (const char* bad :
       {"env:", "env:1A", "env:A B", "ssm:", "ssm:a b", "ssm:arn:aws:s3:eu-west-1:1:parameter/x",
        "ssm:arn:aws:ssm::1:parameter/x", "ssm:arn:aws:ssm:eu-west-1:1:parameter/", "ssm:arn:aws",
        "s3://", "s3://bucket", "s3://bucket/", "s3://ab/k", "s3://Bucket/k", "s3://buck_et/k"}) {
    INFO(bad);
    const auto place = ParseConfigLocation(bad);
    REQUIRE_FALSE(place);
    CHECK(place.error().message.find(std::string("'") + bad + "'") == 0);
  }
}

}  // namespace
}  // namespace tributary
