// Calls of AWS' APIs against simulated services.
#include "common/aws/api_client.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/aws/sigv4.h"
#include "test/support/catch.h"
#include "test/support/sim/sim_files.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_network.h"

namespace tributary {
namespace {

using Kind = AwsApiError::Kind;

const std::string kHost = "ec2.eu-west-1.amazonaws.com:443";

ScriptedReply Ec2Error(int status, const std::string& code, const std::string& message = "words") {
  return ScriptedReply::Text(status, "<?xml version=\"1.0\"?><Response><Errors><Error><Code>" +
                                         code + "</Code><Message>" + message +
                                         "</Message></Error></Errors>"
                                         "<RequestID>r-1</RequestID></Response>");
}

struct ApiWorld {
  ApiWorld() {
    access.region = "eu-west-1";
    access.access_key = "AKIDEXAMPLE";
    access.secret_key = {"wJalrXUtnFEMI"};
    Serve(kHost);
  }
  void Serve(const std::string& host) {
    network.Listen(host, [this, host](const ServedRequest& request) {
      asked.push_back(host);
      sent.push_back(request);
      return answer(request);
    });
  }
  AwsApiClient& Client() {
    if (client) return *client;
    return client.emplace(
        loop, transport, files,
        [this](const char* name) {
          const auto found = environment.find(name);
          return found == environment.end() ? nullptr : found->second.c_str();
        },
        access, "ec2", counters);
  }
  AwsResult<std::string> Call(const AwsApiRequest& request = Ec2Request("DescribeInstances", {})) {
    std::optional<AwsResult<std::string>> got;
    Client().Start(request, [&got](AwsResult<std::string> body) { got = std::move(body); });
    REQUIRE_FALSE(got.has_value());  // never from inside
    REQUIRE(loop.RunUntil([&] { return got.has_value(); }, seconds(300)));
    return *std::move(got);
  }
  // As of a role of the instance, whose keys have numbers.
  void UseInstance() {
    access.access_key.clear();
    network.Listen("169.254.169.254:80", [this](const ServedRequest& request) {
      if (!request.target.ends_with("/role")) return ScriptedReply::Text(200, "role");
      const std::string number = std::to_string(++fetches);
      return ScriptedReply::Text(200, "{\"AccessKeyId\":\"AK" + number +
                                          "\",\"SecretAccessKey\":\"S\",\"Token\":\"T" + number +
                                          "\",\"Expiration\":\"2030-01-01T00:00:00Z\"}");
    });
  }

  SimLoop loop{1'440'938'160'000};  // 2015-08-30 12:36:00
  SimNetwork network;
  SimTransport transport{network, loop};
  SimFileSystem files;
  AwsSdAccess access;
  std::map<std::string, std::string> environment;
  AwsApiCounters counters;
  ReplyScript answer = [](const ServedRequest&) { return ScriptedReply::Text(200, "<ok/>"); };
  std::vector<std::string> asked;
  std::vector<ServedRequest> sent;
  int fetches = 0;
  std::optional<AwsApiClient> client;
};

TEST_CASE("aws api: a call of EC2 is a signed form") {
  ApiWorld world;
  AwsParameters parameters = {{"Filter.1.Name", "tag:a b"}};
  AddList(parameters, "Filter.1.Value", {"x&y", "ü"});
  const auto got = world.Call(Ec2Request("DescribeInstances", parameters));
  REQUIRE(got);
  CHECK(*got == "<ok/>");
  REQUIRE(world.sent.size() == 1);
  const ServedRequest& request = world.sent[0];
  CHECK(request.method == "POST");
  CHECK(request.target == "/");
  CHECK(request.body ==
        "Action=DescribeInstances&Filter.1.Name=tag%3Aa+b&Filter.1.Value.1=x%26y&"
        "Filter.1.Value.2=%C3%BC&Version=2016-11-15");
  HttpRequest expected;
  expected.method = "POST";
  expected.url = "https://ec2.eu-west-1.amazonaws.com/";
  expected.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  expected.body = std::make_shared<const std::string>(request.body);
  AwsCredentials keys;
  keys.access_key_id = "AKIDEXAMPLE";
  keys.secret_access_key = "wJalrXUtnFEMI";
  SignRequest(expected, {"Content-Type"}, keys, {"eu-west-1", "ec2"}, world.loop.WallMs());
  CHECK(request.Header("Content-Type") == "application/x-www-form-urlencoded");
  CHECK(request.Header("Authorization") == FindHeader(expected.headers, "Authorization"));
  CHECK(world.counters.requests == 1);
  CHECK(world.counters.retries == 0);
}

TEST_CASE("aws api: a call of ECS is signed JSON, with its target") {
  ApiWorld world;
  world.Serve("ecs.eu-west-1.amazonaws.com:443");
  REQUIRE(world.Call(EcsRequest("ListClusters", R"({"maxResults":100})")));
  REQUIRE(world.sent.size() == 1);
  const ServedRequest& request = world.sent[0];
  CHECK(request.body == R"({"maxResults":100})");
  CHECK(request.Header("Content-Type") == "application/x-amz-json-1.1");
  CHECK(request.Header("X-Amz-Target") == "AmazonEC2ContainerServiceV20141113.ListClusters");
  const std::string authorization = request.Header("Authorization");
  CHECK(authorization.find("/eu-west-1/ecs/aws4_request") != std::string::npos);
  CHECK(authorization.find("content-length;content-type;host;x-amz-date;x-amz-target") !=
        std::string::npos);
}

TEST_CASE("aws api: endpoints are the configuration's, the environment's, the region's") {
  const auto asked = [](const std::function<void(ApiWorld&)>& change) {
    ApiWorld world;
    change(world);
    for (const char* host : {"own:1", "env:1", "all:1", "ecs.eu-west-1.amazonaws.com:443",
                             "ec2.cn-north-1.amazonaws.com.cn:443"}) {
      world.Serve(host);
    }
    REQUIRE(world.Call());
    REQUIRE(world.Call(EcsRequest("ListClusters", "{}")));
    return world.asked[0] + " " + world.asked[1];
  };
  CHECK(asked([](ApiWorld&) {}) == kHost + " ecs.eu-west-1.amazonaws.com:443");
  // Of the one service that it is for.
  CHECK(asked([](ApiWorld& world) { world.access.endpoint = "http://own:1"; }) ==
        "own:1 ecs.eu-west-1.amazonaws.com:443");
  CHECK(asked([](ApiWorld& world) {
          world.access.endpoint = "http://own:1/";
          world.environment["AWS_ENDPOINT_URL"] = "http://all:1";
        }) == "own:1 all:1");
  CHECK(asked([](ApiWorld& world) {
          world.environment["AWS_ENDPOINT_URL_EC2"] = "http://env:1";
          world.environment["AWS_ENDPOINT_URL"] = "http://all:1";
        }) == "env:1 all:1");
  CHECK(asked([](ApiWorld& world) {
          world.environment["AWS_ENDPOINT_URL"] = "http://all:1";
          world.environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true";
        }) == kHost + " ecs.eu-west-1.amazonaws.com:443");
}

TEST_CASE("aws api: a region that is none is an error, and nothing is sent") {
  ApiWorld world;
  world.access.region = "eu-west-1.evil.example/";
  const auto got = world.Call();
  REQUIRE_FALSE(got);
  CHECK(got.error().kind == Kind::kCredentials);
  CHECK(got.error().message == "'eu-west-1.evil.example/' is no AWS region");
  CHECK(world.counters.requests == 0);
}

TEST_CASE("aws api: without a region it is that of the environment, AWS_PROFILE, the instance") {
  ApiWorld world;
  world.access.region.clear();
  world.access.profile = "other";
  world.environment["HOME"] = "/home";
  world.files.WriteFile("/home/.aws/config",
                        "[default]\nregion = eu-west-1\n[profile other]\nregion = us-east-1\n");
  REQUIRE(world.Call());  // not that of the profile which the configuration names
  CHECK(world.Client().region() == "eu-west-1");
  CHECK(world.asked == std::vector<std::string>{kHost});
}

TEST_CASE("aws api: what may pass is asked for again, three times in all") {
  struct Case {
    ScriptedReply reply;
    Kind kind;
    std::string code;
  };
  const std::vector<Case> cases = {
      {Ec2Error(503, "RequestLimitExceeded"), Kind::kThrottled, "RequestLimitExceeded"},
      {Ec2Error(400, "Throttling"), Kind::kThrottled, "Throttling"},
      {ScriptedReply::Text(400, R"({"__type":"a.b#ThrottlingException","message":"m"})"),
       Kind::kThrottled, "ThrottlingException"},
      {ScriptedReply::Text(429, ""), Kind::kThrottled, ""},
      {Ec2Error(500, "InternalError"), Kind::kServer, "InternalError"},
      {ScriptedReply::Text(502, "<html>"), Kind::kServer, ""},
      {ScriptedReply::Text(503, ""), Kind::kServer, ""},
      {Ec2Error(400, "RequestTimeout"), Kind::kServer, "RequestTimeout"},
      {ScriptedReply::Broken(ScriptedReply::End::kReset), Kind::kUnreachable, ""},
      {ScriptedReply::Broken(ScriptedReply::End::kHang), Kind::kUnreachable, ""},
      {ScriptedReply::Text(200, "<a>").Cut(ScriptedReply::End::kClose, 1), Kind::kUnreachable, ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.code, static_cast<int>(c.kind));
    ApiWorld world;
    world.answer = [&](const ServedRequest&) { return c.reply; };
    const auto got = world.Call();
    REQUIRE_FALSE(got);
    CHECK(got.error().kind == c.kind);
    CHECK(got.error().code == c.code);
    CHECK(world.sent.size() == 3);
    CHECK(world.counters.requests == 3);
    CHECK(world.counters.retries == 2);
    CHECK(world.counters.throttled == (c.kind == Kind::kThrottled ? 3 : 0));
    // It may also go well at the end.
    int left = 2;
    world.answer = [&](const ServedRequest&) {
      return left-- > 0 ? c.reply : ScriptedReply::Text(200, "<ok/>");
    };
    CHECK(world.Call());
    CHECK(world.sent.size() == 6);
  }
}

TEST_CASE("aws api: pauses are shorter than one second and than two, and not always the same") {
  std::map<int64_t, int> firsts;
  for (int i = 0; i < 20; i++) {
    ApiWorld world;
    world.loop.RunFor(milliseconds(i));
    world.answer = [](const ServedRequest&) { return ScriptedReply::Text(503, ""); };
    REQUIRE_FALSE(world.Call());
    const nanoseconds first = world.sent[1].time - world.sent[0].time;
    const nanoseconds second = world.sent[2].time - world.sent[1].time;
    CHECK(first < seconds(1) + milliseconds(1));
    CHECK(second < seconds(2) + milliseconds(1));
    firsts[first.count()]++;
  }
  CHECK(firsts.size() == 20);
}

TEST_CASE("aws api: what will not pass is an error at once") {
  struct Case {
    ScriptedReply reply;
    Kind kind;
    std::string message;
  };
  const std::vector<Case> cases = {
      {Ec2Error(403, "UnauthorizedOperation", "You are not authorized"), Kind::kDenied,
       "UnauthorizedOperation: You are not authorized"},
      {Ec2Error(401, "AuthFailure", ""), Kind::kRefused, "AuthFailure"},
      {ScriptedReply::Text(400, R"({"__type":"AccessDeniedException","Message":"no"})"),
       Kind::kDenied, "AccessDeniedException: no"},
      {ScriptedReply::Text(400, R"({"message":"gone"})",
                           {{"X-Amzn-ErrorType", "ClusterNotFoundException:http://x/"}}),
       Kind::kRequest, "ClusterNotFoundException: gone"},
      {Ec2Error(400, "InvalidParameterValue", "bad filter"), Kind::kRequest,
       "InvalidParameterValue: bad filter"},
      {ScriptedReply::Text(403, "<html><body>"), Kind::kDenied, "answered 403"},
      {ScriptedReply::Text(404, "{\"__type\": 7"), Kind::kRequest, "answered 404"},
      {ScriptedReply::Text(204, ""), Kind::kRequest, "answered 204"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.message);
    ApiWorld world;
    world.answer = [&](const ServedRequest&) { return c.reply; };
    const auto got = world.Call();
    REQUIRE_FALSE(got);
    CHECK(got.error().kind == c.kind);
    CHECK(got.error().message == c.message);
    CHECK(world.sent.size() == 1);
  }
}

TEST_CASE("aws api: an answer over 64 MiB is an error") {
  ApiWorld world;
  const std::string chunk(8 << 20, 'x');
  world.answer = [&](const ServedRequest&) {
    ScriptedReply reply;
    reply.chunks.assign(9, chunk);
    return reply;
  };
  const auto got = world.Call();
  REQUIRE_FALSE(got);
  CHECK(got.error().kind == Kind::kAnswer);
  CHECK(got.error().message == "answered with more than 64 MiB");
  CHECK(world.sent.size() == 1);
}

TEST_CASE("aws api: expired credentials are fetched anew, once") {
  for (const char* code : {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}) {
    ApiWorld world;
    world.UseInstance();
    REQUIRE(world.Call());
    CHECK(world.fetches == 1);
    world.answer = [&](const ServedRequest& request) {
      if (request.Header("X-Amz-Security-Token") != "T1") return ScriptedReply::Text(200, "<ok/>");
      return Ec2Error(400, code);
    };
    REQUIRE(world.Call());
    CHECK(world.fetches == 2);
    CHECK(world.counters.retries == 1);
    world.answer = [&](const ServedRequest&) { return Ec2Error(400, code); };
    const auto got = world.Call();
    REQUIRE_FALSE(got);
    CHECK(got.error().kind == Kind::kExpired);
    CHECK(world.fetches == 3);
    CHECK(world.sent.size() == 5);
  }
}

TEST_CASE("aws api: keys that are refused are fetched anew for the next call, others are kept") {
  for (const bool keys : {true, false}) {
    ApiWorld world;
    world.UseInstance();
    world.answer = [&](const ServedRequest&) {
      return Ec2Error(403, keys ? "AuthFailure" : "UnauthorizedOperation");
    };
    REQUIRE_FALSE(world.Call());
    REQUIRE_FALSE(world.Call());
    CHECK(world.sent.size() == 2);
    CHECK(world.fetches == (keys ? 2 : 1));
  }
}

TEST_CASE("aws api: calls that were refused together renew the credentials once") {
  ApiWorld world;
  world.UseInstance();
  REQUIRE(world.Call());
  world.answer = [&](const ServedRequest& request) {
    if (request.Header("X-Amz-Security-Token") == "T2") return ScriptedReply::Text(200, "<ok/>");
    return Ec2Error(400, "ExpiredToken");
  };
  int good = 0;
  for (int i = 0; i < 10; i++) {
    world.Client().Start(Ec2Request("DescribeInstances", {}),
                         [&](const AwsResult<std::string>& body) { good += body ? 1 : 0; });
  }
  world.loop.RunFor(seconds(5));
  CHECK(good == 10);
  CHECK(world.fetches == 2);
}

TEST_CASE("aws api: where nobody has credentials the call fails and says why") {
  ApiWorld world;
  world.UseInstance();
  world.network.Find("169.254.169.254:80")->refusing = true;
  const auto got = world.Call();
  REQUIRE_FALSE(got);
  CHECK(got.error().kind == Kind::kCredentials);
  CHECK(got.error().message.find("the instance's metadata service") != std::string::npos);
  CHECK(world.sent.empty());
  CHECK(world.counters.credential_failures == 1);
  world.network.Find("169.254.169.254:80")->refusing = false;
  world.loop.RunFor(seconds(2));
  CHECK(world.Call());
}

TEST_CASE("aws api: one key without the other is not used") {
  ApiWorld world;
  world.access.secret_key = {};
  world.environment = {{"AWS_ACCESS_KEY_ID", "AKENV"}, {"AWS_SECRET_ACCESS_KEY", "S"}};
  REQUIRE(world.Call());
  CHECK(world.sent[0].Header("Authorization").find("Credential=AKENV/") != std::string::npos);
}

TEST_CASE("aws api: a role is assumed over the proxy of the configuration") {
  ApiWorld world;
  world.access.role_arn = "arn:aws:iam::1:role/r";
  world.access.external_id = "ext";
  std::string form;
  world.network.Listen("sts.eu-west-1.amazonaws.com:443", [&](const ServedRequest& request) {
    form = request.body;
    return ScriptedReply::Text(
        200,
        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>AKROLE</AccessKeyId>"
        "<SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>"
        "<Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"
        "</AssumeRoleResponse>");
  });
  REQUIRE(world.Call());
  CHECK(form.find("Action=AssumeRole&") != std::string::npos);
  CHECK(form.find("ExternalId=ext") != std::string::npos);
  CHECK(world.sent[0].Header("Authorization").find("Credential=AKROLE/") != std::string::npos);
  // Its TLS settings count towards STS too: a file that is not there keeps from asking.
  ApiWorld strict;
  strict.access.role_arn = world.access.role_arn;
  strict.access.http.tls.ca_file = "/no/ca.pem";
  const auto got = strict.Call();
  REQUIRE_FALSE(got);
  CHECK(got.error().message.find("STS (AssumeRole)") != std::string::npos);
  CHECK(got.error().message.find("/no/ca.pem") != std::string::npos);
}

TEST_CASE("aws api: a clock that is off is set by what the service says, and the call goes well") {
  ApiWorld world;
  world.answer = [](const ServedRequest& request) {
    if (request.Header("X-Amz-Date") >= "20150830T134000Z") return ScriptedReply::Text(200, "ok");
    ScriptedReply reply = Ec2Error(403, "RequestExpired");
    reply.headers.push_back({"Date", "Sun, 30 Aug 2015 13:46:00 GMT"});
    return reply;
  };
  REQUIRE(world.Call());
  CHECK(world.sent.size() == 2);
  CHECK(world.counters.clock_corrections == 1);
}

TEST_CASE("aws api: secrets that a service repeats are not told, and its words are bounded") {
  ApiWorld world;
  world.answer = [](const ServedRequest&) {
    return Ec2Error(400, "Bad", "got wJalrXUtnFEMI " + std::string(100'000, 'x'));
  };
  const auto got = world.Call();
  REQUIRE_FALSE(got);
  CHECK(got.error().message.find("wJalrXUtnFEMI") == std::string::npos);
  CHECK(got.error().message.starts_with("Bad: got <secret> xxx"));
  CHECK(got.error().message.size() <= 520);
}

TEST_CASE("aws api: the client can go with calls under way, which are not answered then") {
  for (const nanoseconds after : {nanoseconds(0), nanoseconds(300'000),
                                  nanoseconds(milliseconds(1)), nanoseconds(milliseconds(30))}) {
    ApiWorld world;
    world.UseInstance();
    world.answer = [](const ServedRequest&) { return ScriptedReply::Text(503, ""); };
    int answered = 0;
    for (int i = 0; i < 10; i++) {
      world.Client().Start(Ec2Request("DescribeInstances", {}),
                           [&](const AwsResult<std::string>&) { answered++; });
    }
    world.loop.RunFor(after);
    const int before = answered;
    REQUIRE(before < 10);
    world.client.reset();
    world.loop.RunFor(seconds(60));
    CHECK(answered == before);
    CHECK(world.transport.in_flight() == 0);
    CHECK(world.loop.pending() == 0);
  }
}

}  // namespace
}  // namespace tributary
