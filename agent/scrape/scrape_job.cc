#include "agent/scrape/scrape_job.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace tributary {

namespace {

// Prometheus' list of known formats decides where the q-values begin (scrape.go acceptHeader).
constexpr int kKnownFormats = 6;

std::string AcceptHeader(const ScrapeConfig& config) {
  std::string accept;
  int weight = kKnownFormats + 1;
  for (const std::string& protocol : config.scrape_protocols) {
    const bool escaped = protocol == "PrometheusText1.0.0";
    accept += fmt::format("text/plain;version={}", escaped ? "1.0.0" : "0.0.4");
    if (escaped) accept += ";escaping=" + config.escaping_scheme;
    accept += fmt::format(";q=0.{},", weight--);
  }
  return accept + fmt::format("*/*;q=0.{}", weight);
}

// The media type, lower case, without parameters.
std::string MediaType(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  const size_t begin = type.find_first_not_of(" \t");
  if (begin == std::string::npos) return "";
  type = type.substr(begin, type.find_last_not_of(" \t") + 1 - begin);
  std::transform(type.begin(), type.end(), type.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return type;
}

}  // namespace

ScrapeJob::ScrapeJob(const ScrapeConfig& scrape_config, milliseconds out_of_order_time_window)
    : config(scrape_config),
      rules(scrape_config, out_of_order_time_window),
      accept(AcceptHeader(scrape_config)),
      accept_encoding(scrape_config.enable_compression ? "gzip" : "identity") {}

bool ScrapeJob::ReadsLinesLike(const ScrapeJob& other) const {
  const ScrapeConfig &a = config, &b = other.config;
  return a.honor_labels == b.honor_labels && a.honor_timestamps == b.honor_timestamps &&
         a.track_timestamps_staleness == b.track_timestamps_staleness &&
         a.extra_scrape_metrics == b.extra_scrape_metrics && a.label_limit == b.label_limit &&
         a.label_name_length_limit == b.label_name_length_limit &&
         a.label_value_length_limit == b.label_value_length_limit &&
         a.metric_name_validation_scheme == b.metric_name_validation_scheme &&
         a.metric_relabel_configs == b.metric_relabel_configs;
}

Status CheckContentType(std::string_view content_type, const std::string& fallback_protocol) {
  const std::string type = MediaType(content_type);
  if (type == "text/plain") return {};
  if (type == "application/openmetrics-text" || type == "application/vnd.google.protobuf") {
    return Fail(fmt::format("the target answers in a format that this version does not read: {}",
                            content_type.substr(0, 100)));
  }
  if (!fallback_protocol.empty()) return {};
  if (type.empty()) {
    return Fail("the target sends no Content-Type; set fallback_scrape_protocol for this job");
  }
  return Fail(fmt::format(
      "the target sends the unknown Content-Type \"{}\"; set fallback_scrape_protocol for this job",
      content_type.substr(0, 100)));
}

}  // namespace tributary
