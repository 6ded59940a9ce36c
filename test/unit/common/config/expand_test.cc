// %{NAME} in a configuration.
#include "common/config/expand.h"

#include <map>

#include "test/support/catch.h"
#include "test/unit/common/config/memory_files.h"

namespace tributary {
namespace {

LoadOptions WithVariables(std::map<std::string, std::string> variables) {
  LoadOptions options;
  options.expand_env = true;
  options.getenv = [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
  return options;
}

TEST_CASE("expand: variables are values of any type, in any place") {
  const LoadResult result = LoadText(R"(
global: {scrape_interval: "%{EVERY}s", external_labels: {node: "%{NODE}", both: "a${NODE}"}}
scrape_configs:
  - job_name: node-%{NODE}
    sample_limit: "%{LIMIT}"
    honor_labels: "%{HONOR}"
    kubernetes_sd_configs:
      - {role: pod, selectors: [{role: pod, field: "spec.nodeName=%{NODE}"}]}
    relabel_configs:
      - {source_labels: [a], regex: '%{NODE};(.*)', target_label: b, replacement: "%%{x}$1"}
remote_write: [{url: "http://%{HOST:-central}:9090/%{EMPTY:-w}", basic_auth: {username: u, password: "%{KEY}"}}]
)",
                                     WithVariables({{"EVERY", "7"},
                                                    {"NODE", "n: [1]\n- \"x"},
                                                    {"LIMIT", "500"},
                                                    {"HONOR", "true"},
                                                    {"EMPTY", ""},
                                                    {"KEY", "hidden-key"}}));
  INFO(Messages(result));
  REQUIRE(result.config != nullptr);
  const Config& config = *result.config;
  const std::string node = "n: [1]\n- \"x";
  CHECK(config.global.scrape_interval == seconds(7));
  CHECK(config.global.external_labels.Get("node") == node);
  CHECK(config.global.external_labels.Get("both") == "a" + node);
  const ScrapeConfig& job = config.scrape_configs.front();
  CHECK(job.job_name == "node-" + node);
  CHECK(job.sample_limit == 500);
  CHECK(job.honor_labels);
  CHECK(job.kubernetes_sd_configs.front().selectors.size() == 1);
  CHECK(job.relabel_configs.front().replacement == "%{x}$1");
  const RemoteWriteConfig& remote = config.remote_write.front();
  CHECK(remote.url == "http://central:9090/w");
  CHECK(remote.http.basic_auth->password.value == "hidden-key");
  CHECK(config.yaml.find("hidden-key") == std::string::npos);
}

TEST_CASE("expand: HOSTNAME is there also where the environment has none") {
  const auto job_name = [](LoadOptions options) {
    options.host_name = "ip-10-0-3-4";
    const LoadResult result =
        LoadText("scrape_configs: [{job_name: '%{HOSTNAME}/%{HOSTNAME:-other}'}]\n", options);
    REQUIRE(result.config != nullptr);
    return result.config->scrape_configs.front().job_name;
  };
  CHECK(job_name(WithVariables({})) == "ip-10-0-3-4/ip-10-0-3-4");
  CHECK(job_name(WithVariables({{"HOSTNAME", ""}})) == "ip-10-0-3-4/ip-10-0-3-4");
  CHECK(job_name(WithVariables({{"HOSTNAME", "mine"}})) == "mine/mine");
  // Not in $NAME, which is Prometheus' own; and no other variable.
  LoadOptions options = WithVariables({});
  options.host_name = "ip-10-0-3-4";
  const LoadResult result =
      LoadText("global: {external_labels: {host: 'a${HOSTNAME}'}}\n", options);
  REQUIRE(result.config != nullptr);
  CHECK(result.config->global.external_labels.Get("host") == "a");
  CHECK(LoadText("scrape_configs: [{job_name: '%{HOST}'}]\n", options).config == nullptr);
}

TEST_CASE("expand: what is wrong is told with its place") {
  const LoadResult result = LoadText(R"(
scrape_configs:
  - job_name: "%{NONE}"
    scheme: "%{1x}"
    metrics_path: "/%{OPEN"
    sample_limit: "%{WORD}"
)",
                                     WithVariables({{"WORD", "many"}}));
  CHECK(result.config == nullptr);
  const std::string messages = Messages(result);
  CHECK(messages.find("prometheus.yml:3:15: error: the environment has no variable 'NONE' "
                      "('%{NONE:-...}' gives a default)") != std::string::npos);
  CHECK(messages.find("prometheus.yml:4:13: error: between '%{' and '}' stands the name") !=
        std::string::npos);
  CHECK(messages.find("prometheus.yml:5:19: error: '%{' without '}'") != std::string::npos);
  CHECK(messages.find("prometheus.yml:6:19: error: 'sample_limit' has to be") != std::string::npos);
}

TEST_CASE("expand: nothing is replaced without the option, and never in keys") {
  LoadOptions options = WithVariables({{"A", "x"}});
  options.expand_env = false;
  const LoadResult off = LoadText("scrape_configs: [{job_name: 'a%{A}%%{'}]\n", options);
  REQUIRE(off.config != nullptr);
  CHECK(off.config->scrape_configs.front().job_name == "a%{A}%%{");
  const LoadResult key =
      LoadText("scrape_configs: [{'job_%{A}': a, job_name: b}]\n", WithVariables({{"A", "name"}}));
  CHECK(Messages(key).find("unknown field 'job_%{A}'") != std::string::npos);
}

TEST_CASE("expand: a text that is no file has its paths in the working directory") {
  MemoryFiles files{{"jobs/a.yml", "scrape_configs: [{job_name: '%{A}'}]\n"}};
  const LoadResult result =
      LoadConfigText(files, "ssm:/x/y", "scrape_config_files: ['jobs/*.yml']\nno_such: 1\n",
                     WithVariables({{"A", "found"}}));
  CHECK(Messages(result).find("ssm:/x/y:2:1: error: unknown field 'no_such'") == 0);
  const LoadResult good = LoadConfigText(files, "ssm:/x/y", "scrape_config_files: ['jobs/*.yml']\n",
                                         WithVariables({{"A", "found"}}));
  REQUIRE(good.config != nullptr);
  CHECK(good.config->scrape_configs.front().job_name == "found");
}

}  // namespace
}  // namespace tributary
