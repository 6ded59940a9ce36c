// Where credentials are looked for, in which order.
#include "common/aws/credential_plan.h"

#include <map>
#include <string>

#include "test/support/catch.h"
#include "test/support/sim/sim_files.h"

namespace tributary {
namespace {

using Base = CredentialPlan::Base;

struct PlanWorld {
  Result<CredentialPlan> Plan() {
    return PlanCredentials(
        config,
        [this](const char* name) {
          const auto found = environment.find(name);
          return found == environment.end() ? nullptr : found->second.c_str();
        },
        files);
  }
  CredentialPlan Good() {
    const auto plan = Plan();
    if (!plan) FAIL(plan.error().message);
    return *plan;
  }
  std::string Bad() {
    const auto plan = Plan();
    return plan ? "" : plan.error().message;
  }
  void Credentials(const std::string& text) { files.WriteFile("/h/.aws/credentials", text); }
  void Config(const std::string& text) { files.WriteFile("/h/.aws/config", text); }

  Sigv4Config config;
  std::map<std::string, std::string> environment = {{"HOME", "/h"}, {"AWS_REGION", "eu-west-1"}};
  SimFileSystem files;
};

TEST_CASE(
    "aws plan: the order is configuration, environment, web identity, files, container, instance") {
  PlanWorld world;
  CHECK(world.Good().base == Base::kInstance);
  CHECK(world.Good().instance_endpoint == "http://169.254.169.254");
  world.environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/creds/1";
  CHECK(world.Good().base == Base::kContainer);
  CHECK(world.Good().container_url == "http://169.254.170.2/creds/1");
  world.Credentials("[default]\naws_access_key_id = file\naws_secret_access_key = s\n");
  CHECK(world.Good().keys.access_key_id == "file");
  CHECK(world.Good().keys_of_file);
  world.environment["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/token";
  CHECK(world.Bad() == "AWS_WEB_IDENTITY_TOKEN_FILE needs AWS_ROLE_ARN");
  world.environment["AWS_ROLE_ARN"] = "arn:r";
  world.environment["AWS_ROLE_SESSION_NAME"] = "me";
  const CredentialPlan web = world.Good();
  CHECK(web.base == Base::kWebIdentity);
  CHECK(web.web_role.arn == "arn:r");
  CHECK(web.web_role.session_name == "me");
  CHECK(web.roles.empty());
  world.environment["AWS_ACCESS_KEY_ID"] = "env";
  world.environment["AWS_SECRET_ACCESS_KEY"] = "s";
  world.environment["AWS_SESSION_TOKEN"] = "t";
  CHECK(world.Good().base == Base::kKeys);
  CHECK(world.Good().keys.session_token == "t");
  CHECK_FALSE(world.Good().keys_of_file);
  world.config.profile = "default";  // said in the configuration, it comes before the environment
  CHECK(world.Good().keys.access_key_id == "file");
  world.config.access_key = "cfg";
  world.config.secret_key = {"s"};
  CHECK(world.Good().keys.access_key_id == "cfg");
  CHECK(world.Good().keys.session_token.empty());
}

TEST_CASE("aws plan: the region is the configuration's, the environment's, the profile's") {
  PlanWorld world;
  world.environment.erase("AWS_REGION");
  CHECK(world.Good().region.empty());
  CHECK(world.Good().asks_instance());
  world.Config("[default]\nregion = p\n");
  CHECK(world.Good().region == "p");
  world.environment["AWS_DEFAULT_REGION"] = "d";
  CHECK(world.Good().region == "d");
  world.environment["AWS_REGION"] = "e";
  CHECK(world.Good().region == "e");
  world.config.region = "c";
  CHECK(world.Good().region == "c");
}

TEST_CASE("aws plan: an instance that must not be asked is not") {
  PlanWorld world;
  world.environment["AWS_EC2_METADATA_DISABLED"] = "TRUE";
  CHECK(world.Bad().find("there are no AWS credentials") == 0);
  world.environment.erase("AWS_REGION");
  CHECK(world.Bad().find("there is no AWS region") == 0);
  world.environment.erase("AWS_EC2_METADATA_DISABLED");
  world.environment["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"] = "IPv6";
  CHECK(world.Good().instance_endpoint == "http://[fd00:ec2::254]");
  world.environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:1/";
  CHECK(world.Good().instance_endpoint == "http://127.0.0.1:1");
}

TEST_CASE("aws plan: plain http goes to this machine and to the hosts of ECS and EKS only") {
  PlanWorld world;
  const auto with = [&](const char* url) {
    world.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url;
    return world.Bad();
  };
  for (const char* good :
       {"http://localhost:1/x", "http://127.1.2.3/x", "http://[::1]/x", "http://169.254.170.2/x",
        "http://169.254.170.23/v1/credentials", "http://[fd00:ec2::23]/v1", "https://other/x"}) {
    CAPTURE(good);
    CHECK(with(good).empty());
  }
  for (const char* bad : {"http://other/x", "http://10.0.0.1/x", "http://127.evil.test/x",
                          "http://localhost.evil.test/", "x", "file:///x"}) {
    CAPTURE(bad);
    CHECK(with(bad).find("AWS_CONTAINER_CREDENTIALS_FULL_URI") == 0);
  }
}

TEST_CASE("aws plan: profiles of both files are one, and the credentials file wins") {
  PlanWorld world;
  world.Config(
      "# a comment\nregion = nowhere\n[profile  a] ; the first\nAWS_ACCESS_KEY_ID: old\n"
      "aws_secret_access_key=\"so\"\naws_session_token = t # of the old keys\nregion = ra\n"
      "s3 =\n  region = nested\n[b]\nregion = not a profile here\n");
  world.Credentials("[a]\r\naws_access_key_id = new\r\naws_secret_access_key = s#n ;x\r\n");
  world.environment.erase("AWS_REGION");
  world.environment["AWS_PROFILE"] = "a";
  const CredentialPlan plan = world.Good();
  CHECK(plan.keys.access_key_id == "new");
  CHECK(plan.keys.secret_access_key == "s#n");
  CHECK(plan.keys.session_token == "t");  // as in the SDK, option by option
  CHECK(plan.region == "ra");
  world.environment["AWS_PROFILE"] = "b";
  CHECK(world.Bad() == "AWS profile 'b': it is in neither of the shared files");
  world.environment["AWS_SHARED_CREDENTIALS_FILE"] = "/other";
  world.files.WriteFile("/other", "[b]\naws_access_key_id = kb\naws_secret_access_key = s\n");
  CHECK(world.Good().keys.access_key_id == "kb");
}

TEST_CASE("aws plan: options may be indented, and [profile default] is the default") {
  const std::string keys = "aws_access_key_id = k\n  aws_secret_access_key = s ; x\n";
  PlanWorld world;
  world.environment.erase("AWS_REGION");
  world.Config("[default]\n  region = r\n  " + keys);
  CHECK(world.Good().region == "r");
  CHECK(world.Good().keys.secret_access_key == "s");
  for (const std::string& text :
       {"[default]\nregion=r1\n[profile default]\nregion=r2\n" + keys,
        "[profile default]\nregion=r2\n" + keys + "[default]\nregion=r1"}) {
    world.Config(text);
    CHECK(world.Good().region == "r2");
    CHECK(world.Good().keys.access_key_id == "k");
  }
}

TEST_CASE("aws plan: a source profile with keys and a role gives the role") {
  PlanWorld world;
  world.config.profile = "a";
  world.Config(
      "[profile a]\nrole_arn = ra\nsource_profile = b\n"
      "[profile b]\nrole_arn = rb\naws_access_key_id = k\naws_secret_access_key = s\n");
  REQUIRE(world.Good().roles.size() == 2);
  CHECK(world.Good().roles[0].arn == "rb");
  CHECK(world.Good().roles[1].arn == "ra");
}

TEST_CASE("aws plan: roles are assumed along the source profiles, the configuration's last") {
  PlanWorld world;
  world.Config(
      "[profile a]\nrole_arn = ra\nsource_profile = b\nduration_seconds = 3600\n"
      "[profile b]\nrole_arn = rb\nsource_profile = c\nexternal_id = x\nrole_session_name = n\n"
      "duration_seconds = 60\n"
      "[profile c]\naws_access_key_id = kc\naws_secret_access_key = s\n");
  world.config.profile = "a";
  world.config.role_arn = "rz";
  world.config.external_id = "xz";
  world.config.session_name = "nz";
  world.config.tags = {{"k", "v"}};
  const CredentialPlan plan = world.Good();
  CHECK(plan.keys.access_key_id == "kc");
  REQUIRE(plan.roles.size() == 3);
  CHECK(plan.roles[0].arn == "rb");
  CHECK(plan.roles[0].external_id == "x");
  CHECK(plan.roles[0].session_name == "n");
  CHECK(plan.roles[0].duration == std::chrono::minutes(15));
  CHECK(plan.roles[1].arn == "ra");
  CHECK(plan.roles[1].duration == std::chrono::hours(1));
  CHECK(plan.roles[2].arn == "rz");
  CHECK(plan.roles[2].external_id == "xz");
  CHECK(plan.roles[2].session_name == "nz");
  CHECK(plan.roles[2].tags.at("k") == "v");
}

TEST_CASE("aws plan: a duration that is no number is not taken for the default") {
  PlanWorld world;
  world.config.profile = "a";
  for (const char* text : {"1h", "x", "3600 s", "1.5", "99999999999999999999"}) {
    CAPTURE(text);
    world.Config(
        "[profile a]\nrole_arn = ra\nsource_profile = b\nduration_seconds = " + std::string(text) +
        "\n[profile b]\naws_access_key_id = k\naws_secret_access_key = s\n");
    CHECK(world.Bad() == "AWS profile 'a': duration_seconds has to be a whole number, not '" +
                             std::string(text) + "'");
  }
}

TEST_CASE("aws plan: a profile may be its own source, but not without keys") {
  PlanWorld world;
  world.config.profile = "a";
  const std::string itself = "[profile a]\nrole_arn = ra\nsource_profile = a\n";
  world.Config(itself);
  CHECK(world.Bad() == "AWS profile 'a': the source_profile 'a' has no credentials");
  world.Config(itself + "aws_access_key_id = k\naws_secret_access_key = s\n");
  CHECK(world.Good().keys.access_key_id == "k");
  REQUIRE(world.Good().roles.size() == 1);
  world.Config(
      "[profile a]\nrole_arn = ra\nsource_profile = b\n"
      "[profile b]\nrole_arn = rb\nsource_profile = a\n");
  CHECK(world.Bad().find("has no credentials") != std::string::npos);
}

TEST_CASE("aws plan: a profile names its credentials' source") {
  PlanWorld world;
  world.config.profile = "a";
  const auto source = [&](const std::string& name) {
    world.Config("[profile a]\nrole_arn = ra\ncredential_source = " + name + "\n");
  };
  source("Ec2InstanceMetadata");
  CHECK(world.Good().base == Base::kInstance);
  CHECK(world.Good().roles.size() == 1);
  source("Environment");
  CHECK(world.Bad().find("which has no AWS_ACCESS_KEY_ID") != std::string::npos);
  source("EcsContainer");
  CHECK(world.Bad().find("is EcsContainer, but neither") != std::string::npos);
  source("Moon");
  CHECK(world.Bad().find("has to be Environment") != std::string::npos);
  world.Config("[profile a]\nrole_arn = ra\nweb_identity_token_file = /t\n");
  CHECK(world.Good().base == Base::kWebIdentity);
  CHECK(world.Good().roles.empty());
}

TEST_CASE("aws plan: what is not built or makes no sense is named") {
  PlanWorld world;
  world.config.profile = "a";
  const std::pair<const char*, const char*> kBad[] = {
      {"credential_process = /bin/x", "AWS profile 'a': credential_process is not built yet"},
      {"sso_session = x", "AWS profile 'a': IAM Identity Center (sso_*) is not built yet"},
      {"login_session = x", "AWS profile 'a': login_session is not built yet"},
      {"source_profile = b", "AWS profile 'a': source_profile needs role_arn"},
      {"aws_access_key_id = k",
       "AWS profile 'a': aws_access_key_id and aws_secret_access_key need each other"},
      {"role_arn = r\nsource_profile = a\ncredential_process = x",
       "AWS profile 'a': source_profile and credential_process exclude each other"},
      {"role_arn = r\nmfa_serial = m",
       "AWS profile 'a': mfa_serial wants a person with a token, whom an agent does not have"},
  };
  for (const auto& [options, message] : kBad) {
    world.Config(std::string("[profile a]\n") + options + "\n");
    CHECK(world.Bad() == message);
  }
}

TEST_CASE("aws plan: STS is the region's, or what the environment says") {
  CHECK(*StsUrl("eu-west-1", false) == "https://sts.eu-west-1.amazonaws.com");
  CHECK(*StsUrl("us-east-1", true) == "https://sts-fips.us-east-1.amazonaws.com");
  CHECK(*StsUrl("us-gov-west-1", true) == "https://sts.us-gov-west-1.amazonaws.com");
  CHECK(*StsUrl("cn-north-1", false) == "https://sts.cn-north-1.amazonaws.com.cn");
  for (const char* bad : {"", "a/b", "a.b", "-a", "a-", "a@b"}) CHECK_FALSE(StsUrl(bad, false));
  PlanWorld world;
  CHECK(world.Good().sts_endpoint.empty());
  world.environment["AWS_ENDPOINT_URL"] = "http://all";
  CHECK(world.Good().sts_endpoint == "http://all");
  world.environment["AWS_ENDPOINT_URL_STS"] = "http://sts";
  CHECK(world.Good().sts_endpoint == "http://sts");
  world.config.use_fips_sts_endpoint = true;
  CHECK(world.Bad().find("exclude each other") != std::string::npos);
  world.environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true";
  CHECK(world.Good().sts_endpoint.empty());
}

}  // namespace
}  // namespace tributary
