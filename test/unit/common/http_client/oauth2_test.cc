// The life of oauth2 tokens, against a simulated token server.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/http_client/http_client.h"
#include "test/support/catch.h"
#include "test/support/sim/sim_files.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_network.h"
#include "test/support/transport_contract.h"

namespace tributary {
namespace {

ScriptedReply Json(int status, std::string body) {
  return ScriptedReply::Text(status, std::move(body), {{"Content-Type", "application/json"}});
}

struct TokenWorld {
  TokenWorld() {
    network.Listen("target.test:80", [this](const ServedRequest& request) {
      requests.push_back(request);
      return ScriptedReply::Text(200, "hello");
    });
    network.Listen("token.test:80", [this](const ServedRequest& request) {
      fetches.push_back(request);
      return answer(request);
    });
    config.oauth2.emplace();
    config.oauth2->client_id = "i d";
    config.oauth2->client_secret = {"se&cret"};
    config.oauth2->token_url = "http://token.test/token";
  }

  HttpClient& Client() {
    if (!client) client.emplace(loop, transport, files, config);
    return *client;
  }
  std::unique_ptr<CollectingHandler> Start(nanoseconds timeout = seconds(10)) {
    auto handler = std::make_unique<CollectingHandler>();
    HttpRequest request = GetRequest("http://target.test/");
    request.headers = {{"User-Agent", "agent/1"}};
    request.timeout = timeout;
    Client().Start(std::move(request), handler.get());
    REQUIRE_FALSE(handler->done);
    return handler;
  }
  CollectingHandler Get() {
    const auto handler = Start();
    REQUIRE(loop.RunUntil([&] { return handler->done; }, seconds(60)));
    return *handler;
  }
  // Of the last request to the target.
  std::string Sent() { return requests.empty() ? "" : requests.back().Header("Authorization"); }

  SimLoop loop;
  SimNetwork network;
  SimTransport transport{network, loop};
  SimFileSystem files;
  HttpClientConfig config;
  std::optional<HttpClient> client;
  int tokens = 0;
  std::string expires_in = "3600";
  std::function<ScriptedReply(const ServedRequest&)> answer = [this](const ServedRequest&) {
    return Json(200, R"({"access_token":"t)" + std::to_string(++tokens) +
                         R"(","token_type":"bearer","expires_in":)" + expires_in + "}");
  };
  std::vector<ServedRequest> requests, fetches;
};

TEST_CASE("oauth2: a token is fetched with the client's credentials and sent") {
  TokenWorld world;
  world.config.oauth2->scopes = {"a", "b"};
  world.config.oauth2->endpoint_params = {{"audience", {"x y"}}};
  REQUIRE(world.Get().outcome.ok());
  CHECK(world.Sent() == "Bearer t1");
  REQUIRE(world.fetches.size() == 1);
  const ServedRequest& fetch = world.fetches[0];
  CHECK(fetch.method == "POST");
  CHECK(fetch.target == "/token");
  CHECK(fetch.body == "audience=x+y&grant_type=client_credentials&scope=a+b");
  CHECK(fetch.Header("Content-Type") == "application/x-www-form-urlencoded");
  CHECK(fetch.Header("Authorization") == "Basic aStkOnNlJTI2Y3JldA==");  // i+d:se%26cret
  CHECK(fetch.Header("User-Agent") == "agent/1");
}

TEST_CASE("oauth2: a token is used until ten seconds before it expires") {
  TokenWorld world;
  REQUIRE(world.Get().outcome.ok());
  world.loop.RunUntil(MonotonicTime(seconds(3589)));
  REQUIRE(world.Get().outcome.ok());
  CHECK(world.Sent() == "Bearer t1");
  world.loop.RunUntil(MonotonicTime(seconds(3591)));
  REQUIRE(world.Get().outcome.ok());
  CHECK(world.Sent() == "Bearer t2");
  CHECK(world.fetches.size() == 2);
}

TEST_CASE("oauth2: a token without an expiry is used for ever, a short one once") {
  TokenWorld world;
  SECTION("without") {
    world.expires_in = GENERATE("null", "0", "\"\"");
    REQUIRE(world.Get().outcome.ok());
    world.loop.RunFor(std::chrono::hours(1000));
    REQUIRE(world.Get().outcome.ok());
    CHECK(world.fetches.size() == 1);
  }
  SECTION("short") {
    world.expires_in = GENERATE("9", "\"9\"");
    for (int i = 0; i < 3; i++) REQUIRE(world.Get().outcome.ok());
    CHECK(world.fetches.size() == 3);
    CHECK(world.Sent() == "Bearer t3");
  }
}

TEST_CASE("oauth2: one fetch serves all that wait, in their order") {
  TokenWorld world;
  std::vector<std::unique_ptr<CollectingHandler>> handlers;
  for (int i = 0; i < 20; i++) handlers.push_back(world.Start());
  world.loop.RunFor(seconds(1));
  for (const auto& handler : handlers) CHECK(handler->outcome.ok());
  CHECK(world.fetches.size() == 1);
  CHECK(world.requests.size() == 20);
}

TEST_CASE("oauth2: a server that wants the secret in the form gets it there from then on") {
  TokenWorld world;
  world.expires_in = "9";
  const auto give = world.answer;
  world.answer = [&](const ServedRequest& request) {
    return request.Header("Authorization").empty() ? give(request)
                                                   : Json(401, R"({"error":"invalid_client"})");
  };
  for (int i = 0; i < 2; i++) REQUIRE(world.Get().outcome.ok());
  REQUIRE(world.fetches.size() == 3);
  for (size_t i : {size_t{1}, size_t{2}}) {
    CHECK(world.fetches[i].body ==
          "client_id=i+d&client_secret=se%26cret&grant_type=client_credentials");
  }
}

TEST_CASE("oauth2: a refusal fails what waits, in the server's words and without a secret") {
  TokenWorld world;
  world.config.oauth2->client_secret = {"sesame"};
  world.answer = [](const ServedRequest&) {
    return Json(400, R"({"error":"invalid_scope","error_description":"sesame may not\nwrite"})");
  };
  const CollectingHandler got = world.Get();
  CHECK(got.outcome.failure == HttpFailure::kCredentials);
  CHECK(got.outcome.message ==
        "oauth2: the token server answered 400: \"invalid_scope\" \"<secret> may not write\"");
  CHECK(world.fetches.size() == 2);  // both ways to send the secret
  CHECK(world.Get().outcome.failure == HttpFailure::kCredentials);
  CHECK(world.fetches.size() == 4);
  CHECK(world.requests.empty());
}

TEST_CASE("oauth2: a token that is refused is not fetched anew") {
  TokenWorld world;
  world.network.Listen("target.test:80",
                       [](const ServedRequest&) { return ScriptedReply::Text(401, ""); });
  for (int i = 0; i < 2; i++) CHECK(world.Get().outcome.status == 401);
  CHECK(world.fetches.size() == 1);
}

TEST_CASE("oauth2: what waits for a token times out, and the fetch goes on") {
  TokenWorld world;
  const auto give = world.answer;
  world.answer = [&](const ServedRequest& request) {
    ScriptedReply reply = give(request);
    reply.before_head = seconds(5);
    return reply;
  };
  const auto hasty = world.Start(seconds(1));
  const auto patient = world.Start(seconds(10));
  const auto cancelled = std::make_unique<CollectingHandler>();
  world.Client().Cancel(world.Client().Start(GetRequest("http://target.test/"), cancelled.get()));
  world.loop.RunFor(seconds(2));
  CHECK(hasty->outcome.failure == HttpFailure::kTimeout);
  CHECK_FALSE(patient->done);
  world.loop.RunFor(seconds(10));
  CHECK(patient->outcome.ok());
  CHECK_FALSE(cancelled->done);
  CHECK(world.fetches.size() == 1);
  CHECK(world.requests.size() == 1);
}

TEST_CASE("oauth2: a fetch that hangs ends after 30 s, and the next request tries again") {
  TokenWorld world;
  const auto give = world.answer;
  world.answer = [](const ServedRequest&) {
    return ScriptedReply::Broken(ScriptedReply::End::kHang);
  };
  const auto first = world.Start(seconds(100));
  world.loop.RunFor(seconds(61));  // in both styles
  CHECK(first->outcome.failure == HttpFailure::kCredentials);
  world.answer = give;
  CHECK(world.Get().outcome.ok());
}

TEST_CASE("oauth2: another secret in the file means another token") {
  TokenWorld world;
  world.config.oauth2->client_secret = {};
  world.config.oauth2->client_secret_file = "/s/secret";
  world.files.WriteFile("/s/secret", "one\n");
  REQUIRE(world.Get().outcome.ok());
  REQUIRE(world.Get().outcome.ok());
  CHECK(world.fetches.size() == 1);
  world.files.WriteFile("/s/secret", "two\n");
  REQUIRE(world.Get().outcome.ok());
  CHECK(world.Sent() == "Bearer t2");
  CHECK(world.fetches.size() == 2);
  world.files.Remove("/s/secret");
  const CollectingHandler got = world.Get();
  CHECK(got.outcome.failure == HttpFailure::kCredentials);
  CHECK(got.outcome.message.find("/s/secret") != std::string::npos);
}

TEST_CASE("oauth2: a secret that changes during a fetch begins it anew") {
  TokenWorld world;
  world.config.oauth2->client_secret = {};
  world.config.oauth2->client_secret_file = "/s/secret";
  world.files.WriteFile("/s/secret", "one");
  const auto give = world.answer;
  world.answer = [&](const ServedRequest& request) {
    return request.Header("Authorization") == "Basic aStkOm9uZQ=="
               ? ScriptedReply::Broken(ScriptedReply::End::kHang)
               : give(request);
  };
  const auto first = world.Start();
  world.loop.RunFor(seconds(1));
  world.files.WriteFile("/s/secret", "two");
  const auto second = world.Start();
  world.loop.RunFor(seconds(1));
  CHECK(first->outcome.ok());
  CHECK(second->outcome.ok());
  CHECK(world.requests.size() == 2);
}

TEST_CASE("oauth2: the client may end while a token is fetched, and in what a refusal calls") {
  TokenWorld world;
  const auto under_way = world.Start();
  world.client.reset();
  world.loop.RunFor(seconds(60));
  CHECK_FALSE(under_way->done);
  CHECK(world.transport.in_flight() == 0);

  world.answer = [](const ServedRequest&) { return Json(500, ""); };
  const auto first = world.Start();
  const auto second = world.Start();
  first->on_done = [&] { world.client.reset(); };
  world.loop.RunFor(seconds(60));
  CHECK(first->done);
  CHECK_FALSE(second->done);
}

TEST_CASE("oauth2: the token stays with the first host") {
  TokenWorld world;
  world.network.Listen("other.test:80", [&](const ServedRequest& request) {
    world.requests.push_back(request);
    return ScriptedReply::Text(200, "");
  });
  world.network.Listen("target.test:80", [](const ServedRequest&) {
    return ScriptedReply::Text(307, "", {{"Location", "http://other.test/"}});
  });
  REQUIRE(world.Get().outcome.ok());
  CHECK(world.Sent().empty());
}

TEST_CASE("oauth2: a compressed answer is inflated, within bounds") {
  TokenWorld world;
  // {"access_token":"z","expires_in":9}
  const std::string zipped(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x4a\x4c\x4e\x4e\x2d\x2e\x8e\x2f\xc9\xcf"
      "\x4e\xcd\x53\xb2\x52\xaa\x52\xd2\x51\x4a\xad\x28\xc8\x2c\x4a\x2d\x8e\xcf\x04\x0a\x58\xd6"
      "\x02\x00\x22\x75\x1f\xd3\x23\x00\x00\x00",
      54);
  std::string body = zipped;
  world.answer = [&](const ServedRequest&) {
    return ScriptedReply::Text(
        200, body, {{"Content-Type", "application/json"}, {"Content-Encoding", "gzip"}});
  };
  REQUIRE(world.Get().outcome.ok());
  CHECK(world.Sent() == "Bearer z");
  body = "no gzip";
  CHECK(world.Get().outcome.failure == HttpFailure::kCredentials);
}

TEST_CASE("oauth2: an answer beyond a mebibyte is refused") {
  TokenWorld world;
  world.answer = [](const ServedRequest&) {
    return Json(200, R"({"access_token":"a","x":")" + std::string(1 << 20, 'x') + "\"}");
  };
  CHECK(world.Get().outcome.failure == HttpFailure::kCredentials);
}

}  // namespace
}  // namespace tributary
