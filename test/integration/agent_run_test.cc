// The agent at work: samples arrive, it tells what it does, and it does not grow.
#include <signal.h>

#include <atomic>
#include <filesystem>

#include <fmt/format.h>

#include "test/integration/agent_process.h"
#include "test/integration/metric_page_checker.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"
#include "test/support/remote_receiver.h"

namespace tributary {
namespace {

using nlohmann::json;

ScriptedReply Page(std::string text) {
  return ScriptedReply::Text(200, std::move(text), {{"Content-Type", "text/plain; version=0.0.4"}});
}

std::string Address(const RawServer& server) {
  return "127.0.0.1:" + std::to_string(server.port());
}

std::string ConfigOf(const RawServer& target, const RemoteReceiver& receiver) {
  return fmt::format(R"(global:
  scrape_interval: 200ms
  external_labels: {{cluster: test}}
scrape_configs:
  - job_name: app
    static_configs: [{{targets: ['{}'], labels: {{zone: z1}}}}]
    metric_relabel_configs: [{{source_labels: [__name__], regex: 'noise.*', action: drop}}]
  - job_name: from-file
    file_sd_configs: [{{files: [targets.yml]}}]
remote_write:
  - url: {}
    name: central
    basic_auth: {{username: u, password: hidden1}}
    write_relabel_configs: [{{target_label: via, replacement: agent}}]
    queue_config: {{batch_send_deadline: 100ms}}
    metadata_config: {{send_interval: 500ms}}
)",
                     Address(target), receiver.Url());
}

TEST_CASE("agent: what targets serve arrives at the receiver, with the labels that belong to it") {
  const RawServer target([](const ServedRequest&) {
    return Page(
        "# HELP requests_total Requests.\n# TYPE requests_total counter\n"
        "requests_total{code=\"200\"} 5\nnoise_total 1\ntemperature -3.5\n");
  });
  RemoteReceiver receiver;
  AgentProcess agent(ConfigOf(target, receiver));
  agent.folder().Write("targets.yml", "- targets: ['" + Address(target) + "']\n");
  const Labels expected{{"__name__", "requests_total"},
                        {"code", "200"},
                        {"cluster", "test"},
                        {"instance", Address(target)},
                        {"job", "app"},
                        {"via", "agent"},
                        {"zone", "z1"}};
  REQUIRE(receiver.WaitForSample(expected, seconds(8)));
  const DecodedSample sample = receiver.AcceptedOf(expected)[0];
  CHECK(sample.labels == expected);
  CHECK(sample.value == 5);
  CHECK(receiver.WaitForSample({{"__name__", "temperature"}, {"job", "from-file"}}, seconds(8)));
  CHECK(receiver.WaitForSample({{"__name__", "up"}, {"job", "app"}}, seconds(8)));
  CHECK(receiver.AcceptedOf({{"__name__", "noise_total"}, {"job", "app"}}).empty());
  CHECK(receiver.AcceptedOf({{"__name__", "up"}, {"job", "app"}})[0].value == 1);
  const auto first = receiver.received()[0].served;
  CHECK(first.Header("Authorization") == "Basic dTpoaWRkZW4x");
  CHECK(first.Header("Content-Encoding") == "snappy");
  CHECK(Eventually(seconds(8), [&] {
    for (const auto& request : receiver.received()) {
      for (const DecodedMetadata& entry : request.decoded.metadata) {
        if (entry.family == "requests_total" && entry.help == "Requests." && entry.type == 1) {
          return true;
        }
      }
    }
    return false;
  }));
  CHECK(receiver.error() == "");
  CHECK(agent.Stop() == 0);
  CHECK(agent.process().Err().find("hidden1") == std::string::npos);
}

// Names that dashboards and alerts for Prometheus use.
const char* const kPrometheusNames[] = {
    "prometheus_build_info",
    "prometheus_ready",
    "prometheus_config_last_reload_successful",
    "prometheus_config_last_reload_success_timestamp_seconds",
    "prometheus_agent_active_series",
    "prometheus_agent_samples_appended_total",
    "prometheus_remote_storage_samples_total",
    "prometheus_remote_storage_samples_failed_total",
    "prometheus_remote_storage_samples_retried_total",
    "prometheus_remote_storage_samples_dropped_total",
    "prometheus_remote_storage_samples_pending",
    "prometheus_remote_storage_samples_in_total",
    "prometheus_remote_storage_metadata_total",
    "prometheus_remote_storage_metadata_failed_total",
    "prometheus_remote_storage_metadata_retried_total",
    "prometheus_remote_storage_bytes_total",
    "prometheus_remote_storage_metadata_bytes_total",
    "prometheus_remote_storage_shards",
    "prometheus_remote_storage_shards_min",
    "prometheus_remote_storage_shards_max",
    "prometheus_remote_storage_shards_desired",
    "prometheus_remote_storage_shard_capacity",
    "prometheus_remote_storage_max_samples_per_send",
    "prometheus_remote_storage_sent_batch_duration_seconds",
    "prometheus_remote_storage_queue_highest_timestamp_seconds",
    "prometheus_remote_storage_queue_highest_sent_timestamp_seconds",
    "prometheus_target_scrape_pools_total",
    "prometheus_target_scrape_pool_reloads_total",
    "prometheus_target_scrape_pool_sync_total",
    "prometheus_target_scrape_pool_targets",
    "prometheus_target_scrape_pool_target_limit",
    "prometheus_target_scrape_pool_exceeded_target_limit_total",
    "prometheus_target_scrape_pool_exceeded_label_limits_total",
    "prometheus_target_scrapes_exceeded_body_size_limit_total",
    "prometheus_target_scrapes_exceeded_sample_limit_total",
    "prometheus_target_scrapes_sample_duplicate_timestamp_total",
    "prometheus_target_scrapes_sample_out_of_order_total",
    "prometheus_target_scrapes_sample_out_of_bounds_total",
    "prometheus_target_interval_length_histogram_seconds",
    "prometheus_target_sync_failed_total",
    "prometheus_sd_discovered_targets",
    "prometheus_sd_file_read_errors_total",
    "prometheus_sd_received_updates_total",
    "prometheus_sd_updates_total",
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
};

// Of the ledger that the API shows: what came in, and where it is.
std::pair<uint64_t, uint64_t> InAndOut(const json& ledger, const char* kind) {
  const auto of = [&](const json& counts) { return counts.at(kind).get<uint64_t>(); };
  uint64_t out = 0;
  for (const char* where : {"sent", "failed", "unwanted", "pending", "unread"}) {
    out += of(ledger.at(where));
  }
  for (const auto& [reason, counts] : ledger.at("dropped").items()) out += of(counts);
  return {of(ledger.at("accepted")) + of(ledger.at("recovered")), out};
}

ProcessResult Agentctl(const std::vector<std::string>& arguments) {
  return RunProcess({AgentctlProgram(), arguments, {}, ""}, seconds(8));
}

TEST_CASE("agent: the ledger balances in the API, and agentctl shows agent and log") {
  const RawServer target([](const ServedRequest&) { return Page("noise_total 1\na 1\nb 2\n"); });
  RemoteReceiver receiver;
  AgentProcess agent(ConfigOf(target, receiver));
  agent.folder().Write("targets.yml", "[]");
  REQUIRE(receiver.WaitForSample({{"__name__", "b"}, {"job", "app"}}, seconds(8)));
  const std::string url = "http://127.0.0.1:" + std::to_string(agent.port());
  const auto remote = [&] { return agent.Api("/api/v1/status/remote_write").at("remotes").at(0); };
  CHECK(remote().at("name") == "central");
  CHECK(remote().at("url") == receiver.Url());
  for (int i = 0; i < 10; i++) {
    for (const char* kind : {"samples", "histograms", "exemplars"}) {
      const auto [in, out] = InAndOut(remote().at("ledger"), kind);
      CHECK(in == out);
    }
  }
  CHECK(remote().at("ledger").at("sent").at("samples") > 0);
  CHECK(agent.WaitForMetric("tributary_relabel_dropped_total{job=\"app\",stage=\"metric\"}", 2,
                            seconds(8)));
  CHECK(agent.Metric("tributary_relabel_dropped_total{job=\"app\",stage=\"target\"}") == 0);

  const ProcessResult status = Agentctl({"status", "--url", url});
  INFO(status.out << status.err);
  CHECK(status.status == 0);
  CHECK(status.out.find("targets: 1 of 1 up") != std::string::npos);
  CHECK(status.out.find("central (" + receiver.Url() + "): ok") != std::string::npos);
  CHECK(status.out.find("hidden1") == std::string::npos);
  const ProcessResult as_json = Agentctl({"status", "--url", url, "--json"});
  CHECK(json::parse(as_json.out).at("healthy") == true);

  for (const std::vector<std::string>& more :
       std::vector<std::vector<std::string>>{{}, {"--ready"}}) {
    std::vector<std::string> command{"health", "--url", url};
    command.insert(command.end(), more.begin(), more.end());
    const ProcessResult health = Agentctl(command);
    CHECK(health.status == 0);
    CHECK((health.out + health.err).empty());
  }
  CHECK(Agentctl({"health", "--url", url, "--timeout", "0s"}).status == 2);
  agent.Stop();
  const ProcessResult gone = Agentctl({"health", "--url", url});
  CHECK(gone.status == 1);
  CHECK(gone.err.find("no agent answers at " + url) != std::string::npos);
}

TEST_CASE("agentctl health: an answer that is not 200 is none, and a hanging one ends in time") {
  const RawServer closed([](const ServedRequest&) { return ScriptedReply::Text(503, "not yet"); });
  const ProcessResult refused = Agentctl({"health", "--ready", "--url", closed.Url()});
  CHECK(refused.status == 1);
  CHECK(refused.err == "agentctl: " + closed.Url() + "/-/ready answers 503\n");
  const RawServer hanging(
      [](const ServedRequest&) { return ScriptedReply::Broken(ScriptedReply::End::kHang); });
  CHECK(Agentctl({"health", "--timeout", "200ms", "--url", hanging.Url()}).status == 1);
}

TEST_CASE("agent: a remote that fails is told in its own words; the log is read beside the agent") {
  const RawServer target([](const ServedRequest&) { return Page("a 1\n"); });
  const RawServer broken(
      [](const ServedRequest&) { return ScriptedReply::Text(503, "the cellar is full"); });
  AgentProcess agent(fmt::format(R"(global: {{scrape_interval: 200ms}}
scrape_configs: [{{job_name: app, static_configs: [{{targets: ['{}']}}]}}]
remote_write: [{{name: broken, url: 'http://{}/w', queue_config: {{batch_send_deadline: 100ms}}}}]
)",
                                 Address(target), Address(broken)));
  const std::string url = "http://127.0.0.1:" + std::to_string(agent.port());
  CHECK(Eventually(seconds(8), [&] {
    const json remote = agent.Api("/api/v1/status/remote_write").at("remotes").at(0);
    return !remote.at("lastError").is_null() && remote.at("backlog").at("seconds") > 0.3;
  }));
  const ProcessResult status = Agentctl({"status", "--url", url});
  INFO(status.out << status.err);
  CHECK(status.status == 1);
  CHECK(status.out.find("the cellar is full") != std::string::npos);
  const json log = agent.Api("/api/v1/status/remote_write").at("log");
  REQUIRE(log.at("mode") == "disk");
  const std::string path = log.at("path");
  const ProcessResult verified = Agentctl({"log", "verify", path});
  INFO(verified.out << verified.err);
  CHECK(verified.status == 0);
  CHECK(Agentctl({"log", "inspect", path}).out.find("remote name broken") != std::string::npos);
  const ProcessResult dump = Agentctl({"log", "dump", path, "--label", "__name__=a"});
  CHECK(dump.status == 0);
  CHECK(dump.out.starts_with("a{instance=\"" + Address(target) + "\",job=\"app\"} 1 "));
  CHECK(Agentctl({"log", "dump", path, "--label", "a"}).status == 2);
  CHECK(Agentctl({"log", "verify", path + "/p0"}).status == 2);
}

TEST_CASE("agent: several workers share the targets, the log and the remotes") {
  const RawServer target([](const ServedRequest&) { return Page("temperature 20\n"); });
  RemoteReceiver receiver;
  std::string targets;
  // Which worker has one follows from its port: with so many, none is left without.
  constexpr int kTargets = 64;
  for (int i = 0; i < kTargets; i++) {
    targets += fmt::format("{{targets: ['{}'], labels: {{n: '{}'}}}}, ", Address(target), i);
  }
  AgentProcess agent(fmt::format(R"(global: {{scrape_interval: 200ms}}
scrape_configs: [{{job_name: app, static_configs: [{}]}}]
remote_write: [{{url: '{}', name: central, queue_config: {{batch_send_deadline: 100ms, max_shards: 9}}}}]
)",
                                 targets, receiver.Url()),
                     {{"--workers=3"}, {}});
  for (int i = 0; i < kTargets; i++) {
    const Labels labels{{"__name__", "temperature"}, {"n", std::to_string(i)}};
    CHECK(receiver.WaitForSample(labels, seconds(5)));
  }
  CHECK(agent.Api("/api/v1/targets?state=active")["activeTargets"].size() == kTargets);
  const json status = agent.Api("/api/v1/status/remote_write");
  REQUIRE(status["remotes"].size() == 1);
  const json& remote = status["remotes"][0];
  REQUIRE(remote["positions"].size() == 3);
  for (const json& position : remote["positions"]) CHECK(position["end"] > 0);
  CHECK(remote["shards"]["max"] == 9);
  const std::string page = agent.Get("/metrics").body;
  CHECK(CheckMetricPage(page).error == "");
  CHECK(agent.Metric("prometheus_target_scrape_pool_targets{scrape_job=\"app\"}") == kTargets);
  CHECK(agent.Stop() == 0);
}

TEST_CASE("agent: /metrics is a strictly valid page with Prometheus' names") {
  const RawServer target([](const ServedRequest&) { return Page("m{a=\"b\"} 1\n"); });
  RemoteReceiver receiver;
  AgentProcess agent(ConfigOf(target, receiver));
  agent.folder().Write("targets.yml", "- targets: ['" + Address(target) + "']\n");
  REQUIRE(receiver.WaitForSample({{"__name__", "m"}, {"job", "from-file"}}, seconds(8)));
  REQUIRE(
      agent.WaitForMetric("prometheus_target_interval_length_histogram_seconds_count"
                          "{interval=\"200ms\"}",
                          2, seconds(8)));
  const HttpReply reply = agent.Get("/metrics");
  CHECK(reply.head.find("Content-Type: text/plain; version=0.0.4; charset=utf-8") !=
        std::string::npos);
  const CheckedPage page = CheckMetricPage(reply.body);
  CHECK(page.error == "");
  for (const char* name : kPrometheusNames) {
    CAPTURE(name);
    CHECK(page.families.contains(name));
  }
  CHECK(reply.body.find("hidden1") == std::string::npos);
  CHECK(agent.Metric("prometheus_ready") == 1);
  CHECK(agent.Metric("prometheus_config_last_reload_successful") == 1);
  CHECK(agent.Metric("prometheus_target_scrape_pool_targets{scrape_job=\"app\"}") == 1);
}

TEST_CASE("agent: a prober's view: health, UI, API") {
  const RawServer target([](const ServedRequest&) { return Page("m 1\n"); });
  RemoteReceiver receiver;
  AgentProcess agent(ConfigOf(target, receiver));
  REQUIRE(receiver.WaitForSample({{"__name__", "m"}, {"job", "app"}}, seconds(8)));
  CHECK(agent.Get("/-/healthy").status == 200);
  CHECK(agent.Get("/-/ready").status == 200);
  const HttpReply ui = agent.Get("/");
  CHECK(ui.status == 200);
  CHECK(ui.body.find("<html") != std::string::npos);
  CHECK(agent.Get("/app.js").status == 200);
  CHECK(agent.Get("/no/such/page").status == 404);

  const json app = agent.TargetOf("app");
  CHECK(app.at("health") == "up");
  CHECK(app.at("lastError") == "");
  CHECK(app.at("scrapeUrl") == "http://" + Address(target) + "/metrics");
  CHECK(app.at("labels").at("zone") == "z1");
  CHECK(app.at("scrapeInterval") == "200ms");
  const std::string yaml = agent.Api("/api/v1/status/config").at("yaml");
  CHECK(yaml.find("job_name: app") != std::string::npos);
  CHECK(yaml.find("<secret>") != std::string::npos);
  CHECK(yaml.find("hidden1") == std::string::npos);
  CHECK(agent.Api("/api/v1/status/flags").at("config.file") == agent.folder() / "agent.yml");
  CHECK(agent.Api("/api/v1/status/buildinfo").at("version").is_string());
  const json info = agent.Api("/api/v1/status/runtimeinfo");
  CHECK(info.at("reloadConfigSuccess") == true);
  CHECK(agent.Post("/-/reload").status == 403);
  CHECK(agent.Post("/-/quit").status == 403);
  CHECK(agent.process().Running());
}

TEST_CASE("agent: scrapes its own /metrics without an error") {
  RemoteReceiver receiver;
  AgentProcess agent("");
  agent.WriteConfig(fmt::format(R"(global: {{scrape_interval: 300ms}}
scrape_configs: [{{job_name: self, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]
remote_write: [{{url: '{}', queue_config: {{batch_send_deadline: 100ms}}}}]
)",
                                agent.port(), receiver.Url()));
  agent.process().Signal(SIGHUP);
  REQUIRE(receiver.WaitForSample({{"__name__", "prometheus_build_info"}}, seconds(8)));
  CHECK(receiver.AcceptedOf({{"__name__", "up"}})[0].value == 1);
}

size_t EntriesOf(const Process& process, const char* what) {
  size_t entries = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(process.pid()) + "/" + what)) {
    entries++;
  }
  return entries;
}

TEST_CASE("agent: a thousand scrapes, many of which fail, add no thread and no descriptor") {
  std::atomic<int> requests{0};
  const RawServer target([&](const ServedRequest& request) {
    requests++;
    if (request.target == "/reset") return ScriptedReply::Broken(ScriptedReply::End::kReset);
    if (request.target == "/close") {
      return ScriptedReply::Text(200, "m 1\n").Cut(ScriptedReply::End::kClose, 2);
    }
    ScriptedReply reply = Page("m 1\n");
    reply.close_after = request.target == "/new-connection";
    return reply;
  });
  RemoteReceiver receiver;
  std::string jobs;
  for (int i = 0; i < 24; i++) {
    const char* paths[] = {"/metrics", "/reset", "/close", "/new-connection"};
    jobs += fmt::format(
        "  - {{job_name: j{}, metrics_path: {}, static_configs: [{{targets: ['{}']}}]}}\n", i,
        paths[i % 4], Address(target));
  }
  AgentProcess agent(fmt::format(R"(global: {{scrape_interval: 100ms}}
scrape_configs:
{}
remote_write: [{{url: '{}', queue_config: {{batch_send_deadline: 100ms}}}}]
)",
                                 jobs, receiver.Url()));
  REQUIRE(Eventually(seconds(9), [&] { return requests > 200; }));
  const size_t threads = EntriesOf(agent.process(), "task"), fds = EntriesOf(agent.process(), "fd");
  REQUIRE(Eventually(seconds(9), [&] { return requests > 1200; }));
  CHECK(EntriesOf(agent.process(), "task") <= threads + 2);
  CHECK(EntriesOf(agent.process(), "fd") <= fds + 6);
  CHECK(fds < 80);
}

TEST_CASE("agent: --log.format=json writes JSON lines, --log.level holds back") {
  const TemporaryFolder folder;
  folder.Write("agent.yml", "");
  Process agent({AgentProgram(),
                 {"--config.file=" + folder / "agent.yml", "--storage.path=" + folder / "data",
                  "--web.listen-address=127.0.0.1:0", "--log.format=json"},
                 {},
                 ""});
  REQUIRE(agent.WaitForLine({"\"msg\":\"listening\""}, seconds(8)));
  agent.Signal(SIGTERM);
  CHECK(agent.Wait(seconds(8)) == 0);
  for (const std::string& line : LinesOf(agent.Err())) CHECK(json::parse(line).contains("level"));
  CHECK(agent.Out() == "");

  Process quiet({AgentProgram(),
                 {"--config.file=" + folder / "agent.yml", "--storage.path=" + folder / "data",
                  "--web.listen-address=127.0.0.1:0", "--log.level=error"},
                 {},
                 ""});
  CHECK_FALSE(quiet.WaitForLine({"level=info"}, milliseconds(500)));
  quiet.Signal(SIGTERM);
  CHECK(quiet.Wait(seconds(8)) == 0);
  CHECK(quiet.Err() == "");
}

}  // namespace
}  // namespace tributary
