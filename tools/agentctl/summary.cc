#include "tools/agentctl/summary.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/base/units.h"

namespace tributary {
namespace {

using Json = nlohmann::ordered_json;

size_t StaticTargets(const ScrapeConfig& job) {
  size_t count = 0;
  for (const TargetGroup& group : job.static_configs) count += group.targets.size();
  return count;
}

std::string_view AuthName(const HttpClientConfig& http) {
  if (http.basic_auth) return "basic";
  if (http.oauth2) return "oauth2";
  return http.authorization ? "authorization" : "none";
}

std::string RegionName(const AwsSdAccess& access) {
  return access.region.empty() ? "its own region" : access.region;
}

std::string JobText(const ScrapeConfig& job) {
  std::string out = fmt::format("  job {}: every {}, timeout {}, {}://...{}", job.job_name,
                                FormatDuration(job.scrape_interval),
                                FormatDuration(job.scrape_timeout), job.scheme, job.metrics_path);
  out += fmt::format("; {} static targets", StaticTargets(job));
  for (const FileSdConfig& sd : job.file_sd_configs) {
    for (const std::string& file : sd.files) out += ", file " + file;
  }
  for (const HttpSdConfig& sd : job.http_sd_configs) out += ", list " + RedactUrl(sd.url);
  for (const DnsSdConfig& sd : job.dns_sd_configs) {
    for (const std::string& name : sd.names) out += ", name " + name;
  }
  for (const Ec2SdConfig& sd : job.ec2_sd_configs) out += ", ec2 of " + RegionName(sd.access);
  for (const EcsSdConfig& sd : job.ecs_sd_configs) out += ", ecs of " + RegionName(sd.access);
  for (const KubernetesSdConfig& sd : job.kubernetes_sd_configs) {
    out += fmt::format(", kubernetes {}", KubeRoleName(sd.role));
  }
  if (!job.relabel_configs.empty() || !job.metric_relabel_configs.empty()) {
    out += fmt::format("; rules: {} target, {} metric", job.relabel_configs.size(),
                       job.metric_relabel_configs.size());
  }
  if (AuthName(job.http) != "none") out += fmt::format("; auth {}", AuthName(job.http));
  return out + "\n";
}

std::string RemoteText(const RemoteWriteConfig& remote) {
  const QueueConfig& queue = remote.queue;
  std::string out = fmt::format("  remote {}: {}, timeout {}, auth {}, {} rules\n", remote.name,
                                RedactUrl(remote.url), FormatDuration(remote.remote_timeout),
                                AuthName(remote.http), remote.write_relabel_configs.size());
  out += fmt::format(
      "    queue: {} to {} shards, {} samples a request, capacity {} a shard, deadline {}\n",
      queue.min_shards, queue.max_shards, queue.max_samples_per_send, queue.capacity,
      FormatDuration(queue.batch_send_deadline));
  out += fmt::format("    retries: {} to {}, on 429 {}, {}\n", FormatDuration(queue.min_backoff),
                     FormatDuration(queue.max_backoff), queue.retry_on_http_429 ? "yes" : "no",
                     queue.sample_age_limit.count() == 0
                         ? std::string("samples of any age")
                         : "samples up to " + FormatDuration(queue.sample_age_limit) + " old");
  return out;
}

std::string AggregateText(const AggregateConfig& rule) {
  std::string out =
      fmt::format("  aggregate {}: every {}", rule.name, FormatDuration(rule.interval));
  if (rule.window != rule.interval) out += " over " + FormatDuration(rule.window);
  out += rule.without ? ", without" : ", by";
  for (const std::string& label : rule.labels) out += " " + label;
  if (rule.labels.empty()) out += " nothing";
  out += ":";
  for (const AggregateConfig::Output& output : rule.outputs) {
    out += std::string(" ") + AggregateOutputName(output.output);
  }
  return out + (rule.drop_inputs ? "; its inputs are dropped\n" : "\n");
}

Json JobJson(const ScrapeConfig& job) {
  Json files = Json::array();
  for (const FileSdConfig& sd : job.file_sd_configs) {
    for (const std::string& file : sd.files) files.push_back(file);
  }
  Json urls = Json::array();
  for (const HttpSdConfig& sd : job.http_sd_configs) urls.push_back(RedactUrl(sd.url));
  Json names = Json::array();
  for (const DnsSdConfig& sd : job.dns_sd_configs) {
    for (const std::string& name : sd.names) names.push_back(name);
  }
  Json ec2 = Json::array();
  for (const Ec2SdConfig& sd : job.ec2_sd_configs) ec2.push_back(sd.access.region);
  Json ecs = Json::array();
  for (const EcsSdConfig& sd : job.ecs_sd_configs) ecs.push_back(sd.access.region);
  Json roles = Json::array();
  for (const KubernetesSdConfig& sd : job.kubernetes_sd_configs) {
    roles.push_back(KubeRoleName(sd.role));
  }
  return {{"job_name", job.job_name},
          {"scrape_interval", FormatDuration(job.scrape_interval)},
          {"scrape_timeout", FormatDuration(job.scrape_timeout)},
          {"scheme", job.scheme},
          {"metrics_path", job.metrics_path},
          {"static_targets", StaticTargets(job)},
          {"file_sd_files", std::move(files)},
          {"http_sd_urls", std::move(urls)},
          {"dns_sd_names", std::move(names)},
          {"ec2_sd_regions", std::move(ec2)},
          {"ecs_sd_regions", std::move(ecs)},
          {"kubernetes_sd_roles", std::move(roles)},
          {"relabel_rules", job.relabel_configs.size()},
          {"metric_relabel_rules", job.metric_relabel_configs.size()},
          {"auth", AuthName(job.http)}};
}

Json RemoteJson(const RemoteWriteConfig& remote) {
  const QueueConfig& queue = remote.queue;
  const MetadataConfig& metadata = remote.metadata;
  return {{"name", remote.name},
          {"url", RedactUrl(remote.url)},
          {"remote_timeout", FormatDuration(remote.remote_timeout)},
          {"auth", AuthName(remote.http)},
          {"write_relabel_rules", remote.write_relabel_configs.size()},
          {"queue_config",
           {{"capacity", queue.capacity},
            {"max_shards", queue.max_shards},
            {"min_shards", queue.min_shards},
            {"max_samples_per_send", queue.max_samples_per_send},
            {"batch_send_deadline", FormatDuration(queue.batch_send_deadline)},
            {"min_backoff", FormatDuration(queue.min_backoff)},
            {"max_backoff", FormatDuration(queue.max_backoff)},
            {"retry_on_http_429", queue.retry_on_http_429},
            {"sample_age_limit", FormatDuration(queue.sample_age_limit)}}},
          {"metadata_config",
           {{"send", metadata.send},
            {"send_interval", FormatDuration(metadata.send_interval)},
            {"max_samples_per_send", metadata.max_samples_per_send}}}};
}

}  // namespace

std::string SummaryText(const std::string& file, const LoadResult& result) {
  if (result.config == nullptr) {
    return fmt::format("{}: {}\n", file, result.unreadable ? "cannot be read" : "invalid");
  }
  const Config& config = *result.config;
  std::string out = fmt::format("{}: valid; {} jobs, {} remotes\n", file,
                                config.scrape_configs.size(), config.remote_write.size());
  for (const ScrapeConfig& job : config.scrape_configs) out += JobText(job);
  for (const RemoteWriteConfig& remote : config.remote_write) out += RemoteText(remote);
  for (const AggregateConfig& rule : config.aggregate) out += AggregateText(rule);
  for (const DownsampleConfig& rule : config.downsample) {
    out += fmt::format("  downsample {}: every {}\n", fmt::join(rule.match, ", "),
                       FormatDuration(rule.interval));
  }
  return out;
}

Json SummaryJson(const std::string& file, const LoadResult& result) {
  Json out = {
      {"file", file}, {"valid", result.config != nullptr}, {"readable", !result.unreadable}};
  out["diagnostics"] = Json::array();
  for (const Diagnostic& diagnostic : result.diagnostics) {
    bool error = diagnostic.severity == Diagnostic::Severity::kError;
    out["diagnostics"].push_back({{"severity", error ? "error" : "warning"},
                                  {"file", diagnostic.file},
                                  {"line", diagnostic.line},
                                  {"column", diagnostic.column},
                                  {"message", diagnostic.message},
                                  {"hint", diagnostic.hint}});
  }
  if (result.config == nullptr) return out;
  out["files"] = result.config->files;
  out["jobs"] = Json::array();
  for (const ScrapeConfig& job : result.config->scrape_configs) out["jobs"].push_back(JobJson(job));
  out["remotes"] = Json::array();
  for (const RemoteWriteConfig& remote : result.config->remote_write) {
    out["remotes"].push_back(RemoteJson(remote));
  }
  out["aggregates"] = Json::array();
  for (const AggregateConfig& rule : result.config->aggregate) {
    Json outputs = Json::object();
    for (const AggregateConfig::Output& output : rule.outputs) {
      outputs[AggregateOutputName(output.output)] = output.record;
    }
    out["aggregates"].push_back({{"name", rule.name},
                                 {"interval", FormatDuration(rule.interval)},
                                 {"window", FormatDuration(rule.window)},
                                 {"outputs", std::move(outputs)},
                                 {"inputs", rule.drop_inputs ? "drop" : "keep"}});
  }
  return out;
}

}  // namespace tributary
