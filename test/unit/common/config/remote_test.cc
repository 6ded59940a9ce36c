// What the loader makes of remote_write.
#include <string>
#include <utility>

#include "common/config/loader.h"
#include "common/config/options.h"
#include "test/support/catch.h"
#include "test/unit/common/config/load_text.h"

namespace tributary {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST_CASE("config: a remote gets Prometheus' defaults") {
  auto config = Good("remote_write: [{url: \"http://u:p@a/w\", name: n}]");
  RemoteWriteConfig expected;
  expected.url = "http://u:p@a/w";
  expected.name = "n";
  expected.identity = "name n";
  expected.http.enable_http2 = false;
  CHECK(config->remote_write.at(0) == expected);
}

TEST_CASE("config: a remote stays what it is by its name, else by its URL without secrets") {
  auto config = Good(R"(
remote_write:
- url: http://u:p@a/w
- {url: "http://u:other@a/w", remote_timeout: 5s}
- {url: http://a/w, name: n}
- url: http://b/w
)");
  std::vector<std::string> identities;
  for (const RemoteWriteConfig& remote : config->remote_write) {
    identities.push_back(remote.identity);
  }
  CHECK(identities == std::vector<std::string>{"url http://u:xxxxx@a/w 0",
                                               "url http://u:xxxxx@a/w 1", "name n",
                                               "url http://b/w 0"});
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
  expected.identity = "name n";
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

TEST_CASE("config: what becomes of errors: defaults, of all remotes, of one") {
  auto config = Good(R"(
tributary:
  remote_write: {split_rejected: false, dead_letter_size: 1MB, series_limit: 1000}
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
  CHECK(config->remote_write.at(0).series_limit == 1000);
  CHECK(config->remote_write.at(1).series_limit == 1000);
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
                          "    dead_letter_size: 1MiB\n"
                          "    series_limit: 1000\n") != std::string::npos);
  CHECK(Messages(LoadText("remote_write:\n- url: http://a\n  tributary:\n"
                          "    split_rejected: false\n    quarantine_refused: true\n")) ==
        "prometheus.yml:5:25: error: 'quarantine_refused' needs split_rejected\n");
  CHECK(Good("remote_write: [{url: \"http://a\"}]")->remote_write.at(0).errors ==
        RemoteErrorsConfig{});
  CHECK(Good("remote_write: [{url: \"http://a\"}]")->yaml.find("tributary") == std::string::npos);
}

}  // namespace

}  // namespace tributary
