// The agent as a receiver of remote write: from other agents of ours, from Prometheus and vmagent
// where they are installed, from a thousand senders at once, and with kill -9 in the midst.
//
//   TRIBUTARY_PEERS=/a/folder  where `prometheus` and `vmagent` are, see peer_prometheus.h
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <map>
#include <random>
#include <thread>

#include <fmt/format.h>

#include "common/wire/remote_write.h"
#include "test/integration/agent_process.h"
#include "test/integration/peer_prometheus.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"
#include "test/support/remote_receiver.h"
#include "test/support/test_ca.h"
#include "test/support/write_sender.h"

namespace tributary {
namespace {

const std::vector<std::string> kReceives = {"--web.enable-remote-write-receiver"};

std::string Forwards(const RemoteReceiver& receiver, const std::string& more = "") {
  return fmt::format(
      "remote_write:\n"
      "  - url: {}\n"
      "    send_exemplars: true\n"
      "    send_native_histograms: true\n"
      "    queue_config: {{batch_send_deadline: 100ms, min_backoff: 30ms, max_backoff: 100ms}}\n"
      "    metadata_config: {{send_interval: 500ms}}\n{}",
      receiver.Url(), more);
}

// An agent that scrapes `target` and sends to the agent at `port`.
std::string SendsTo(uint16_t port, const RawServer& target, const std::string& version) {
  return fmt::format(
      "global: {{scrape_interval: 200ms, external_labels: {{edge: e1}}}}\n"
      "scrape_configs:\n"
      "  - job_name: app\n"
      "    static_configs: [{{targets: ['127.0.0.1:{}']}}]\n"
      "remote_write:\n"
      "  - url: http://127.0.0.1:{}/api/v1/write\n"
      "    protobuf_message: {}\n"
      "    send_exemplars: true\n"
      "    queue_config: {{batch_send_deadline: 100ms}}\n"
      "    metadata_config: {{send_interval: 500ms}}\n",
      target.port(), port, version);
}

ScriptedReply Page(const std::string& text) {
  return ScriptedReply::Text(
      200, text, {{"Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8"}});
}

constexpr char kPage[] =
    "# HELP app_requests Requests.\n# TYPE app_requests counter\n"
    "app_requests_total{code=\"200\"} 5 # {trace_id=\"abc\"} 1.5\n"
    "# HELP app_temperature How warm.\n# TYPE app_temperature gauge\n"
    "app_temperature -3.5\n# EOF\n";

// Whether each series' samples came in the order of their times, but for those that came again.
bool InOrder(const std::vector<DecodedSample>& samples) {
  std::map<Labels, TimestampMs> last;
  for (const DecodedSample& sample : samples) {
    TimestampMs& time = last[sample.labels];
    if (sample.timestamp < time) return false;
    time = sample.timestamp;
  }
  return true;
}

TEST_CASE("agent receive: what an agent of ours scrapes goes through another one to the store") {
  const std::string version =
      GENERATE(as<std::string>(), "prometheus.WriteRequest", "io.prometheus.write.v2.Request");
  const std::string onwards =
      GENERATE(as<std::string>(), "", "    protobuf_message: io.prometheus.write.v2.Request\n");
  const RawServer target([](const ServedRequest&) { return Page(kPage); });
  RemoteReceiver receiver;
  AgentProcess proxy(Forwards(receiver, onwards), {kReceives, {}});
  AgentProcess edge(SendsTo(proxy.port(), target, version));
  const Labels expected{{"__name__", "app_requests_total"},
                        {"code", "200"},
                        {"edge", "e1"},
                        {"instance", fmt::format("127.0.0.1:{}", target.port())},
                        {"job", "app"}};
  REQUIRE(receiver.WaitForSample(expected, kSlowdown * seconds(10)));
  CHECK(receiver.AcceptedOf(expected)[0].labels == expected);
  CHECK(receiver.AcceptedOf(expected)[0].value == 5);
  CHECK(Eventually(kSlowdown * seconds(10),
                   [&] { return receiver.AcceptedOf(expected).size() > 5; }));
  bool has_exemplar = false, has_metadata = false;
  CHECK(Eventually(kSlowdown * seconds(10), [&] {
    for (const auto& request : receiver.received()) {
      for (const auto& exemplar : request.decoded.exemplars) {
        has_exemplar |= exemplar.labels == expected && exemplar.value == 1.5 &&
                        exemplar.own_labels == Labels{{"trace_id", "abc"}};
      }
      for (const auto& family : request.decoded.metadata) {
        has_metadata |= family.family == "app_requests" && family.help == "Requests.";
      }
      for (const auto& sample : request.decoded.samples) {
        has_metadata |= sample.labels == expected && sample.metadata.help == "Requests." &&
                        sample.metadata.type == 1;
      }
    }
    // What 2.0 says beside series is not told on by 1.0 and the other way round.
    const bool same = version.ends_with("v2.Request") == !onwards.empty();
    return has_exemplar && (has_metadata || !same);
  }));
  CHECK(InOrder(receiver.accepted()));
  CHECK(receiver.error().empty());
  CHECK(edge.Stop() == 0);
  CHECK(proxy.Metric("tributary_receive_requests_total{code=\"204\"}") > 0);
  CHECK(proxy.Metric("tributary_receive_requests_total{code=\"400\"}") == -1);
  CHECK(proxy.Stop() == 0);
}

// One sample for each series.
std::string Request(uint32_t sender, uint32_t series, double value, TimestampMs timestamp) {
  WriteRequestBuilder builder;
  for (uint32_t i = 0; i < series; i++) {
    const std::string labels = EncodeLabels(Labels{{"__name__", "sent_value"},
                                                   {"instance", std::to_string(sender)},
                                                   {"job", "sender"},
                                                   {"series", std::to_string(i)}});
    builder.AddSample(labels, value, timestamp);
  }
  return builder.Finish();
}

TimestampMs WallMs() {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

TEST_CASE("agent receive: kill -9 loses nothing of what was answered with 2xx") {
  const uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  INFO("seed " << seed);
  constexpr uint32_t kSenders = 4, kSeries = 50;
  RemoteReceiver receiver;
  const std::string workers = GENERATE(as<std::string>(), "1", "3");
  AgentSetup setup{kReceives, {}};
  setup.arguments.push_back("--workers=" + workers);
  AgentProcess agent(Forwards(receiver), setup);
  std::atomic<uint16_t> port = agent.port();
  std::atomic<bool> stop{false};
  std::atomic<uint32_t> acknowledged[kSenders] = {};
  std::vector<std::thread> threads;
  for (uint32_t s = 0; s < kSenders; s++) {
    threads.emplace_back([&, s] {
      TimestampMs last = 0;
      for (uint32_t number = 1; !stop; number++) {
        last = std::max(last + 1, WallMs());
        const std::string body = Request(s, kSeries, number, last);
        // As senders do: the same until it is answered.
        std::unique_ptr<WriteSender> sender;
        while (!stop) {
          if (sender == nullptr) sender = std::make_unique<WriteSender>(port.load());
          const int status = sender->connected() ? sender->Post(body).status : 0;
          if (status == 204) break;
          sender.reset();
          std::this_thread::sleep_for(milliseconds(10));
        }
        if (!stop) acknowledged[s] = number;
      }
    });
  }
  for (int round = 0; round < 8; round++) {
    const uint32_t before = acknowledged[0];
    CHECK(Eventually(kSlowdown * seconds(10), [&] { return acknowledged[0] > before + 3; }));
    std::this_thread::sleep_for(milliseconds(random() % 60));
    agent.Kill();
    agent.Start(setup);
    port = agent.port();
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  for (uint32_t s = 0; s < kSenders; s++) {
    INFO("sender " << s << ", acknowledged " << acknowledged[s]);
    CHECK(acknowledged[s] > 20);
    for (uint32_t i = 0; i < kSeries; i += 7) {
      const Labels labels{{"__name__", "sent_value"},
                          {"instance", std::to_string(s)},
                          {"job", "sender"},
                          {"series", std::to_string(i)}};
      std::vector<bool> has(acknowledged[s] + 1);
      CHECK(Eventually(kSlowdown * seconds(20), [&] {
        for (const DecodedSample& sample : receiver.AcceptedOf(labels)) {
          const auto number = static_cast<size_t>(sample.value);
          if (number < has.size()) has[number] = true;
        }
        return std::count(has.begin() + 1, has.end(), true) == acknowledged[s];
      }));
    }
  }
}

TEST_CASE("agent receive: a thousand senders keep their connections to one worker") {
  RemoteReceiver receiver;
  AgentProcess agent(Forwards(receiver), {kReceives, {}});
  std::vector<WriteSender> senders;
  const TimestampMs begin = WallMs();
  for (uint32_t s = 0; s < 1000; s++) {
    senders.emplace_back(agent.port());
    REQUIRE(senders.back().Post(Request(s, 20, 1, begin)).status == 204);
  }
  CHECK(agent.Metric("tributary_receive_connections") == 1000);
  for (int round = 1; round <= 3; round++) {
    for (uint32_t s = 0; s < 1000; s++) {
      REQUIRE(senders[s].SendPost(Request(s, 20, 1, begin + round * 1000)));
    }
    for (WriteSender& sender : senders) REQUIRE(sender.Receive(seconds(30)).status == 204);
  }
  CHECK(agent.Metric("tributary_receive_connections_total") == 1000);
  CHECK(agent.Metric("tributary_receive_taken_total{kind=\"samples\"}") == 80'000);
  CHECK(agent.Metric("tributary_receive_series") == 20'000);
}

TEST_CASE("agent receive: a restart does not change which replica is elected") {
  const auto request = [](const char* replica, TimestampMs timestamp) {
    WriteRequestBuilder builder;
    builder.AddSample(
        EncodeLabels(Labels{
            {"__name__", "sent_value"}, {"__replica__", replica}, {"cluster", "c"}, {"job", "j"}}),
        replica[0], timestamp);
    return builder.Finish();
  };
  RemoteReceiver receiver;
  AgentProcess agent(Forwards(receiver), {kReceives, {}});
  CHECK(WriteSender(agent.port()).Post(request("a", WallMs())).status == 204);
  CHECK(Eventually(seconds(10), [&] {
    return access((agent.folder() / "data/replicas.json").c_str(), R_OK) == 0;
  }));
  agent.Kill();
  agent.Start({kReceives, {}});
  CHECK(WriteSender(agent.port()).Post(request("b", WallMs())).status == 204);
  CHECK(agent.Metric("tributary_receive_deduplicated_total{kind=\"samples\"}") == 1);
  CHECK(WriteSender(agent.port()).Post(request("a", WallMs())).status == 204);
  CHECK(agent.Metric("tributary_receive_taken_total{kind=\"samples\"}") == 1);
}

TEST_CASE("agent receive: --web.config.file says who may send, on each request") {
  TestCa ca("ca");
  TemporaryFolder folder;
  // Of "secret1".
  folder.Write(
      "web.yml",
      "basic_auth_users: {ann: $2y$08$abcdefghijklmnopqrstuuG8NgT8Qjpn0EiI2f1ILYIyjvF9aZ2x6}\n");
  RemoteReceiver receiver;
  AgentProcess agent(
      Forwards(receiver),
      {{"--web.enable-remote-write-receiver", "--web.config.file=" + folder / "web.yml"}, {}});
  const TimestampMs now = WallMs();
  WriteSender nobody(agent.port());
  CHECK(nobody.Post(Request(1, 1, 1, now)).status == 401);
  const std::string good = "Authorization: Basic YW5uOnNlY3JldDE=";
  const std::string wrong = "Authorization: Basic YW5uOndyb25n";
  WriteSender ann(agent.port());
  CHECK(ann.Post(Request(1, 1, 1, now), {good}).status == 204);
  CHECK(ann.Post(Request(1, 1, 1, now + 1), {good}).status == 204);
  CHECK(ann.Post(Request(1, 1, 1, now + 2), {wrong}).status == 401);
  WriteSender again(agent.port());
  CHECK(again.Post(Request(1, 1, 1, now + 3), {good}).status == 204);
  CHECK(again.Post(Request(1, 1, 1, now + 4), {}).status == 401);
  CHECK(agent.process().Running());
}

TEST_CASE("agent receive: agents send to each other by TLS, with a password") {
  TestCa ca("ca");
  TemporaryFolder folder;
  const TestCertificate pair = ca.Issue("a", {"IP:127.0.0.1"});
  folder.Write("a.crt", pair.certificate);
  folder.Write("a.key", pair.key);
  folder.Write("ca.pem", ca.pem());
  folder.Write(
      "web.yml",
      "tls_server_config: {cert_file: a.crt, key_file: a.key}\n"
      "basic_auth_users: {ann: $2y$08$abcdefghijklmnopqrstuuG8NgT8Qjpn0EiI2f1ILYIyjvF9aZ2x6}\n");
  const RawServer target([](const ServedRequest&) { return Page(kPage); });
  RemoteReceiver receiver;
  AgentProcess proxy(
      Forwards(receiver),
      {{"--web.enable-remote-write-receiver", "--web.config.file=" + folder / "web.yml"}, {}});
  std::string config = SendsTo(proxy.port(), target, "io.prometheus.write.v2.Request");
  config.replace(config.find("url: http:"), 10, "url: https:");
  config += "    basic_auth: {username: ann, password: secret1}\n    tls_config: {ca_file: " +
            folder / "ca.pem" + "}\n";
  AgentProcess edge(config);
  const Labels labels{{"__name__", "app_temperature"}, {"job", "app"}};
  CHECK(
      Eventually(kSlowdown * seconds(20), [&] { return receiver.AcceptedOf(labels).size() > 3; }));
}

void CheckPeer(AgentProcess& proxy, RemoteReceiver& receiver, const Labels& labels) {
  CHECK(
      Eventually(kSlowdown * seconds(30), [&] { return receiver.AcceptedOf(labels).size() > 5; }));
  CHECK(InOrder(receiver.AcceptedOf(labels)));
  CHECK(receiver.error().empty());
  for (const char* reason : {"invalid_labels", "out_of_order", "duplicate_timestamp",
                             "too_far_ahead", "invalid_histogram"}) {
    CHECK(proxy.Metric(fmt::format("tributary_receive_refused_total{{reason=\"{}\"}}", reason)) ==
          0);
  }
}

TEST_CASE("agent receive: a real Prometheus agent sends to it", "[peer]") {
  const auto program = PeerProgram();
  if (!program) return;
  const std::string version =
      GENERATE(as<std::string>(), "prometheus.WriteRequest", "io.prometheus.write.v2.Request");
  const RawServer target([](const ServedRequest&) { return Page(kPage); });
  RemoteReceiver receiver;
  AgentProcess proxy(Forwards(receiver), {kReceives, {}});
  PeerPrometheus prometheus(*program, SendsTo(proxy.port(), target, version),
                            {.mode = PeerPrometheus::Mode::kAgent});
  CheckPeer(proxy, receiver, {{"__name__", "app_requests_total"}, {"edge", "e1"}, {"job", "app"}});
  prometheus.process().Signal(SIGTERM);
  prometheus.process().Wait(seconds(20));
  // Its stale markers at the end, too.
  CHECK(proxy.Metric("tributary_receive_requests_total{code=\"400\"}") == -1);
}

TEST_CASE("agent receive: a real vmagent sends to it", "[peer]") {
  const auto program = PeerProgram("vmagent");
  if (!program) return;
  const RawServer target([](const ServedRequest&) { return Page(kPage); });
  RemoteReceiver receiver;
  AgentProcess proxy(Forwards(receiver), {kReceives, {}});
  TemporaryFolder folder;
  folder.Write("scrape.yml",
               fmt::format("global: {{scrape_interval: 1s}}\nscrape_configs:\n  - job_name: app\n"
                           "    static_configs: [{{targets: ['127.0.0.1:{}']}}]\n",
                           target.port()));
  Process vmagent({*program,
                   {"-promscrape.config=" + folder / "scrape.yml",
                    fmt::format("-remoteWrite.url=http://127.0.0.1:{}/api/v1/write", proxy.port()),
                    "-remoteWrite.tmpDataPath=" + folder / "data", "-httpListenAddr=127.0.0.1:0",
                    "-remoteWrite.flushInterval=200ms"},
                   {},
                   folder.path()});
  CheckPeer(proxy, receiver, {{"__name__", "app_requests_total"}, {"job", "app"}});
}

}  // namespace
}  // namespace tributary
