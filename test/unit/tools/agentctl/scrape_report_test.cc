// How a scrape is shown.
#include "tools/agentctl/scrape_report.h"

#include <nlohmann/json.hpp>

#include "common/config/loader.h"
#include "test/support/catch.h"
#include "tools/agentctl/relabel_report.h"

namespace tributary {
namespace {

SeriesSample Sample(const std::string& name, double value) {
  SeriesSample sample;
  sample.labels = Labels{{"__name__", name}};
  sample.value = value;
  return sample;
}

ScrapeOutcome Outcome() {
  ScrapeOutcome outcome;
  outcome.job = DefaultScrapeConfig("node");
  RelabelConfig drop;
  drop.action = RelabelAction::kDrop;
  drop.source_labels = {"__name__"};
  drop.regex = "go_.*";
  drop.position = {"agent.yml", 9, 5};
  outcome.job.metric_relabel_configs = {drop};
  outcome.target.url = "http://u:hidden@host/metrics";
  outcome.target.labels = Labels{{"instance", "host"}, {"job", "node"}};
  outcome.wire.request.url = outcome.target.url;
  outcome.wire.request.headers = {{"Accept", "text/plain"}, {"Authorization", "Basic hidden"}};
  outcome.wire.head.status = 200;
  outcome.wire.head.headers = {{"Content-Type", "text/plain; x=\"\x1b[31m\""},
                               {"Content-Encoding", "gzip"}};
  outcome.wire.body_bytes = 100;
  outcome.wire.first_byte = milliseconds(12);
  outcome.wire.total = milliseconds(15);
  outcome.stats.body_bytes = 20480;
  outcome.up = true;
  outcome.series = {Sample("a", 1), Sample("b", 2), Sample("c", 3)};
  outcome.dropped = {{Labels{{"__name__", "go_x"}}, 0}, {Labels{{"__name__", "go_y"}}, 0}};
  outcome.report = {Sample("up", 1), Sample("scrape_samples_scraped", 5),
                    Sample("scrape_samples_post_metric_relabeling", 3)};
  outcome.families = {std::make_shared<const FamilyMetadata>(
      FamilyMetadata{"a", MetricType::kCounter, "Help\nof a.", "seconds"})};
  return outcome;
}

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("agentctl scrape: the report names what was sent, dropped and by which rule") {
  const std::string text = ScrapeText(Outcome(), {0, true});
  CAPTURE(text);
  for (const char* part :
       {"GET http://u:xxxxx@host/metrics\n  status 200, Content-Type \"text/plain; "
        "x=\\\"\\x1b[31m\\\"\"",
        "  100 bytes received, 20.0 KiB inflated, read as Prometheus text; first byte after 12.0 "
        "ms, all after 15.0 ms\n",
        "  5 samples on the page, 3 after relabeling, 0 series added, 1 families\n",
        "\n3 series\n  a 1\n  b 2\n  c 3\n",
        "\ndropped by rule 1 (agent.yml:9): drop if __name__ =~ 'go_.*'\n  2 series\n  - go_x\n",
        "\nmetadata\n  a counter, unit \"seconds\": \"Help\\nof a.\"\n", "\nreport\n  up 1\n"}) {
    CAPTURE(part);
    CHECK(Has(text, part));
  }
}

TEST_CASE("agentctl scrape: a limit shortens what was sent and dropped, not the report") {
  const std::string text = ScrapeText(Outcome(), {1, false});
  CHECK(Has(text, "\n3 series\n  a 1\n  ... and 2 more\n\n"));
  CHECK(Has(text, "  2 series\n  - go_x\n  ... and 1 more\n\n"));
  CHECK(Has(text, "\nreport\n  up 1\n  scrape_samples_scraped 5\n"));
  CHECK_FALSE(Has(text, "metadata"));
  const auto json = ScrapeJson(Outcome(), {1, false});
  CHECK(json.at("series").size() == 1);
  CHECK(json.at("dropped").size() == 1);
  CHECK(json.at("report").size() == 3);
  CHECK_FALSE(json.contains("metadata"));
}

TEST_CASE("agentctl scrape: a target that is down shows why, and no series") {
  ScrapeOutcome outcome = Outcome();
  outcome.up = false;
  outcome.error = "sample_limit exceeded";
  outcome.job.sample_limit = 2;
  outcome.stats.over_sample_limit = 1;
  outcome.series.clear();
  const std::string text = ScrapeText(outcome, {});
  CAPTURE(text);
  CHECK(Has(text, "  up 0: sample_limit exceeded\n"));
  CHECK(Has(text, "  sample_limit 2: 3 samples count\n"));
  CHECK_FALSE(Has(text, " series\n\n"));
  CHECK(ScrapeJson(outcome, {}).at("limits").at("over_sample_limit") == true);
}

TEST_CASE("agentctl scrape: that nothing came, or nothing was sent, is told") {
  ScrapeOutcome outcome = Outcome();
  outcome.up = false;
  outcome.wire.head = {};
  CHECK(Has(ScrapeText(outcome, {}), "  no response, after 15.0 ms\n"));
  outcome.wire = {};
  CHECK(Has(ScrapeText(outcome, {}), "  nothing was sent\n"));
}

TEST_CASE("agentctl scrape: --json has the same facts") {
  const auto json = ScrapeJson(Outcome(), {0, true});
  CHECK(json.at("up") == true);
  CHECK(json.at("response").at("wire_bytes") == 100);
  CHECK(json.at("response").at("inflated_bytes") == 20480);
  CHECK(json.at("counts").at("samples") == 5);
  CHECK(json.at("counts").at("series_dropped") == 2);
  CHECK(json.at("series")[2].at("value") == "3");
  CHECK(json.at("dropped")[1].at("line") == 9);
  CHECK(json.at("metadata")[0].at("type") == "counter");
}

TEST_CASE("agentctl scrape: shows no secret") {
  CHECK_FALSE(Has(ScrapeText(Outcome(), {0, true}), "hidden"));
  CHECK_FALSE(Has(JsonText(ScrapeJson(Outcome(), {0, true})), "hidden"));
}

// The URL that a person means, and the instance; or why it is none.
std::string UrlOf(const std::string& text) {
  const auto target = TargetOfUrl(DefaultScrapeConfig("x"), text);
  if (!target) return "error: " + target.error().message;
  return (*target)->url + " " + std::string((*target)->labels.Get("instance"));
}

TEST_CASE("agentctl scrape: a URL may leave out scheme and path") {
  CHECK(UrlOf("127.0.0.1:9100") == "http://127.0.0.1:9100/metrics 127.0.0.1:9100");
  CHECK(UrlOf("host") == "http://host/metrics host");
  CHECK(UrlOf("https://host/") == "https://host/ host");
  CHECK(UrlOf("host/probe?target=a%20b") == "http://host/probe?target=a%20b host");
  CHECK(UrlOf("http://[::1]:80/m") == "http://[::1]:80/m [::1]:80");
  CHECK(UrlOf("ftp://host") == "error: its scheme is neither http nor https");
  CHECK(UrlOf("http:///m") == "error: it names no host");
  CHECK(UrlOf("http://a b/").find("error: ") == 0);
}

TEST_CASE("agentctl scrape: a page that was compressed is shown as far as it can be inflated") {
  WireRecord wire;
  wire.body = "up 1\n";
  CHECK(PageText(wire) == "up 1\n");
  wire.head.headers = {{"Content-Encoding", "gzip"}};
  CHECK(PageText(wire) == "");
}

}  // namespace
}  // namespace tributary
