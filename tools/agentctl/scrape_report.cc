#include "tools/agentctl/scrape_report.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "agent/scrape/content_type.h"
#include "tools/agentctl/choice.h"
#include "tools/agentctl/label_input.h"
#include "tools/agentctl/relabel_report.h"
#include "tools/agentctl/value_text.h"

namespace tributary {
namespace {

using Json = nlohmann::ordered_json;

double Seconds(nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

std::string Milliseconds(nanoseconds duration) {
  return fmt::format("{:.1f} ms", 1000 * Seconds(duration));
}

std::string Bytes(uint64_t bytes) {
  if (bytes < 10 << 10) return fmt::format("{} bytes", bytes);
  if (bytes < 10 << 20) return fmt::format("{:.1f} KiB", static_cast<double>(bytes) / (1 << 10));
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

size_t Shown(size_t count, const ScrapeReportOptions& options) {
  return options.series_max == 0 ? count : std::min(count, options.series_max);
}

std::string MoreText(size_t count, const ScrapeReportOptions& options) {
  const size_t shown = Shown(count, options);
  return shown == count ? "" : fmt::format("  ... and {} more\n", count - shown);
}

// Header values that come from the other side are clipped and escaped.
std::string HeaderText(const ScrapeOutcome& outcome, std::string_view name) {
  return Quoted(outcome.wire.head.Header(name), 200);
}

// As the agent chooses it; "" if it would not read the page.
std::string_view FormatName(const ScrapeOutcome& outcome) {
  const Result<PageFormat> format =
      FormatOfPage(outcome.wire.head.Header("Content-Type"), outcome.job.fallback_scrape_protocol);
  if (outcome.wire.head.status != 200 || !format) return "";
  switch (*format) {
    case PageFormat::kPrometheusText:
      return "Prometheus text";
    case PageFormat::kOpenMetrics:
      return "OpenMetrics";
    case PageFormat::kProtobuf:
      return "protobuf";
  }
  return "";
}

std::string ResponseText(const ScrapeOutcome& outcome) {
  const WireRecord& wire = outcome.wire;
  if (wire.request.url.empty()) return "  nothing was sent\n";
  if (wire.head.status == 0) {
    return fmt::format("  no response, after {}\n", Milliseconds(wire.total));
  }
  std::string out = fmt::format("  status {}, Content-Type {}", wire.head.status,
                                HeaderText(outcome, "Content-Type"));
  const bool encoded = !wire.head.Header("Content-Encoding").empty();
  if (encoded) out += ", Content-Encoding " + HeaderText(outcome, "Content-Encoding");
  out += fmt::format("\n  {} received", Bytes(wire.body_bytes));
  if (encoded) out += fmt::format(", {} inflated", Bytes(outcome.stats.body_bytes));
  if (!FormatName(outcome).empty()) out += fmt::format(", read as {}", FormatName(outcome));
  return out + fmt::format("; first byte after {}, all after {}\n", Milliseconds(wire.first_byte),
                           Milliseconds(wire.total));
}

std::string CountsText(const ScrapeOutcome& outcome) {
  const ScrapeStats& stats = outcome.stats;
  if (!outcome.up && outcome.Report("scrape_samples_scraped") == 0) return "";
  std::string out =
      fmt::format("  {} samples on the page, {} after relabeling, {} series added, {} families\n",
                  outcome.Report("scrape_samples_scraped"),
                  outcome.Report("scrape_samples_post_metric_relabeling"),
                  outcome.Report("scrape_series_added"), outcome.families.size());
  for (const auto& [count, what] :
       {std::pair(stats.duplicates, "samples of a series that had one on this page"),
        std::pair(stats.out_of_order, "samples not later than what the series had"),
        std::pair(stats.out_of_bounds, "samples too far in the future"),
        std::pair(stats.exemplars_invalid, "exemplars that are not valid")}) {
    if (count > 0) out += fmt::format("  {} {}: not taken\n", count, what);
  }
  return out;
}

std::string LimitsText(const ScrapeOutcome& outcome) {
  std::string out;
  const auto add = [&out](std::string_view name, uint64_t limit, const std::string& used) {
    if (limit > 0) out += fmt::format("  {} {}{}\n", name, limit, used);
  };
  const ScrapeConfig& job = outcome.job;
  add("sample_limit", job.sample_limit,
      fmt::format(": {} samples count", outcome.Report("scrape_samples_post_metric_relabeling")));
  add("body_size_limit", job.body_size_limit,
      fmt::format(" bytes: the page has {}{}",
                  outcome.stats.over_body_limit > 0 ? "more than " : "", outcome.stats.body_bytes));
  return out;
}

std::string SampleText(const SeriesSample& sample) {
  std::string out = "  " + FormatSeries(sample.labels) + " " +
                    (sample.histogram.empty() ? FormatValue(sample.value) : sample.histogram);
  if (sample.timestamp) out += fmt::format(" at {}", *sample.timestamp);
  if (sample.start != 0) out += fmt::format(" since {}", sample.start);
  for (const SeriesExemplar& exemplar : sample.exemplars) {
    out += fmt::format("\n    # {} {} at {}", FormatSeries(exemplar.labels),
                       FormatValue(exemplar.value), exemplar.timestamp);
  }
  return out + "\n";
}

std::string SeriesText(const std::string& title, const std::vector<SeriesSample>& series,
                       const ScrapeReportOptions& options) {
  std::string out = "\n" + title + "\n";
  for (size_t i = 0; i < Shown(series.size(), options); i++) out += SampleText(series[i]);
  return out + MoreText(series.size(), options);
}

std::string RuleText(const ScrapeOutcome& outcome, std::optional<size_t> rule) {
  if (!rule) return "no label was left";
  const RelabelConfig& config = outcome.job.metric_relabel_configs[*rule];
  const std::string position = FormatPosition(config.position);
  return fmt::format("rule {}{}: {}", *rule + 1, position.empty() ? "" : " (" + position + ")",
                     RuleInShort(config));
}

std::string DroppedText(const ScrapeOutcome& outcome, const ScrapeReportOptions& options) {
  std::map<std::optional<size_t>, std::vector<const DroppedSeries*>> by_rule;
  for (const DroppedSeries& series : outcome.dropped) by_rule[series.rule].push_back(&series);
  std::string out;
  for (const auto& [rule, dropped] : by_rule) {
    out += fmt::format("\ndropped by {}\n  {} series\n", RuleText(outcome, rule), dropped.size());
    for (size_t i = 0; i < Shown(dropped.size(), options); i++) {
      out += "  - " + FormatSeries(dropped[i]->labels) + "\n";
    }
    out += MoreText(dropped.size(), options);
  }
  return out;
}

std::string_view TypeName(MetricType type) {
  switch (type) {
    case MetricType::kUnknown:
      return "unknown";
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
    case MetricType::kGaugeHistogram:
      return "gaugehistogram";
    case MetricType::kSummary:
      return "summary";
    case MetricType::kInfo:
      return "info";
    case MetricType::kStateset:
      return "stateset";
  }
  return "";
}

std::string MetadataText(const ScrapeOutcome& outcome) {
  std::string out = "\nmetadata\n";
  for (const FamilyRef& family : outcome.families) {
    out += fmt::format("  {} {}", FormatSeries({{std::string(kMetricName), family->family}}),
                       TypeName(family->type));
    if (!family->unit.empty()) out += fmt::format(", unit {}", Quoted(family->unit));
    if (!family->help.empty()) out += fmt::format(": {}", Quoted(family->help));
    out += "\n";
  }
  return out;
}

Json SampleJson(const SeriesSample& sample) {
  Json out = {{"labels", LabelsJson(sample.labels)}};
  // As text, since JSON has no NaN and no infinities.
  if (sample.histogram.empty()) {
    out["value"] = FormatValue(sample.value);
  } else {
    out["histogram"] = sample.histogram;
  }
  if (sample.timestamp) out["timestamp_ms"] = *sample.timestamp;
  if (sample.start != 0) out["start_ms"] = sample.start;
  for (const SeriesExemplar& exemplar : sample.exemplars) {
    out["exemplars"].push_back({{"labels", LabelsJson(exemplar.labels)},
                                {"value", FormatValue(exemplar.value)},
                                {"timestamp_ms", exemplar.timestamp}});
  }
  return out;
}

Json SeriesJson(const std::vector<SeriesSample>& series, size_t shown) {
  Json out = Json::array();
  for (size_t i = 0; i < shown; i++) out.push_back(SampleJson(series[i]));
  return out;
}

Json DroppedJson(const ScrapeOutcome& outcome, size_t shown) {
  Json out = Json::array();
  for (size_t i = 0; i < shown; i++) {
    const DroppedSeries& dropped = outcome.dropped[i];
    Json one = {{"labels", LabelsJson(dropped.labels)}};
    if (dropped.rule) {
      const RelabelConfig& rule = outcome.job.metric_relabel_configs[*dropped.rule];
      one["rule"] = *dropped.rule + 1;
      one["file"] = rule.position.file;
      one["line"] = rule.position.line;
    }
    out.push_back(std::move(one));
  }
  return out;
}

// Whatever the configuration adds to a scrape's own headers may be a secret.
bool IsScrapesOwn(std::string_view header) {
  constexpr std::string_view kOwn[] = {"Accept", "Accept-Encoding", "User-Agent",
                                       "X-Prometheus-Scrape-Timeout-Seconds"};
  return std::find(std::begin(kOwn), std::end(kOwn), header) != std::end(kOwn);
}

Json RequestJson(const ScrapeOutcome& outcome) {
  Json headers = Json::object();
  for (const HttpHeader& header : outcome.wire.request.headers) {
    headers[header.name] = IsScrapesOwn(header.name) ? header.value : "<secret>";
  }
  return {{"headers", std::move(headers)}, {"timeout_seconds", Seconds(outcome.target.timeout)}};
}

Json ResponseJson(const ScrapeOutcome& outcome) {
  const WireRecord& wire = outcome.wire;
  return {{"status", wire.head.status},
          {"format", FormatName(outcome)},
          {"content_type", wire.head.Header("Content-Type")},
          {"content_encoding", wire.head.Header("Content-Encoding")},
          {"wire_bytes", wire.body_bytes},
          {"inflated_bytes", outcome.stats.body_bytes},
          {"first_byte_seconds", Seconds(wire.first_byte)},
          {"total_seconds", Seconds(wire.total)}};
}

Json CountsJson(const ScrapeOutcome& outcome) {
  const ScrapeStats& stats = outcome.stats;
  const auto count = [&](const char* name) { return static_cast<uint64_t>(outcome.Report(name)); };
  return {{"samples", count("scrape_samples_scraped")},
          {"samples_after_relabeling", count("scrape_samples_post_metric_relabeling")},
          {"series_added", count("scrape_series_added")},
          {"series_dropped", outcome.dropped.size()},
          {"families", outcome.families.size()},
          {"duplicates", stats.duplicates},
          {"out_of_order", stats.out_of_order},
          {"out_of_bounds", stats.out_of_bounds},
          {"exemplars_invalid", stats.exemplars_invalid}};
}

}  // namespace

std::string ScrapeHeadText(const ScrapeOutcome& outcome) {
  std::string out = fmt::format("GET {}\n{}", RedactUrl(outcome.target.url), ResponseText(outcome));
  if (!outcome.up) out += fmt::format("  up 0: {}\n", outcome.error);
  return out;
}

std::string ScrapeText(const ScrapeOutcome& outcome, const ScrapeReportOptions& options) {
  std::string out = ScrapeHeadText(outcome) + CountsText(outcome) + LimitsText(outcome);
  if (outcome.up) {
    out += SeriesText(fmt::format("{} series", outcome.series.size()), outcome.series, options);
  }
  out += DroppedText(outcome, options);
  if (options.metadata) out += MetadataText(outcome);
  return out + SeriesText("report", outcome.report, {});
}

Json ScrapeJson(const ScrapeOutcome& outcome, const ScrapeReportOptions& options) {
  Json out = {{"url", RedactUrl(outcome.target.url)},
              {"job", outcome.job.job_name},
              {"target_labels", LabelsJson(outcome.target.labels)},
              {"up", outcome.up},
              {"error", outcome.error},
              {"request", RequestJson(outcome)},
              {"response", ResponseJson(outcome)},
              {"counts", CountsJson(outcome)}};
  out["limits"] = {{"sample_limit", outcome.job.sample_limit},
                   {"body_size_limit", outcome.job.body_size_limit},
                   {"over_sample_limit", outcome.stats.over_sample_limit > 0},
                   {"over_body_limit", outcome.stats.over_body_limit > 0},
                   {"over_label_limit", outcome.stats.over_label_limit > 0},
                   {"over_bucket_limit", outcome.stats.over_bucket_limit > 0}};
  out["series"] = SeriesJson(outcome.series, Shown(outcome.series.size(), options));
  out["dropped"] = DroppedJson(outcome, Shown(outcome.dropped.size(), options));
  if (options.metadata) {
    out["metadata"] = Json::array();
    for (const FamilyRef& family : outcome.families) {
      out["metadata"].push_back({{"family", family->family},
                                 {"type", TypeName(family->type)},
                                 {"help", family->help},
                                 {"unit", family->unit}});
    }
  }
  out["report"] = SeriesJson(outcome.report, outcome.report.size());
  return out;
}

}  // namespace tributary
