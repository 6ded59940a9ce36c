// Series shared among several receivers by the real agent, through reloads and outages.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "test/integration/agent_process.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"
#include "test/support/remote_receiver.h"

namespace tributary {
namespace {

constexpr int kSharedSeries = 200;

// Each series counts the scrapes.
struct CountedPage {
  std::atomic<int> scrapes{0};
  RawServer server{[this](const ServedRequest&) {
    const int scrape = ++scrapes;
    std::string page;
    for (int i = 0; i < kSharedSeries; i++) {
      page += fmt::format("shared_total{{i=\"{}\"}} {}\n", i, scrape);
    }
    return ScriptedReply::Text(200, page, {{"Content-Type", "text/plain; version=0.0.4"}});
  }};
};

std::string ConfigOf(const CountedPage& target, const std::map<std::string, uint16_t>& members,
                     const std::string& message) {
  std::string config = fmt::format(R"(global: {{scrape_interval: 100ms}}
tributary: {{remote_write: {{share: {{group: stores}}}}}}
scrape_configs: [{{job_name: app, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]
remote_write:
)",
                                   target.server.port());
  for (const auto& [name, port] : members) {
    config += fmt::format(R"(  - url: 'http://127.0.0.1:{}/api/v1/write'
    name: {}
    protobuf_message: {}
    remote_timeout: 1s
    queue_config: {{batch_send_deadline: 100ms, min_backoff: 20ms, max_backoff: 100ms}}
)",
                          port, name, message);
  }
  return config;
}

using Delivered = std::map<std::string, std::vector<int>>;  // scrapes, by series

Delivered DeliveredTo(const RemoteReceiver& receiver) {
  Delivered delivered;
  for (const DecodedSample& sample : receiver.AcceptedOf({{"__name__", "shared_total"}})) {
    delivered[std::string(sample.labels.Get("i"))].push_back(static_cast<int>(sample.value));
  }
  return delivered;
}

TEST_CASE("agent share: a receiver joins by a reload while another one is down") {
  const std::string message =
      GENERATE(as<std::string>(), "prometheus.WriteRequest", "io.prometheus.write.v2.Request");
  CountedPage target;
  RemoteReceiver a, c;
  const uint16_t b_port = UnusedPort();
  AgentProcess agent(ConfigOf(target, {{"a", a.port()}, {"b", b_port}}, message),
                     {{"--workers=2"}, {}, 0});
  REQUIRE(Eventually(kSlowdown * seconds(10), [&] { return target.scrapes >= 15; }));
  const size_t before = DeliveredTo(a).size();
  agent.WriteConfig(ConfigOf(target, {{"a", a.port()}, {"b", b_port}, {"c", c.port()}}, message));
  agent.process().Signal(SIGHUP);
  REQUIRE(Eventually(kSlowdown * seconds(10), [&] { return !DeliveredTo(c).empty(); }));
  const int joined = target.scrapes;
  REQUIRE(Eventually(kSlowdown * seconds(10), [&] { return target.scrapes >= joined + 15; }));
  RemoteReceiver b(b_port);
  const int back = target.scrapes;
  REQUIRE(Eventually(kSlowdown * seconds(10), [&] { return target.scrapes >= back + 15; }));
  CHECK(agent.Stop() == 0);

  // Each series of each scrape is at one of them, and in order there.
  std::map<std::string, std::multiset<int>> all;
  const RemoteReceiver* const receivers[] = {&a, &b, &c};
  for (const RemoteReceiver* receiver : receivers) {
    CHECK(receiver->error().empty());
    const Delivered delivered = DeliveredTo(*receiver);
    CHECK(delivered.size() > kSharedSeries / 5);
    for (const auto& [series, scrapes] : delivered) {
      CHECK(std::is_sorted(scrapes.begin(), scrapes.end()));
      all[series].insert(scrapes.begin(), scrapes.end());
    }
  }
  CHECK(before > kSharedSeries / 3);
  CHECK(before < kSharedSeries * 2 / 3);
  REQUIRE(all.size() == kSharedSeries);
  std::multiset<int> expected;
  const int last = *all.begin()->second.rbegin();
  CHECK(last >= back + 10);
  for (int scrape = 1; scrape <= last; scrape++) expected.insert(scrape);
  for (const auto& [series, scrapes] : all) {
    CAPTURE(series);
    CHECK(scrapes == expected);
  }
}

}  // namespace
}  // namespace tributary
