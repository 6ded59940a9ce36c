#include "agent/scrape/scrape_job.h"

#include <fmt/format.h>

#include "agent/scrape/content_type.h"

namespace tributary {

namespace {

// Prometheus' list of known formats decides where the weights begin (scrape.go acceptHeader).
constexpr int kKnownFormats = 6;

std::string AcceptHeader(const ScrapeConfig& config) {
  std::string accept;
  int weight = kKnownFormats + 1;
  for (const std::string& protocol : config.scrape_protocols) {
    accept += MediaTypeOf(protocol);
    const bool escapes = protocol == "PrometheusText1.0.0" || protocol == "OpenMetricsText1.0.0";
    if (escapes) accept += ";escaping=" + config.escaping_scheme;
    accept += fmt::format(";q=0.{},", weight--);
  }
  return accept + fmt::format("*/*;q=0.{}", weight);
}

}  // namespace

ScrapeJob::ScrapeJob(const ScrapeConfig& scrape_config, milliseconds out_of_order_time_window)
    : config(scrape_config),
      rules(scrape_config, out_of_order_time_window),
      accept(AcceptHeader(scrape_config)),
      accept_encoding(scrape_config.enable_compression ? "gzip" : "identity") {}

std::string ScrapeJob::AcceptEncodingOf(const TargetSpec& target) const {
  // What a proxy calls loopback is its own.
  const bool asks = identity_hosts != nullptr && config.http.proxy == ProxyConfig{};
  const bool local = asks && (!target.unix_socket.empty() || identity_hosts->Has(target.url));
  return local ? "identity" : accept_encoding;
}

bool ScrapeJob::ReadsLinesLike(const ScrapeJob& other) const {
  const ScrapeConfig &a = config, &b = other.config;
  return a.honor_labels == b.honor_labels && a.honor_timestamps == b.honor_timestamps &&
         a.track_timestamps_staleness == b.track_timestamps_staleness &&
         a.extra_scrape_metrics == b.extra_scrape_metrics && a.label_limit == b.label_limit &&
         a.label_name_length_limit == b.label_name_length_limit &&
         a.label_value_length_limit == b.label_value_length_limit &&
         a.metric_name_validation_scheme == b.metric_name_validation_scheme &&
         rules.keep_starts == other.rules.keep_starts &&
         a.metric_relabel_configs == b.metric_relabel_configs;
}

}  // namespace tributary
