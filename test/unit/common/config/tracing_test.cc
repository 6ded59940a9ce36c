// What the loader makes of tracing.
#include <string>
#include <utility>

#include "common/config/loader.h"
#include "common/config/options.h"
#include "test/support/catch.h"
#include "test/unit/common/config/load_text.h"

namespace tributary {
namespace {

using std::chrono::seconds;

TEST_CASE(
    "config: tracing is read in full, with Prometheus' defaults, and its headers are not shown") {
  CHECK_FALSE(Good("")->tracing);
  TracingConfig expected;
  expected.endpoint = "127.0.0.1:4317";
  CHECK(Good("tracing: {endpoint: \"127.0.0.1:4317\"}")->tracing == expected);
  auto config = Good(R"(tracing:
  client_type: http
  endpoint: collector.test
  sampling_fraction: 0.25
  tls_config: {ca_file: ca.pem, server_name: s}
  headers: {X-Key: sesame}
  compression: gzip
  timeout: 7s)");
  expected.protocol = TracingProtocol::kHttp;
  expected.endpoint = "collector.test";
  expected.sampling_fraction = 0.25;
  expected.tls.ca_file = config->tracing->tls.ca_file;
  expected.tls.server_name = "s";
  expected.headers = {{"X-Key", {"sesame"}}};
  expected.gzip = true;
  expected.timeout = seconds(7);
  CHECK(config->tracing == expected);
  CHECK(config->tracing->tls.ca_file.ends_with("/ca.pem"));
  CHECK(config->yaml.find("sesame") == std::string::npos);
  CHECK(config->yaml.find("sampling_fraction: 0.25") != std::string::npos);
  // Forms that Go's clients know.
  CHECK(Good("tracing: {endpoint: 'dns:///a.test:4317'}")->tracing->endpoint == "a.test:4317");
  CHECK(Good("tracing: {endpoint: ':4317'}")->tracing->endpoint == "localhost:4317");
  CHECK(Good("tracing: {endpoint: '[::1]:4317'}")->tracing->endpoint == "[::1]:4317");
}

TEST_CASE("config: tracing that cannot work is refused where it stands") {
  const std::pair<const char*, const char*> kBad[] = {
      {"tracing: {}", "endpoint"},
      {"tracing: {endpoint: ''}", "endpoint"},
      {"tracing: {endpoint: 'http://a.test:4318'}", "has to be a host and its port"},
      {"tracing: {endpoint: 'a.test:4318/v1/traces'}", "has to be a host and its port"},
      {"tracing: {endpoint: 'unix:///run/otel.sock'}", "has to be a host and its port"},
      {"tracing: {endpoint: 'user:sesame@a.test:4317'}", "has to be a host and its port"},
      {"tracing: {endpoint: 'dns:///a.test:4317', client_type: http}", "has to be a host"},
      {"tracing: {endpoint: 'a.test:port'}", "has to be a host and its port"},
      {"tracing: {endpoint: a, client_type: udp}", "client_type"},
      {"tracing: {endpoint: a, compression: zstd}", "compression"},
      {"tracing: {endpoint: a, headers: {Authorization: x}}", "reserved"},
      {"tracing: {endpoint: a, sampling_fraction: some}", "sampling_fraction"},
      {"tracing: {endpoint: a, samplingfraction: 1}", "sampling_fraction"},
  };
  for (const auto& [text, problem] : kBad) {
    CAPTURE(text);
    const std::string messages = Bad(text);
    CHECK(messages.find("prometheus.yml:1:") == 0);
    CHECK(messages.find(problem) != std::string::npos);
    CHECK(messages.find("sesame") == std::string::npos);
  }
  const LoadResult idle =
      LoadText("tracing: {endpoint: a, insecure: true, tls_config: {server_name: b}}");
  CHECK(idle.config != nullptr);
  CHECK(Messages(idle).find("'tls_config' has no effect") != std::string::npos);
}

}  // namespace
}  // namespace tributary
