#include "common/http_client/http_client.h"

#include <memory>
#include <optional>

#include "test/support/catch.h"
#include "test/support/sim/sim_files.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_network.h"
#include "test/support/transport_contract.h"

namespace tributary {
namespace {

struct ClientWorld {
  ClientWorld() {
    network.Listen("one.test:80", [this](const ServedRequest& request) {
      requests.push_back(request);
      return answer ? answer(request) : ScriptedReply::Text(200, "hello");
    });
    config.authorization = Authorization{"Bearer", {}, "/s/token"};
    files.WriteFile("/s/token", "sesame-1\n");
  }

  HttpClient& Client() {
    if (!client) client.emplace(loop, transport, files, config);
    return *client;
  }
  CollectingHandler Get(const std::string& url = "http://one.test/path") {
    CollectingHandler handler;
    Client().Start(GetRequest(url), &handler);
    REQUIRE_FALSE(handler.done);
    REQUIRE(loop.RunUntil([&] { return handler.done; }, seconds(60)));
    return handler;
  }

  SimLoop loop;
  SimNetwork network;
  SimTransport transport{network, loop};
  SimFileSystem files;
  HttpClientConfig config;
  std::optional<HttpClient> client;
  std::function<ScriptedReply(const ServedRequest&)> answer;
  std::vector<ServedRequest> requests;
};

TEST_CASE("http client: a credential file is read for each request") {
  ClientWorld world;
  CHECK(world.Get().body == "hello");
  world.files.WriteFile("/s/token", "sesame-2\n");
  CHECK(world.Get().outcome.ok());
  REQUIRE(world.requests.size() == 2);
  CHECK(world.requests[0].Header("Authorization") == "Bearer sesame-1");
  CHECK(world.requests[1].Header("Authorization") == "Bearer sesame-2");
}

TEST_CASE("http client: a file that cannot be read is told by OnDone, and nothing is sent") {
  ClientWorld world;
  world.files.Remove("/s/token");
  const CollectingHandler got = world.Get();
  CHECK(got.outcome.failure == HttpFailure::kCredentials);
  CHECK(got.outcome.status == 0);
  CHECK(got.outcome.message.find("/s/token") != std::string::npos);
  CHECK(got.heads == 0);
  CHECK(world.requests.empty());
}

TEST_CASE("http client: an Authorization header of the request's own stays alone") {
  ClientWorld world;
  HttpRequest request = GetRequest("http://one.test/");
  request.headers = {{"authorization", "Own 1"}};
  CollectingHandler handler;
  world.Client().Start(std::move(request), &handler);
  REQUIRE(world.loop.RunUntil([&] { return handler.done; }, seconds(60)));
  REQUIRE(world.requests.size() == 1);
  CHECK(world.requests[0].Header("Authorization") == "Own 1");
  CHECK(world.requests[0].headers.size() == 2);  // Host
}

TEST_CASE("http client: cancelled requests are not heard of again, sent or not") {
  ClientWorld world;
  CollectingHandler sent, unsent, other;
  const HttpRequestId first = world.Client().Start(GetRequest("http://one.test/"), &sent);
  world.files.Remove("/s/token");
  const HttpRequestId second = world.Client().Start(GetRequest("http://one.test/"), &unsent);
  world.Client().Start(GetRequest("http://one.test/"), &other);
  for (const HttpRequestId id : {first, second, first, HttpRequestId{0}}) world.Client().Cancel(id);
  world.loop.RunFor(seconds(60));
  CHECK_FALSE(sent.done);
  CHECK_FALSE(unsent.done);
  CHECK(other.done);
  CHECK(world.transport.in_flight() == 0);
}

TEST_CASE("http client: the client may end in OnDone, and takes with it what is under way") {
  for (const bool readable : {true, false}) {
    ClientWorld world;
    if (!readable) world.files.Remove("/s/token");
    CollectingHandler first, second;
    first.on_done = [&] { world.client.reset(); };
    world.Client().Start(GetRequest("http://one.test/"), &first);
    world.Client().Start(GetRequest("http://one.test/"), &second);
    world.loop.RunFor(seconds(60));
    CHECK(first.done);
    CHECK_FALSE(second.done);
    CHECK(world.transport.in_flight() == 0);
  }
}

}  // namespace
}  // namespace tributary
