// Aggregates of the real agent: beside a real Prometheus that has all series and evaluates the
// rules centrally, and by itself.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <set>

#include <fmt/format.h>

#include "agent/series/samples.h"
#include "test/integration/agent_process.h"
#include "test/integration/peer_prometheus.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"
#include "test/support/remote_receiver.h"

namespace tributary {
namespace {

using nlohmann::json;

// The example's rules are of 30 s and over 5 m, of scrapes every 15 s. Here all is 15 times as
// fast.
constexpr int kIntervalSeconds = 2;
constexpr int kWindowSeconds = 20;

std::string Replaced(std::string text, const std::string& what, const std::string& by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

// The rules of the example in configs/. Inputs are all kept, as the other one needs them.
std::string ExampleRules() {
  std::ifstream file(EXAMPLE_CONFIG);
  std::string text(std::istreambuf_iterator<char>(file), {});
  const size_t begin = text.find("\ntributary:"), end = text.find("  downsample:");
  REQUIRE(begin != std::string::npos);
  REQUIRE(end != std::string::npos);
  text = Replaced(text.substr(begin, end - begin), "window: 5m",
                  fmt::format("window: {}s", kWindowSeconds));
  text = Replaced(text, "      inputs: drop\n", "");
  return Replaced(text, "interval: 30s",
                  fmt::format("interval: {}s\n      late: 1s", kIntervalSeconds));
}

// Of native histograms, which the example has none of; `rate_sum` gives a histogram.
constexpr char kNativeRules[] = R"(
    - match: [http_request_duration_seconds]
      by: [service]
      interval: 2s
      late: 1s
      window: 20s
      quantile: 0.95
      record: {histogram_quantile: "service:native_duration_p95:5m"}
    - match: [http_request_duration_seconds]
      by: [service]
      interval: 2s
      late: 1s
      window: 20s
      record: {rate_sum: "service:native_duration:rate5m"}
    - match: [http_request_duration_seconds]
      by: [service]
      interval: 2s
      late: 1s
      record: {sum: "service:native_duration:sum"}
)";

struct CentralRule {
  std::string record, expression;
  double tolerance = 0;  // relative
};

// What docs/aggregation.md says of them: one scrape of a window of 20 is extrapolated by the other
// one.
constexpr double kRateTolerance = 0.05;
constexpr double kExact = 1e-9;
// What is recorded centrally is evaluated at other moments, and without what has not arrived by
// then: it may miss what is there for a moment only, but mostly it is as close.
constexpr double kOtherMoment = 0.05;
// What had come since the last interval was closed when the process was killed, pods that went
// among it, is as it was before until the next scrape.
constexpr double kAroundKill = 0.5;

const std::vector<CentralRule>& CentralRules() {
  static const std::vector<CentralRule> rules{
      {"cluster:cpu_usage:rate5m", "sum(rate(container_cpu_usage_seconds_total[20s])) by (cluster)",
       kRateTolerance},
      {"cluster:memory_usage_bytes:sum", "sum(container_memory_usage_bytes) by (cluster)", kExact},
      {"service:http_requests:rate5m", "sum(rate(http_requests_total[20s])) by (service, cluster)",
       kRateTolerance},
      {"service:http_errors:rate5m",
       "sum(rate(http_requests_total{status=~\"5..\"}[20s])) by (service, cluster)",
       kRateTolerance},
      {"service:http_request_duration_p95:5m",
       "histogram_quantile(0.95, sum(rate(http_request_duration_seconds_bucket[20s])) by "
       "(service, le))",
       kRateTolerance},
      {"namespace:pod_count:sum", "sum(kube_pod_info) by (namespace, cluster)", kExact},
      {"cluster:node_capacity_cpu_cores:sum",
       "sum(kube_node_status_capacity{resource=\"cpu\"}) by (cluster)", kExact},
      {"cluster:node_available_memory_bytes:sum",
       "sum(kube_node_status_allocatable{resource=\"memory\"}) by (cluster)", kExact},
      // Not of the eight: the same of native histograms, with custom buckets.
      {"service:native_duration_p95:5m",
       "histogram_quantile(0.95, sum(rate(http_request_duration_seconds[20s])) by (service))",
       kRateTolerance}};
  return rules;
}

std::string RuleFile() {
  std::string text = fmt::format("groups:\n- name: aggregation_rules\n  interval: {}s\n  rules:\n",
                                 kIntervalSeconds);
  for (const CentralRule& rule : CentralRules()) {
    text += fmt::format("  - record: {}\n    labels: {{computed: centrally}}\n    expr: '{}'\n",
                        rule.record, rule.expression);
  }
  return text;
}

// A machine that serves all kinds of series, other numbers at each scrape, of which two jobs make
// one each second. Its counters begin anew now and then, pods come and go, and at one time it does
// not answer.
struct Machine {
  explicit Machine(int which) : number(which) {}

  ScriptedReply Answer() {
    const int scrape = ++scrapes;
    if (number == 2 && scrape >= 18 && scrape < 26) return ScriptedReply::Text(500, "down");
    // The process is another one from then on.
    if (scrape == 15 + 5 * number) cpu = requests = errors = fast = slow = 0;
    const int noise = (scrape * 7 + number * 3) % 10;
    cpu += 0.5 + 0.05 * noise;
    requests += 40 + noise;
    errors += 10 + noise % 3;
    fast += 30 + noise;
    slow += 10 - noise / 2;
    std::string page;
    for (int i = 0; i < 3; i++) {
      page += fmt::format("container_cpu_usage_seconds_total{{container=\"c{}\"}} {}\n", i,
                          cpu * (i + 1));
      page += fmt::format("container_memory_usage_bytes{{container=\"c{}\"}} {}\n", i,
                          1'000'000 * (i + 1) + 1000 * noise);
    }
    const char* const service = number % 2 == 0 ? "shop" : "cart";
    page +=
        fmt::format("http_requests_total{{service=\"{}\",status=\"200\"}} {}\n", service, requests);
    page +=
        fmt::format("http_requests_total{{service=\"{}\",status=\"500\"}} {}\n", service, errors);
    page += fmt::format("http_requests_total{{service=\"{}\",status=\"503\"}} {}\n", service,
                        errors / 2);
    page += "# TYPE http_request_duration_seconds histogram\n";
    double below = 0;
    const std::pair<const char*, double> buckets[] = {
        {"0.1", fast}, {"0.5", slow}, {"1", slow / 4}, {"+Inf", 0}};
    for (const auto& [bound, more] : buckets) {
      below += more;
      page += fmt::format("http_request_duration_seconds_bucket{{service=\"{}\",le=\"{}\"}} {}\n",
                          service, bound, below);
    }
    page +=
        fmt::format("http_request_duration_seconds_count{{service=\"{}\"}} {}\n", service, below);
    page +=
        fmt::format("http_request_duration_seconds_sum{{service=\"{}\"}} {}\n", service, below / 8);
    page += "# TYPE kube_pod_info untyped\n";
    for (int i = 0; i < 5 + scrape / 16 % 3; i++) {
      page += fmt::format("kube_pod_info{{namespace=\"n{}\",pod=\"p{}\"}} 1\n", i % 2, i);
    }
    page += fmt::format("kube_node_status_capacity{{resource=\"cpu\"}} {}\n", 4 + number);
    page += fmt::format("kube_node_status_capacity{{resource=\"memory\"}} {}\n", 1 << 30);
    page += fmt::format("kube_node_status_allocatable{{resource=\"memory\"}} {}\n",
                        (1 << 29) + 4096 * noise);
    return ScriptedReply::Text(200, page, {{"Content-Type", "text/plain; version=0.0.4"}});
  }

  const int number;
  int scrapes = 0;
  double cpu = 1000, requests = 5000, errors = 100, fast = 4000, slow = 1000;
  RawServer server{[this](const ServedRequest&) { return Answer(); }};
};

// Time to value, by the labels but for the name and where it was computed.
using Series = std::map<std::string, std::map<int64_t, double>>;

std::string KeyOf(json labels) {
  for (const char* name : {"__name__", "computed", "cluster"}) labels.erase(name);
  return labels.dump();
}

double NumberOf(const json& text) { return std::stod(text.get<std::string>()); }

Series RawSamples(const PeerPrometheus& central, const std::string& selector) {
  Series all;
  for (const json& series : central.Query(selector + "[5m]")) {
    for (const json& sample : series.at("values")) {
      const auto ms = static_cast<int64_t>(std::llround(sample.at(0).get<double>() * 1000));
      all[KeyOf(series.at("metric"))][ms] = NumberOf(sample.at(1));
    }
  }
  return all;
}

std::map<std::string, double> At(const PeerPrometheus& central, const std::string& expression,
                                 int64_t ms) {
  std::map<std::string, double> values;
  for (const json& series : central.Query(expression, static_cast<double>(ms) / 1000)) {
    values[KeyOf(series.at("metric"))] = NumberOf(series.at("value").at(1));
  }
  return values;
}

int64_t NowMs() {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

double Difference(double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return 0;
  return std::abs(a - b) / std::max(std::abs(a), std::abs(b));
}

TEST_CASE("aggregates: eight rules at the edge are what a real Prometheus computes of all series",
          "[peer]") {
  const auto program = PeerProgram();
  if (!program) return;
  const PeerPrometheus central(
      *program, "rule_files: [rules.yml]\n",
      {.arguments = {"--web.enable-remote-write-receiver"}, .files = {{"rules.yml", RuleFile()}}});
  Machine machines[] = {Machine(0), Machine(1), Machine(2), Machine(3)};
  std::string targets;
  for (const Machine& machine : machines) {
    targets += fmt::format("'127.0.0.1:{}',", machine.server.port());
  }
  AgentProcess agent(fmt::format(R"(global:
  scrape_interval: 1s
  external_labels: {{cluster: west}}
scrape_configs:
  - job_name: machines
    static_configs: [{{targets: [{0}]}}]
  - job_name: native
    convert_classic_histograms_to_nhcb: true
    static_configs: [{{targets: [{0}]}}]
    metric_relabel_configs:
      - {{source_labels: [__name__], regex: http_request_duration_seconds, action: keep}}
remote_write:
  - url: http://127.0.0.1:{1}/api/v1/write
    protobuf_message: io.prometheus.write.v2.Request
    send_native_histograms: true
    queue_config: {{batch_send_deadline: 200ms}}
)",
                                 targets, central.port()) +
                     ExampleRules() + kNativeRules);
  std::this_thread::sleep_for(seconds(30));
  // Another process, with another number of workers, goes on.
  const int64_t killed_ms = NowMs();
  agent.Kill();
  agent.Start({{"--workers=3"}, {}});
  const int64_t back_ms = NowMs();
  std::this_thread::sleep_for(seconds(15));
  CHECK(agent.Metric("tributary_aggregate_inputs{rule=\"cluster:cpu_usage:rate5m\"}") == 12);
  CHECK(agent.Metric("tributary_aggregate_save_failures_total") == 0);
  CHECK(agent.Metric("prometheus_remote_storage_samples_failed_total") <= 0);
  for (const CentralRule& rule : CentralRules()) {
    const Series edge = RawSamples(central, rule.record + "{computed=\"\"}");
    const Series evaluated = RawSamples(central, rule.record + "{computed=\"centrally\"}");
    CAPTURE(rule.record);
    CHECK(!edge.empty());
    std::set<int64_t> times;
    double worst = 0, around = 0, worst_recorded = 0;
    size_t recorded_close = 0;
    size_t compared = 0, recorded = 0;
    for (const auto& [labels, samples] : edge) {
      for (const auto& [time, value] : samples) times.insert(time);
    }
    for (const int64_t time : times) {
      CAPTURE(time);
      CHECK(time % (kIntervalSeconds * 1000) == 0);
      const bool of_rates = rule.tolerance > kExact;
      // Of a window that begins before there was anything PromQL extrapolates more.
      const bool whole = !of_rates || time >= *times.begin() + kWindowSeconds * 1000;
      const bool around_kill = time > killed_ms - 1000 && time <= back_ms + 4000;
      // The expression at the same time, over the same samples.
      for (const auto& [labels, value] : At(central, rule.expression, time)) {
        const auto series = edge.find(labels);
        REQUIRE(series != edge.end());
        const auto sample = series->second.find(time);
        CAPTURE(labels);
        REQUIRE(sample != series->second.end());
        const double difference = Difference(sample->second, value);
        if (!whole) {
          CHECK((std::isnan(value) || sample->second <= value * (1 + rule.tolerance)));
          continue;
        }
        double& highest = around_kill ? around : worst;
        highest = std::max(highest, difference);
        compared++;
        // The central rule's own samples are of other moments: it lies between those close by.
        const auto own = evaluated.find(labels);
        if (own == evaluated.end() || around_kill) continue;
        double low = std::numeric_limits<double>::infinity(), high = -low;
        for (const auto& [moment, recorded_value] : own->second) {
          if (std::abs(moment - time) > kIntervalSeconds * 1000 + 1000) continue;
          low = std::min(low, recorded_value);
          high = std::max(high, recorded_value);
        }
        if (low > high) continue;
        const double nearest = std::clamp(sample->second, low, high);
        const double off = Difference(sample->second, nearest);
        worst_recorded = std::max(worst_recorded, off);
        recorded_close += off <= kOtherMoment ? 1 : 0;
        recorded++;
      }
    }
    // Some 45 s of intervals, those around the end of the process left out.
    CHECK(times.size() >= 17);
    CHECK(compared >= 9);
    CHECK(recorded > compared / 2);
    CHECK(worst <= rule.tolerance);
    CHECK(around <= kAroundKill);
    CHECK(recorded_close >= recorded * 3 / 4);
    WARN(rule.record << ": " << compared << " samples, differ by " << worst
                     << " at most from the expression, and by " << worst_recorded
                     << " from what is recorded within " << kIntervalSeconds << " s");
  }
  // The merged histograms themselves, by what PromQL says of them.
  for (const auto& [record, expression, tolerance] :
       {CentralRule{"service:native_duration:sum",
                    "sum(http_request_duration_seconds) by (service)", kExact},
        CentralRule{"service:native_duration:rate5m",
                    "sum(rate(http_request_duration_seconds[20s])) by (service)",
                    kRateTolerance}}) {
    CAPTURE(record);
    const int64_t last = (NowMs() - 4000) / 2000 * 2000;
    size_t compared = 0;
    for (const char* of : {"histogram_count({})", "histogram_sum({})",
                           "histogram_fraction(0.1, 0.5, {})", "histogram_quantile(0.5, {})"}) {
      for (int64_t time = last - 4000; time <= last; time += 2000) {
        const auto edge = At(central, fmt::format(fmt::runtime(of), record), time);
        CAPTURE(of, time);
        for (const auto& [labels, value] :
             At(central, fmt::format(fmt::runtime(of), expression), time)) {
          REQUIRE(edge.contains(labels));
          CHECK(Difference(edge.at(labels), value) <= tolerance);
          compared++;
        }
      }
    }
    CHECK(compared == 4 * 3 * 2);
  }
}

TEST_CASE("aggregates: they are sent and federated with external labels, their inputs are not") {
  std::atomic<int> scrapes = 0;
  const RawServer target([&](const ServedRequest&) {
    const int n = ++scrapes;
    return ScriptedReply::Text(
        200,
        fmt::format("c_total{{i=\"1\"}} {}\nc_total{{i=\"2\"}} {}\nother 1\n", 10 * n, 100 * n),
        {{"Content-Type", "text/plain; version=0.0.4"}});
  });
  const RemoteReceiver remote;
  const std::string base = fmt::format(R"(global:
  scrape_interval: 200ms
  scrape_timeout: 200ms
  external_labels: {{cluster: west}}
scrape_configs:
  - job_name: app
    static_configs: [{{targets: ['127.0.0.1:{}']}}]
remote_write:
  - url: {}
    queue_config: {{batch_send_deadline: 100ms}}
)",
                                       target.port(), remote.Url());
  AgentProcess agent(base + R"(tributary:
  aggregate:
    - match: [c_total]
      by: [job]
      interval: 1s
      late: 500ms
      inputs: drop
      outputs: [sum, count]
)",
                     {{"--web.enable-federation", "--web.enable-lifecycle"}, {}});
  const Labels count{{"__name__", "c_total:1s_by_job_count"}, {"cluster", "west"}, {"job", "app"}};
  REQUIRE(remote.WaitForSample(count, seconds(20)));
  CHECK(remote.AcceptedOf(count).front().value == 2);
  CHECK(remote.WaitForSample(
      {{"__name__", "c_total:1s_by_job_sum"}, {"cluster", "west"}, {"job", "app"}}, seconds(5)));
  CHECK(remote.WaitForSample({{"__name__", "other"}}, seconds(5)));
  CHECK(remote.AcceptedOf({{"__name__", "c_total"}}).empty());
  CHECK(agent.Metric("tributary_aggregate_dropped_samples_total") >= 2);
  const HttpReply page = agent.Get("/federate?match[]=%7B__name__=~%22c_total.*%22%7D");
  CHECK(page.status == 200);
  CHECK(page.body.find("c_total:1s_by_job_count{") != std::string::npos);
  CHECK(page.body.find("cluster=\"west\"") != std::string::npos);
  CHECK(page.body.find("c_total{") == std::string::npos);
  // Without the rule they come again, and its series end.
  agent.WriteConfig(base);
  CHECK(agent.Post("/-/reload").status == 200);
  CHECK(remote.WaitForSample({{"__name__", "c_total"}, {"i", "1"}}, seconds(10)));
  CHECK(Eventually(seconds(10), [&] { return IsStaleNan(remote.AcceptedOf(count).back().value); }));
}

}  // namespace
}  // namespace tributary
