#include "agent/scrape/scrape_job.h"

#include "test/support/catch.h"
#include "test/unit/agent/scrape/scrape_world.h"

namespace tributary {
namespace {

TEST_CASE("scrape job: Accept offers the formats in their order, with Prometheus' weights") {
  ScrapeConfig config = ScrapeWorld::JobConfig("j");
  config.scrape_protocols = {"PrometheusText1.0.0", "PrometheusText0.0.4"};
  config.escaping_scheme = "allow-utf-8";
  CHECK(ScrapeJob(config, {}).accept ==
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.7,text/plain;version=0.0.4;q=0.6,"
        "*/*;q=0.5");
  config.scrape_protocols = {"PrometheusProto", "OpenMetricsText1.0.0", "OpenMetricsText0.0.1"};
  config.escaping_scheme = "dots";
  CHECK(ScrapeJob(config, {}).accept ==
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
        "encoding=delimited;q=0.7,application/openmetrics-text;version=1.0.0;escaping=dots;q=0.6,"
        "application/openmetrics-text;version=0.0.1;q=0.5,*/*;q=0.4");
  config.scrape_protocols = {"PrometheusText0.0.4"};
  CHECK(ScrapeJob(config, {}).accept == "text/plain;version=0.0.4;q=0.7,*/*;q=0.6");
}

TEST_CASE("scrape job: compression is asked for where it is on") {
  ScrapeConfig config = ScrapeWorld::JobConfig("j");
  CHECK(ScrapeJob(config, {}).accept_encoding == "gzip");
  config.enable_compression = false;
  CHECK(ScrapeJob(config, {}).accept_encoding == "identity");
}

TEST_CASE("scrape job: what a proxy calls local is none of this machine") {
  ScrapeConfig config = ScrapeWorld::JobConfig("j");
  TargetSpec target;
  target.url = "http://127.0.0.1:80/metrics";
  const auto asked = [&] {
    ScrapeJob job(config, {});
    job.identity_hosts = std::make_shared<const LocalHosts>(std::vector<std::string>{});
    return job.AcceptEncodingOf(target);
  };
  CHECK(asked() == "identity");
  config.http.proxy.proxy_url = "http://proxy.test:3128";
  CHECK(asked() == "gzip");
}

TEST_CASE("scrape job: lines keep their meaning unless something about them changes") {
  const ScrapeConfig config = ScrapeWorld::JobConfig("j");
  const ScrapeJob job(config, {});
  auto reads_like = [&](auto change) {
    ScrapeConfig other = config;
    change(other);
    return job.ReadsLinesLike(ScrapeJob(other, {}));
  };
  CHECK(reads_like([](ScrapeConfig&) {}));
  CHECK(reads_like([](ScrapeConfig& c) { c.scrape_interval = seconds(3); }));
  CHECK(reads_like([](ScrapeConfig& c) { c.sample_limit = 3; }));
  CHECK(reads_like([](ScrapeConfig& c) { c.body_size_limit = 3; }));
  CHECK_FALSE(reads_like([](ScrapeConfig& c) { c.honor_labels = true; }));
  CHECK_FALSE(reads_like([](ScrapeConfig& c) { c.honor_timestamps = false; }));
  CHECK_FALSE(reads_like([](ScrapeConfig& c) { c.label_limit = 3; }));
  CHECK_FALSE(reads_like([](ScrapeConfig& c) { c.metric_relabel_configs.resize(1); }));
  CHECK_FALSE(reads_like(
      [](ScrapeConfig& c) { c.metric_name_validation_scheme = NameValidation::kLegacy; }));
}

}  // namespace
}  // namespace tributary
