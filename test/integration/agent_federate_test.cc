// /federate of the real agent: beside a real Prometheus that scrapes the same targets, pulled by a
// real Prometheus, and by itself.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iterator>
#include <set>

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "common/compress/inflate.h"
#include "common/http/query.h"
#include "metrics.pb.h"
#include "test/integration/agent_process.h"
#include "test/integration/peer_prometheus.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"

namespace tributary {
namespace {

ScriptedReply Page(std::string text) {
  return ScriptedReply::Text(200, std::move(text),
                             {{"Content-Type", "text/plain; version=1.0.0; escaping=allow-utf-8"}});
}

std::string Address(const RawServer& server) {
  return "127.0.0.1:" + std::to_string(server.port());
}

struct Answer {
  int status = 0;
  std::string content_type;
  std::string body;
};

// What curl gets, with these headers.
Answer Ask(uint16_t port, const std::string& query, std::vector<std::string> headers = {}) {
  const TemporaryFolder folder;
  std::vector<std::string> arguments{
      "-s", "-g", "-m", "30", "-o", folder / "body", "-w", "%{http_code} %{content_type}"};
  for (const std::string& header : headers) arguments.insert(arguments.end(), {"-H", header});
  arguments.push_back("http://127.0.0.1:" + std::to_string(port) + "/federate?" + query);
  const std::string said =
      RunProcess({"/usr/bin/curl", arguments, {}, folder.path()}, seconds(40)).out;
  Answer answer;
  answer.status = std::atoi(said.c_str());
  answer.content_type = said.substr(4);
  std::ifstream file(folder / "body");
  answer.body.assign(std::istreambuf_iterator<char>(file), {});
  return answer;
}

std::string Match(const std::vector<std::string>& selectors) {
  std::string query;
  for (const std::string& selector : selectors) query += "&match[]=" + EscapeQuery(selector);
  return query.empty() ? query : query.substr(1);
}

// What two servers cannot have in common is replaced: times of scrapes, and how long they took.
std::vector<std::string> Comparable(const std::string& page) {
  std::vector<std::string> lines = LinesOf(page);
  for (std::string& line : lines) {
    if (line.empty() || line[0] == '#') continue;
    const size_t time = line.rfind(' ');
    if (!line.starts_with("own")) line.replace(time, std::string::npos, " TIME");
    if (line.starts_with("scrape_duration_seconds")) {
      line.erase(line.rfind(' ', line.rfind(' ') - 1));
    }
  }
  return lines;
}

constexpr char kConfig[] = R"(global:
  scrape_interval: 1s
  external_labels: {{cluster: west, a: outer, zone: z1}}
scrape_configs:
  - job_name: app
    scrape_native_histograms: true
    static_configs: [{{targets: ['{}']}}]
  - job_name: honoring
    honor_labels: true
    static_configs: [{{targets: ['{}'], labels: {{zone: inner}}}}]
  - job_name: gone
    static_configs: [{{targets: ['127.0.0.1:1']}}]
)";

const std::string kFederation = "--web.enable-federation";

TEST_CASE("federate: a page is line by line what a real Prometheus answers with the same targets",
          "[peer]") {
  const auto program = PeerProgram();
  if (!program) return;
  const auto own_time =
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count() -
      5000;
  const RawServer target([&](const ServedRequest&) {
    return Page(fmt::format(
        "# TYPE m counter\nm{{a=\"1\"}} 1\nm{{a=\"2\",b=\"x\\\"y\\\\z\\n\"}} 1234567\nm 1.5e-7\n"
        "Zed{{b=\"2\"}} -0\nabc_total{{instance=\"own\",job=\"theirs\"}} 3.25\n"
        "{{\"utf.8\",\"label.x\"=\"v\"}} 7\n{{\"utf.8\",\"\xc3\xbc\"=\"w\"}} NaN\n"
        "own{{k=\"t\"}} 4 {}\ninf{{k=\"p\"}} +Inf\ninf{{k=\"n\"}} -Inf\nempty{{x=\"\"}} 5\n"
        "# TYPE c histogram\nc_bucket{{le=\"0.1\"}} 1\nc_bucket{{le=\"+Inf\"}} 2\nc_sum 3\nc_count "
        "2\n"
        "ending{{n=\"1\"}} 1e6\nending{{n=\"2\"}} 0.00001\n",
        own_time));
  });
  const std::string config = fmt::format(kConfig, Address(target), Address(target));
  const PeerPrometheus peer(*program, config);
  const AgentProcess agent(config, {{kFederation}, {}});
  const std::string all = Match({"{__name__=~\".+\"}"});
  REQUIRE(Eventually(seconds(40), [&] {
    return Comparable(Ask(peer.port(), all).body) == Comparable(Ask(agent.port(), all).body) &&
           Ask(peer.port(), all).body.size() > 3000;
  }));
  const std::vector<std::string> queries{all,
                                         "",
                                         Match({"{}"}),
                                         Match({"up"}),
                                         Match({"up", "up{job=\"app\"}", "m"}),
                                         Match({"{job=~\"app|gone\",a!=\"1\"}"}),
                                         Match({"{a=\"\"}"}),
                                         Match({"{\"utf.8\"}"}),
                                         Match({"{\"label.x\"!=\"\"}"}),
                                         Match({"none"}),
                                         Match({"{a"}),
                                         Match({"up", "m{a=~\"(\"}"}),
                                         Match({"sum(up)"}),
                                         Match({"up[5m]"}),
                                         "match[]=%zz",
                                         "match[]=up;x",
                                         Match({""})};
  const std::vector<std::vector<std::string>> accepted{
      {},
      {"Accept: text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;q=0.3,*/*;q=0.1"},
      {"Accept: text/plain;escaping=dots"},
      {"Accept: application/openmetrics-text;version=1.0.0,text/plain;escaping=values"}};
  for (const std::string& query : queries) {
    for (const auto& headers : accepted) {
      const Answer expected = Ask(peer.port(), query, headers);
      const Answer answer = Ask(agent.port(), query, headers);
      INFO(query);
      CHECK(answer.status == expected.status);
      CHECK(answer.content_type == expected.content_type);
      CHECK(Comparable(answer.body) == Comparable(expected.body));
    }
  }
}

std::vector<test::metrics::MetricFamily> FamiliesOf(const std::string& page) {
  std::vector<test::metrics::MetricFamily> families;
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(page.data()),
                                            static_cast<int>(page.size()));
  uint32_t size = 0;
  while (in.ReadVarint32(&size)) {
    std::string bytes;
    REQUIRE(in.ReadString(&bytes, static_cast<int>(size)));
    REQUIRE(families.emplace_back().ParseFromString(bytes));
  }
  return families;
}

// But for the times of scrapes.
std::vector<std::string> ComparableFamilies(const std::string& page) {
  std::vector<std::string> texts;
  for (test::metrics::MetricFamily& family : FamiliesOf(page)) {
    if (family.name() == "scrape_duration_seconds") continue;
    for (auto& metric : *family.mutable_metric()) metric.clear_timestamp_ms();
    texts.push_back(family.DebugString());
  }
  return texts;
}

void AppendFamily(const test::metrics::MetricFamily& family, std::string& page) {
  const std::string bytes = family.SerializeAsString();
  google::protobuf::io::StringOutputStream stream(&page);
  google::protobuf::io::CodedOutputStream out(&stream);
  out.WriteVarint32(static_cast<uint32_t>(bytes.size()));
  out.WriteString(bytes);
}

std::string HistogramPage() {
  std::string page;
  for (const bool gauge : {false, true}) {
    test::metrics::MetricFamily family;
    family.set_name(gauge ? "gauge_h" : "counter_h");
    family.set_type(gauge ? 5 : 4);
    auto& h = *family.add_metric()->mutable_histogram();
    h.set_sample_count(9);
    h.set_sample_sum(12.5);
    h.set_schema(2);
    h.set_zero_threshold(0.001);
    h.set_zero_count(1);
    for (const auto& [offset, length] : {std::pair(-3, 2), std::pair(5, 1)}) {
      auto* span = h.add_positive_span();
      span->set_offset(offset);
      span->set_length(static_cast<uint32_t>(length));
    }
    for (const int delta : {3, -1, 1}) h.add_positive_delta(delta);
    auto* span = h.add_negative_span();
    span->set_offset(0);
    span->set_length(1);
    h.add_negative_delta(0);
    AppendFamily(family, page);
  }
  test::metrics::MetricFamily classic;
  classic.set_name("classic_h");
  classic.set_type(4);
  auto& h = *classic.add_metric()->mutable_histogram();
  h.set_sample_count(7);
  h.set_sample_sum(3.5);
  for (const auto& [bound, count] : {std::pair(0.1, 2), std::pair(1.0, 2), std::pair(2.5, 6)}) {
    auto* bucket = h.add_bucket();
    bucket->set_upper_bound(bound);
    bucket->set_cumulative_count(static_cast<uint64_t>(count));
  }
  AppendFamily(classic, page);
  test::metrics::MetricFamily gauge;
  gauge.set_name("gauge");
  gauge.set_type(1);
  gauge.add_metric()->mutable_gauge()->set_value(0);
  AppendFamily(gauge, page);
  return page;
}

TEST_CASE("federate: protobuf has the same families as a real Prometheus', native histograms too",
          "[peer]") {
  const auto program = PeerProgram();
  if (!program) return;
  constexpr char kType[] =
      "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
      "encoding=delimited";
  const RawServer target([&](const ServedRequest&) {
    return ScriptedReply::Text(200, HistogramPage(), {{"Content-Type", kType}});
  });
  const std::string config =
      fmt::format(R"(global: {{scrape_interval: 1s, external_labels: {{c: w}}}}
scrape_configs:
  - job_name: native
    scrape_native_histograms: true
    static_configs: [{{targets: ['{0}']}}]
  - job_name: custom
    scrape_native_histograms: true
    convert_classic_histograms_to_nhcb: true
    static_configs: [{{targets: ['{0}']}}]
)",
                  Address(target));
  const PeerPrometheus peer(*program, config);
  const AgentProcess agent(config, {{kFederation}, {}});
  const std::string all = Match({"{__name__!=\"scrape_series_added\"}"});
  const std::string protobuf = std::string("Accept: ") + kType;
  std::vector<std::string> expected, answer;
  CHECK(Eventually(seconds(40), [&] {
    expected = ComparableFamilies(Ask(peer.port(), all, {protobuf}).body);
    answer = ComparableFamilies(Ask(agent.port(), all, {protobuf}).body);
    return expected.size() > 8 && expected == answer;
  }));
  CHECK(answer == expected);
  CHECK(Comparable(Ask(agent.port(), all).body) == Comparable(Ask(peer.port(), all).body));
}

// The job by which a central server pulls from those of clusters.
constexpr char kCentral[] = R"(global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: federate-west
    honor_labels: true
    metrics_path: /federate
    params:
      match[]:
        - '{{job=~"kubernetes-.*"}}'
        - '{{__name__=~"container_.*"}}'
        - '{{__name__=~"node_.*"}}'
    static_configs:
      - targets: ['127.0.0.1:{}']
        labels: {{cluster: central, region: r1}}
)";

TEST_CASE("federate: a real Prometheus pulls from the agent what its job asks for", "[peer]") {
  const auto program = PeerProgram();
  if (!program) return;
  const RawServer target([](const ServedRequest&) {
    return Page(
        "node_load1 0.5\ncontainer_cpu{pod=\"a\"} 1\nother_total 7\n{\"node_utf.8\"} 2\n"
        "# TYPE node_h histogram\nnode_h_bucket{le=\"1\"} 1\nnode_h_bucket{le=\"+Inf\"} 2\n"
        "node_h_sum 3\nnode_h_count 2\n");
  });
  const AgentProcess agent(fmt::format(R"(global:
  scrape_interval: 1s
  external_labels: {{cluster: west, prometheus_replica: agent-0}}
scrape_configs:
  - job_name: kubernetes-pods
    static_configs: [{{targets: ['{0}']}}]
  - job_name: unrelated
    static_configs: [{{targets: ['{0}']}}]
)",
                                       Address(target)),
                           {{kFederation, "--workers=2"}, {}});
  const PeerPrometheus central(*program, fmt::format(kCentral, agent.port()));
  REQUIRE(Eventually(seconds(40), [&] {
    return central.Query("up{job=\"kubernetes-pods\"} == 1").size() == 1 &&
           central.Query("node_load1").size() == 2;
  }));
  CHECK(central.Query("up{job=\"federate-west\"} == 1").size() == 1);
  // Labels of the agent's targets and its external ones stay; the job's own are for what lacks
  // them.
  const auto load = central.Query("node_load1{job=\"unrelated\"}").at(0).at("metric");
  CHECK(load.at("instance") == Address(target));
  CHECK(load.at("cluster") == "west");
  CHECK(load.at("prometheus_replica") == "agent-0");
  CHECK(load.at("region") == "r1");
  CHECK(central.Query("other_total{job=\"kubernetes-pods\"}").size() == 1);
  CHECK(central.Query("other_total{job=\"unrelated\"}").empty());
  CHECK(central.Query("container_cpu{pod=\"a\"} == 1").size() == 2);
  CHECK(central.Query("{\"node_utf.8\"}").size() == 2);
  CHECK(central.Query("node_h_bucket{le=\"+Inf\"}").size() == 2);
  // With the times of the agent's scrapes.
  const auto rounded = central.Query("timestamp(node_load1{job=\"unrelated\"})");
  const Answer own = Ask(agent.port(), Match({"node_load1{job=\"unrelated\"}"}));
  CHECK(rounded.size() == 1);
  CHECK(own.body.find("node_load1{instance=") != std::string::npos);
}

TEST_CASE("federate: series that end, and targets that go, are told of no more") {
  std::atomic<bool> short_page = false, down = false;
  const RawServer target([&](const ServedRequest&) {
    if (down) return ScriptedReply::Text(500, "");
    return Page(short_page ? "stays 1\n" : "stays 1\nends 2\n");
  });
  const RawServer other([](const ServedRequest&) { return Page("other 3\n"); });
  const std::string jobs = R"(global: {{scrape_interval: 200ms}}
scrape_configs:
  - job_name: one
    static_configs: [{{targets: ['{}']}}]
)";
  const std::string both =
      fmt::format(fmt::runtime(jobs), Address(target)) +
      fmt::format("  - job_name: two\n    static_configs: [{{targets: ['{}']}}]\n", Address(other));
  AgentProcess agent(both, {{kFederation, "--web.enable-lifecycle"}, {}});
  const auto has = [&](const std::string& name) {
    return Ask(agent.port(), Match({name})).body.find("\n" + name + "{") != std::string::npos;
  };
  REQUIRE(Eventually(seconds(10), [&] { return has("stays") && has("ends") && has("other"); }));
  short_page = true;
  CHECK(Eventually(seconds(10), [&] { return !has("ends"); }));
  CHECK(has("stays"));
  down = true;
  CHECK(Eventually(seconds(10), [&] { return !has("stays"); }));
  CHECK(Ask(agent.port(), Match({"up{job=\"one\"}"})).body.find("} 0 ") != std::string::npos);
  short_page = down = false;
  CHECK(Eventually(seconds(10), [&] { return has("stays") && has("ends"); }));
  // The job is gone: its series, up among them, are marked as ended.
  agent.WriteConfig(fmt::format(fmt::runtime(jobs), Address(target)));
  CHECK(agent.Post("/-/reload").status == 200);
  CHECK(Eventually(seconds(10), [&] { return !has("other") && !has("up{job=\"two\"}"); }));
  CHECK(has("stays"));
}

TEST_CASE("federate: is refused unless it is enabled") {
  const AgentProcess agent("scrape_configs: []\n");
  const Answer answer = Ask(agent.port(), Match({"up"}));
  CHECK(answer.status == 403);
  CHECK(answer.body.find("--web.enable-federation") != std::string::npos);
  CHECK(agent.Metric("tributary_memory_bytes{part=\"latest\"}") == -1);
}

TEST_CASE("federate: samples older than the look-back are not told") {
  const auto now =
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  const RawServer target([&](const ServedRequest&) {
    return Page(fmt::format("old 1 {}\nnew 2 {}\n", now - 70'000, now - 1000));
  });
  const AgentProcess agent(
      fmt::format("global: {{scrape_interval: 200ms}}\nscrape_configs:\n  - job_name: one\n"
                  "    static_configs: [{{targets: ['{}']}}]\n",
                  Address(target)),
      {{kFederation, "--query.lookback-delta=1m"}, {}});
  REQUIRE(Eventually(seconds(10), [&] {
    return Ask(agent.port(), Match({"new"})).body.find("\nnew{") != std::string::npos;
  }));
  CHECK(Ask(agent.port(), Match({"old"})).body.empty());
}

TEST_CASE("federate: many series in little memory, compressed, whoever is slow or goes") {
  constexpr int kTargets = 20, kSeries = 2000;
  const RawServer target([](const ServedRequest& request) {
    std::string page;
    for (int i = 0; i < kSeries; i++) {
      page +=
          fmt::format("metric_{}{{path=\"{}\",code=\"200\",method=\"GET\"}} {}\n", i % 100, i, i);
    }
    return Page(request.target.empty() ? "" : std::move(page));
  });
  std::string config = "global: {scrape_interval: 500ms}\nscrape_configs:\n";
  for (int i = 0; i < kTargets; i++) {
    config += fmt::format("  - job_name: job{}\n    static_configs: [{{targets: ['{}']}}]\n", i,
                          Address(target));
  }
  const AgentProcess agent(config, {{kFederation}, {}});
  const std::string all = Match({"{__name__=~\"metric_.*\"}"});
  const auto series = [](const std::string& page) {
    return std::count(page.begin(), page.end(), '\n') - 100;
  };
  REQUIRE(Eventually(seconds(60 * kSlowdown),
                     [&] { return series(Ask(agent.port(), all).body) == kTargets * kSeries; }));
  const Answer plain = Ask(agent.port(), all);
  const std::vector<std::string> lines = LinesOf(plain.body);
  CHECK(std::set<std::string>(lines.begin(), lines.end()).size() == lines.size());
  CHECK(lines.front() == "# TYPE metric_0 untyped");
  const Answer compressed = Ask(agent.port(), all, {"Accept-Encoding: gzip"});
  Gunzip gunzip;
  std::string inflated;
  CHECK(gunzip.Push(compressed.body, [&](std::string_view bytes) {
    inflated += bytes;
    return true;
  }));
  CHECK(gunzip.Finish().has_value());
  CHECK(series(inflated) == kTargets * kSeries);
  // Clients that leave after the head, and clients that read nothing, keep nobody from health.
  const double errors = agent.Metric("prometheus_web_federation_errors_total");
  const std::string url = fmt::format("http://127.0.0.1:{}/federate?{}", agent.port(), all);
  for (int i = 0; i < 5; i++) {
    RunProcess({"/usr/bin/curl", {"-s", "-g", "-m", "0.05", "--limit-rate", "1k", url}, {}, ""},
               seconds(10));
  }
  CHECK(agent.Get("/-/healthy").status == 200);
  CHECK(agent.WaitForMetric("prometheus_web_federation_errors_total", errors + 1, seconds(20)));
  CHECK(agent.Get("/api/v1/status/buildinfo").status == 200);
  CHECK(series(Ask(agent.port(), all).body) == kTargets * kSeries);
  CHECK(agent.Metric("tributary_memory_bytes{part=\"latest\"}") < kTargets * kSeries * 12);
}

// Reads the head of the answer, and nothing more.
class SlowClient {
 public:
  SlowClient(uint16_t port, const std::string& query, const std::string& header = "") {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int small = 4096;
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    void* const plain = &address;  // the C interface's cast
    REQUIRE(connect(fd_, static_cast<sockaddr*>(plain), sizeof(address)) == 0);
    const std::string request = "GET /federate?" + query + " HTTP/1.1\r\n" + header + "\r\n";
    REQUIRE(send(fd_, request.data(), request.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(request.size()));
    char head[16];
    CHECK(recv(fd_, head, sizeof(head), MSG_WAITALL) == sizeof(head));
  }
  SlowClient(const SlowClient&) = delete;
  SlowClient& operator=(const SlowClient&) = delete;
  ~SlowClient() { close(fd_); }

 private:
  const int fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

TEST_CASE("federate: who does not read has the time that was asked for, and delays no stop") {
  const RawServer target([](const ServedRequest&) {
    std::string page;
    for (int i = 0; i < 60'000; i++)
      page += fmt::format("m_{}{{path=\"/a/b/c/{}\"}} 1\n", i % 9, i);
    return Page(std::move(page));
  });
  AgentProcess agent(
      fmt::format("global: {{scrape_interval: 2s}}\nscrape_configs:\n  - job_name: one\n"
                  "    static_configs: [{{targets: ['{}']}}]\n",
                  Address(target)),
      {{kFederation}, {}});
  const std::string all = Match({"{__name__=~\"m_.*\"}"});
  REQUIRE(Eventually(seconds(30 * kSlowdown),
                     [&] { return Ask(agent.port(), all).body.size() > 4'000'000; }));
  const double errors = agent.Metric("prometheus_web_federation_errors_total");
  {
    const SlowClient slow(agent.port(), all, "X-Prometheus-Scrape-Timeout-Seconds: 0.5\r\n");
    CHECK(agent.WaitForMetric("prometheus_web_federation_errors_total", errors + 1, seconds(10)));
  }
  // Both threads are taken; all else is served.
  const SlowClient one(agent.port(), all), two(agent.port(), all);
  CHECK(agent.Get("/metrics").status == 200);
  CHECK(agent.Get("/-/ready").status == 200);
  CHECK(agent.Stop(seconds(8)) == 0);
}

}  // namespace
}  // namespace tributary
