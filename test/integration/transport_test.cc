// The transports over real sockets of 127.0.0.1: the contract, and what only sockets have.
#include <cstdlib>
#include <deque>
#include <memory>
#include <optional>

#include "common/event/system_event_loop.h"
#include "common/http/curl_transport.h"
#include "test/integration/socket_world.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"
#include "test/support/slow_resolver.h"
#include "test/support/transport_contract.h"

namespace tributary {
namespace {

ScriptedReply Raw(std::string bytes, bool close_after) {
  ScriptedReply reply;
  reply.raw = std::move(bytes);
  reply.close_after = close_after;
  return reply;
}

ReplyScript Always(ScriptedReply reply) {
  return [reply](const ServedRequest&) { return reply; };
}

TEST_CASE("transport contract: libcurl and our own over sockets") {
  for (const TransportContractCase& contract : TransportContract()) {
    DYNAMIC_SECTION("own " << contract.name) {
      SystemWorld world;
      contract.run(world);
    }
  }
  for (const TransportContractCase& contract : TransportContract()) {
    DYNAMIC_SECTION(contract.name) {
      CurlWorld world;
      contract.run(world);
    }
  }
}

TEMPLATE_TEST_CASE("transport: requests in a row share one connection", "", CurlWorld,
                   SystemWorld) {
  TestType world;
  const size_t server = world.Serve(Always(ScriptedReply::Text(200, "ok")));
  for (int i = 0; i < 10; i++)
    REQUIRE(Fetch(world, GetRequest(world.Url(server, "localhost"))).outcome.ok());
  REQUIRE(Fetch(world, PostRequest(world.Url(server, "localhost"), "x")).outcome.ok());
  REQUIRE(world.server(server).connections() == 1);
}

TEMPLATE_TEST_CASE("transport: a keep-alive connection that the server closed is not noticed", "",
                   CurlWorld, SystemWorld) {
  TestType world;
  const size_t server = world.Serve(Always(ScriptedReply::Text(200, "ok")));
  for (size_t i = 1; i <= 6; i++) {
    const HttpRequest request =
        i % 2 == 0 ? GetRequest(world.Url(server)) : PostRequest(world.Url(server), "payload");
    REQUIRE(Fetch(world, request).outcome.ok());
    REQUIRE(world.server(server).connections() == i);
    world.server(server).CloseIdle();
  }
  REQUIRE(world.Requests(server).size() == 6);
}

// A server that ends its connection upon the second request it gets.
ReplyScript EndsTheSecond(ScriptedReply::End how) {
  return [how, requests = 0](const ServedRequest&) mutable {
    return ++requests == 2 ? ScriptedReply::Broken(how) : ScriptedReply::Text(200, "ok");
  };
}

TEMPLATE_TEST_CASE("transport: a GET that meets the close of its kept connection is sent again", "",
                   CurlWorld, SystemWorld) {
  for (const auto how : {ScriptedReply::End::kClose, ScriptedReply::End::kReset}) {
    TestType world;
    const size_t server = world.Serve(EndsTheSecond(how));
    REQUIRE(Fetch(world, GetRequest(world.Url(server) + "/1")).outcome.ok());
    REQUIRE(Fetch(world, GetRequest(world.Url(server) + "/2")).outcome.ok());
    const auto seen = world.Requests(server);
    REQUIRE(seen.size() == 3);
    REQUIRE(seen[1].target == "/2");
    REQUIRE(seen[2].target == "/2");
    REQUIRE(world.server(server).connections() == 2);
  }
}

TEMPLATE_TEST_CASE(
    "transport: a POST that meets the close of its kept connection is never sent again", "",
    CurlWorld, SystemWorld) {
  for (const auto how : {ScriptedReply::End::kClose, ScriptedReply::End::kReset}) {
    for (const char* host : {"127.0.0.1", "localhost"}) {  // the latter has several addresses
      for (const size_t bytes : {size_t{3}, size_t{500'000}}) {
        TestType world;
        const size_t server = world.Serve(EndsTheSecond(how));
        const std::string url = world.Url(server, host);
        REQUIRE(Fetch(world, PostRequest(url, "one")).outcome.ok());
        const CollectingHandler got = Fetch(world, PostRequest(url, std::string(bytes, 'x')));
        INFO(got.outcome.message);
        REQUIRE(static_cast<int>(got.outcome.failure) == static_cast<int>(HttpFailure::kClosed));
        REQUIRE(got.outcome.message.ends_with(" before the response"));
        REQUIRE(got.heads == 0);
        REQUIRE(Fetch(world, PostRequest(url, "three")).outcome.ok());
        const auto seen = world.Requests(server);
        REQUIRE(seen.size() == 3);
        REQUIRE(seen[1].body.size() == bytes);
        REQUIRE(seen[2].body == "three");
      }
    }
  }
}

TEMPLATE_TEST_CASE("transport: a POST whose kept connection ends with other idle ones about", "",
                   CurlWorld, SystemWorld) {
  // The second attempt would take one of those, without a connect.
  TestType world;
  const size_t server = world.Serve([requests = 0](const ServedRequest&) mutable {
    if (++requests == 4) return ScriptedReply::Broken(ScriptedReply::End::kClose);
    ScriptedReply reply = ScriptedReply::Text(200, "ok");
    reply.before_head = milliseconds(50);
    return reply;
  });
  std::deque<CollectingHandler> handlers(3);
  for (CollectingHandler& handler : handlers) {
    world.transport().Start(PostRequest(world.Url(server), "warm"), &handler);
  }
  for (CollectingHandler& handler : handlers) {
    REQUIRE(world.Run([&] { return handler.done; }, seconds(5)));
  }
  REQUIRE(world.server(server).connections() == 3);
  const CollectingHandler got = Fetch(world, PostRequest(world.Url(server), "two"));
  REQUIRE(static_cast<int>(got.outcome.failure) == static_cast<int>(HttpFailure::kClosed));
  REQUIRE(world.Requests(server).size() == 4);
}

TEMPLATE_TEST_CASE("transport: an idle transport does not wake the loop", "", CurlWorld,
                   SystemWorld) {
  TestType world;
  const size_t server = world.Serve(Always(ScriptedReply::Text(200, "ok")));
  for (int i = 0; i < 3; i++) REQUIRE(Fetch(world, GetRequest(world.Url(server))).outcome.ok());
  SystemEventLoop& loop = world.system_loop();
  loop.AddTimerAfter(milliseconds(50), [&] {  // what the last request left has settled by then
    const uint64_t before = loop.turns();
    loop.AddTimerAfter(milliseconds(400), [&loop, before] {
      CHECK(loop.turns() - before <= 2);
      loop.Stop();
    });
  });
  loop.Run();
}

TEMPLATE_TEST_CASE("transport: interim responses, trailers and folded headers", "", CurlWorld,
                   SystemWorld) {
  TestType world;
  const size_t server = world.Serve(
      Always(Raw("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n"
                 "HTTP/1.1 200 OK\r\nX-Folded: one\r\n  two\r\nTransfer-Encoding: "
                 "chunked\r\nTrailer: X-T\r\n\r\n"
                 "2;ext=1\r\nok\r\n0\r\nX-T: late\r\n\r\n",
                 false)));
  for (int i = 0; i < 2; i++) {
    const CollectingHandler got = Fetch(world, GetRequest(world.Url(server)));
    REQUIRE(got.outcome.ok());
    REQUIRE(got.heads == 1);
    REQUIRE(got.head.status == 200);
    REQUIRE(got.head.Header("X-Early").empty());
    REQUIRE(got.head.Header("X-T").empty());
    REQUIRE(got.head.Header("X-Folded") == "one two");
    REQUIRE(got.body == "ok");
  }
  REQUIRE(world.server(server).connections() == 1);
}

TEMPLATE_TEST_CASE("transport: HTTP/1.0 bodies end with the connection", "", CurlWorld,
                   SystemWorld) {
  TestType world;
  const size_t server = world.Serve(Always(Raw("HTTP/1.0 200 OK\r\n\r\nto the end", true)));
  const CollectingHandler got = Fetch(world, GetRequest(world.Url(server)));
  REQUIRE(got.outcome.ok());
  REQUIRE(got.body == "to the end");
}

TEMPLATE_TEST_CASE("transport: bytes that make no sense are kBadResponse", "", CurlWorld,
                   SystemWorld) {
  for (const char* bytes : {
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx",
           "<html>no header at all</html>\r\n\r\n",
           "HTTP/1.1 abc OK\r\n\r\n",
           "HTTP/9.9 200 OK\r\n\r\n",
       }) {
    INFO(bytes);
    TestType world;
    const size_t server = world.Serve(Always(Raw(bytes, true)));
    const CollectingHandler got = Fetch(world, GetRequest(world.Url(server)));
    CHECK(static_cast<int>(got.outcome.failure) == static_cast<int>(HttpFailure::kBadResponse));
    CHECK_FALSE(got.outcome.message.empty());
  }
}

TEMPLATE_TEST_CASE("transport: interim responses without end are kBadResponse", "", CurlWorld,
                   SystemWorld) {
  TestType world;
  std::string bytes;
  for (int i = 0; i < 10'000; i++) bytes += "HTTP/1.1 100 Continue\r\n\r\n";
  const size_t server = world.Serve(Always(Raw(bytes, true)));
  REQUIRE(Fetch(world, GetRequest(world.Url(server))).outcome.failure == HttpFailure::kBadResponse);
}

TEMPLATE_TEST_CASE("transport: no proxy of the environment is used", "", CurlWorld, SystemWorld) {
  TestType world;
  const size_t server = world.Serve(Always(ScriptedReply::Text(200, "ok")));
  for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) {
    setenv(name, "http://127.0.0.1:1", 1);
  }
  const CollectingHandler got = Fetch(world, GetRequest(world.Url(server)));
  for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) unsetenv(name);
  REQUIRE(got.outcome.ok());
}

TEST_CASE("curl transport: look-ups at a time are bounded, and all requests get through") {
  CurlWorld world;
  const size_t server = world.Serve(Always(ScriptedReply::Text(200, "ok")));
  SlowLookupsMax();
  std::deque<CollectingHandler> handlers;
  size_t done = 0;
  for (int i = 0; i < 150; i++) {
    CollectingHandler& handler = handlers.emplace_back();
    handler.on_done = [&done] { done++; };
    const std::string host = "slow-20-" + std::to_string(i) + ".test";
    world.transport().Start(GetRequest(world.Url(server, host)), &handler);
  }
  REQUIRE(world.Run([&] { return done == handlers.size(); }, seconds(10)));
  for (const CollectingHandler& handler : handlers) REQUIRE(handler.outcome.ok());
  const size_t max = SlowLookupsMax();
  REQUIRE(max > 1);
  REQUIRE(max <= 32);
}

TEMPLATE_TEST_CASE("transport: ending it ends what is in flight, at every stage", "", CurlWorld,
                   SystemWorld) {
  TestType world;
  const size_t silent = world.Serve(Always(ScriptedReply::Broken(ScriptedReply::End::kHang)));
  std::deque<CollectingHandler> handlers;
  const auto start = [&](const std::string& url) {
    world.transport().Start(GetRequest(url), &handlers.emplace_back());
  };
  start(world.Url(silent));
  start(world.DeafUrl());
  start("nonsense");
  for (int i = 0; i < 100; i++) start(world.Url(silent, "slow-5000-e.test"));
  REQUIRE(world.Run([&] { return world.Requests(silent).size() == 1; }, seconds(5)));
  start(world.Url(silent));
  const MonotonicTime before = world.loop().Now();
  world.EndTransport();
  REQUIRE(world.loop().Now() - before < milliseconds(500));
  bool later = false;
  world.loop().AddTimerAfter(milliseconds(50), [&] { later = true; });
  REQUIRE(world.Run([&] { return later; }, seconds(5)));
  for (size_t i = 0; i < handlers.size(); i++) REQUIRE(handlers[i].done == (i == 2));
}

}  // namespace
}  // namespace tributary
