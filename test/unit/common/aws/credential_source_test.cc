// Fetching credentials and keeping them fresh, against simulated services.
#include "common/aws/credential_source.h"

#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "test/support/catch.h"
#include "test/support/sim/sim_files.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_network.h"

namespace tributary {
namespace {

using std::chrono::minutes;

constexpr char kInstance[] = "169.254.169.254:80";
constexpr char kSts[] = "sts.eu-west-1.amazonaws.com:443";

struct SourceWorld {
  SourceWorld() {
    Serve(kInstance, [this](const ServedRequest& request) { return Instance(request); });
    Serve(kSts, [this](const ServedRequest&) { return Sts(); });
  }

  void Serve(const std::string& host, const ReplyScript& script) {
    network.Listen(host, [this, script](const ServedRequest& request) {
      asked.push_back(request);
      return script(request);
    });
  }
  CredentialSource& Source() {
    if (!source) {
      source.emplace(
          loop, transport, files,
          [this](const char* name) {
            const auto found = environment.find(name);
            return found == environment.end() ? nullptr : found->second.c_str();
          },
          clock, config,
          [this](const Status& fetched) {
            told.push_back(fetched ? "" : fetched.error().message);
          });
    }
    return *source;
  }
  // The key's id once it is there, or the error.
  std::string Get() {
    const size_t before = told.size();
    auto now = Source().Current();
    if (now && *now == nullptr) {
      REQUIRE(loop.RunUntil([&] { return told.size() > before; }, minutes(5)));
      now = Source().Current();
    }
    if (!now) return now.error().message;
    return *now == nullptr ? "waiting" : (*now)->credentials.access_key_id;
  }
  std::string Now() {
    const auto now = Source().Current();
    if (!now) return now.error().message;
    return *now == nullptr ? "waiting" : (*now)->credentials.access_key_id;
  }
  std::string Expiration() const {
    const auto at = static_cast<time_t>((loop.WallMs() + life.count()) / 1000);
    struct tm utc {};
    gmtime_r(&at, &utc);
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return text;
  }
  ScriptedReply Json() {
    return ScriptedReply::Text(
        200, R"({"Code":"Success","AccessKeyId":"K)" + std::to_string(++keys) +
                 R"(","SecretAccessKey":"S","Token":"T","Expiration":")" + Expiration() + "\"}");
  }
  ScriptedReply Sts() {
    if (!sts_error.empty()) return ScriptedReply::Text(403, sts_error, sts_headers);
    return ScriptedReply::Text(
        200, "<R><X><Credentials><AccessKeyId>K" + std::to_string(++keys) +
                 "</AccessKeyId><SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>"
                 "<Expiration>" +
                 Expiration() + "</Expiration></Credentials></X></R>");
  }
  ScriptedReply Instance(const ServedRequest& request) {
    if (instance_down) return ScriptedReply::Text(503, "");
    if (request.method == "PUT") return ScriptedReply::Text(200, "imds-token\n");
    if (request.Header("X-aws-ec2-metadata-token") != "imds-token") {
      return ScriptedReply::Text(401, "");
    }
    const std::string keys_path = "/latest/meta-data/iam/security-credentials/";
    if (request.target == "/latest/meta-data/placement/region") {
      return ScriptedReply::Text(200, "eu-west-1\n");
    }
    if (request.target == keys_path) return ScriptedReply::Text(200, "my-role\nother");
    if (request.target == keys_path + "my-role") return Json();
    return ScriptedReply::Text(404, "");
  }

  SimLoop loop;
  SimNetwork network;
  SimTransport transport{network, loop};
  SimFileSystem files;
  AwsClock clock{loop};
  Sigv4Config config;
  std::map<std::string, std::string> environment = {{"AWS_REGION", "eu-west-1"}};
  milliseconds life = std::chrono::hours(1);
  int keys = 0;
  bool instance_down = false;
  std::string sts_error;
  std::vector<HttpHeader> sts_headers;
  std::vector<ServedRequest> asked;
  std::vector<std::string> told;
  std::optional<CredentialSource> source;
};

TEST_CASE("aws source: keys of the configuration are there at once") {
  SourceWorld world;
  world.config.access_key = "AK";
  world.config.secret_key = {"SK"};
  CHECK(world.Now() == "AK");
  world.loop.RunFor(std::chrono::hours(100));
  CHECK(world.Now() == "AK");
  CHECK(world.asked.empty());
}

TEST_CASE("aws source: the instance is asked for a token, its role, the keys and the region") {
  SourceWorld world;
  world.environment.clear();
  CHECK(world.Get() == "K1");
  CHECK((*world.Source().Current())->region == "eu-west-1");
  REQUIRE(world.asked.size() == 4);
  CHECK(world.asked[0].method == "PUT");
  CHECK(world.asked[0].target == "/latest/api/token");
  CHECK(world.asked[0].Header("X-aws-ec2-metadata-token-ttl-seconds") == "300");
  world.config.access_key = "AK";
  world.config.secret_key = {"SK"};
  world.source.reset();
  CHECK(world.Get() == "AK");  // the region is asked for alone
  CHECK(world.asked.size() == 6);
}

TEST_CASE("aws source: an instance that is silent fails the fetch after a second") {
  SourceWorld world;
  world.network.Find(kInstance)->unreachable = true;
  CHECK(world.Get().find("sigv4: the instance's metadata service cannot be asked: ") == 0);
  CHECK(world.loop.Now() < MonotonicTime(milliseconds(1100)));
}

TEST_CASE("aws source: the container's service gets the token of the file, read each time") {
  SourceWorld world;
  world.Serve("169.254.170.23:80", [&](const ServedRequest&) { return world.Json(); });
  world.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://169.254.170.23/v1/credentials";
  world.environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "unused";
  world.environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = "/token";
  CHECK(world.Get().find("/token") != std::string::npos);
  world.files.WriteFile("/token", "one\n");
  world.loop.RunFor(seconds(2));
  CHECK(world.Get() == "K1");
  world.files.WriteFile("/token", "two");
  world.loop.RunFor(minutes(58));
  CHECK(world.Now() == "K1");
  world.loop.RunFor(seconds(1));
  CHECK(world.Now() == "K2");
  REQUIRE(world.asked.size() == 2);
  CHECK(world.asked[0].target == "/v1/credentials");
  CHECK(world.asked[0].Header("Authorization") == "one");
  CHECK(world.asked[1].Header("Authorization") == "two");
}

TEST_CASE("aws source: a web identity's token is exchanged unsigned") {
  SourceWorld world;
  world.environment["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/jwt";
  world.environment["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/r";
  world.environment["AWS_ROLE_SESSION_NAME"] = "me";
  world.files.WriteFile("/jwt", "a.b.c\n");
  CHECK(world.Get() == "K1");
  REQUIRE(world.asked.size() == 1);
  CHECK(world.asked[0].method == "POST");
  CHECK(world.asked[0].target == "/");
  CHECK(world.asked[0].Header("Authorization").empty());
  CHECK(world.asked[0].body ==
        "Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&"
        "RoleSessionName=me&Version=2011-06-15&WebIdentityToken=a.b.c");
}

TEST_CASE("aws source: a role is assumed with the keys found, signed for STS") {
  SourceWorld world;
  world.config.access_key = "AK";
  world.config.secret_key = {"SK"};
  world.config.role_arn = "arn:r";
  world.config.external_id = "ext";
  world.config.session_name = "me";
  world.config.tags = {{"a", "1"}, {"b", "2"}};
  CHECK(world.Get() == "K1");
  REQUIRE(world.asked.size() == 1);
  CHECK(world.asked[0].body ==
        "Action=AssumeRole&DurationSeconds=900&ExternalId=ext&RoleArn=arn%3Ar&RoleSessionName=me&"
        "Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=b&Tags.member.2.Value=2&"
        "Version=2011-06-15");
  CHECK(world.asked[0]
            .Header("Authorization")
            .find("Credential=AK/20231114/eu-west-1/sts/aws4_request, "
                  "SignedHeaders=content-length;content-type;host;x-amz-date, ") !=
        std::string::npos);
}

TEST_CASE("aws source: keys are renewed five to six minutes before they expire") {
  SourceWorld world;
  CHECK(world.Get() == "K1");
  world.loop.RunUntil(MonotonicTime(minutes(53)));
  CHECK(world.Now() == "K1");
  CHECK(world.asked.size() == 3);
  world.loop.RunUntil(MonotonicTime(minutes(56)));
  CHECK(world.Now() == "K1");  // the old ones are used meanwhile
  CHECK(world.Now() == "K1");
  world.loop.RunFor(seconds(1));
  CHECK(world.asked.size() == 6);
  CHECK(world.Now() == "K2");
}

TEST_CASE("aws source: short lives are renewed at their half, long ones every hour") {
  SourceWorld world;
  SECTION("short") {
    world.life = minutes(8);
    CHECK(world.Get() == "K1");
    world.loop.RunFor(seconds(238));
    CHECK(world.Now() == "K1");
    CHECK(world.asked.size() == 3);
    world.loop.RunFor(seconds(4));
  }
  SECTION("long") {
    world.life = std::chrono::hours(12);
    CHECK(world.Get() == "K1");
    world.loop.RunFor(minutes(59));
    CHECK(world.Now() == "K1");
    CHECK(world.asked.size() == 3);
    world.loop.RunFor(minutes(2));
  }
  CHECK(world.Now() == "K1");
  world.loop.RunFor(seconds(1));
  CHECK(world.Now() == "K2");
}

TEST_CASE("aws source: old keys are used while renewing fails, and until they expire") {
  SourceWorld world;
  CHECK(world.Get() == "K1");
  world.instance_down = true;
  world.loop.RunUntil(MonotonicTime(minutes(56)));
  for (int i = 0; i < 230; i++) {
    world.loop.RunFor(seconds(1));
    REQUIRE(world.Now() == "K1");
  }
  // At 1, 2, 4, ... 32 seconds from each other, then once a minute.
  CHECK(world.Source().failures() >= 7);
  CHECK(world.Source().failures() <= 10);
  world.loop.RunUntil(MonotonicTime(minutes(61)));
  CHECK(world.Get() == "sigv4: the instance's metadata service answered 503");
  world.instance_down = false;
  world.loop.RunFor(minutes(1));
  CHECK(world.Get() == "K2");
}

TEST_CASE("aws source: one fetch at a time, and a pause after one that failed") {
  SourceWorld world;
  world.instance_down = true;
  CHECK(world.Now() == "waiting");
  CHECK(world.Now() == "waiting");
  world.loop.RunFor(milliseconds(100));
  CHECK(world.asked.size() == 1);
  const std::string error = "sigv4: the instance's metadata service answered 503";
  CHECK(world.told == std::vector<std::string>{error});
  CHECK(world.Now() == error);
  CHECK(world.asked.size() == 1);
  world.loop.RunFor(seconds(1));
  CHECK(world.Now() == "waiting");
  world.loop.RunFor(milliseconds(100));
  CHECK(world.asked.size() == 2);
}

TEST_CASE("aws source: keys of a shared file are read again once a minute") {
  SourceWorld world;
  world.environment["AWS_SHARED_CREDENTIALS_FILE"] = "/c";
  const auto write = [&](const std::string& id) {
    world.files.WriteFile("/c",
                          "[default]\naws_access_key_id=" + id + "\naws_secret_access_key=s\n");
  };
  write("one");
  CHECK(world.Now() == "one");
  write("two");
  world.loop.RunFor(seconds(59));
  CHECK(world.Now() == "one");
  world.loop.RunFor(seconds(2));
  CHECK(world.Now() == "two");
  world.files.WriteFile("/c", "[default]\naws_access_key_id=three\n");  // half written
  world.loop.RunFor(minutes(2));
  CHECK(world.Now() == "two");
  CHECK(world.Source().failures() == 1);
}

TEST_CASE("aws source: keys that have expired are not taken") {
  SourceWorld world;
  world.life = -seconds(1);
  CHECK(world.Get() == "sigv4: the instance's metadata service gave keys that have expired");
}

TEST_CASE("aws source: STS' words are told without what it was sent") {
  SourceWorld world;
  world.environment["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/jwt";
  world.environment["AWS_ROLE_ARN"] = "arn:r";
  world.files.WriteFile("/jwt", "my-web-token");
  world.sts_error =
      "<E><Error><Code>InvalidIdentityToken</Code><Message>my-web-token is old</Message></Error>"
      "</E>";
  CHECK(world.Get() ==
        "sigv4: STS (AssumeRoleWithWebIdentity) answered 403: "
        "InvalidIdentityToken, <secret> is old");
}

TEST_CASE("aws source: STS shows that the clock is wrong, and is asked again by its own") {
  SourceWorld world;
  world.config.access_key = "AK";
  world.config.secret_key = {"SK"};
  world.config.role_arn = "arn:r";
  world.sts_error = "<E><Error><Code>SignatureDoesNotMatch</Code></Error></E>";
  world.sts_headers = {{"Date", "Tue, 14 Nov 2023 23:13:20 GMT"}};  // an hour ahead
  CHECK(world.Get() == "sigv4: STS (AssumeRole) answered 403: SignatureDoesNotMatch");
  REQUIRE(world.asked.size() == 2);
  CHECK(world.asked[0].Header("X-Amz-Date") == "20231114T221320Z");
  CHECK(world.asked[1].Header("X-Amz-Date") == "20231114T231320Z");
  CHECK(world.clock.corrections() == 1);
}

}  // namespace
}  // namespace tributary
