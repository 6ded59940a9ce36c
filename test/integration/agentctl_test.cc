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

}  // namespace
}  // namespace tributary
