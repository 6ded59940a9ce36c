#include <deque>
#include <memory>

#include "test/support/catch.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_network.h"
#include "test/support/transport_contract.h"

namespace tributary {
namespace {

class SimWorld : public TransportWorld {
 public:
  SimWorld() : transport_(network_, loop_, "client") {}

  EventLoop& loop() override { return loop_; }
  HttpTransport& transport() override { return transport_; }
  size_t Serve(ReplyScript script) override {
    requests_.emplace_back();
    scripts_.push_back(std::move(script));
    return scripts_.size() - 1;
  }
  std::string UrlAt(size_t server, const std::string& host) override {
    const std::string host_port = host + ":" + std::to_string(9000 + server);
    network_.Listen(host_port, [this, server](const ServedRequest& request) {
      requests_[server].push_back(request);
      return scripts_[server](request);
    });
    if (host.rfind("slow-", 0) == 0 || host.rfind("gone-", 0) == 0) {
      network_.SetName(host, {milliseconds(std::stol(host.substr(5))), host[0] == 'g'});
    }
    return "http://" + host_port;
  }
  std::vector<ServedRequest> Requests(size_t server) override { return requests_[server]; }
  std::string RefusingUrl() override { return "http://127.0.0.1:8999"; }
  std::string DeafUrl() override {
    network_.Listen("127.0.0.1:8998", nullptr).unreachable = true;
    return "http://127.0.0.1:8998";
  }
  bool Run(const std::function<bool()>& done, nanoseconds limit) override {
    return loop_.RunUntil(done, limit);
  }
  SimNetwork& network() { return network_; }

 private:
  SimLoop loop_;
  SimNetwork network_;
  SimTransport transport_;
  std::deque<ReplyScript> scripts_;
  std::deque<std::vector<ServedRequest>> requests_;
};

TEST_CASE("transport contract: the simulated network") {
  for (const TransportContractCase& contract : TransportContract()) {
    DYNAMIC_SECTION(contract.name) {
      SimWorld world;
      contract.run(world);
    }
  }
}

TEST_CASE("sim network: a timeout strikes at its very nanosecond") {
  SimWorld world;
  HttpRequest request = GetRequest(world.DeafUrl());
  request.timeout = nanoseconds(1'234'567);
  const MonotonicTime start = world.loop().Now();
  Fetch(world, request);
  REQUIRE(world.loop().Now() - start == request.timeout);
}

TEST_CASE("sim network: a server that is down refuses, and resets what is under way") {
  SimWorld world;
  world.network().set_latency(milliseconds(10));
  const std::string url = world.Url(
      world.Serve([](const ServedRequest&) { return ScriptedReply::Text(200, "ok"); }), "10.0.0.1");
  SimServer& server = *world.network().Find("10.0.0.1:9000");
  CollectingHandler under_way;
  world.transport().Start(GetRequest(url), &under_way);
  world.loop().AddTimerAfter(milliseconds(25), [&] { server.refusing = true; });
  REQUIRE(world.Run([&] { return under_way.done; }, seconds(1)));
  REQUIRE(under_way.outcome.failure == HttpFailure::kClosed);
  REQUIRE(Fetch(world, GetRequest(url)).outcome.failure == HttpFailure::kConnect);
  server.refusing = false;
  REQUIRE(Fetch(world, GetRequest(url)).outcome.ok());
  REQUIRE(server.requests == 1);
}

// What happened to 300 requests, one line each.
std::string RunWithFaults(uint64_t seed, bool another_server) {
  SimLoop loop;
  SimNetwork network(seed);
  SimTransport transport(network, loop);
  const auto script = [](const ServedRequest&) {
    return ScriptedReply::Text(200, std::string(99, 'x'));
  };
  SimFaults& faults = network.Listen("target:80", script).faults;
  faults.refuse = faults.lose_request = faults.lose_reply = faults.hang = faults.cut = 0.1;
  faults.error = 0.2;
  faults.latency_max = seconds(2);
  faults.piece_bytes_max = 10;
  if (another_server) network.Listen("other:80", script).faults = faults;
  std::deque<CollectingHandler> handlers;
  for (int i = 0; i < 300; i++) {
    for (const char* url : {"http://target/", "http://other/"}) {
      if (!another_server && url[7] == 'o') continue;
      handlers.emplace_back();
      transport.Start(GetRequest(url), &handlers.back());
    }
    loop.RunFor(milliseconds(100));
  }
  loop.RunFor(seconds(60));
  std::string story;
  for (const SimExchange& exchange : network.exchanges()) {
    if (exchange.server != "target:80") continue;
    story += std::to_string(static_cast<int>(exchange.outcome.failure)) + " " +
             std::to_string(exchange.outcome.status) + " " + std::to_string(exchange.served) + " " +
             std::to_string(exchange.ended.time_since_epoch().count()) + "\n";
  }
  return story;
}

TEST_CASE("sim network: faults follow from the seed alone") {
  const std::string story = RunWithFaults(7, false);
  REQUIRE(RunWithFaults(7, false) == story);
  REQUIRE(RunWithFaults(7, true) == story);  // another server shifts nothing
  REQUIRE(RunWithFaults(8, false) != story);
  // Each kind has come up: refused, reset, cut, hung, error, and success.
  REQUIRE(story.find("\n3 0 0 ") != std::string::npos);    // refused
  REQUIRE(story.find("\n6 0 0 ") != std::string::npos);    // closed, not served
  REQUIRE(story.find("\n6 0 1 ") != std::string::npos);    // closed, but served
  REQUIRE(story.find("\n6 200 1 ") != std::string::npos);  // cut
  REQUIRE(story.find("\n5 0 1 ") != std::string::npos);    // hung
  REQUIRE(story.find("\n0 503 0 ") != std::string::npos);
  REQUIRE(story.find("\n0 200 1 ") != std::string::npos);
}

TEST_CASE("sim network: the end of a process ends its requests, and only those") {
  SimLoop loop;
  SimNetwork network;
  network.Listen("target:80", [](const ServedRequest&) {
    ScriptedReply reply = ScriptedReply::Text(200, "ok");
    reply.before_head = seconds(1);
    return reply;
  });
  CollectingHandler dead;
  CollectingHandler alive;
  SimProcess survivor(loop);
  SimTransport other(network, survivor, "survivor");
  {
    SimProcess process(loop);
    SimTransport transport(network, process, "victim");
    transport.Start(GetRequest("http://target/"), &dead);
    other.Start(GetRequest("http://target/"), &alive);
    loop.RunFor(milliseconds(500));
  }
  loop.RunFor(seconds(2));
  REQUIRE_FALSE(dead.done);
  REQUIRE(alive.done);
  REQUIRE(network.exchanges().size() == 2);
  REQUIRE(network.exchanges()[0].cancelled);
  REQUIRE(network.exchanges()[0].client == "victim");
  REQUIRE(loop.pending() == 0);
}

}  // namespace
}  // namespace tributary
