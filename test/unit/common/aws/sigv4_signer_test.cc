// An HTTP client that signs, against a simulated store.
#include "common/aws/sigv4_signer.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/aws/sigv4.h"
#include "common/http_client/http_client.h"
#include "test/support/catch.h"
#include "test/support/sim/sim_files.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_network.h"
#include "test/support/transport_contract.h"

namespace tributary {
namespace {

constexpr char kWorkspace[] =
    "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write";

struct SignerWorld {
  SignerWorld() {
    network.Listen("aps-workspaces.eu-west-1.amazonaws.com:443",
                   [this](const ServedRequest& request) {
                     sent.push_back(request);
                     return answer(request);
                   });
    sigv4.region = "eu-west-1";
    sigv4.access_key = "AKIDEXAMPLE";
    sigv4.secret_key = {"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};
  }
  HttpClient& Client() {
    if (client) return *client;
    auto made = std::make_unique<Sigv4Signer>(
        loop, transport, files,
        [this](const char* name) {
          const auto found = environment.find(name);
          return found == environment.end() ? nullptr : found->second.c_str();
        },
        sigv4);
    signer = made.get();
    return client.emplace(loop, transport, files, config, std::move(made));
  }
  std::unique_ptr<CollectingHandler> Start(nanoseconds timeout = seconds(10)) {
    auto handler = std::make_unique<CollectingHandler>();
    HttpRequest request;
    request.method = "POST";
    request.url = kWorkspace;
    request.headers = {{"Content-Encoding", "snappy"},
                       {"Content-Type", "application/x-protobuf"},
                       {"User-Agent", "agent/1"},
                       {"X-Prometheus-Remote-Write-Version", "0.1.0"}};
    request.body = std::make_shared<const std::string>("abc");
    request.timeout = timeout;
    Client().Start(std::move(request), handler.get());
    REQUIRE_FALSE(handler->done);
    return handler;
  }
  CollectingHandler Post() {
    const auto handler = Start();
    REQUIRE(loop.RunUntil([&] { return handler->done; }, seconds(60)));
    return *handler;
  }
  // As of a role on the instance; each has a number.
  void UseInstance() {
    sigv4.access_key.clear();
    sigv4.secret_key = {};
    network.Listen("169.254.169.254:80", [this](const ServedRequest& request) {
      asked++;
      ScriptedReply reply = ScriptedReply::Text(200, "one-line");
      if (request.target.ends_with("/one-line")) {
        reply =
            ScriptedReply::Text(200, R"({"AccessKeyId":"AK","SecretAccessKey":"S","Token":"T"})");
      }
      reply.before_head = instance_delay;
      return instance_down ? ScriptedReply::Text(500, "") : reply;
    });
  }

  SimLoop loop{1'440'938'160'000};  // 2015-08-30 12:36:00
  SimNetwork network;
  SimTransport transport{network, loop};
  SimFileSystem files;
  HttpClientConfig config;
  Sigv4Config sigv4;
  std::map<std::string, std::string> environment;
  nanoseconds instance_delay{};
  bool instance_down = false;
  int asked = 0;
  ReplyScript answer = [](const ServedRequest&) { return ScriptedReply::Text(200, "ok"); };
  std::vector<ServedRequest> sent;
  std::optional<HttpClient> client;
  Sigv4Signer* signer = nullptr;
};

std::string SignatureOf(const ServedRequest& request) {
  const std::string authorization = request.Header("Authorization");
  const size_t at = authorization.find("Signature=");
  return at == std::string::npos ? "" : authorization.substr(at + 10);
}

TEST_CASE("sigv4 signer: the caller's headers are signed, those of the configuration are not") {
  SignerWorld world;
  world.config.http_headers["X-Scope-OrgID"].values = {"tenant"};
  REQUIRE(world.Post().outcome.ok());
  REQUIRE(world.sent.size() == 1);
  CHECK(SignatureOf(world.sent[0]) ==
        "f8abb43567787ef6ee98322f247e25c9230e65b042e53fc89c1b6dba9859b460");
  CHECK(world.sent[0].Header("X-Scope-OrgID") == "tenant");
}

TEST_CASE("sigv4 signer: each request is signed for its own time") {
  SignerWorld world;
  REQUIRE(world.Post().outcome.ok());
  world.loop.RunFor(seconds(5));
  REQUIRE(world.Post().outcome.ok());
  REQUIRE(world.sent.size() == 2);
  CHECK(world.sent[0].Header("X-Amz-Date") == "20150830T123600Z");
  CHECK(world.sent[1].Header("X-Amz-Date") == "20150830T123605Z");
  CHECK(SignatureOf(world.sent[0]) != SignatureOf(world.sent[1]));
}

TEST_CASE("sigv4 signer: behind a redirect the request is signed anew") {
  SignerWorld world;
  world.answer = [](const ServedRequest&) {
    return ScriptedReply::Text(307, "", {{"Location", "http://h:8080/p"}});
  };
  world.network.Listen("h:8080", [&](const ServedRequest& request) {
    world.sent.push_back(request);
    return ScriptedReply::Text(200, "");
  });
  REQUIRE(world.Post().outcome.ok());
  REQUIRE(world.sent.size() == 2);
  HttpRequest expected;
  expected.method = "POST";
  expected.url = "http://h:8080/p";
  expected.headers = {{"Content-Encoding", "snappy"},
                      {"Content-Type", "application/x-protobuf"},
                      {"X-Prometheus-Remote-Write-Version", "0.1.0"}};
  expected.body = std::make_shared<const std::string>("abc");
  AwsCredentials keys;
  keys.access_key_id = world.sigv4.access_key;
  keys.secret_access_key = world.sigv4.secret_key.value;
  SignRequest(expected, {"Content-Encoding", "Content-Type", "X-Prometheus-Remote-Write-Version"},
              keys, {"eu-west-1", "aps"}, world.loop.WallMs());
  CHECK(world.sent[1].Header("Authorization") == FindHeader(expected.headers, "Authorization"));
}

TEST_CASE("sigv4 signer: a 403 from a server with another time is signed anew, once") {
  SignerWorld world;
  world.answer = [](const ServedRequest& request) {
    if (request.Header("X-Amz-Date") >= "20150830T134000Z") return ScriptedReply::Text(200, "ok");
    return ScriptedReply::Text(403, "skewed", {{"Date", "Sun, 30 Aug 2015 13:46:00 GMT"}});
  };
  const CollectingHandler got = world.Post();
  CHECK(got.head.status == 200);
  CHECK(got.body == "ok");
  CHECK(world.sent.size() == 2);
  CHECK(world.signer->corrections() == 1);
  REQUIRE(world.Post().outcome.ok());
  CHECK(world.sent.size() == 3);                  // the offset is kept
  world.loop.StepWall(std::chrono::minutes(70));  // somebody sets the clock right: now 140 ahead
  world.answer = [](const ServedRequest&) {
    return ScriptedReply::Text(403, "no", {{"Date", "Sun, 30 Aug 2015 13:46:00 GMT"}});
  };
  CHECK(world.Post().head.status == 403);
  CHECK(world.sent.size() == 5);
  CHECK(world.sent.back().Header("X-Amz-Date").substr(0, 13) == "20150830T1346");
}

TEST_CASE("sigv4 signer: a 403 that is not about time is the answer") {
  SignerWorld world;
  world.answer = [](const ServedRequest&) {
    return ScriptedReply::Text(403, "no", {{"Date", "Sun, 30 Aug 2015 12:40:00 GMT"}});
  };
  const CollectingHandler got = world.Post();
  CHECK(got.head.status == 403);
  CHECK(got.body == "no");
  CHECK(world.sent.size() == 1);
  CHECK(world.signer->corrections() == 0);
}

TEST_CASE("sigv4 signer: requests wait for credentials, which are fetched once") {
  SignerWorld world;
  world.UseInstance();
  world.instance_delay = milliseconds(500);
  std::vector<std::unique_ptr<CollectingHandler>> handlers;
  for (int i = 0; i < 10; i++) handlers.push_back(world.Start());
  const auto hasty = world.Start(seconds(1));
  world.loop.RunFor(seconds(5));
  for (const auto& handler : handlers) CHECK(handler->outcome.ok());
  CHECK(hasty->outcome.failure == HttpFailure::kTimeout);
  CHECK(world.asked == 3);
  REQUIRE(world.sent.size() == 10);
  CHECK(world.sent[0].Header("X-Amz-Security-Token") == "T");
  CHECK(world.sent[0].Header("X-Amz-Date") == "20150830T123601Z");
}

TEST_CASE("sigv4 signer: without credentials requests fail and say why") {
  SignerWorld world;
  world.UseInstance();
  world.instance_down = true;
  for (int i = 0; i < 2; i++) {
    const CollectingHandler got = world.Post();
    CHECK(got.outcome.failure == HttpFailure::kCredentials);
    CHECK(got.outcome.message == "sigv4: the instance's metadata service answered 500");
  }
  CHECK(world.sent.empty());
  CHECK(world.signer->failures() == 1);
  world.instance_down = false;
  world.loop.RunFor(seconds(2));
  CHECK(world.Post().outcome.ok());
}

TEST_CASE("sigv4 signer: the client can go while credentials are fetched") {
  SignerWorld world;
  world.UseInstance();
  const auto handler = world.Start();
  world.client.reset();
  world.loop.RunFor(seconds(30));
  CHECK_FALSE(handler->done);
  CHECK(world.transport.in_flight() == 0);
}

}  // namespace
}  // namespace tributary
