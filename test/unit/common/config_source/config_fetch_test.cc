// Configurations fetched from simulated services.
#include "common/config_source/config_fetch.h"

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "test/support/catch.h"
#include "test/support/sim/sim_files.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_network.h"

namespace tributary {
namespace {

const std::string kText = "global: {scrape_interval: 1s}\n";

ScriptedReply Parameter(const std::string& value) {
  return ScriptedReply::Text(
      200, R"({"Parameter":{"Name":"n","Type":"SecureString","Value":")" + value + R"("}})");
}
ScriptedReply S3Error(int status, const std::string& code) {
  return ScriptedReply::Text(status, "<?xml version=\"1.0\"?><Error><Code>" + code +
                                         "</Code><Message>m</Message></Error>");
}

struct FetchWorld {
  explicit FetchWorld(const std::string& place) : location(*ParseConfigLocation(place)) {
    for (const char* host : {"ssm.eu-west-1.amazonaws.com:443", "ssm.us-east-2.amazonaws.com:443",
                             "bucket.s3.eu-west-1.amazonaws.com:443",
                             "s3.eu-west-1.amazonaws.com:443", "minio:9000"}) {
      network.Listen(host, [this, host = std::string(host)](const ServedRequest& request) {
        asked.push_back(host);
        sent.push_back(request);
        return answer(request);
      });
    }
  }
  Result<std::string> Fetch(nanoseconds deadline = seconds(60)) {
    if (!fetch) {
      fetch.emplace(
          loop, transport, files,
          [this](const char* name) {
            const auto found = environment.find(name);
            return found == environment.end() ? nullptr : found->second.c_str();
          },
          location);
    }
    std::optional<Result<std::string>> got;
    begin = loop.Now();
    fetch->Start(deadline, [&got](Result<std::string> text) { got = std::move(text); });
    REQUIRE_FALSE(got.has_value());  // never from inside
    REQUIRE(loop.RunUntil([&] { return got.has_value(); }, seconds(600)));
    return *std::move(got);
  }

  SimLoop loop{1'440'938'160'000};
  SimNetwork network;
  SimTransport transport{network, loop};
  SimFileSystem files;
  const ConfigLocation location;
  std::map<std::string, std::string> environment = {{"AWS_REGION", "eu-west-1"},
                                                    {"AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"},
                                                    {"AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI"}};
  ReplyScript answer = [](const ServedRequest&) { return ScriptedReply::Text(200, kText); };
  std::vector<std::string> asked;
  std::vector<ServedRequest> sent;
  MonotonicTime begin{};
  std::optional<ConfigFetch> fetch;
};

TEST_CASE("config fetch: a variable's text, or that there is none") {
  FetchWorld world("env:CONFIG");
  const auto none = world.Fetch();
  REQUIRE_FALSE(none);
  CHECK(none.error().message.find("env:CONFIG: there is no such variable") == 0);
  world.environment["CONFIG"] = kText;
  CHECK(world.Fetch().value() == kText);
  CHECK(world.fetch->tries() == 2);
  CHECK(world.fetch->failures() == 1);
}

TEST_CASE("config fetch: a parameter is asked for decrypted, in the region of its ARN") {
  const std::string arn = "arn:aws:ssm:us-east-2:123456789012:parameter/agents/config";
  const bool by_arn = GENERATE(false, true);
  FetchWorld world(by_arn ? "ssm:" + arn : "ssm:/agents/config");
  world.answer = [](const ServedRequest&) { return Parameter("a: \\\"x\\\"\\n"); };
  CHECK(world.Fetch().value() == "a: \"x\"\n");
  REQUIRE(world.sent.size() == 1);
  const ServedRequest& request = world.sent[0];
  const std::string region = by_arn ? "us-east-2" : "eu-west-1";
  CHECK(world.asked[0] == "ssm." + region + ".amazonaws.com:443");
  CHECK(request.method == "POST");
  CHECK(request.body ==
        R"({"Name":")" + (by_arn ? arn : "/agents/config") + R"(","WithDecryption":true})");
  CHECK(request.Header("X-Amz-Target") == "AmazonSSM.GetParameter");
  CHECK(request.Header("Authorization").find("/" + region + "/ssm/aws4_request") !=
        std::string::npos);
}

TEST_CASE("config fetch: an object's bucket is in the host's name, or in the path") {
  const auto target = [](const std::string& place, const std::string& endpoint) {
    FetchWorld world(place);
    if (!endpoint.empty()) world.environment["AWS_ENDPOINT_URL_S3"] = endpoint;
    CHECK(world.Fetch().value() == kText);
    REQUIRE(world.sent.size() == 1);
    const ServedRequest& request = world.sent[0];
    CHECK(request.method == "GET");
    CHECK(request.body.empty());
    CHECK(request.Header("X-Amz-Content-Sha256") ==
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(request.Header("Authorization")
              .find("SignedHeaders=host;x-amz-content-sha256;x-amz-date,") != std::string::npos);
    return world.asked[0] + request.target;
  };
  CHECK(target("s3://bucket/a b/ü+.yml", "") ==
        "bucket.s3.eu-west-1.amazonaws.com:443/a%20b/%C3%BC%2B.yml");
  CHECK(target("s3://my.bucket/x//../y", "") == "s3.eu-west-1.amazonaws.com:443/my.bucket/x//../y");
  CHECK(target("s3://bucket/k", "http://minio:9000") == "minio:9000/bucket/k");
}

TEST_CASE("config fetch: what a service refuses is told at once, with what to do") {
  const auto told = [](const std::string& place, const ScriptedReply& reply) {
    FetchWorld world(place);
    world.answer = [&](const ServedRequest&) { return reply; };
    const auto got = world.Fetch();
    REQUIRE_FALSE(got);
    CHECK(world.sent.size() == 1);
    CHECK(world.fetch->failures() == 1);
    CHECK(got.error().message.find("wJalr") == std::string::npos);
    return got.error().message;
  };
  CHECK(told("ssm:x", ScriptedReply::Text(400, R"({"__type":"ParameterNotFound"})")) ==
        "ssm:x: ssm:GetParameter: ParameterNotFound");
  CHECK(told("ssm:x", ScriptedReply::Text(400, R"({"__type":"AccessDeniedException"})"))
            .find("; allow ssm:GetParameter, and kms:Decrypt") != std::string::npos);
  CHECK(told("ssm:x", ScriptedReply::Text(200, "{}")).find("has no value") != std::string::npos);
  CHECK(told("s3://bucket/k", S3Error(404, "NoSuchKey")) ==
        "s3://bucket/k: s3:GetObject: NoSuchKey: m");
  CHECK(
      told("s3://bucket/k", S3Error(301, "PermanentRedirect")).find("; the bucket is in another") !=
      std::string::npos);
  CHECK(told("s3://bucket/k", S3Error(403, "AccessDenied")).find("; allow s3:GetObject") !=
        std::string::npos);
  CHECK(
      told("s3://bucket/k", ScriptedReply::Text(200, std::string(kFetchedConfigBytesMax + 1, 'x')))
          .find("larger than 16 MiB") != std::string::npos);
}

TEST_CASE("config fetch: what may pass is tried again until the deadline, and then given up") {
  FetchWorld world("ssm:x");
  int bad = 7;  // a call of the API is sent three times
  world.answer = [&](const ServedRequest&) {
    return bad-- > 0 ? ScriptedReply::Text(503, "") : Parameter("good");
  };
  CHECK(world.Fetch().value() == "good");
  CHECK(world.fetch->tries() == 3);
  CHECK(world.fetch->failures() == 2);
  bad = 1000000;
  const auto given_up = world.Fetch();
  REQUIRE_FALSE(given_up);
  CHECK(world.loop.Now() - world.begin == seconds(60));
  CHECK(given_up.error().message.find("ssm:x: nothing in 60 s; at last: ssm:GetParameter: ") == 0);
  // What was given up does not disturb the next.
  bad = 0;
  CHECK(world.Fetch().value() == "good");
}

}  // namespace
}  // namespace tributary
