#include "common/config/resolve.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "common/config/checks.h"
#include "common/relabel/relabel.h"

namespace tributary {
namespace {

// Go's os.Expand: the name that follows a '$' and how many bytes it takes.
struct ShellName {
  std::string name;
  size_t length = 0;
};

bool IsNameByte(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool IsSpecial(char c) { return c != '\0' && std::strchr("*#$@!?-0123456789", c) != nullptr; }

ShellName TakeShellName(std::string_view text) {
  if (text[0] == '{') {
    if (text.size() > 2 && IsSpecial(text[1]) && text[2] == '}') {
      return {std::string(1, text[1]), 3};
    }
    size_t close = text.find('}', 1);
    if (close == std::string_view::npos) return {"", 1};  // "${": eaten
    if (close == 1) return {"", 2};                       // "${}": eaten
    return {std::string(text.substr(1, close - 1)), close + 1};
  }
  if (IsSpecial(text[0])) return {std::string(1, text[0]), 1};
  size_t length = 0;
  while (length < text.size() && IsNameByte(text[length])) ++length;
  return {std::string(text.substr(0, length)), length};
}

constexpr std::string_view kInheritedLimits[] = {
    "sample_limit",
    "target_limit",
    "label_limit",
    "label_name_length_limit",
    "label_value_length_limit",
    "keep_dropped_targets",
};
constexpr std::string_view kInheritedFlags[] = {
    "scrape_native_histograms",
    "always_scrape_classic_histograms",
    "convert_classic_histograms_to_nhcb",
    "extra_scrape_metrics",
};

void ResolveTimes(const SectionValue& global, SectionValue& job, CheckContext& context) {
  Value& interval = job.Set("scrape_interval");
  if (interval.integer == 0) interval.integer = global.Get("scrape_interval").integer;
  int64_t interval_ms = interval.integer;
  Value& timeout = job.Set("scrape_timeout");
  if (timeout.integer > interval_ms) {
    context.Error(timeout, job,
                  "'scrape_timeout' is longer than 'scrape_interval' in the job '" +
                      job.Text("job_name") + "'");
  }
  if (timeout.integer == 0) {
    timeout.integer = std::min(global.Get("scrape_timeout").integer, interval_ms);
  }
}

void ResolveProtocols(const SectionValue& global, SectionValue& job, bool start_timestamps) {
  if (job.Get("scrape_protocols").given) return;
  Value& protocols = job.Set("scrape_protocols");
  if (global.Get("scrape_protocols").given) {
    protocols.items = global.Get("scrape_protocols").items;
    return;
  }
  const bool protobuf_first = start_timestamps || job.Flag("scrape_native_histograms");
  for (const std::string& name :
       ListedValues(protobuf_first ? kProtobufFirstScrapeProtocols : kDefaultScrapeProtocols)) {
    Value item;
    item.option = protocols.option;
    item.text = name;
    protocols.items.push_back(std::move(item));
  }
}

void ResolveNames(const SectionValue& global, SectionValue& job, CheckContext& context) {
  Value& validation = job.Set("metric_name_validation_scheme");
  bool inherited = validation.text.empty();
  if (inherited) validation.text = global.Text("metric_name_validation_scheme");
  bool legacy = validation.text == "legacy";
  bool global_legacy = global.Text("metric_name_validation_scheme") == "legacy";
  Value& escaping = job.Set("metric_name_escaping_scheme");
  if (escaping.text.empty() && inherited)
    escaping.text = global.Text("metric_name_escaping_scheme");
  if (escaping.text.empty()) {
    escaping.text = (inherited ? global_legacy : legacy) ? "underscores" : "allow-utf-8";
  }
  if (legacy && escaping.text == "allow-utf-8") {
    context.Error(escaping, job,
                  "'metric_name_escaping_scheme' cannot be allow-utf-8 where only legacy names are "
                  "valid");
  }
}

RelabelConfig MakeRelabel(const SectionValue& rule) {
  RelabelConfig config;
  config.source_labels = rule.Get("source_labels").Texts();
  config.separator = rule.Text("separator");
  config.regex = rule.Text("regex");
  config.modulus = rule.Number("modulus");
  config.target_label = rule.Text("target_label");
  config.replacement = rule.Text("replacement");
  config.action = ParseRelabelAction(rule.Text("action")).value_or(RelabelAction::kReplace);
  return config;
}

std::vector<Secret> MakeSecrets(const Value& value) {
  std::vector<Secret> secrets;
  for (const std::string& text : value.Texts()) secrets.push_back({text});
  return secrets;
}

TlsConfig MakeTls(const SectionValue& section) {
  TlsConfig tls;
  tls.ca = section.Text("ca");
  tls.cert = section.Text("cert");
  tls.key = {section.Text("key")};
  tls.ca_file = section.Text("ca_file");
  tls.cert_file = section.Text("cert_file");
  tls.key_file = section.Text("key_file");
  tls.server_name = section.Text("server_name");
  tls.insecure_skip_verify = section.Flag("insecure_skip_verify");
  tls.min_version = section.Text("min_version");
  tls.max_version = section.Text("max_version");
  return tls;
}

// Its fields stand among others.
ProxyConfig MakeProxy(const SectionValue& section) {
  ProxyConfig proxy;
  proxy.proxy_url = section.Text("proxy_url");
  proxy.no_proxy = section.Text("no_proxy");
  proxy.proxy_from_environment = section.Flag("proxy_from_environment");
  for (const auto& [name, value] : section.Get("proxy_connect_header").entries) {
    proxy.proxy_connect_header[name] = MakeSecrets(value);
  }
  return proxy;
}

Oauth2Config MakeOauth2(const SectionValue& section) {
  Oauth2Config oauth2;
  oauth2.client_id = section.Text("client_id");
  oauth2.client_secret = {section.Text("client_secret")};
  oauth2.client_secret_file = section.Text("client_secret_file");
  oauth2.scopes = section.Get("scopes").Texts();
  oauth2.token_url = section.Text("token_url");
  for (const auto& [name, value] : section.Get("endpoint_params").entries) {
    oauth2.endpoint_params[name] = {value.text};
  }
  oauth2.tls = MakeTls(*section.Sub("tls_config"));
  oauth2.proxy = MakeProxy(section);
  return oauth2;
}

HttpClientConfig MakeHttp(const SectionValue& section) {
  HttpClientConfig http;
  if (const SectionValue* oauth2 = section.Sub("oauth2")) http.oauth2 = MakeOauth2(*oauth2);
  http.tls = MakeTls(*section.Sub("tls_config"));
  http.proxy = MakeProxy(section);
  const Value& headers = section.Get("http_headers");
  for (size_t i = 0; i < headers.names.size(); ++i) {
    const SectionValue& header = headers.sections[i];
    http.http_headers[headers.names[i]] = {header.Get("values").Texts(),
                                           MakeSecrets(header.Get("secrets")),
                                           header.Get("files").Texts()};
  }
  if (const SectionValue* basic = section.Sub("basic_auth")) {
    http.basic_auth = BasicAuth{basic->Text("username"),
                                basic->Text("username_file"),
                                {basic->Text("password")},
                                basic->Text("password_file")};
  }
  if (const SectionValue* authorization = section.Sub("authorization")) {
    http.authorization = Authorization{authorization->Text("type"),
                                       {authorization->Text("credentials")},
                                       authorization->Text("credentials_file")};
  }
  http.follow_redirects = section.Flag("follow_redirects");
  http.enable_http2 = section.Flag("enable_http2");
  return http;
}

AwsSdAccess MakeAwsAccess(const SectionValue& section) {
  AwsSdAccess access;
  access.region = section.Text("region");
  access.endpoint = section.Text("endpoint");
  access.access_key = section.Text("access_key");
  access.secret_key = {section.Text("secret_key")};
  access.profile = section.Text("profile");
  access.role_arn = section.Text("role_arn");
  access.external_id = section.Text("external_id");
  access.http = MakeHttp(section);
  return access;
}

Ec2SdConfig MakeEc2Sd(const SectionValue& section) {
  Ec2SdConfig config{MakeAwsAccess(section),
                     section.Get("port").integer,
                     section.Duration("refresh_interval"),
                     {}};
  for (const SectionValue& filter : section.Get("filters").sections) {
    config.filters.push_back({filter.Text("name"), filter.Get("values").Texts()});
  }
  return config;
}

EcsSdConfig MakeEcsSd(const SectionValue& section) {
  EcsSdConfig config{MakeAwsAccess(section), section.Get("port").integer,
                     section.Duration("refresh_interval"), section.Get("clusters").Texts()};
  if (section.Has("request_concurrency")) {
    config.request_concurrency = section.Get("request_concurrency").integer;
  }
  config.per_container = section.Flag("per_container");
  return config;
}

// In the words of the other mechanisms, for which 0 is a value of its own.
void AddAwsSd(const SectionValue& section, ScrapeConfig& config) {
  const auto add = [](auto made, auto& list) {
    const typename std::decay_t<decltype(made)> defaults;
    if (made.port == 0) made.port = defaults.port;
    if (made.refresh_interval.count() == 0) made.refresh_interval = defaults.refresh_interval;
    list.push_back(std::move(made));
  };
  if (section.Text("role") == "ec2") add(MakeEc2Sd(section), config.ec2_sd_configs);
  if (section.Text("role") == "ecs") add(MakeEcsSd(section), config.ecs_sd_configs);
}

Labels MakeLabels(const Value& value) {
  std::vector<Label> labels;
  for (const auto& [name, text] : value.entries) labels.push_back({name, text.text});
  return Labels(std::move(labels));
}

}  // namespace

std::vector<RelabelConfig> MakeRelabels(const Value& rules, const std::string& file) {
  std::vector<RelabelConfig> configs;
  for (const SectionValue& rule : rules.sections) {
    configs.push_back(MakeRelabel(rule));
    configs.back().position = {file, rule.line, rule.column};
  }
  return configs;
}

std::string ExpandEnvironment(const std::string& text, const LoadOptions& options,
                              std::vector<std::string>* missing) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    ShellName found = TakeShellName(std::string_view(text).substr(i + 1));
    if (found.name.empty() && found.length == 0) {
      out += '$';
    } else if (found.name == "$") {
      out += '$';
    } else if (!found.name.empty()) {
      std::optional<std::string> value;
      if (options.getenv) value = options.getenv(found.name);
      if (value && !value->empty()) {
        out += *value;
      } else if (missing != nullptr) {
        missing->push_back(found.name);
      }
    }
    i += found.length;
  }
  return out;
}

void ExpandExternalLabels(SectionValue& global, const LoadOptions& options, CheckContext& context) {
  for (auto& [name, value] : global.Set("external_labels").entries) {
    std::vector<std::string> missing;
    value.text = ExpandEnvironment(value.text, options, &missing);
    for (const std::string& variable : missing) {
      context.Warning(value.line, value.column,
                      "the environment variable '" + variable + "' of the external label '" + name +
                          "' is not set or empty");
    }
  }
}

void CheckRelabelRules(const Value& rules, NameValidation validation, CheckContext& context) {
  for (const SectionValue& rule : rules.sections) {
    if (!rule.Get("action").valid) continue;
    RelabelConfig config = MakeRelabel(rule);
    if (Status regex = ValidateRegex(config.regex); !regex) {
      context.Error(rule.Get("regex"), rule, "'regex': " + regex.error().message);
      continue;
    }
    RelabelFieldsGiven given;
    given.separator = rule.Given("separator");
    given.regex = rule.Given("regex");
    given.modulus = rule.Given("modulus");
    given.replacement = rule.Given("replacement");
    given.source_labels = rule.Given("source_labels");
    if (Status status = ValidateRelabelConfig(config, validation, given); !status) {
      context.Error(rule, status.error().message);
    }
  }
}

NameValidation ValidationOf(const SectionValue& section) {
  return section.Text("metric_name_validation_scheme") == "legacy" ? NameValidation::kLegacy
                                                                   : NameValidation::kUtf8;
}

void ResolveJob(const SectionValue& global, SectionValue& job, const LoadOptions& options,
                CheckContext& context) {
  ResolveTimes(global, job, context);
  ResolveNames(global, job, context);
  Value& body = job.Set("body_size_limit");
  if (body.number == 0) body.number = global.Number("body_size_limit");
  for (std::string_view name : kInheritedLimits) {
    uint64_t inherited = global.Number(name);
    Value& limit = job.Set(name);
    if (limit.number == 0) limit.number = inherited;
  }
  for (std::string_view name : kInheritedFlags) {
    bool inherited = global.Flag(name);
    Value& flag = job.Set(name);
    bool said = flag.given && !flag.text.empty();  // a null says nothing here
    if (!said) flag.flag = inherited;
  }
  ResolveProtocols(global, job, options.start_timestamps);
  CheckRelabelRules(job.Get("relabel_configs"), ValidationOf(job), context);
  CheckRelabelRules(job.Get("metric_relabel_configs"), ValidationOf(job), context);
}

void ResolveScrapeLimits(const SectionValue& limits, SectionValue& job) {
  // One that says nothing of its own stays as it was written.
  SectionValue* own = job.Sub("tributary");
  if (own == nullptr) return;
  for (const Option& option : limits.section().options) {
    if (!own->Get(option).given) own->Set(option) = limits.Get(option);
  }
}

void ResolveRemoteErrors(const SectionValue& errors, Value& remotes, CheckContext& context) {
  for (SectionValue& remote : remotes.sections) {
    // One that says nothing of its own stays as it was written.
    SectionValue* own = remote.Sub("tributary");
    if (own == nullptr) continue;
    const bool says_split = own->Given("split_rejected");
    for (const Option& option : errors.section().options) {
      if (!own->Get(option).given) own->Set(option) = errors.Get(option);
    }
    if (!says_split) CheckRemoteErrors(*own, context);
  }
}

GlobalConfig MakeGlobal(const SectionValue& global) {
  GlobalConfig config;
  config.scrape_interval = global.Duration("scrape_interval");
  config.scrape_timeout = global.Duration("scrape_timeout");
  config.external_labels = MakeLabels(global.Get("external_labels"));
  config.metric_name_validation_scheme = ValidationOf(global);
  return config;
}

KubernetesSdConfig MakeKubernetesSd(const SectionValue& sd) {
  KubernetesSdConfig config;
  config.role = ParseKubeRole(sd.Text("role")).value_or(KubeRole::kPod);
  config.api_server = sd.Text("api_server");
  config.kubeconfig_file = sd.Text("kubeconfig_file");
  config.http = MakeHttp(sd);
  const SectionValue& namespaces = *sd.Sub("namespaces");
  config.namespaces = namespaces.Get("names").Texts();
  config.own_namespace = namespaces.Flag("own_namespace");
  for (const SectionValue& selector : sd.Get("selectors").sections) {
    const std::optional<KubeRole> role = ParseKubeRole(selector.Text("role"));
    if (role) config.selectors[*role] = {selector.Text("label"), selector.Text("field")};
  }
  const SectionValue& attach = *sd.Sub("attach_metadata");
  config.attach_node = attach.Flag("node");
  config.attach_namespace = attach.Flag("namespace");
  config.attach_deployment = attach.Flag("deployment");
  config.attach_job = attach.Flag("job");
  config.attach_cronjob = attach.Flag("cronjob");
  return config;
}

ScrapeConfig MakeScrapeConfig(const SectionValue& job, const SectionValue* limits,
                              const LoadOptions& options, const std::string& file) {
  ScrapeConfig config;
  config.start_timestamps = options.start_timestamps;
  config.job_name = job.Text("job_name");
  config.scrape_interval = job.Duration("scrape_interval");
  config.scrape_timeout = job.Duration("scrape_timeout");
  config.metrics_path = job.Text("metrics_path");
  config.scheme = job.Text("scheme");
  for (const auto& [name, list] : job.Get("params").entries) config.params[name] = list.Texts();
  config.honor_labels = job.Flag("honor_labels");
  config.honor_timestamps = job.Flag("honor_timestamps");
  config.track_timestamps_staleness = job.Flag("track_timestamps_staleness");
  config.enable_compression = job.Flag("enable_compression");
  config.extra_scrape_metrics = job.Flag("extra_scrape_metrics");
  config.body_size_limit = job.Number("body_size_limit");
  config.sample_limit = job.Number("sample_limit");
  config.target_limit = job.Number("target_limit");
  config.label_limit = job.Number("label_limit");
  config.label_name_length_limit = job.Number("label_name_length_limit");
  config.label_value_length_limit = job.Number("label_value_length_limit");
  config.keep_dropped_targets = job.Number("keep_dropped_targets");
  config.metric_name_validation_scheme = ValidationOf(job);
  config.scrape_native_histograms = job.Flag("scrape_native_histograms");
  config.always_scrape_classic_histograms = job.Flag("always_scrape_classic_histograms");
  config.convert_classic_histograms_to_nhcb = job.Flag("convert_classic_histograms_to_nhcb");
  config.native_histogram_bucket_limit = job.Number("native_histogram_bucket_limit");
  config.native_histogram_min_bucket_factor = job.Get("native_histogram_min_bucket_factor").real;
  config.scrape_protocols = job.Get("scrape_protocols").Texts();
  config.fallback_scrape_protocol = job.Text("fallback_scrape_protocol");
  config.escaping_scheme = job.Text("metric_name_escaping_scheme");
  config.http = MakeHttp(job);
  for (const SectionValue& group : job.Get("static_configs").sections) {
    config.static_configs.push_back({group.Get("targets").Texts(), MakeLabels(group.Get("labels")),
                                     std::to_string(config.static_configs.size())});
  }
  for (const SectionValue& sd : job.Get("file_sd_configs").sections) {
    config.file_sd_configs.push_back({sd.Get("files").Texts(), sd.Duration("refresh_interval")});
  }
  for (const SectionValue& sd : job.Get("http_sd_configs").sections) {
    config.http_sd_configs.push_back(
        {sd.Text("url"), sd.Duration("refresh_interval"), MakeHttp(sd)});
  }
  for (const SectionValue& sd : job.Get("dns_sd_configs").sections) {
    config.dns_sd_configs.push_back({sd.Get("names").Texts(), sd.Duration("refresh_interval"),
                                     ParseDnsSdType(sd.Text("type")).value_or(DnsSdType::kSrv),
                                     sd.Get("port").integer});
  }
  for (const SectionValue& sd : job.Get("ec2_sd_configs").sections) {
    config.ec2_sd_configs.push_back(MakeEc2Sd(sd));
  }
  for (const SectionValue& sd : job.Get("ecs_sd_configs").sections) {
    config.ecs_sd_configs.push_back(MakeEcsSd(sd));
  }
  for (const SectionValue& sd : job.Get("ecs_task_sd_configs").sections) {
    config.ecs_task_sd_configs.push_back({sd.Duration("refresh_interval")});
  }
  for (const SectionValue& sd : job.Get("aws_sd_configs").sections) AddAwsSd(sd, config);
  for (const SectionValue& sd : job.Get("kubernetes_sd_configs").sections) {
    config.kubernetes_sd_configs.push_back(MakeKubernetesSd(sd));
  }
  config.relabel_configs = MakeRelabels(job.Get("relabel_configs"), file);
  config.metric_relabel_configs = MakeRelabels(job.Get("metric_relabel_configs"), file);
  if (const SectionValue* own = job.Sub("tributary")) limits = own;
  if (limits != nullptr) {
    config.series_limit_per_target = limits->Number("series_limit_per_target");
    config.series_limit = limits->Number("series_limit");
  }
  return config;
}

Sigv4Config MakeSigv4(const SectionValue& section) {
  Sigv4Config sigv4;
  sigv4.region = section.Text("region");
  sigv4.access_key = section.Text("access_key");
  sigv4.secret_key = {section.Text("secret_key")};
  sigv4.profile = section.Text("profile");
  sigv4.role_arn = section.Text("role_arn");
  sigv4.external_id = section.Text("external_id");
  sigv4.session_name = section.Text("session_name");
  for (const auto& [name, value] : section.Get("tags").entries) sigv4.tags[name] = value.text;
  sigv4.use_fips_sts_endpoint = section.Flag("use_fips_sts_endpoint");
  if (const std::string service = section.Text("service_name"); !service.empty()) {
    sigv4.service_name = service;
  }
  return sigv4;
}

RemoteErrorsConfig MakeRemoteErrors(const SectionValue& section) {
  RemoteErrorsConfig errors;
  errors.retry_auth_errors = section.Flag("retry_auth_errors");
  errors.split_rejected = section.Flag("split_rejected");
  errors.quarantine_refused = section.Flag("quarantine_refused");
  errors.split_too_many_series = section.Flag("split_too_many_series");
  errors.count_maybe_duplicates = section.Flag("count_maybe_duplicates");
  errors.dead_letter_size = section.Number("dead_letter_size");
  return errors;
}

RemoteShareConfig MakeRemoteShare(const SectionValue& section) {
  RemoteShareConfig share;
  share.group = section.Text("group");
  if (share.group.empty()) return share;
  share.replicas = static_cast<uint32_t>(section.Get("replicas").integer);
  share.labels = section.Get("labels").Texts();
  share.ignore_labels = section.Get("ignore_labels").Texts();
  std::sort(share.labels.begin(), share.labels.end());
  std::sort(share.ignore_labels.begin(), share.ignore_labels.end());
  return share;
}

RemoteWriteConfig MakeRemoteWrite(const SectionValue& remote, const SectionValue* errors,
                                  const std::string& file) {
  RemoteWriteConfig config;
  config.url = remote.Text("url");
  config.name = remote.Text("name");
  config.remote_timeout = remote.Duration("remote_timeout");
  for (const auto& [name, value] : remote.Get("headers").entries) config.headers[name] = value.text;
  config.write_relabel_configs = MakeRelabels(remote.Get("write_relabel_configs"), file);
  config.send_exemplars = remote.Flag("send_exemplars");
  config.send_native_histograms = remote.Flag("send_native_histograms");
  const std::string& message = remote.Text("protobuf_message");
  config.falls_back_to_v1 = message == "auto";
  if (config.falls_back_to_v1 || message == "io.prometheus.write.v2.Request") {
    config.message = RemoteWriteMessage::kV2;
  }
  auto count = [](const SectionValue& section, std::string_view name) {
    return static_cast<uint64_t>(section.Get(name).integer);
  };
  const SectionValue& queue = *remote.Sub("queue_config");
  config.queue.capacity = count(queue, "capacity");
  config.queue.max_shards = count(queue, "max_shards");
  config.queue.min_shards = count(queue, "min_shards");
  config.queue.max_samples_per_send = count(queue, "max_samples_per_send");
  config.queue.batch_send_deadline = queue.Duration("batch_send_deadline");
  config.queue.min_backoff = queue.Duration("min_backoff");
  config.queue.max_backoff = queue.Duration("max_backoff");
  config.queue.retry_on_http_429 = queue.Flag("retry_on_http_429");
  config.queue.sample_age_limit = queue.Duration("sample_age_limit");
  const SectionValue& metadata = *remote.Sub("metadata_config");
  config.metadata.send = metadata.Flag("send");
  config.metadata.send_interval = metadata.Duration("send_interval");
  config.metadata.max_samples_per_send = count(metadata, "max_samples_per_send");
  config.http = MakeHttp(remote);
  if (const SectionValue* sigv4 = remote.Sub("sigv4")) config.sigv4 = MakeSigv4(*sigv4);
  if (const SectionValue* options = OwnOrCommon(remote, errors)) {
    config.errors = MakeRemoteErrors(*options);
    config.series_limit = options->Number("series_limit");
    if (const SectionValue* share = options->Sub("share")) config.share = MakeRemoteShare(*share);
  }
  return config;
}

HttpClientConfig MakeHttpClient(const SectionValue& section) { return MakeHttp(section); }

ReceiveConfig MakeReceive(const SectionValue& receive) {
  ReceiveConfig config;
  config.body_size_limit = receive.Get("body_size_limit").number;
  config.sample_limit = receive.Get("sample_limit").number;
  config.label_limit = receive.Get("label_limit").number;
  config.label_name_length_limit = receive.Get("label_name_length_limit").number;
  config.label_value_length_limit = receive.Get("label_value_length_limit").number;
  config.series_limit_per_sender = receive.Get("series_limit_per_sender").number;
  config.cluster_label = receive.Text("cluster_label");
  config.replica_label = receive.Text("replica_label");
  config.failover_timeout = receive.Duration("failover_timeout");
  return config;
}

AggregateConfig MakeAggregate(const SectionValue& aggregate) {
  AggregateConfig config;
  config.name = aggregate.Text("name");
  config.match = aggregate.Get("match").Texts();
  config.without = aggregate.Given("without");
  config.labels = aggregate.Get(config.without ? "without" : "by").Texts();
  std::sort(config.labels.begin(), config.labels.end());
  config.interval = aggregate.Duration("interval");
  config.window = aggregate.Duration("window");
  if (config.window.count() == 0) config.window = config.interval;
  config.late = aggregate.Duration("late");
  config.staleness_interval = aggregate.Duration("staleness_interval");
  config.drop_inputs = aggregate.Text("inputs") == "drop";
  for (const std::string& output : aggregate.Get("outputs").Texts()) {
    config.outputs.push_back({*ParseAggregateOutput(output), ""});
  }
  for (const auto& [output, name] : aggregate.Get("record").entries) {
    config.outputs.push_back({*ParseAggregateOutput(output), name.text});
  }
  // A rule is the same in whatever order it says them.
  std::sort(config.outputs.begin(), config.outputs.end());
  if (config.name.empty()) config.name = config.outputs.front().record;
  if (config.name.empty()) config.name = config.match.front();
  config.quantile = aggregate.Get("quantile").real;
  return config;
}

DownsampleConfig MakeDownsample(const SectionValue& downsample) {
  return {downsample.Get("match").Texts(), downsample.Duration("interval")};
}

TracingConfig MakeTracing(const SectionValue& tracing) {
  TracingConfig config;
  const bool is_http = tracing.Text("client_type") == "http";
  config.protocol = is_http ? TracingProtocol::kHttp : TracingProtocol::kGrpc;
  config.endpoint = TracingAddress(tracing);
  config.sampling_fraction = tracing.Get("sampling_fraction").real;
  config.insecure = tracing.Flag("insecure");
  config.tls = MakeTls(*tracing.Sub("tls_config"));
  for (const auto& [name, value] : tracing.Get("headers").entries) {
    config.headers[name] = {value.text};
  }
  config.gzip = tracing.Text("compression") == "gzip";
  config.timeout = tracing.Duration("timeout");
  return config;
}

}  // namespace tributary
