#include <fstream>
#include <map>
#include <sstream>

#include "common/config/docs.h"
#include "common/config/loader.h"
#include "common/config/reader.h"
#include "test/support/catch.h"
#include "test/unit/common/config/memory_files.h"

namespace tributary {
namespace {

const std::string kMarker = "zq7marker";

std::string ReadSource(const std::string& path) {
  std::ifstream in(std::string(TRIBUTARY_SOURCE_DIR) + "/" + path);
  REQUIRE(in);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST_CASE("config: the printed configuration is what Prometheus prints, secrets masked") {
  LoadResult result = LoadText(R"yaml(
global:
  scrape_interval: 15s
  external_labels: {b: "yes", a: "x y", n: "5"}
scrape_config_files: ["x-*.yml"]
scrape_configs:
- job_name: j
  params: {a: [b, "1"], c: []}
  body_size_limit: 1.5MB
  basic_auth: {username: a, password: b}
  static_configs:
  - targets: ["a:1", "b:2"]
    labels: {x: y}
  - targets: []
  file_sd_configs: [{files: [a.json]}]
  http_sd_configs: [{url: "http://u:p@sd/list", basic_auth: {username: a, password: b}}]
  dns_sd_configs: [{names: [a]}]
  relabel_configs:
  - {source_labels: [a, b], target_label: b}
  - {regex: "a_(.*)", action: labelmap}
  - {source_labels: [a], regex: '', action: drop}
remote_write:
- url: http://u:p@127.0.0.1:9/write?a=b
  headers: {X-A: b}
  bearer_token: x
  write_relabel_configs: [{source_labels: [a], action: keep}]
storage: {tsdb: {out_of_order_time_window: 1m}}
)yaml");
  INFO(Messages(result));
  REQUIRE(result.config != nullptr);
  CHECK(result.config->yaml == R"yaml(global:
  scrape_interval: 15s
  scrape_timeout: 10s
  evaluation_interval: 1m
  external_labels:
    a: x y
    b: "yes"
    "n": "5"
  metric_name_validation_scheme: utf8
  scrape_native_histograms: false
  extra_scrape_metrics: false
scrape_config_files:
- /etc/agent/x-*.yml
scrape_configs:
- job_name: j
  honor_timestamps: true
  track_timestamps_staleness: false
  params:
    a:
    - b
    - "1"
    c: []
  scrape_interval: 15s
  scrape_timeout: 10s
  scrape_protocols:
  - OpenMetricsText1.0.0
  - OpenMetricsText0.0.1
  - PrometheusText1.0.0
  - PrometheusText0.0.4
  scrape_native_histograms: false
  always_scrape_classic_histograms: false
  convert_classic_histograms_to_nhcb: false
  metrics_path: /metrics
  scheme: http
  enable_compression: true
  body_size_limit: 1MiB512KiB
  metric_name_validation_scheme: utf8
  metric_name_escaping_scheme: allow-utf-8
  extra_scrape_metrics: false
  basic_auth:
    username: a
    password: <secret>
  follow_redirects: true
  enable_http2: true
  relabel_configs:
  - source_labels: [a, b]
    separator: ;
    target_label: b
    replacement: $1
    action: replace
  - separator: ;
    regex: a_(.*)
    replacement: $1
    action: labelmap
  - source_labels: [a]
    separator: ;
    regex: ""
    replacement: $1
    action: drop
  dns_sd_configs:
  - names:
    - a
    refresh_interval: 30s
    type: SRV
    port: 0
  file_sd_configs:
  - files:
    - /etc/agent/a.json
    refresh_interval: 5m
  http_sd_configs:
  - basic_auth:
      username: a
      password: <secret>
    follow_redirects: true
    enable_http2: true
    refresh_interval: 1m
    url: http://u:xxxxx@sd/list
  static_configs:
  - targets:
    - a:1
    - b:2
    labels:
      x: "y"
  - targets: []
storage:
  tsdb:
    out_of_order_time_window: 1m
remote_write:
- url: http://u:xxxxx@127.0.0.1:9/write?a=b
  remote_timeout: 30s
  headers:
    X-A: <secret>
  write_relabel_configs:
  - source_labels: [a]
    separator: ;
    replacement: $1
    action: keep
  protobuf_message: prometheus.WriteRequest
  authorization:
    type: Bearer
    credentials: <secret>
  follow_redirects: true
  enable_http2: false
  queue_config:
    capacity: 10000
    max_shards: 50
    min_shards: 1
    max_samples_per_send: 2000
    batch_send_deadline: 5s
    min_backoff: 30ms
    max_backoff: 5s
  metadata_config:
    send: true
    send_interval: 1m
    max_samples_per_send: 2000
)yaml");
}

TEST_CASE("config: the printed configuration loads again, to the same configuration") {
  for (const char* name : {"minimal.yml", "edge-filtering.yml", "several-remotes.yml"}) {
    CAPTURE(name);
    LoadOptions options;
    options.getenv = [](const std::string&) { return std::optional<std::string>("$5 & more"); };
    LoadResult first = LoadText(ReadSource(std::string("configs/") + name), options);
    REQUIRE(first.config != nullptr);
    // Dollars of expanded labels are no variables any more, so the environment must not matter.
    std::string yaml = first.config->yaml;
    for (size_t at = 0; (at = yaml.find("$5 &", at)) != std::string::npos; at += 2) {
      yaml.replace(at, 1, "$$");
    }
    LoadResult second = LoadText(yaml);
    INFO(Messages(second));
    REQUIRE(second.config != nullptr);
    CHECK(second.config->yaml == first.config->yaml);
    CHECK(second.config->scrape_configs == first.config->scrape_configs);
    CHECK(second.config->global.external_labels == first.config->global.external_labels);
  }
}

// Where each section can stand in a file: a pattern with %s for the content of its map.
std::map<const Section*, std::string> Places() {
  std::map<const Section*, std::string> places{{&FileSection(), "%s"}};
  std::vector<const Section*> open{&FileSection()};
  while (!open.empty()) {
    const Section* section = open.back();
    open.pop_back();
    for (const Option& option : section->options) {
      if (option.section == nullptr || places.count(option.section) > 0) continue;
      std::string value = option.type == OptionType::kSection    ? "{%s}"
                          : option.type == OptionType::kSections ? "[{%s}]"
                                                                 : "{Name: {%s}}";
      std::string place = places[section];
      std::string inner = std::string(option.name) + ": " + value;
      place.replace(place.find("%s"), 2, inner);
      places[option.section] = place;
      open.push_back(option.section);
    }
  }
  return places;
}

std::string Fill(std::string place, const std::string& content) {
  return place.replace(place.find("%s"), 2, content);
}

TEST_CASE(
    "config: no secret is ever shown, whatever form it is given in and whatever else is wrong") {
  int tried = 0;
  for (const auto& [section, place] : Places()) {
    for (const Option& option : section->options) {
      bool url = option.type == OptionType::kUrl;
      bool http = option.http_client && section != &ScrapeConfigSection() &&
                  section != &RemoteWriteSection();
      if ((!IsSecretType(option.type) && !url && !IsSectionType(option.type)) || http) continue;
      std::vector<std::string> forms;
      if (url) {
        forms = {"\"http://u:" + kMarker + "@h:9/p\"", "\"http://u:" + kMarker + "@h:x/\"",
                 "\"http://u:%zz" + kMarker + "@h/\"", "\"http://u:" + kMarker + "\""};
      } else {
        forms = {kMarker,
                 "[" + kMarker + "]",
                 "{k: " + kMarker + "}",
                 "{k: [" + kMarker + "]}",
                 "[[" + kMarker + "]]",
                 "{k: {k: " + kMarker + "}}",
                 "\"" + kMarker + "\""};
      }
      for (const std::string& form : forms) {
        std::string text = Fill(place, std::string(option.name) + ": " + form);
        CAPTURE(text);
        LoadResult result = LoadText(text);
        CHECK(Messages(result).find(kMarker) == std::string::npos);
        if (result.config) CHECK(result.config->yaml.find(kMarker) == std::string::npos);
        ++tried;
      }
    }
  }
  CHECK(tried > 300);
}

TEST_CASE("config: secrets of a good configuration are masked in print and kept in the model") {
  LoadResult result =
      LoadText("scrape_configs:\n- {job_name: a, basic_auth: {password: " + kMarker +
               "}}\n- {job_name: b, authorization: {credentials: " + kMarker +
               "}}\n- {job_name: c, bearer_token: " + kMarker +
               "}\nremote_write:\n- {url: \"http://u:" + kMarker +
               "@h/\", headers: {X-Key: " + kMarker + "}}\n");
  REQUIRE(result.config != nullptr);
  CHECK(result.config->yaml.find(kMarker) == std::string::npos);
  CHECK(result.config->scrape_configs[0].http.basic_auth->password.value == kMarker);
  CHECK(result.config->scrape_configs[1].http.authorization->credentials.value == kMarker);
  CHECK(result.config->scrape_configs[2].http.authorization->credentials.value == kMarker);
  CHECK(result.config->remote_write[0].headers.at("X-Key") == kMarker);
}

TEST_CASE("config: options whose names speak of secrets are secrets in the table") {
  for (const Section* section : AllSections()) {
    for (const Option& option : section->options) {
      std::string name(option.name);
      bool speaks = name.ends_with("password") || name.ends_with("secret") || name == "token" ||
                    name.ends_with("secret_key") || name == "credentials" || name == "key" ||
                    name.ends_with("_token") || name.ends_with("passphrase");
      if (!speaks) continue;
      CAPTURE(name, std::string(section->name));
      CHECK(IsSecretType(option.type));
    }
  }
}

TEST_CASE("config: the table of options is sound") {
  for (const Section* section : AllSections()) {
    CAPTURE(std::string(section->name));
    CHECK_FALSE(section->doc.empty());
    CHECK_FALSE(section->options.empty());
    std::map<std::string_view, int> names;
    for (const Option& option : section->options) {
      CAPTURE(std::string(option.name));
      CHECK(++names[option.name] == 1);
      CHECK_FALSE(option.doc.empty());
      CHECK(option.doc.find('|') == std::string_view::npos);  // it stands in a Markdown table
      CHECK(IsSectionType(option.type) == (option.section != nullptr));
      bool choice = option.type == OptionType::kEnum || option.type == OptionType::kEnums;
      CHECK(choice == !option.values.empty());
      for (const std::string& value : ListedValues(option.unbuilt_values)) {
        CHECK(IsListed(option.values, value));
      }
      if (!option.fallback.empty()) CHECK(DefaultValue(option).valid);
      CHECK_FALSE(DefaultValue(option).given);
    }
  }
}

TEST_CASE("config: docs/configuration.md is what the table says (agentctl docs configuration)") {
  CHECK(ReadSource("docs/configuration.md") == ConfigurationPage());
}

}  // namespace
}  // namespace tributary
