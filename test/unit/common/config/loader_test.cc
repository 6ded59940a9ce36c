#include "common/config/loader.h"

#include <string>
#include <utility>

#include "common/config/options.h"
#include "test/support/catch.h"
#include "test/unit/common/config/memory_files.h"

namespace tributary {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const char* const kRemote = "remote_write: [{url: \"http://127.0.0.1:9/w\"}]\n";

std::shared_ptr<const Config> Good(const std::string& text, const LoadOptions& options = {}) {
  LoadResult result = LoadText(text, options);
  CAPTURE(text);
  INFO(Messages(result));
  REQUIRE(result.config != nullptr);
  return result.config;
}

std::string Bad(const std::string& text) {
  LoadResult result = LoadText(text);
  CAPTURE(text);
  REQUIRE(result.config == nullptr);
  REQUIRE_FALSE(result.unreadable);
  return Messages(result);
}

std::string Job(const std::string& lines) {
  return "scrape_configs:\n- job_name: j\n  " + lines + "\n" + kRemote;
}

TEST_CASE("config: an empty file is Prometheus' default configuration") {
  auto config = Good("");
  CHECK(config->global.scrape_interval == minutes(1));
  CHECK(config->global.scrape_timeout == seconds(10));
  CHECK(config->global.external_labels.empty());
  CHECK(config->scrape_configs.empty());
  CHECK(config->remote_write.empty());
  CHECK(config->out_of_order_time_window == milliseconds(0));
  CHECK(Good("global:\nscrape_configs:\nremote_write:\nruntime:\nstorage:\n")->yaml ==
        config->yaml);
}

TEST_CASE("config: a job gets Prometheus' defaults") {
  auto config = Good(Job("static_configs: [{targets: [\"a:1\", b], labels: {x: y, e: \"\"}}]"));
  REQUIRE(config->scrape_configs.size() == 1);
  ScrapeConfig expected;
  expected.job_name = "j";
  expected.scrape_interval = minutes(1);
  expected.scrape_timeout = seconds(10);
  expected.scrape_protocols = {"OpenMetricsText1.0.0", "OpenMetricsText0.0.1",
                               "PrometheusText1.0.0", "PrometheusText0.0.4"};
  expected.escaping_scheme = "allow-utf-8";
  expected.static_configs = {{{"a:1", "b"}, Labels{{"x", "y"}}, "0"}};
  CHECK(config->scrape_configs[0] == expected);
}

TEST_CASE("config: a job says all it can") {
  auto config = Good(Job(R"(honor_labels: true
  honor_timestamps: false
  track_timestamps_staleness: true
  params: {b: ["1", x], a: []}
  scrape_interval: 30s
  scrape_timeout: 5s
  scrape_protocols: [PrometheusText0.0.4]
  fallback_scrape_protocol: PrometheusText1.0.0
  metrics_path: /m
  scheme: https
  enable_compression: false
  body_size_limit: 1.5MB
  sample_limit: 1
  target_limit: 2
  label_limit: 3
  label_name_length_limit: 4
  label_value_length_limit: 5
  keep_dropped_targets: 6
  metric_name_validation_scheme: legacy
  metric_name_escaping_scheme: dots
  extra_scrape_metrics: true
  basic_auth: {username: u, password_file: p}
  follow_redirects: false
  enable_http2: false
  static_configs: [{targets: [a]}, {targets: [b]}]
  file_sd_configs: [{files: [x.json, /abs/*.yml], refresh_interval: 1m}]
  http_sd_configs:
  - {url: "http://u:p@sd/list", refresh_interval: 5s, authorization: {credentials_file: t}, follow_redirects: false}
  - url: https://sd
  dns_sd_configs: [{names: [a, b.c], type: mX, port: 80, refresh_interval: 2m}, {names: [s]}]
  relabel_configs: [{source_labels: [a, b], separator: "-", regex: 5, target_label: c, replacement: "", action: REPLACE}]
  metric_relabel_configs: [{source_labels: [a], modulus: 8, target_label: c, action: hashmod}, {action: keep}])"));
  const ScrapeConfig& job = config->scrape_configs.at(0);
  ScrapeConfig expected;
  expected.job_name = "j";
  expected.honor_labels = true;
  expected.honor_timestamps = false;
  expected.track_timestamps_staleness = true;
  expected.params = {{"a", {}}, {"b", {"1", "x"}}};
  expected.scrape_interval = seconds(30);
  expected.scrape_timeout = seconds(5);
  expected.scrape_protocols = {"PrometheusText0.0.4"};
  expected.fallback_scrape_protocol = "PrometheusText1.0.0";
  expected.metrics_path = "/m";
  expected.scheme = "https";
  expected.enable_compression = false;
  expected.body_size_limit = 3u << 19;
  expected.sample_limit = 1;
  expected.target_limit = 2;
  expected.label_limit = 3;
  expected.label_name_length_limit = 4;
  expected.label_value_length_limit = 5;
  expected.keep_dropped_targets = 6;
  expected.metric_name_validation_scheme = NameValidation::kLegacy;
  expected.escaping_scheme = "dots";
  expected.extra_scrape_metrics = true;
  expected.http.basic_auth = BasicAuth{"u", "", {""}, "/etc/agent/p"};
  expected.http.follow_redirects = false;
  expected.http.enable_http2 = false;
  expected.static_configs = {{{"a"}, {}, "0"}, {{"b"}, {}, "1"}};
  expected.file_sd_configs = {{{"/etc/agent/x.json", "/abs/*.yml"}, minutes(1)}};
  HttpClientConfig sd_client;
  sd_client.authorization = Authorization{"Bearer", {}, "/etc/agent/t"};
  sd_client.follow_redirects = false;
  expected.http_sd_configs = {{"http://u:p@sd/list", seconds(5), sd_client},
                              {"https://sd", minutes(1), {}}};
  expected.dns_sd_configs = {{{"a", "b.c"}, minutes(2), DnsSdType::kMx, 80},
                             {{"s"}, seconds(30), DnsSdType::kSrv, 0}};
  RelabelConfig replace;
  replace.source_labels = {"a", "b"};
  replace.separator = "-";
  replace.regex = "5";
  replace.target_label = "c";
  replace.replacement = "";
  RelabelConfig hashmod;
  hashmod.source_labels = {"a"};
  hashmod.modulus = 8;
  hashmod.target_label = "c";
  hashmod.action = RelabelAction::kHashMod;
  RelabelConfig keep;
  keep.action = RelabelAction::kKeep;
  expected.relabel_configs = {replace};
  expected.metric_relabel_configs = {hashmod, keep};
  CHECK(job == expected);
}

TEST_CASE("config: jobs inherit from global what they do not say") {
  auto config = Good(R"(
global: {scrape_interval: 5s, body_size_limit: 1KB, sample_limit: 1, target_limit: 2, label_limit: 3,
  label_name_length_limit: 4, label_value_length_limit: 5, keep_dropped_targets: 6,
  extra_scrape_metrics: true, metric_name_validation_scheme: legacy,
  scrape_protocols: [PrometheusText0.0.4]}
scrape_configs:
- job_name: a
- {job_name: b, sample_limit: 10, scrape_interval: 20s, extra_scrape_metrics: false,
   metric_name_validation_scheme: utf8}
)");
  const ScrapeConfig& a = config->scrape_configs.at(0);
  CHECK(a.scrape_interval == seconds(5));
  CHECK(a.scrape_timeout == seconds(5));
  CHECK(a.body_size_limit == 1024);
  CHECK(a.sample_limit == 1);
  CHECK(a.target_limit == 2);
  CHECK(a.label_limit == 3);
  CHECK(a.label_name_length_limit == 4);
  CHECK(a.label_value_length_limit == 5);
  CHECK(a.keep_dropped_targets == 6);
  CHECK(a.extra_scrape_metrics);
  CHECK(a.metric_name_validation_scheme == NameValidation::kLegacy);
  CHECK(a.escaping_scheme == "underscores");
  CHECK(a.scrape_protocols == std::vector<std::string>{"PrometheusText0.0.4"});
  const ScrapeConfig& b = config->scrape_configs.at(1);
  CHECK(b.scrape_interval == seconds(20));
  CHECK(b.scrape_timeout == seconds(5));
  CHECK(b.sample_limit == 10);
  CHECK_FALSE(b.extra_scrape_metrics);
  CHECK(b.metric_name_validation_scheme == NameValidation::kUtf8);
  CHECK(b.escaping_scheme == "allow-utf-8");
}

TEST_CASE("config: a null is zero, as Prometheus has it, not the default") {
  auto config = Good(Job("metrics_path:\n  honor_timestamps:\n  scheme:\n  basic_auth:"));
  CHECK(config->scrape_configs.at(0).metrics_path.empty());
  CHECK_FALSE(config->scrape_configs.at(0).honor_timestamps);
  CHECK_FALSE(config->scrape_configs.at(0).http.basic_auth);
  CHECK_FALSE(Good("remote_write: [{url: \"http://a\", metadata_config: }]")
                  ->remote_write.at(0)
                  .metadata.send);
  CHECK(Bad("remote_write: [{url: \"http://a\", queue_config: }]").find("'max_shards' has to be") !=
        std::string::npos);
}

TEST_CASE("config: a remote gets Prometheus' defaults") {
  auto config = Good("remote_write: [{url: \"http://u:p@a/w\", name: n}]");
  RemoteWriteConfig expected;
  expected.url = "http://u:p@a/w";
  expected.name = "n";
  expected.http.enable_http2 = false;
  CHECK(config->remote_write.at(0) == expected);
}

TEST_CASE("config: a remote says all it can") {
  auto config = Good(R"(
remote_write:
- url: http://a
  name: n
  remote_timeout: 5s
  headers: {X-A: b, X-Scope-OrgID: "1"}
  write_relabel_configs: [{regex: x, action: labeldrop}]
  send_exemplars: true
  send_native_histograms: true
  protobuf_message: io.prometheus.write.v2.Request
  bearer_token_file: t
  enable_http2: true
  queue_config: {capacity: 10, max_shards: 5, min_shards: 2, max_samples_per_send: 7,
    batch_send_deadline: 6s, min_backoff: 31ms, max_backoff: 8s, retry_on_http_429: true,
    sample_age_limit: 1h}
  metadata_config: {send: false, send_interval: 2m, max_samples_per_send: 500}
storage: {tsdb: {out_of_order_time_window: 10m}}
)");
  RemoteWriteConfig expected;
  expected.url = "http://a";
  expected.name = "n";
  expected.remote_timeout = seconds(5);
  expected.headers = {{"X-A", "b"}, {"X-Scope-OrgID", "1"}};
  RelabelConfig drop;
  drop.regex = "x";
  drop.action = RelabelAction::kLabelDrop;
  expected.write_relabel_configs = {drop};
  expected.send_exemplars = expected.send_native_histograms = true;
  expected.message = RemoteWriteMessage::kV2;
  expected.http.authorization = Authorization{"Bearer", {""}, "/etc/agent/t"};
  expected.queue = {10, 5, 2, 7, seconds(6), milliseconds(31), seconds(8), true, hours(1)};
  expected.metadata = {false, minutes(2), 500};
  CHECK(config->remote_write.at(0) == expected);
  CHECK(config->out_of_order_time_window == minutes(10));
}

TEST_CASE("config: what becomes of errors: defaults, of all remotes, of one") {
  auto config = Good(R"(
tributary:
  remote_write: {split_rejected: false, dead_letter_size: 1MB}
remote_write:
- url: http://a
- url: http://b
  protobuf_message: auto
  tributary: {split_rejected: true, retry_auth_errors: false}
)");
  RemoteErrorsConfig errors;
  errors.split_rejected = false;
  errors.dead_letter_size = 1 << 20;
  CHECK(config->remote_write.at(0).errors == errors);
  CHECK_FALSE(config->remote_write.at(0).falls_back_to_v1);
  errors.split_rejected = true;
  errors.retry_auth_errors = false;
  CHECK(config->remote_write.at(1).errors == errors);
  CHECK(config->remote_write.at(1).message == RemoteWriteMessage::kV2);
  CHECK(config->remote_write.at(1).falls_back_to_v1);
  // As it is in force, and only where the file speaks of it.
  CHECK(config->yaml.find("  tributary:\n"
                          "    retry_auth_errors: false\n"
                          "    split_rejected: true\n"
                          "    quarantine_refused: true\n"
                          "    split_too_many_series: true\n"
                          "    count_maybe_duplicates: true\n"
                          "    dead_letter_size: 1MiB\n") != std::string::npos);
  CHECK(Messages(LoadText("remote_write:\n- url: http://a\n  tributary:\n"
                          "    split_rejected: false\n    quarantine_refused: true\n")) ==
        "prometheus.yml:5:25: error: 'quarantine_refused' needs split_rejected\n");
  CHECK(Good("remote_write: [{url: \"http://a\"}]")->remote_write.at(0).errors ==
        RemoteErrorsConfig{});
  CHECK(Good("remote_write: [{url: \"http://a\"}]")->yaml.find("tributary") == std::string::npos);
}

TEST_CASE("config: remotes without a name are told apart, and keep their names") {
  const std::string text =
      "remote_write: [{url: \"http://a\"}, {url: \"http://a\"}, {url: \"http://b\"}]";
  auto config = Good(text);
  auto names = [](const Config& c) {
    std::vector<std::string> list;
    for (const RemoteWriteConfig& remote : c.remote_write) list.push_back(remote.name);
    return list;
  };
  std::vector<std::string> first = names(*config);
  CHECK(first[0].size() == 6);
  CHECK(first[0] != first[1]);
  CHECK(first[0] != first[2]);
  CHECK(names(*Good("scrape_configs: [{job_name: x}]\n" + text)) == first);
  // A new secret does not make another remote.
  auto with_token = [&](const std::string& token) {
    return Good("remote_write: [{url: \"http://a\", bearer_token: " + token + "}]")
        ->remote_write.at(0)
        .name;
  };
  CHECK(with_token("one") == with_token("two"));
  CHECK(with_token("one") != first[0]);
}

TEST_CASE("config: environment variables are expanded in external labels as Go's os.Expand does") {
  LoadOptions options;
  options.getenv = [](const std::string& name) -> std::optional<std::string> {
    if (name == "A") return "a";
    if (name == "LONG_1") return "long";
    if (name == "1") return "one";
    if (name == "EMPTY") return "";
    return std::nullopt;
  };
  const std::pair<const char*, const char*> kTable[] = {
      {"$A", "a"},           {"${A}", "a"},    {"x${A}y", "xay"},
      {"$LONG_1-", "long-"}, {"$$", "$"},      {"$$A", "$A"},
      {"x$", "x$"},          {"$ x", "$ x"},   {"${}x", "x"},
      {"${x", "x"},          {"$1A", "oneA"},  {"${A}${A}", "aa"},
      {"$NONE", ""},         {"a$EMPTY", "a"}, {"no dollar", "no dollar"},
  };
  for (const auto& [text, expected] : kTable) {
    CAPTURE(text);
    LoadResult result =
        LoadText("global: {external_labels: {k: \"" + std::string(text) + "\"}}", options);
    REQUIRE(result.config != nullptr);
    CHECK(result.config->global.external_labels.Get("k") == expected);
    bool unset = std::string(text).find("NONE") != std::string::npos ||
                 std::string(text).find("EMPTY") != std::string::npos;
    CHECK(result.diagnostics.size() == (unset ? 1 : 0));
  }
  LoadResult result = LoadText("global:\n  external_labels:\n    k: $NONE\n", options);
  CHECK(Messages(result) ==
        "prometheus.yml:3:8: warning: the environment variable 'NONE' of the external label 'k' is "
        "not "
        "set or empty\n");
}

TEST_CASE("config: what Prometheus refuses is refused, with the place and a hint") {
  const std::pair<std::string, const char*> kTable[] = {
      {"global:\n  scrape_intervall: 5s\n",
       "prometheus.yml:2:3: error: unknown field 'scrape_intervall' in global (did you mean "
       "'scrape_interval'?)\n"},
      {"- a\n", "prometheus.yml:1:1: error: the configuration file has to be a map, not a list\n"},
      {"a: [b\n", "error: not valid YAML"},
      {"global: {scrape_interval: 5s, scrape_timeout: 6s}",
       "1:47: error: 'scrape_timeout' is longer"},
      {"global: {external_labels: {\"\": b}}", "1:28: error: '' is not a valid label name"},
      {"global: {scrape_interval: 5}", "1:27: error: 'scrape_interval': '5' is not a duration"},
      {"global: {sample_limit: \"5\"}", "not '5' (quotes make it text)"},
      {"rule_files: [a]", "1:1: error: 'rule_files' is not allowed in agent mode ("},
      {"alerting: {alertmanagers: [{}]}", "1:1: error: 'alerting' is not allowed in agent mode"},
      {"remote_read: [{url: a}]", "1:1: error: 'remote_read' is not allowed in agent mode"},
      {"scrape_configs:\n-\n", "2:1: error: entry 1 of 'scrape_configs' is empty"},
      {"scrape_configs:\n- scrape_interval: 5s\n", "2:3: error: 'job_name' is missing"},
      {"scrape_configs:\n- job_name: a\n- job_name: a\n",
       "3:13: error: there are two jobs named 'a'"},
      {"remote_write: [{name: a}]", "1:16: error: 'url' is missing in remote_write"},
      {"remote_write: [{url: \"\"}]", "1:22: error: 'url' cannot be empty"},
      {"remote_write: [{url: \"http://a:b\"}]", "1:22: error: 'url' is not a URL: an invalid port"},
      {"remote_write: [{url: a, name: x}, {url: b, name: x}]", "two remotes named 'x'"},
      {"remote_write: [{url: a, headers: {Content-Type: x}}]", "'Content-Type' is reserved"},
      {"remote_write: [{url: a, headers: {Authorization: x}}]",
       "(use basic_auth or authorization)"},
      {"remote_write: [{url: a, headers: {X: \"a\\nb\"}}]", "has a line break"},
      {"remote_write: [{url: a, headers: {\"a b\": c}}]", "cannot be the name of a header"},
      {"remote_write: [{url: a, queue_config: {max_shards: 0}}]", "'max_shards' has to be above 0"},
      {"remote_write: [{url: a, queue_config: {min_backoff: 6s}}]", "'max_backoff' is shorter"},
      {"remote_write: [{url: a, metadata_config: {send_interval: 0}}]",
       "'send_interval' has to be"},
      {"remote_write: [{url: a, protobuf_message: v3}]", "'v3' is not a valid 'protobuf_message'"},
      {"remote_write: [{url: a, remote_timeout: 0s}]", "'remote_timeout' has to be above 0"},
      {"nonsense: 1", "unknown field 'nonsense' in the configuration file"},
      {"scrape_config_files: [\"a*/b.yml\"]", "1:23: error: only the last part"},
      {Job("scrape_interval: 5s\n  scrape_timeout: 6s"), "4:19: error: 'scrape_timeout' is longer"},
      {Job("scrape_protocols: []"), "3:21: error: 'scrape_protocols' cannot be empty"},
      {Job("scrape_protocols: [PrometheusText0.0.4, PrometheusText0.0.4]"), "3:43: error: 'Prom"},
      {Job("metric_name_escaping_scheme: no"), "(one of allow-utf-8, underscores, dots, values)"},
      {Job("metric_name_validation_scheme: legacy\n  metric_name_escaping_scheme: allow-utf-8"),
       "only legacy names are valid"},
      {Job("static_configs: [{targets: [\"http://a/b\"]}]"),
       "3:31: error: 'http://a/b' is not a host"},
      {Job("static_configs: [{target: [a]}]"),
       "unknown field 'target' in static_config (did you mean"},
      {Job("basic_auth: {username: a}\n  bearer_token: x"),
       "4:3: error: at most one of basic_auth, bearer"},
      {Job("basic_auth: {password: a, password_file: b}"),
       "at most one of password, password_file can"},
      {Job("authorization: {type: \" bAsic \"}"), "'type' cannot be basic (use basic_auth)"},
      {Job("params: {a: b}"), "3:15: error: 'a' in 'params' has to be a list"},
      {Job("file_sd_configs: [{files: [a.txt]}]"), "'/etc/agent/a.txt' does not end in .json"},
      {Job("file_sd_configs: [{files: [\"a*/b.json\"]}]"), "only the last part of"},
      {Job("file_sd_configs: [{files: [a.json], refresh_interval: 0s}]"),
       "'refresh_interval' has to be"},
      {Job("http_sd_configs: [{refresh_interval: 5s}]"), "'url' is missing"},
      {Job("http_sd_configs: [{url: \"ftp://x\"}]"), "has to be http or https"},
      {Job("http_sd_configs: [{url: \"http://\"}]"), "'url' has no host"},
      {Job("http_sd_configs: [{url: \"http://x\", refresh_interval: 0s}]"),
       "'refresh_interval' has to be above 0"},
      {Job("http_sd_configs: [{url: \"http://x\", basic_auth: {}, bearer_token: a}]"), "3:"},
      {Job("dns_sd_configs: [{type: A, port: 1}]"), "'names' is missing"},
      {Job("dns_sd_configs: [{names: [a], type: aaaa}]"), "records of type aaaa need a 'port'"},
      {Job("dns_sd_configs: [{names: [a], type: PTR}]"), "has to be SRV, A, AAAA, MX or NS"},
      {Job("dns_sd_configs: [{names: [a], refresh_interval: 0s}]"),
       "'refresh_interval' has to be above 0"},
      {Job("nosuch_sd_configs: [{}]"), "file_sd_configs or http_sd_configs"},
      {Job("relabel_configs: [{action: kep}]"), "(did you mean 'keep'?)"},
      {Job("relabel_configs: [{regex: \"(\", action: keep}]"), "3:29: error: 'regex': "},
      {Job("relabel_configs: [{action: labeldrop, separator: \"-\"}]"),
       "3:21: error: the labeldrop"},
      {Job("relabel_configs: [{action: keepequal, target_label: a, regex: (.*)}]"),
       "the keepequal"},
  };
  for (const auto& [text, expected] : kTable) {
    CAPTURE(text, expected);
    std::string messages = Bad(text);
    CAPTURE(messages);
    CHECK(messages.find(expected) != std::string::npos);
  }
}

TEST_CASE("config: what is known but not built says so, unless it says no more than its default") {
  const char* const kRefused[] = {
      "tls_config: {ca_ref: a}",
      "oauth2: {client_id: a, token_url: b, client_secret_ref: c}",
      "oauth2: {client_id: a, token_url: b, "
      "grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer'}",
      "oauth2: {client_id: a, token_url: b, claims: {c: d}}",
      "scrape_protocols: [OpenMetricsText2.0.0, PrometheusText0.0.4]",
      "fallback_scrape_protocol: OpenMetricsText2.0.0",
      "scrape_failure_log_file: f",
      "consul_sd_configs: [{}]",
      "kubernetes_sd_configs: [{role: pod}]",
  };
  for (const char* line : kRefused) {
    CAPTURE(line);
    std::string messages = Bad(Job(line));
    CHECK(messages.find("prometheus.yml:3:") == 0);
    CHECK(messages.find("but not built yet in this version") != std::string::npos);
    CHECK(std::count(messages.begin(), messages.end(), '\n') == 1);
  }
  const char* const kAccepted[] = {
      "tls_config: {}",
      "tls_config:",
      "tls_config: {insecure_skip_verify: false, key_ref: ''}",
      "oauth2:",
      "oauth2: {client_id: a, token_url: b, grant_type: client_credentials, claims: {}}",
      "proxy_from_environment: false",
      "proxy_url: \"\"",
      "http_headers: {}",
      "dns_sd_configs: []",
      "consul_sd_configs:",
      "enable_http2: true",
  };
  for (const char* line : kAccepted) {
    CAPTURE(line);
    Good(Job(line));
  }
  CHECK(Bad("tracing: {endpoint: a}").find("'tracing' is known, but") != std::string::npos);
  CHECK(Bad("otlp: {promote_scope_metadata: true}").find("'otlp' is known, but") !=
        std::string::npos);
  CHECK(Bad("remote_write: [{url: a, azuread: {sdk: {}}}]").find("'azuread' is known") !=
        std::string::npos);
  CHECK(Bad("remote_write: [{url: a, convert_nhcb_to_classic: true}]").find("is known, but") !=
        std::string::npos);
  CHECK(Bad("remote_write: [{url: a, failed_request_logging: true}]").find("is known, but") !=
        std::string::npos);
  Good("otlp: {translation_strategy: UnderscoreEscapingWithSuffixes}");
}

TEST_CASE("config: sigv4 is read in full, and its keys are not shown") {
  const auto sigv4 = [](const std::string& options) {
    return "remote_write: [{url: \"http://a/w\", sigv4: {" + options + "}}]";
  };
  auto config =
      Good(sigv4("region: r, access_key: my-id, secret_key: my-key, profile: p, role_arn: a, "
                 "external_id: e, session_name: s-1, tags: {k: v}, use_fips_sts_endpoint: true, "
                 "service_name: s"));
  Sigv4Config expected;
  expected.region = "r";
  expected.access_key = "my-id";
  expected.secret_key = {"my-key"};
  expected.profile = "p";
  expected.role_arn = "a";
  expected.external_id = "e";
  expected.session_name = "s-1";
  expected.tags = {{"k", "v"}};
  expected.use_fips_sts_endpoint = true;
  expected.service_name = "s";
  REQUIRE(config->remote_write[0].sigv4);
  CHECK(*config->remote_write[0].sigv4 == expected);
  CHECK(config->yaml.find("secret_key: <secret>") != std::string::npos);
  CHECK(config->yaml.find("my-") == std::string::npos);

  REQUIRE(Good(sigv4(""))->remote_write[0].sigv4);
  CHECK(*Good(sigv4(""))->remote_write[0].sigv4 == Sigv4Config());
  CHECK(Sigv4Config().service_name == "aps");
  CHECK_FALSE(Good("remote_write: [{url: \"http://a/w\", sigv4: }]")->remote_write[0].sigv4);
  CHECK(Bad(sigv4("access_key: a")).find("need each other") != std::string::npos);
  for (const char* option : {"external_id: e", "session_name: se", "tags: {a: b}"}) {
    CHECK(Bad(sigv4(option)).find("needs role_arn") != std::string::npos);
  }
  CHECK(Bad(sigv4("role_arn: a, session_name: a b")).find("2 to 64") != std::string::npos);
  for (const char* other :
       {"basic_auth: {username: a}", "authorization: {credentials: a}", "azuread: {sdk: {}}",
        "google_iam: {}", "oauth2: {client_id: a, token_url: \"http://t\"}"}) {
    CAPTURE(other);
    CHECK(Bad(std::string("remote_write: [{url: \"http://a/w\", sigv4: {}, ") + other + "}]")
              .find("can be given") != std::string::npos);
  }
}

TEST_CASE("config: protobuf is asked for first where only it has what is wanted") {
  const std::vector<std::string> protobuf_first = {"PrometheusProto", "OpenMetricsText1.0.0",
                                                   "OpenMetricsText0.0.1", "PrometheusText1.0.0",
                                                   "PrometheusText0.0.4"};
  const auto protocols = [](const std::string& text, bool start_timestamps) {
    LoadOptions options;
    options.start_timestamps = start_timestamps;
    const ScrapeConfig job = Good(text, options)->scrape_configs.at(0);
    CHECK(job.start_timestamps == start_timestamps);
    return job.scrape_protocols;
  };
  CHECK(protocols(Job("scrape_native_histograms: true"), false) == protobuf_first);
  CHECK(protocols("global: {scrape_native_histograms: true}\n" + Job("honor_labels: true"),
                  false) == protobuf_first);
  CHECK(protocols(Job("honor_labels: true"), true) == protobuf_first);
  CHECK(protocols(Job("scrape_native_histograms: true\n  scrape_protocols: [PrometheusText0.0.4]"),
                  true) == std::vector<std::string>{"PrometheusText0.0.4"});
}

TEST_CASE("config: what becomes of histograms is inherited from global, and a job may differ") {
  const auto config = Good(
      "global: {scrape_native_histograms: true, always_scrape_classic_histograms: true, "
      "convert_classic_histograms_to_nhcb: true}\n"
      "scrape_configs:\n- job_name: a\n- job_name: b\n  scrape_native_histograms: false\n"
      "  always_scrape_classic_histograms: false\n  convert_classic_histograms_to_nhcb: false\n"
      "  native_histogram_bucket_limit: 7\n  native_histogram_min_bucket_factor: 1.5\n");
  const ScrapeConfig& inherits = config->scrape_configs.at(0);
  CHECK(inherits.scrape_native_histograms);
  CHECK(inherits.always_scrape_classic_histograms);
  CHECK(inherits.convert_classic_histograms_to_nhcb);
  CHECK(inherits.native_histogram_bucket_limit == 0);
  const ScrapeConfig& differs = config->scrape_configs.at(1);
  CHECK_FALSE(differs.scrape_native_histograms);
  CHECK_FALSE(differs.always_scrape_classic_histograms);
  CHECK_FALSE(differs.convert_classic_histograms_to_nhcb);
  CHECK(differs.native_histogram_bucket_limit == 7);
  CHECK(differs.native_histogram_min_bucket_factor == 1.5);
}

TEST_CASE("config: how clients connect") {
  const auto config = Good(Job(R"(tls_config:
    ca_file: ca.pem
    cert: C
    key: K
    server_name: s
    insecure_skip_verify: true
    min_version: TLS12
    max_version: TLS13
  proxy_url: http://u:p@proxy:3128
  no_proxy: a,b
  proxy_connect_header: {X-P: [q, r]}
  http_headers:
    X-A: {values: [b, c], secrets: [d], files: [e, /f]}
  oauth2:
    client_id: i
    client_secret_file: cs
    scopes: [x, y]
    token_url: http://t/token
    endpoint_params: {audience: z}
    tls_config: {ca: Z}
    proxy_from_environment: true)"));
  HttpClientConfig expected;
  expected.tls = {"", "C", {"K"}, "/etc/agent/ca.pem", "", "", "s", true, "TLS12", "TLS13"};
  expected.proxy = {"http://u:p@proxy:3128", "a,b", false, {{"X-P", {{"q"}, {"r"}}}}};
  expected.http_headers = {{"X-A", {{"b", "c"}, {{"d"}}, {"/etc/agent/e", "/f"}}}};
  Oauth2Config oauth2;
  oauth2.client_id = "i";
  oauth2.client_secret_file = "/etc/agent/cs";
  oauth2.scopes = {"x", "y"};
  oauth2.token_url = "http://t/token";
  oauth2.endpoint_params = {{"audience", {"z"}}};
  oauth2.tls.ca = "Z";
  oauth2.proxy.proxy_from_environment = true;
  expected.oauth2 = oauth2;
  CHECK(config->scrape_configs.at(0).http == expected);
  for (const char* secret : {"key: K", "u:p@", "- q", "- d", "audience: z"}) {
    CAPTURE(secret);
    CHECK(config->yaml.find(secret) == std::string::npos);
  }
  for (const char* shown : {"- b\n", "u:xxxxx@proxy", "server_name: s", "client_id: i"}) {
    CAPTURE(shown);
    CHECK(config->yaml.find(shown) != std::string::npos);
  }
}

TEST_CASE("config: what clients cannot be") {
  const std::pair<const char*, const char*> kTable[] = {
      {"tls_config: {cert_file: a}", "needs its key"},
      {"tls_config: {ca: a, ca_file: b}", "at most one of ca, ca_file"},
      {"tls_config: {min_version: TLS13, max_version: TLS12}", "'max_version' is below"},
      {"tls_config: {min_version: TLS9}", "not a valid 'min_version'"},
      {"no_proxy: a", "'no_proxy' needs proxy_url"},
      {"proxy_connect_header: {a: [b]}", "'proxy_connect_header' needs proxy_url"},
      {"proxy_url: http://p\n  proxy_from_environment: true", "exclude each other"},
      {"proxy_url: http://p\n  proxy_connect_header: {'a b': [c]}",
       "cannot be the name of a header"},
      {"proxy_url: http://p\n  proxy_connect_header: {a: [\"b\\nc\"]}", "has a line break"},
      {"http_headers: {Authorization: {values: [b]}}", "is reserved"},
      {"http_headers: {X-A: {secrets: [\"b\\r\"]}}", "has a line break"},
      {"oauth2: {client_id: a, token_url: b, client_secret: c, client_secret_file: d}",
       "at most one of client_secret"},
      {"oauth2: {client_id: a, token_url: b}\n  authorization: {credentials: c}", "at most one of"},
  };
  for (const auto& [text, expected] : kTable) {
    CAPTURE(text, expected);
    const std::string messages = Bad(Job(text));
    CAPTURE(messages);
    CHECK(messages.find(expected) != std::string::npos);
  }
}

TEST_CASE("config: files of clients have to be there for who checks, and not for the agent") {
  const std::string text = R"(scrape_configs:
- job_name: a
  bearer_token_file: gone
  tls_config: {ca_file: gone, cert_file: gone, key_file: here}
remote_write:
- url: http://a/
  basic_auth: {password_file: gone}
  tls_config: {ca_file: gone}
)";
  MemoryFiles files{{"/etc/agent/prometheus.yml", text}, {"/etc/agent/here", "x"}};
  CHECK(LoadConfig(files, "/etc/agent/prometheus.yml").config != nullptr);
  LoadOptions options;
  options.check_files = true;
  const LoadResult checked = LoadConfig(files, "/etc/agent/prometheus.yml", options);
  CHECK(checked.config == nullptr);
  const std::string messages = Messages(checked);
  CAPTURE(messages);
  CHECK(std::count(messages.begin(), messages.end(), '\n') == 3);
  CHECK(messages.find("prometheus.yml:3:22: error: 'credentials_file'") != std::string::npos);
  CHECK(messages.find("prometheus.yml:4:42: error: 'cert_file'") != std::string::npos);
  CHECK(messages.find("prometheus.yml:8:25: error: 'ca_file'") != std::string::npos);
}

TEST_CASE("config: what is not built is checked all the same") {
  CHECK(Bad(Job("consul_sd_configs: [{server: ''}]")).find("'server' cannot be empty") !=
        std::string::npos);
  CHECK(Bad(Job("tls_config: {key_file: a}")).find("needs its cert") != std::string::npos);
  CHECK(Bad(Job("oauth2: {client_id: a}")).find("'token_url' is missing") != std::string::npos);
  CHECK(Bad(Job("kubernetes_sd_configs: [{role: pod, selectors: [{role: service}]}]"))
            .find("no such selector") != std::string::npos);
  CHECK(Bad(Job("ec2_sd_configs: [{filtrs: []}]")).find("did you mean 'filters'?") !=
        std::string::npos);
}

TEST_CASE("config: all problems of a file come in one go, by line") {
  std::string messages = Bad(R"(global:
  scrape_interval: soon
  unknown: 1
scrape_configs:
- job_name: a
  honor_labels: maybe
  relabel_configs:
  - {action: explode}
  - {regex: "(", action: keep}
- {}
remote_write:
- url: "http://x:y"
  queue_config: {min_shards: 100}
)");
  size_t last = 0;
  for (const char* line : {":2:", ":3:", ":6:", ":8:", ":9:", ":10:", ":12:", ":13:"}) {
    CAPTURE(line, messages);
    size_t found = messages.find(std::string("prometheus.yml") + line);
    REQUIRE(found != std::string::npos);
    CHECK(found >= last);
    last = found;
  }
}

TEST_CASE("config: a flood of problems is cut off") {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "unknown" + std::to_string(i) + ": 1\n";
  LoadResult result = LoadText(text);
  CHECK(result.config == nullptr);
  CHECK(result.diagnostics.size() == 1001);
  CHECK(Messages(result).find("too many problems") != std::string::npos);
}

TEST_CASE("config: a file that cannot be read is told from one that is wrong") {
  MemoryFiles files;
  LoadResult result = LoadConfig(files, "missing.yml", {});
  CHECK(result.unreadable);
  CHECK(result.config == nullptr);
  REQUIRE(result.diagnostics.size() == 1);
  CHECK(result.diagnostics[0].ToString() == "missing.yml: error: cannot be read: no such file");
}

TEST_CASE("config: scrape_config_files add their jobs, relative to their own folder") {
  MemoryFiles files{
      {"/c/main.yml",
       "global: {scrape_interval: 7s}\nscrape_config_files: [\"jobs/*.yml\", none.yml]\n"
       "scrape_configs: [{job_name: main}]\n"},
      {"/c/jobs/a.yml", "scrape_configs:\n- job_name: a\n  file_sd_configs: [{files: [x.json]}]\n"},
      {"/c/jobs/b.yml", "scrape_configs:\n- job_name: b\n"},
  };
  LoadResult result = LoadConfig(files, "/c/main.yml", {});
  REQUIRE(result.config != nullptr);
  REQUIRE(result.config->scrape_configs.size() == 3);
  CHECK(result.config->scrape_configs[1].job_name == "a");
  CHECK(result.config->scrape_configs[1].scrape_interval == seconds(7));
  CHECK(result.config->scrape_configs[1].file_sd_configs.at(0).files.at(0) == "/c/jobs/x.json");
  CHECK(result.config->files ==
        std::vector<std::string>{"/c/main.yml", "/c/jobs/a.yml", "/c/jobs/b.yml"});
  REQUIRE(result.diagnostics.size() == 1);
  CHECK(result.diagnostics[0].ToString() ==
        "/c/main.yml:2:37: warning: there is no file '/c/none.yml'");
}

TEST_CASE(
    "config: problems in scrape_config_files name their file, and jobs are unique across files") {
  MemoryFiles files{
      {"/c/main.yml",
       "scrape_config_files: [\"j*.yml\"]\nscrape_configs: [{job_name: main, x: 1}]\n"},
      {"/c/j1.yml", "scrape_configs:\n- job_name: main\n"},
      {"/c/j2.yml", "global: {}\n"},
      {"/c/j3.yml", "scrape_configs: [{job_name: b, relabel_configs: [{}]}]\n"},
  };
  LoadResult result = LoadConfig(files, "/c/main.yml", {});
  CHECK(result.config == nullptr);
  std::string messages = Messages(result);
  CAPTURE(messages);
  CHECK(messages.find("/c/main.yml:2:35: error: unknown field 'x'") != std::string::npos);
  CHECK(messages.find("/c/j1.yml:2:13: error: there are two jobs named 'main' (the other one is in "
                      "/c/main.yml)") != std::string::npos);
  CHECK(messages.find("/c/j2.yml:1:1: error: unknown field 'global'") != std::string::npos);
  CHECK(messages.find("/c/j3.yml:1:50: error: the replace action") != std::string::npos);
}

TEST_CASE("config: relative paths are joined as Go joins them") {
  auto path_of = [](const std::string& main, const std::string& file) {
    MemoryFiles files{
        {main, "scrape_configs: [{job_name: j, bearer_token_file: \"" + file + "\"}]"}};
    LoadResult result = LoadConfig(files, main, {});
    REQUIRE(result.config != nullptr);
    return result.config->scrape_configs.at(0).http.authorization->credentials_file;
  };
  CHECK(path_of("/a/b.yml", "c") == "/a/c");
  CHECK(path_of("/a/b.yml", "../c") == "/c");
  CHECK(path_of("/a/b.yml", "./d//c/") == "/a/d/c");
  CHECK(path_of("/a/b.yml", "/d/../c") == "/d/../c");
  CHECK(path_of("b.yml", "c") == "c");
  CHECK(path_of("x/b.yml", "c") == "x/c");
  CHECK(path_of("/b.yml", "c") == "/c");
}

}  // namespace
}  // namespace tributary
