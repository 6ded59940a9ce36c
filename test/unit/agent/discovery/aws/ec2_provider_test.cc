#include "agent/discovery/aws/ec2_provider.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/http/query.h"
#include "test/support/catch.h"
#include "test/unit/agent/discovery/aws/ec2_xml.h"
#include "test/unit/agent/discovery/discovery_world.h"

namespace tributary {
namespace {

const std::string kFailures = "prometheus_sd_refresh_failures_total mechanism=ec2 config=j";
const std::string kRefreshes = "prometheus_sd_refresh_duration_seconds mechanism=ec2 config=j";

ScrapeConfig Ec2Job(const std::string& name, const std::string& region = "eu-west-1") {
  ScrapeConfig job;
  job.job_name = name;
  Ec2SdConfig ec2;
  ec2.access.region = region;
  ec2.access.access_key = "AK";
  ec2.access.secret_key = {"geheim"};
  ec2.port = 9100;
  job.ec2_sd_configs = {ec2};
  return job;
}

XmlInstance Instance(const std::string& ip) {
  XmlInstance instance;
  instance.id = "i-" + ip;
  instance.private_ip = ip;
  instance.zone = "az-a";
  return instance;
}

std::map<std::string, std::string> FormOf(const std::string& body) {
  std::map<std::string, std::string> form;
  for (size_t at = 0; at < body.size();) {
    const size_t end = std::min(body.find('&', at), body.size());
    const std::string pair = body.substr(at, end - at);
    form[pair.substr(0, pair.find('='))] =
        UnescapeBytes(pair.substr(pair.find('=') + 1), true).value_or("?");
    at = end + 1;
  }
  return form;
}

using Form = std::map<std::string, std::string>;

struct Ec2World : DiscoveryWorld {
  Ec2World() {
    network.Listen("ec2.eu-west-1.amazonaws.com:443", [this](const ServedRequest& request) {
      Form form = FormOf(request.body);
      const bool zones = form["Action"] == "DescribeAvailabilityZones";
      (zones ? zone_calls : calls).push_back(form);
      return zones ? zone_reply : reply(form);
    });
  }
  std::vector<Form> calls, zone_calls;
  ScriptedReply zone_reply = ScriptedReply::Text(200, ZonesXml({{"az-a", "id-1"}}));
  std::function<ScriptedReply(Form& form)> reply = [](Form&) {
    return ScriptedReply::Text(200, InstancesXml({Instance("10.0.0.1")}, "owner"));
  };
};

TEST_CASE("ec2_sd: instances are asked for with the filters, at once and at each interval") {
  Ec2World world;
  ScrapeConfig job = Ec2Job("j");
  job.ec2_sd_configs[0].filters = {{"tag:Env", {"prod", "a,b c"}},
                                   {"instance-state-name", {"running"}}};
  world.Apply({job});
  world.Run(seconds(1));
  REQUIRE(world.calls.size() == 1);
  CHECK(world.calls[0] == Form{{"Action", "DescribeInstances"},
                               {"Version", "2016-11-15"},
                               {"MaxResults", "1000"},
                               {"Filter.1.Name", "tag:Env"},
                               {"Filter.1.Value.1", "prod"},
                               {"Filter.1.Value.2", "a,b c"},
                               {"Filter.2.Name", "instance-state-name"},
                               {"Filter.2.Value.1", "running"}});
  CHECK(world.Updates() == "j: \nj: 10.0.0.1:9100");
  const Labels& labels = world.groups["j"].at(0).labels;
  CHECK(labels.Get("__meta_ec2_region") == "eu-west-1");
  CHECK(labels.Get("__meta_ec2_owner_id") == "owner");
  CHECK(labels.Get("__meta_ec2_availability_zone_id") == "id-1");
  world.Run(std::chrono::minutes(5));
  CHECK(world.calls.size() == 6);
  CHECK(world.zone_calls.size() == 1);  // asked for once
  CHECK(world.warnings.empty());
  CHECK(world.Metric(kRefreshes) == 6);
  CHECK(world.Metric(kFailures) == 0);
  CHECK(world.Metric("prometheus_sd_refresh_duration_histogram_seconds mechanism=ec2") == 6);
  CHECK(world.Metric("prometheus_sd_discovered_targets name=scrape config=j") == 1);
  CHECK(world.Metric("tributary_sd_aws_requests_total") == 7);
}

TEST_CASE("ec2_sd: all pages count, in an order that is always the same") {
  Ec2World world;
  int turn = 0;
  world.reply = [&](Form& form) {
    const std::string token = form["NextToken"];
    if (token.empty() && turn++ % 2 == 1) {
      return ScriptedReply::Text(
          200, InstancesXml({Instance("10.0.0.3"), Instance("10.0.0.2"), Instance("10.0.0.1")}));
    }
    if (token.empty()) {
      return ScriptedReply::Text(200, InstancesXml({Instance("10.0.0.1")}, "", "a=b&amp;c"));
    }
    if (token == "a=b&c") {
      return ScriptedReply::Text(200, InstancesXml({Instance("10.0.0.3")}, "", "last"));
    }
    CHECK(token == "last");
    return ScriptedReply::Text(200, InstancesXml({Instance("10.0.0.2")}));
  };
  world.Apply({Ec2Job("j")});
  world.Run(seconds(5));
  CHECK(world.Updates() == "j: \nj: 10.0.0.1:9100 10.0.0.2:9100 10.0.0.3:9100");
  world.Run(seconds(60));
  CHECK(world.calls.size() == 4);
  CHECK(world.Updates() == "");
}

TEST_CASE("ec2_sd: pages without an end are a failure") {
  Ec2World world;
  world.reply = [](Form&) { return ScriptedReply::Text(200, InstancesXml({}, "", "again")); };
  world.Apply({Ec2Job("j")});
  world.Run(seconds(30));
  CHECK(world.calls.size() == Ec2Provider::kPagesMax);
  CHECK(world.Metric(kFailures) == 1);
  REQUIRE(world.warnings.size() == 1);
  CHECK(world.warnings[0].find("no end") != std::string::npos);
}

TEST_CASE("ec2_sd: whatever is no good answer keeps the targets, is counted, and is told once") {
  struct Case {
    ScriptedReply reply;
    std::string reason;
  };
  const std::vector<Case> cases = {
      {ScriptedReply::Text(403, ErrorXml("UnauthorizedOperation", "You are not authorized.")),
       "UnauthorizedOperation: You are not authorized.; allow the action ec2:DescribeInstances in "
       "a policy of the role or user"},
      {ScriptedReply::Text(401, ErrorXml("AuthFailure", "no")),
       "AuthFailure: no; the credentials are not good"},
      {ScriptedReply::Text(503, ErrorXml("RequestLimitExceeded", "Request limit exceeded.")),
       "RequestLimitExceeded: Request limit exceeded.; ask less often"},
      {ScriptedReply::Text(400, ErrorXml("ExpiredToken", "old")), "have expired"},
      {ScriptedReply::Text(400, ErrorXml("InvalidParameterValue", "filter")),
       "InvalidParameterValue: filter"},
      {ScriptedReply::Text(500, ""), "answered 500"},
      {ScriptedReply::Text(200, ""), "XML that cannot be read"},
      {ScriptedReply::Text(200, "{}"), "XML that cannot be read"},
      {ScriptedReply::Text(200, InstancesXml({Instance("10.0.0.2")}).substr(0, 300)),
       "XML that cannot be read"},
      {ScriptedReply::Text(200, ZonesXml({})), "something else than DescribeInstancesResponse"},
      {ScriptedReply::Text(200, InstancesXml({})).Cut(ScriptedReply::End::kReset, 5), ""},
      {ScriptedReply::Broken(ScriptedReply::End::kHang), ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.reason);
    Ec2World world;
    const auto good = world.reply;
    world.Apply({Ec2Job("j")});
    world.Run(seconds(5));
    world.Updates();
    world.reply = [&](Form&) { return c.reply; };
    world.Run(std::chrono::minutes(6));
    CHECK(world.Updates() == "");
    CHECK(TargetsText(world.discovery.Groups("j")) == "10.0.0.1:9100");
    CHECK(world.Metric(kFailures) >= 3);
    CHECK(world.Metric(kFailures) == world.Metric(kRefreshes) - 1);
    REQUIRE(world.warnings.size() == 1);
    CHECK(world.warnings[0].starts_with("ec2_sd: eu-west-1: ec2:DescribeInstances: "));
    CHECK(world.warnings[0].find(c.reason) != std::string::npos);
    CHECK(world.warnings[0].ends_with(" (its last good targets are kept)"));
    CHECK(world.warnings[0].find("geheim") == std::string::npos);
    // It heals, and what fails next is told again.
    world.reply = [](Form&) {
      return ScriptedReply::Text(200, InstancesXml({Instance("10.0.0.9")}));
    };
    world.Run(std::chrono::minutes(3));
    CHECK(world.Updates() == "j: 10.0.0.9:9100");
    world.reply = [&](Form&) { return c.reply; };
    world.Run(std::chrono::minutes(4));
    CHECK(world.warnings.size() == 2);
  }
}

TEST_CASE("ec2_sd: an account without instances is a good answer") {
  Ec2World world;
  world.Apply({Ec2Job("j")});
  world.Run(seconds(5));
  world.Updates();
  world.reply = [](Form&) { return ScriptedReply::Text(200, InstancesXml({})); };
  world.Run(seconds(90));
  CHECK(world.Updates() == "j: ");
  CHECK(world.Metric(kFailures) == 0);
}

TEST_CASE("ec2_sd: a failure on a later page leaves the targets as they were") {
  Ec2World world;
  world.Apply({Ec2Job("j")});
  world.Run(seconds(5));
  world.Updates();
  world.reply = [](Form& form) {
    if (!form["NextToken"].empty()) return ScriptedReply::Text(400, ErrorXml("Bad", "x"));
    return ScriptedReply::Text(200, InstancesXml({Instance("10.0.0.5")}, "", "n"));
  };
  world.Run(seconds(90));
  CHECK(world.Updates() == "");
  CHECK(world.Metric(kFailures) == 1);
}

TEST_CASE("ec2_sd: without the zones' ids a label is missing, and they are asked for again") {
  Ec2World world;
  world.zone_reply = ScriptedReply::Text(403, ErrorXml("UnauthorizedOperation", "no"));
  world.Apply({Ec2Job("j")});
  world.Run(seconds(150));
  CHECK(world.zone_calls.size() == 3);
  CHECK(world.Metric(kFailures) == 0);
  REQUIRE(world.groups["j"].size() == 1);
  CHECK(world.groups["j"][0].labels.Get("__meta_ec2_availability_zone") == "az-a");
  CHECK_FALSE(world.groups["j"][0].labels.Has("__meta_ec2_availability_zone_id"));
  REQUIRE(world.warnings.size() == 1);
  CHECK(world.warnings[0] ==
        "ec2_sd: eu-west-1: ec2:DescribeAvailabilityZones: UnauthorizedOperation: no; allow the "
        "action ec2:DescribeAvailabilityZones in a policy of the role or user "
        "(__meta_ec2_availability_zone_id is missing)");
  world.zone_reply = ScriptedReply::Text(200, ZonesXml({{"az-a", "id-1"}}));
  world.Run(seconds(300));
  CHECK(world.zone_calls.size() == 4);
  CHECK(world.groups["j"][0].labels.Get("__meta_ec2_availability_zone_id") == "id-1");
}

TEST_CASE(
    "ec2_sd: without credentials the refresh fails, names where they were looked for, and heals") {
  Ec2World world;
  ScrapeConfig job = Ec2Job("j");
  job.ec2_sd_configs[0].access.role_arn = "arn:aws:iam::1:role/r";
  world.Apply({job});
  world.Run(seconds(70));
  CHECK(world.calls.empty());
  CHECK(world.Metric(kFailures) == 2);
  CHECK(world.Metric("tributary_sd_aws_credential_failures_total") >= 1);
  REQUIRE(world.warnings.size() == 1);
  CHECK(world.warnings[0].find("STS (AssumeRole)") != std::string::npos);
  world.network.Listen("sts.eu-west-1.amazonaws.com:443", [](const ServedRequest&) {
    return ScriptedReply::Text(
        200,
        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>AKROLE</AccessKeyId>"
        "<SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>"
        "<Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"
        "</AssumeRoleResponse>");
  });
  world.Run(seconds(130));
  CHECK(TargetsText(world.groups["j"]) == "10.0.0.1:9100");
}

TEST_CASE("ec2_sd: a reload keeps the targets of what looks for the same") {
  Ec2World world;
  world.Apply({Ec2Job("j")});
  world.Run(seconds(5));
  world.Updates();
  world.reply = [](Form&) { return ScriptedReply::Text(500, ""); };
  ScrapeConfig job = Ec2Job("j");
  job.ec2_sd_configs[0].refresh_interval = seconds(30);
  world.Apply({job});
  world.Run(seconds(20));
  CHECK(world.Updates() == "");
  CHECK(TargetsText(world.discovery.Groups("j")) == "10.0.0.1:9100");
  job.ec2_sd_configs[0].filters = {{"a", {"b"}}};  // others
  world.Apply({job});
  world.Run(seconds(20));
  CHECK(world.Updates() == "j: ");
}

TEST_CASE("ec2_sd: what is gone asks no more, also with a call under way") {
  Ec2World world;
  world.reply = [](Form&) { return ScriptedReply::Broken(ScriptedReply::End::kHang); };
  world.Apply({Ec2Job("j"), Ec2Job("k")});
  world.Run(seconds(1));
  CHECK(world.calls.size() == 1);  // they share it
  world.Apply({});
  CHECK(world.http.in_flight() == 0);
  world.Run(seconds(100));
  CHECK(world.calls.size() == 1);
  CHECK(world.loop.pending() == 0);
}

}  // namespace
}  // namespace tributary
