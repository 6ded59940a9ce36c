// agentctl, as users and their scripts run it.
#include <nlohmann/json.hpp>

#include "test/integration/agent_process.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

using nlohmann::json;

constexpr char kGood[] = R"(scrape_configs:
  - job_name: node
    basic_auth: {username: u, password: hidden1}
    static_configs: [{targets: ['127.0.0.1:9100', '127.0.0.1:9101']}]
remote_write:
  - url: http://u:hidden2@central/api/v1/write
    name: central
    headers: {X-Token: hidden3}
    queue_config: {max_shards: 7}
)";
constexpr char kBad[] = "scrape_configs: [{job_nam: a, bearer_token: hidden4}]\n";

ProcessResult Agentctl(const std::vector<std::string>& arguments) {
  return RunProcess({AgentctlProgram(), arguments, {}, ""}, seconds(8));
}

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("agentctl test-config: 0 for good files, 1 for invalid ones, 2 for unreadable ones") {
  const TemporaryFolder folder;
  const std::string good = folder.Write("good.yml", kGood), bad = folder.Write("bad.yml", kBad);
  const std::string absent = folder / "absent.yml";
  CHECK(Agentctl({"test-config", good}).status == 0);
  CHECK(Agentctl({"test-config", bad}).status == 1);
  CHECK(Agentctl({"test-config", absent}).status == 2);
  CHECK(Agentctl({"test-config", folder.path()}).status == 2);
  CHECK(Agentctl({"test-config", good, bad, good}).status == 1);
  CHECK(Agentctl({"test-config", good, absent, bad}).status == 2);
  CHECK(Agentctl({"test-config", good, good}).status == 0);
}

TEST_CASE("agentctl: 2 for wrong usage, 0 for help and version") {
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{},
                                             {"test-config"},
                                             {"no-such-command"},
                                             {"test-config", "--no-such-flag", "x"},
                                             {"docs", "no-such-page"}}) {
    const ProcessResult result = Agentctl(wrong);
    CHECK(result.status == 2);
    CHECK(result.out.empty());
    CHECK_FALSE(result.err.empty());
  }
  CHECK(Agentctl({"--help"}).status == 0);
  CHECK(Agentctl({"test-config", "--help"}).status == 0);
  CHECK(Agentctl({"--version"}).status == 0);
}

TEST_CASE("agentctl test-config: names jobs, remotes and queue settings") {
  const TemporaryFolder folder;
  const ProcessResult result = Agentctl({"test-config", folder.Write("good.yml", kGood)});
  for (const char* text : {"node", "2 static targets", "central", "1 to 7 shards"}) {
    CAPTURE(text, result.out);
    CHECK(result.out.find(text) != std::string::npos);
  }
}

TEST_CASE("agentctl test-config: names rules of aggregates") {
  const TemporaryFolder folder;
  const std::string file = folder.Write(
      "rules.yml",
      "tributary:\n  aggregate:\n    - {match: [a], by: [b, c], inputs: drop, record: {sum: x:y}}\n"
      "  downsample:\n    - {match: [d], interval: 2m}\n");
  const std::string text = Agentctl({"test-config", file}).out;
  CAPTURE(text);
  CHECK(text.find("aggregate x:y: every 1m, by b c: sum; its inputs are dropped\n") !=
        std::string::npos);
  CHECK(text.find("downsample d: every 2m\n") != std::string::npos);
  const json rule =
      json::parse(Agentctl({"test-config", "--json", file}).out)[0].at("aggregates").at(0);
  CHECK(rule.at("outputs").at("sum") == "x:y");
  CHECK(rule.at("inputs") == "drop");
}

TEST_CASE("agentctl test-config: problems are on stderr with file, line and column") {
  const TemporaryFolder folder;
  const std::string bad = folder.Write("bad.yml", kBad);
  const ProcessResult result = Agentctl({"test-config", bad});
  CHECK(result.err.find(bad + ":1:19: error: unknown field 'job_nam'") != std::string::npos);
}

TEST_CASE("agentctl test-config: --json is JSON for whatever files, and stdout nothing else") {
  const TemporaryFolder folder;
  const std::string good = folder.Write("good.yml", kGood), bad = folder.Write("bad.yml", kBad);
  const std::string binary = folder.Write("binary.yml", std::string("\xff\xfe\0\1: \"\x80", 8));
  const std::string strange =
      folder.Write("str\xffnge.yml", "sc\xc3\xa9: 1\n\"\xf0\x9f\x98\x80\": 2\n");
  const std::string absent = folder / "absent.yml";
  const ProcessResult result =
      Agentctl({"test-config", "--json", good, bad, binary, strange, absent});
  CHECK(result.status == 2);
  const json all = json::parse(result.out);
  REQUIRE(all.size() == 5);
  CHECK(all[0].at("valid") == true);
  CHECK(all[0].at("file") == good);
  CHECK(all[0].at("jobs").size() == 1);
  CHECK(all[0].at("remotes").size() == 1);
  for (size_t i = 1; i < 5; i++) {
    CHECK(all[i].at("valid") == false);
    CHECK_FALSE(all[i].at("diagnostics").empty());
  }
  CHECK(all[1].at("diagnostics")[0].at("line") == 1);
  CHECK(all[3].at("readable") == true);
  CHECK(all[4].at("readable") == false);
}

TEST_CASE("agentctl test-config: shows no secret") {
  const TemporaryFolder folder;
  const std::string good = folder.Write("good.yml", kGood), bad = folder.Write("bad.yml", kBad);
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"test-config", good, bad}, {"test-config", "--json", good, bad}}) {
    const ProcessResult result = Agentctl(arguments);
    CAPTURE(result.out, result.err);
    CHECK(result.out.find("hidden") == std::string::npos);
    CHECK(result.err.find("hidden") == std::string::npos);
  }
}

constexpr char kRules[] = R"(global: {external_labels: {cluster: west}}
scrape_configs:
  - job_name: node
    file_sd_configs: [{files: [targets.json]}]
    static_configs: [{targets: ['a:1', 'b:2'], labels: {env: prod}}]
    relabel_configs:
      - {source_labels: [env], regex: test, action: drop}
    metric_relabel_configs:
      - {source_labels: [__name__], regex: 'go_.*', action: drop}
remote_write:
  - url: http://central/write
    name: central
    write_relabel_configs:
      - {source_labels: [cluster], regex: east, action: keep}
)";

struct RelabelFolder {
  RelabelFolder() {
    folder.Write("targets.json", R"([{"targets": ["c:3"], "labels": {"env": "test"}}])");
    config = folder.Write("agent.yml", kRules);
  }
  ProcessResult Run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"relabel", "--config", config});
    return Agentctl(arguments);
  }
  TemporaryFolder folder;
  std::string config;
};

TEST_CASE("agentctl relabel: explains the targets that a job has now, also those from files") {
  const RelabelFolder folder;
  const ProcessResult result = folder.Run({"--job", "node"});
  CAPTURE(result.out, result.err);
  CHECK(result.status == 0);
  CHECK(result.err.empty());
  CHECK(Has(result.out, "\na:1 (static_configs entry 1)\n"));
  CHECK(Has(result.out, "=> http://b:2/metrics\n"));
  CHECK(Has(result.out, "=> dropped by rule 1 (" + folder.config + ":7)\n"));
  CHECK(Has(result.out, "\n3 targets: 2 scraped, 1 dropped by rules\n"));
  const ProcessResult one = folder.Run({"--job", "node", "--target", "b:"});
  CHECK(one.status == 0);
  CHECK(Has(one.out, "\nb:2 "));
  CHECK_FALSE(Has(one.out, "\na:1 "));
}

TEST_CASE("agentctl sd: shows what is discovered for a job, before and after relabeling") {
  const RelabelFolder folder;
  const auto run = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"sd", "--config", folder.config});
    return Agentctl(arguments);
  };
  const ProcessResult result = run({"--job", "node"});
  CAPTURE(result.out, result.err);
  CHECK(result.status == 0);
  CHECK(Has(result.out, "\na:1 (static_configs entry 1)\n  before\n       __address__=\"a:1\"\n"));
  CHECK(Has(result.out, "=> http://b:2/metrics\n"));
  CHECK(Has(result.out, "=> dropped by rule 1 (" + folder.config + ":7)\n"));
  CHECK_FALSE(Has(result.out, "\n    1 "));
  CHECK(Has(result.out, "\n3 targets: 2 scraped, 1 dropped by rules\n"));
  const json report = json::parse(run({"--job", "node", "--json"}).out);
  REQUIRE(report.at("results").size() == 3);
  CHECK(report.at("results")[1].at("before").at("__address__") == "b:2");
  CHECK(report.at("results")[1].at("url") == "http://b:2/metrics");
  CHECK_FALSE(report.at("results")[1].contains("steps"));
  CHECK(run({"--job", "nod"}).status == 2);
  CHECK(run({}).status == 2);
}

TEST_CASE("agentctl relabel: explains series under a job's or a remote's rules") {
  const RelabelFolder folder;
  const ProcessResult metric = folder.Run(
      {"--job", "node", "--metric", "--target", "a:1", "--labels", "go_x", "--labels", "up"});
  CAPTURE(metric.out, metric.err);
  CHECK(metric.status == 0);
  CHECK(Has(metric.out, "=> dropped by rule 1 (" + folder.config + ":9)\n"));
  CHECK(Has(metric.out, R"(=> up{env="prod",instance="a:1",job="node"})"));
  const ProcessResult remote = folder.Run({"--remote", "central", "--labels", "up{a=\"b\"}"});
  CHECK(remote.status == 0);
  CHECK(Has(remote.out, "  external_labels\n       + cluster=\"west\"\n"));
  CHECK(Has(remote.out, "\"west\" does not match: dropped\n"));
}

TEST_CASE("agentctl relabel: rules can be tried out from a file of their own") {
  const RelabelFolder folder;
  const std::string rules =
      folder.folder.Write("rules.yml", "- {source_labels: [__address__, env], target_label: x}\n");
  const ProcessResult alone = Agentctl({"relabel", "--rules", rules, "--labels", "{env=\"e\"}"});
  CHECK(alone.status == 0);
  CHECK(Has(alone.out, R"(=> {env="e",x=";e"})"));
  const ProcessResult in_job = folder.Run({"--job", "node", "--rules", rules, "--target", "a:1"});
  CHECK(Has(in_job.out, "       x=\"a:1;prod\"\n"));
  for (const char* bad :
       {"- {action: keep, regex: '('}\n", "relabel_configs: []\n", "- {a: b}\n"}) {
    const ProcessResult result =
        Agentctl({"relabel", "--rules", folder.folder.Write("bad.yml", bad), "--labels", "up"});
    CAPTURE(bad, result.err);
    CHECK(result.status == 1);
    CHECK(Has(result.err, "bad.yml:1:"));
    CHECK(result.out.empty());
  }
}

TEST_CASE("agentctl relabel: what is missing or does not go together is said, with status 2") {
  const RelabelFolder folder;
  for (const auto& [arguments, message] :
       std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{}, "give one of --job NAME and --remote NAME"},
           {{"--job", "nod"}, "there is no job 'nod' in the configuration (did you mean 'node'?)"},
           {{"--remote", "x", "--labels", "up"}, "no remote_write entry 'x'"},
           {{"--job", "node", "--remote", "central"}, "give one of"},
           {{"--remote", "central"}, "what series?"},
           {{"--remote", "central", "--metric", "--labels", "up"}, "--metric is for a job"},
           {{"--job", "node", "--target", "d:4"}, "no target of the job 'node' has 'd:4'"},
           {{"--job", "node", "--labels", "{a}"}, "--labels: expected '='"},
           {{"--job", "node", "--metric", "--target", "c:3", "--labels", "up"},
            "c:3 is not scraped: relabel_configs drop it"},
           {{"--job", "node", "--metric", "--target", ":", "--labels", "up"},
            "3 targets of the job 'node' have ':' in their address"},
           {{"--rules", folder.folder / "absent.yml", "--job", "node"}, "cannot be read"}}) {
    const ProcessResult result = folder.Run(arguments);
    CAPTURE(message, result.err);
    CHECK(result.status == 2);
    CHECK(Has(result.err, message));
    CHECK(result.out.empty());
  }
  CHECK(Agentctl({"relabel"}).status == 2);
  CHECK(Agentctl({"relabel", "--rules", "x", "--metric"}).status == 2);
  CHECK(Agentctl({"relabel", "--config", folder.folder / "absent", "--job", "node"}).status == 2);
  const std::string bad = folder.folder.Write("bad.yml", kBad);
  CHECK(Agentctl({"relabel", "--config", bad, "--job", "node"}).status == 1);
}

TEST_CASE("agentctl relabel: --json has the same facts") {
  const RelabelFolder folder;
  const json report = json::parse(folder.Run({"--job", "node", "--json"}).out);
  CHECK(report.at("rules")[0].at("line") == 7);
  REQUIRE(report.at("results").size() == 3);
  CHECK(report.at("results")[1].at("url") == "http://b:2/metrics");
  CHECK(report.at("results")[1].at("labels").at("env") == "prod");
  CHECK(report.at("results")[2].at("dropped") == true);
  CHECK(report.at("results")[2].at("steps")[0].at("source") == "test");
  CHECK(report.at("summary").at("kept") == 2);
}

}  // namespace
}  // namespace tributary
