// tributary.receive: what others may send.
#include "common/config/loader.h"
#include "test/support/catch.h"
#include "test/unit/common/config/load_text.h"

namespace tributary {
namespace {

TEST_CASE("config: what others may send has the defaults of the table") {
  const auto without = LoadText("").config;
  const auto with = LoadText("tributary:\n  receive: {}\n").config;
  REQUIRE(without);
  REQUIRE(with);
  CHECK(without->receive == ReceiveConfig());
  CHECK(with->receive == ReceiveConfig());
  CHECK(without->yaml.find("receive") == std::string::npos);
}

TEST_CASE("config: what others may send is read in full") {
  const auto config = LoadText(R"(tributary:
  receive:
    body_size_limit: 1MB
    sample_limit: 100
    label_limit: 0
    label_name_length_limit: 20
    label_value_length_limit: 30
    series_limit_per_sender: 40
    cluster_label: k8s
    replica_label: replica
    failover_timeout: 1m
)")
                          .config;
  REQUIRE(config);
  ReceiveConfig expected;
  expected.body_size_limit = 1 << 20;
  expected.sample_limit = 100;
  expected.label_limit = 0;
  expected.label_name_length_limit = 20;
  expected.label_value_length_limit = 30;
  expected.series_limit_per_sender = 40;
  expected.cluster_label = "k8s";
  expected.replica_label = "replica";
  expected.failover_timeout = std::chrono::minutes(1);
  CHECK(config->receive == expected);
  const auto off = LoadText("tributary:\n  receive: {replica_label: \"\"}\n").config;
  REQUIRE(off);
  CHECK(off->receive.replica_label.empty());
}

TEST_CASE("config: limits that would take nothing, and labels that are none, are refused") {
  const auto [option, problem] = GENERATE(table<std::string, std::string>(
      {{"body_size_limit: 0B", "'body_size_limit' has to be above 0"},
       {"body_size_limit: 2GB", "'body_size_limit' has to be above 0 and at most 1GB"},
       {"sample_limit: 0", "'sample_limit' has to be above 0"},
       {"failover_timeout: 0s", "'failover_timeout' has to be above 0"},
       {"cluster_label: \"\"", "'cluster_label' is empty"},
       {"replica_label: cluster", "are the same"},
       {"sample_limits: 5", "sample_limit"}}));
  const auto loaded = LoadText("tributary:\n  receive: {" + option + "}\n");
  CHECK(loaded.config == nullptr);
  REQUIRE(!loaded.diagnostics.empty());
  INFO(loaded.diagnostics[0].ToString());
  CHECK(loaded.diagnostics[0].ToString().find(problem) != std::string::npos);
  CHECK(loaded.diagnostics[0].line == 2);
}

}  // namespace
}  // namespace tributary
