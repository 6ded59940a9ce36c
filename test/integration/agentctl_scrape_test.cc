// agentctl scrape against real servers, as users run it.
#include <csignal>

#include <nlohmann/json.hpp>

#include "test/integration/agent_process.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"

namespace tributary {
namespace {

using nlohmann::json;

const HttpHeader kTextType = {"Content-Type", "text/plain; version=0.0.4"};

constexpr char kPage[] = R"(# HELP go_x Things.
# TYPE go_x counter
go_x{id="1"} 5
go_x{id="2"} 6
up{job="page"} 7
own 8 1712345678901
)";

// kPage, compressed.
constexpr unsigned char kPageGzip[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x53, 0x56, 0xf0, 0x70, 0xf5, 0x09,
    0x50, 0x48, 0xcf, 0x8f, 0xaf, 0x50, 0x08, 0xc9, 0xc8, 0xcc, 0x4b, 0x2f, 0xd6, 0xe3, 0x52, 0x56,
    0x08, 0x89, 0x0c, 0x70, 0x85, 0x88, 0x25, 0xe7, 0x97, 0xe6, 0x95, 0xa4, 0x16, 0x71, 0x81, 0x38,
    0xd5, 0x99, 0x29, 0xb6, 0x4a, 0x86, 0x4a, 0xb5, 0x0a, 0xa6, 0x08, 0xae, 0x11, 0x90, 0x6b, 0xc6,
    0x55, 0x5a, 0x50, 0x9d, 0x95, 0x9f, 0x64, 0xab, 0x54, 0x90, 0x98, 0x9e, 0x0a, 0x14, 0x30, 0xe7,
    0xca, 0x2f, 0xcf, 0x53, 0xb0, 0x50, 0x30, 0x34, 0x37, 0x34, 0x32, 0x36, 0x31, 0x35, 0x33, 0xb7,
    0xb0, 0x34, 0x30, 0xe4, 0x02, 0x00, 0x28, 0x17, 0x53, 0xb0, 0x6b, 0x00, 0x00, 0x00};

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

ScriptedReply Page(const std::string& body) { return ScriptedReply::Text(200, body, {kTextType}); }

ProcessResult Scrape(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "scrape");
  return RunProcess({AgentctlProgram(), arguments, {}, ""}, seconds(20));
}

ReplyScript Always(const ScriptedReply& reply) {
  return [reply](const ServedRequest&) { return reply; };
}

std::string Address(const RawServer& server) {
  return "127.0.0.1:" + std::to_string(server.port());
}

// A job 'node' with this target, more lines of it, and rules.
std::string ConfigFor(const std::string& targets, const std::string& more = "") {
  return "scrape_configs:\n"
         "  - job_name: node\n"
         "    static_configs: [{targets: [" +
         targets +
         "]}]\n"
         "    scrape_interval: 5s\n"
         "    scrape_timeout: 1s\n" +
         more +
         "    metric_relabel_configs:\n"
         "      - {source_labels: [id], regex: '2', action: drop}\n";
}

TEST_CASE("agentctl scrape: a URL is scraped once, with a job's defaults") {
  const RawServer server(Always(Page(kPage)));
  const ProcessResult result = Scrape({Address(server)});
  CAPTURE(result.out, result.err);
  CHECK(result.status == 0);
  CHECK(result.err.empty());
  const std::string labels = "instance=\"" + Address(server) + "\",job=\"agentctl\"";
  CHECK(Has(result.out, "GET " + server.Url() + "/metrics\n  status 200, "));
  CHECK(Has(result.out, "  4 samples on the page, 4 after relabeling, 4 series added, 1 families"));
  CHECK(Has(result.out, "  go_x{id=\"1\"," + labels + "} 5\n"));
  CHECK(Has(result.out, "  own{" + labels + "} 8 at 1712345678901\n"));
  CHECK(Has(result.out, "  up{exported_job=\"page\"," + labels + "} 7\n"));
  CHECK(Has(result.out, "\nreport\n  up{" + labels + "} 1\n"));
  REQUIRE(server.Requests().size() == 1);
  CHECK(server.Requests()[0].target == "/metrics");
  CHECK(Has(server.Requests()[0].Header("Accept"), "application/openmetrics-text;version=1.0.0"));
  CHECK(server.Requests()[0].Header("X-Prometheus-Scrape-Timeout-Seconds") == "10");
}

TEST_CASE("agentctl scrape: a job's target is scraped as the job says") {
  const RawServer server([](const ServedRequest& request) {
    if (request.target != "/page") return ScriptedReply::Text(302, "", {{"Location", "/page"}});
    return Page(kPage);
  });
  const TemporaryFolder folder;
  const std::string config =
      folder.Write("agent.yml", ConfigFor("'" + Address(server) + "'",
                                          "    honor_labels: true\n"
                                          "    metrics_path: /start\n"
                                          "    basic_auth: {username: u, password: hidden}\n"));
  const ProcessResult result = Scrape({"--config", config, "--job", "node"});
  CAPTURE(result.out, result.err);
  CHECK(result.status == 0);
  CHECK(Has(result.out, "} 7\n"));
  CHECK(
      Has(result.out, "\ndropped by rule 1 (" + config + ":10): drop if id =~ '2'\n  1 series\n"));
  CHECK(Has(result.out, "  - go_x{id=\"2\",instance=\"" + Address(server) + "\",job=\"node\"}\n"));
  CHECK_FALSE(Has(result.out, "} 6\n"));
  CHECK_FALSE(Has(result.out, "hidden"));
  REQUIRE(server.Requests().size() == 2);
  CHECK(server.Requests()[0].Header("Authorization") == "Basic dTpoaWRkZW4=");
  CHECK(server.Requests()[1].target == "/page");
  const json report = json::parse(Scrape({"--config", config, "--job", "node", "--json"}).out);
  CHECK(report.at("request").at("headers").at("Authorization") == "<secret>");
  CHECK(report.at("dropped")[0].at("line") == 10);
  CHECK(report.at("series").size() == 3);
  CHECK(report.at("counts").at("samples") == 4);
  CHECK(report.at("counts").at("samples_after_relabeling") == 3);
}

TEST_CASE("agentctl scrape: --raw prints the page as it came, inflated, and nothing else") {
  const std::string gzip(std::begin(kPageGzip), std::end(kPageGzip));
  for (const bool compressed : {false, true}) {
    ScriptedReply reply = Page(compressed ? gzip : kPage);
    if (compressed) reply.headers.push_back({"Content-Encoding", "gzip"});
    const RawServer server(Always(reply));
    const ProcessResult result = Scrape({"--raw", Address(server)});
    CAPTURE(compressed, result.err);
    CHECK(result.status == 0);
    CHECK(result.out == kPage);
    CHECK(Has(result.err, "  status 200, "));
    const ProcessResult parsed = Scrape({"--limit", "1", Address(server)});
    CHECK(Has(parsed.out, "  ... and 3 more\n"));
    CHECK(Has(parsed.out, " inflated, ") == compressed);
  }
  const RawServer broken(Always(ScriptedReply::Text(500, "oops\n", {kTextType})));
  const ProcessResult result = Scrape({"--raw", Address(broken)});
  CHECK(result.status == 1);
  CHECK(result.out == "oops\n");
  CHECK(Has(result.err, "up 0: server returned HTTP status 500"));
}

TEST_CASE("agentctl scrape: exemplars of OpenMetrics are with their series") {
  const RawServer server(Always(
      ScriptedReply::Text(200, "# TYPE a counter\na_total 5 # {trace=\"t\"} 0.5\n# EOF\n",
                          {{"Content-Type", "application/openmetrics-text; version=1.0.0"}})));
  const ProcessResult result = Scrape({Address(server), "--metadata"});
  CAPTURE(result.out, result.err);
  CHECK(result.status == 0);
  CHECK(Has(result.out, ", read as OpenMetrics; "));
  CHECK(Has(result.out, "job=\"agentctl\"} 5\n    # {trace=\"t\"} 0.5 at "));
}

TEST_CASE("agentctl scrape: --metadata shows the families") {
  const RawServer server(Always(Page(kPage)));
  const ProcessResult result = Scrape({"--metadata", Address(server)});
  CHECK(Has(result.out, "\nmetadata\n  go_x counter: \"Things.\"\n"));
}

TEST_CASE("agentctl scrape: a target that is down, and why, with status 1") {
  struct Case {
    ScriptedReply reply;
    std::string more, message;
  };
  const std::vector<Case> cases = {
      {ScriptedReply::Text(404, "no", {kTextType}), "", "server returned HTTP status 404"},
      {Page("up 1\nup{ 1\n"), "", "expected a label name"},
      {Page(kPage), "    sample_limit: 2\n", "sample_limit exceeded"},
      {Page(kPage), "    body_size_limit: 20B\n", "body_size_limit exceeded"},
      {Page(kPage), "    label_limit: 2\n", "label_limit exceeded"},
      {ScriptedReply::Text(200, "<p>", {{"Content-Type", "text/html"}}), "", "text/html"},
      {Page(kPage).Cut(ScriptedReply::End::kReset, 10), "", "reset"},
      {ScriptedReply::Broken(ScriptedReply::End::kHang), "", "timed out"},
      {Page(kPage), "    basic_auth: {username: u, password_file: /no/such/file}\n",
       "/no/such/file"},
  };
  const TemporaryFolder folder;
  for (const Case& one : cases) {
    const RawServer server(Always(one.reply));
    const std::string config =
        folder.Write("agent.yml", ConfigFor("'" + Address(server) + "'", one.more));
    const ProcessResult result = Scrape({"--config", config, "--job", "node"});
    CAPTURE(one.message, result.out, result.err);
    CHECK(result.status == 1);
    const size_t up = result.out.find("  up 0: ");
    REQUIRE(up != std::string::npos);
    CHECK(result.out.substr(up, result.out.find('\n', up) - up).find(one.message) !=
          std::string::npos);
    CHECK(Has(result.out, "\nreport\n  up{"));
    CHECK_FALSE(Has(result.out, "} 5\n"));
  }
  const ProcessResult nobody = Scrape({"127.0.0.1:" + std::to_string(UnusedPort())});
  CHECK(nobody.status == 1);
  CHECK(Has(nobody.out, "  no response, after "));
}

TEST_CASE("agentctl scrape: what cannot be scraped is said, with status 2 and without a request") {
  const RawServer server(Always(Page(kPage)));
  const TemporaryFolder folder;
  const std::string config = folder.Write(
      "agent.yml",
      ConfigFor("'a:1', '" + Address(server) + "', 'b:2'",
                "    relabel_configs:\n"
                "      - {source_labels: [__address__], regex: 'b.*', action: drop}\n"));
  for (const auto& [arguments, message] :
       std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{}, "what target?"},
           {{"--config", config}, "what target?"},
           {{"ftp://x"}, "neither http nor https"},
           {{"x", "--config", config, "--job", "node"}, "not both"},
           {{"x", "--raw", "--json"}, "one of --raw and --json"},
           {{"--config", config, "--job", "nodes"}, "did you mean 'node'?"},
           {{"--config", config, "--job", "node"},
            "has 2 such targets; choose one with --target: a:1, "},
           {{"--config", config, "--job", "node", "--target", "c"}, "no target of the job"},
           {{"--config", config, "--job", "node", "--target", "b:2"},
            "b:2 is not scraped: relabel_"},
           {{"--config", folder / "absent.yml", "--job", "node"}, "cannot be read"}}) {
    const ProcessResult result = Scrape(arguments);
    CAPTURE(message, result.err);
    CHECK(result.status == 2);
    CHECK(Has(result.err, message));
    CHECK(result.out.empty());
  }
  CHECK(server.connections() == 0);
  CHECK(Scrape({"--config", config, "--job", "node", "--target", Address(server)}).status == 0);
}

TEST_CASE("agentctl scrape: an interrupt ends it") {
  const RawServer server(Always(ScriptedReply::Broken(ScriptedReply::End::kHang)));
  Process process({AgentctlProgram(), {"scrape", Address(server)}, {}, ""});
  REQUIRE(Eventually(seconds(8), [&] { return server.connections() > 0; }));
  process.Signal(SIGINT);
  CHECK(process.Wait(seconds(8)) == -SIGINT);
}

}  // namespace
}  // namespace tributary
