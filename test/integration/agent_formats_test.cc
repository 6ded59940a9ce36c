// Pages in every format, from a real target through the agent to a receiver.
#include <atomic>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "agent/series/samples.h"
#include "metrics.pb.h"
#include "test/integration/agent_process.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"
#include "test/support/remote_receiver.h"

namespace tributary {
namespace {

constexpr const char* kOpenMetricsPage = R"(# TYPE jobs counter
# HELP jobs Jobs done.
jobs_total{a="1"} 5 # {trace_id="abc"} 1.5 1700000000.25
jobs_created{a="1"} 1700000000.5
# TYPE took_seconds histogram
# UNIT took_seconds seconds
took_seconds_bucket{le="1"} 1
took_seconds_bucket{le="+Inf"} 3
took_seconds_count 3
took_seconds_sum 7.5
# EOF
)";

std::string ProtobufPage() {
  test::metrics::MetricFamily family;
  family.set_name("took");
  family.set_help("How long it took.");
  family.set_type(4);  // HISTOGRAM
  auto* histogram = family.add_metric()->mutable_histogram();
  histogram->set_sample_count(6);
  histogram->set_sample_sum(10);
  histogram->set_schema(3);
  histogram->set_zero_threshold(0.001);
  histogram->set_zero_count(1);
  auto* span = histogram->add_positive_span();
  span->set_offset(0);
  span->set_length(2);
  histogram->add_positive_delta(2);
  histogram->add_positive_delta(1);
  std::string message;
  REQUIRE(family.SerializeToString(&message));
  REQUIRE(message.size() < 128);
  return static_cast<char>(message.size()) + message;
}

struct Target {
  Target(std::string content_type, std::string page)
      : server(
            [content_type = std::move(content_type), page = std::move(page)](const ServedRequest&) {
              return ScriptedReply::Text(200, page, {{"Content-Type", content_type}});
            }) {}
  RawServer server;
};

std::string ConfigOf(const Target& target, const RemoteReceiver& receiver,
                     const std::string& options = "") {
  return fmt::format(R"(global: {{scrape_interval: 100ms}}
scrape_configs:
- job_name: app
  static_configs: [{{targets: ['127.0.0.1:{}']}}]
  {}
remote_write:
- url: '{}'
  protobuf_message: io.prometheus.write.v2.Request
  send_exemplars: true
  send_native_histograms: true
  queue_config: {{batch_send_deadline: 100ms}}
)",
                     target.server.port(), options, receiver.Url());
}

constexpr const char* kOpenMetricsType = "application/openmetrics-text; version=1.0.0";
constexpr const char* kProtobufType =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

TEST_CASE("agent formats: OpenMetrics with exemplars and metadata; _created is a series") {
  Target target(kOpenMetricsType, kOpenMetricsPage);
  RemoteReceiver receiver;
  AgentProcess agent(ConfigOf(target, receiver));
  REQUIRE(receiver.WaitForSample({{"__name__", "took_seconds_bucket"}, {"le", "1.0"}}, seconds(8)));
  REQUIRE(receiver.WaitForSample({{"__name__", "jobs_created"}, {"a", "1"}}, seconds(8)));
  const DecodedSample jobs = receiver.AcceptedOf({{"__name__", "jobs_total"}}).at(0);
  CHECK(jobs.value == 5);
  CHECK(jobs.start == 0);
  CHECK(jobs.metadata.help == "Jobs done.");
  const DecodedSample sum = receiver.AcceptedOf({{"__name__", "took_seconds_sum"}}).at(0);
  CHECK(sum.metadata.unit == "seconds");
  // The same exemplar is sent once, however often it is scraped.
  REQUIRE(Eventually(seconds(8), [&] {
    return receiver.AcceptedOf({{"__name__", "jobs_total"}}).size() >= 5;
  }));
  size_t exemplars = 0;
  for (const auto& request : receiver.received()) {
    for (const DecodedExemplar& exemplar : request.decoded.exemplars) {
      exemplars++;
      CHECK(exemplar.labels.Get("__name__") == "jobs_total");
      CHECK(exemplar.own_labels == Labels{{"trace_id", "abc"}});
      CHECK(exemplar.timestamp == 1'700'000'000'250);
    }
  }
  CHECK(exemplars == 1);
  CHECK(receiver.error() == "");
  const std::string accept(target.server.Requests().at(0).Header("Accept"));
  CHECK(
      accept.starts_with("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.7"));
}

TEST_CASE("agent formats: under st-storage _created says when counts began") {
  Target target(kOpenMetricsType, kOpenMetricsPage);
  RemoteReceiver receiver;
  AgentSetup setup;
  setup.arguments = {"--enable-feature=st-storage"};
  AgentProcess agent(ConfigOf(target, receiver), setup);
  REQUIRE(receiver.WaitForSample({{"__name__", "jobs_total"}, {"a", "1"}}, seconds(8)));
  CHECK(receiver.AcceptedOf({{"__name__", "jobs_total"}}).at(0).start == 1'700'000'000'500);
  CHECK(receiver.AcceptedOf({{"__name__", "took_seconds_sum"}}).at(0).start == 0);
  CHECK(receiver.AcceptedOf({{"__name__", "jobs_created"}}).empty());
}

TEST_CASE("agent formats: classic histograms become native ones where a job wants that") {
  Target target(kOpenMetricsType, kOpenMetricsPage);
  RemoteReceiver receiver;
  AgentProcess agent(ConfigOf(target, receiver, "convert_classic_histograms_to_nhcb: true"));
  const auto histogram = [&]() -> std::optional<DecodedHistogram> {
    for (const auto& request : receiver.received()) {
      if (!request.decoded.histograms.empty()) return request.decoded.histograms.front();
    }
    return std::nullopt;
  };
  REQUIRE(Eventually(seconds(8), [&] { return histogram().has_value(); }));
  CHECK(histogram()->labels.Get("__name__") == "took_seconds");
  CHECK(histogram()->histogram.schema == kCustomBucketsSchema);
  CHECK(histogram()->histogram.custom_values == std::vector<double>{1});
  CHECK(histogram()->histogram.count == 3);
  CHECK(histogram()->histogram.positive_deltas == std::vector<int64_t>{1, 1});
  CHECK(receiver.AcceptedOf({{"__name__", "took_seconds_sum"}}).empty());
}

TEST_CASE("agent formats: native histograms of the protobuf format, and how such a series ends") {
  std::atomic<bool> gone{false};
  RawServer server([&](const ServedRequest&) {
    return ScriptedReply::Text(200, gone ? "" : ProtobufPage(), {{"Content-Type", kProtobufType}});
  });
  RemoteReceiver receiver;
  AgentProcess agent(
      fmt::format(R"(global: {{scrape_interval: 100ms, scrape_native_histograms: true}}
scrape_configs: [{{job_name: app, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]
remote_write:
- {{url: '{}', send_native_histograms: true, queue_config: {{batch_send_deadline: 100ms}}}}
)",
                  server.port(), receiver.Url()));
  REQUIRE(Eventually(seconds(8), [&] {
    return agent.Metric("prometheus_agent_samples_appended_total{type=\"histogram\"}") >= 3;
  }));
  gone = true;
  REQUIRE(receiver.WaitForSample({{"__name__", "took"}}, seconds(8)));
  CHECK(IsStaleNan(receiver.AcceptedOf({{"__name__", "took"}}).at(0).value));
  size_t histograms = 0;
  for (const auto& request : receiver.received()) {
    CHECK_FALSE(request.decoded.is_v2);
    for (const DecodedHistogram& sample : request.decoded.histograms) {
      histograms++;
      CHECK(sample.labels.Get("__name__") == "took");
      CHECK(sample.histogram.count == 6);
      CHECK(sample.histogram.positive_deltas == std::vector<int64_t>{2, 1});
    }
  }
  CHECK(histograms >= 3);
  CHECK(receiver.error() == "");
}

TEST_CASE(
    "agent formats: an unknown feature ends the agent with 2 and the names of those there are") {
  const ProcessResult result = RunAgent({"--enable-feature=st-storage,promql-everything"});
  CHECK(result.status == 2);
  CHECK(result.err.find("promql-everything") != std::string::npos);
  CHECK(result.err.find("st-storage") != std::string::npos);
}

}  // namespace
}  // namespace tributary
