// The configuration, read and checked: plain values with Prometheus' names and defaults.
// Follows prometheus/prometheus config/config.go (3.16) and prometheus/common
// config/http_config.go.
//
// Immutable once loaded; shared between threads as shared_ptr<const Config>. Only what is built is
// here: an option that is known but not built yet is an error in the loader
// (common/config/loader.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/labels/labels.h"
#include "common/relabel/relabel.h"

namespace tributary {

// Text that is never shown: dumps, errors and logs print <secret>.
struct Secret {
  std::string value;
  bool empty() const { return value.empty(); }
  bool operator==(const Secret&) const = default;
};

struct BasicAuth {
  std::string username, username_file;
  Secret password;
  std::string password_file;
  bool operator==(const BasicAuth&) const = default;
};

// Also bearer_token and bearer_token_file, which are read as type Bearer.
struct Authorization {
  std::string type = "Bearer";
  Secret credentials;
  std::string credentials_file;
  bool operator==(const Authorization&) const = default;
};

// PEM text or files of it.
struct TlsConfig {
  std::string ca, cert;
  Secret key;
  std::string ca_file, cert_file, key_file;
  std::string server_name;
  bool insecure_skip_verify = false;
  std::string min_version, max_version;  // "" or of TLS10, TLS11, TLS12, TLS13
  bool operator==(const TlsConfig&) const = default;
};

struct ProxyConfig {
  std::string proxy_url;  // with userinfo; show RedactUrl(proxy_url)
  std::string no_proxy;
  bool proxy_from_environment = false;
  std::map<std::string, std::vector<Secret>> proxy_connect_header;
  bool operator==(const ProxyConfig&) const = default;
};

// The grant client_credentials.
struct Oauth2Config {
  std::string client_id;
  Secret client_secret;
  std::string client_secret_file;
  std::vector<std::string> scopes;
  std::string token_url;  // with userinfo; show RedactUrl(token_url)
  std::map<std::string, Secret> endpoint_params;
  TlsConfig tls;
  ProxyConfig proxy;
  bool operator==(const Oauth2Config&) const = default;
};

// Values of one header of http_headers; a file holds one.
struct HttpHeaderConfig {
  std::vector<std::string> values;
  std::vector<Secret> secrets;
  std::vector<std::string> files;
  bool operator==(const HttpHeaderConfig&) const = default;
};

// How a client connects, authenticates and follows. `*_file` values are paths resolved against the
// file that names them; they are read at use, so a new secret needs no reload.
struct HttpClientConfig {
  std::optional<BasicAuth> basic_auth;
  std::optional<Authorization> authorization;
  std::optional<Oauth2Config> oauth2;
  TlsConfig tls;
  ProxyConfig proxy;
  std::map<std::string, HttpHeaderConfig> http_headers;
  bool follow_redirects = true;
  bool enable_http2 = true;
  bool operator==(const HttpClientConfig&) const = default;
};

// One entry of static_configs, or what another mechanism of discovery has found.
struct TargetGroup {
  std::vector<std::string> targets;  // each becomes __address__
  Labels labels;
  std::string source;  // tells groups of one provider apart: "0", "/path/file.json:2"
  bool operator==(const TargetGroup&) const = default;
};

struct FileSdConfig {
  std::vector<std::string> files;  // resolved paths or globs; the last element may hold wildcards
  std::chrono::milliseconds refresh_interval = std::chrono::minutes(5);
  bool operator==(const FileSdConfig&) const = default;
};

struct HttpSdConfig {
  std::string url;  // as given, with userinfo; show RedactUrl(url)
  std::chrono::milliseconds refresh_interval = std::chrono::minutes(1);
  HttpClientConfig http;
  bool operator==(const HttpSdConfig&) const = default;
};

enum class DnsSdType : uint8_t { kSrv, kA, kAaaa, kMx, kNs };

struct DnsSdConfig {
  std::vector<std::string> names;
  std::chrono::milliseconds refresh_interval = std::chrono::seconds(30);
  DnsSdType type = DnsSdType::kSrv;
  int64_t port = 0;  // of the targets; SRV records have their own
  bool operator==(const DnsSdConfig&) const = default;
};

// How a mechanism of discovery reaches AWS. What is empty comes from AWS' chain (common/aws).
struct AwsSdAccess {
  std::string region;
  std::string endpoint;  // of the mechanism's own API; "": the region's
  std::string access_key;
  Secret secret_key;
  std::string profile;
  std::string role_arn, external_id;
  HttpClientConfig http;
  bool operator==(const AwsSdAccess&) const = default;
};

struct SdFilter {
  std::string name;
  std::vector<std::string> values;
  bool operator==(const SdFilter&) const = default;
};

// Also of aws_sd_configs with the role ec2.
struct Ec2SdConfig {
  AwsSdAccess access;
  int64_t port = 80;
  std::chrono::milliseconds refresh_interval = std::chrono::minutes(1);
  std::vector<SdFilter> filters;
  bool operator==(const Ec2SdConfig&) const = default;
};

// Also of aws_sd_configs with the role ecs.
struct EcsSdConfig {
  AwsSdAccess access;
  int64_t port = 80;
  std::chrono::milliseconds refresh_interval = std::chrono::minutes(1);
  std::vector<std::string> clusters;  // names or ARNs; empty: all
  int64_t request_concurrency = 20;
  bool per_container = false;  // Tributary's own: a target for each port of each container
  bool operator==(const EcsSdConfig&) const = default;
};

// Tributary's own: the other containers of the agent's task.
struct EcsTaskSdConfig {
  std::chrono::milliseconds refresh_interval = std::chrono::seconds(15);
  bool operator==(const EcsTaskSdConfig&) const = default;
};

enum class KubeRole : uint8_t { kNode, kPod, kService, kEndpoints, kEndpointSlice, kIngress };
// "node", "pod" and so on.
const char* KubeRoleName(KubeRole role);

// Which objects of a kind the API is asked for; "": all.
struct KubeSelector {
  std::string label, field;
  bool operator==(const KubeSelector&) const = default;
};

struct KubernetesSdConfig {
  KubeRole role = KubeRole::kPod;
  // "" for both: from inside the cluster, with the pod's service account.
  std::string api_server;  // as given, with userinfo; show RedactUrl(api_server)
  std::string kubeconfig_file;
  HttpClientConfig http;                // with api_server only
  std::vector<std::string> namespaces;  // empty, with own_namespace false: all
  bool own_namespace = false;
  std::map<KubeRole, KubeSelector> selectors;
  bool attach_node = false;
  bool attach_namespace = false;
  bool attach_deployment = false;
  bool attach_job = false;
  bool attach_cronjob = false;
  bool operator==(const KubernetesSdConfig&) const = default;
};

struct ScrapeConfig {
  std::string job_name;
  std::chrono::milliseconds scrape_interval{0};  // resolved against global
  // Resolved: min(global timeout, interval) if not given.
  std::chrono::milliseconds scrape_timeout{0};
  std::string metrics_path = "/metrics";
  std::string scheme = "http";
  std::map<std::string, std::vector<std::string>> params;
  bool honor_labels = false;
  bool honor_timestamps = true;
  bool track_timestamps_staleness = false;
  bool enable_compression = true;
  bool extra_scrape_metrics = false;
  // 0 is 'no limit' for all of these, already resolved against global.
  uint64_t body_size_limit = 0;  // bytes, after decompression
  uint64_t sample_limit = 0;
  uint64_t target_limit = 0;
  uint64_t label_limit = 0;
  uint64_t label_name_length_limit = 0;
  uint64_t label_value_length_limit = 0;
  uint64_t keep_dropped_targets = 0;
  // Tributary's own: of active series, those above it are dropped.
  uint64_t series_limit_per_target = 0;
  uint64_t series_limit = 0;  // of all targets together
  NameValidation metric_name_validation_scheme = NameValidation::kUtf8;
  bool scrape_native_histograms = false;
  bool always_scrape_classic_histograms = false;
  bool convert_classic_histograms_to_nhcb = false;
  bool start_timestamps = false;  // of counts are read: a feature of the process, not of the file
  uint64_t native_histogram_bucket_limit = 0;
  double native_histogram_min_bucket_factor = 0;
  // Offered in Accept, in this order: of "PrometheusProto", "OpenMetricsText1.0.0",
  // "OpenMetricsText0.0.1", "PrometheusText1.0.0", "PrometheusText0.0.4".
  std::vector<std::string> scrape_protocols;
  std::string fallback_scrape_protocol;  // "" or one of the above
  std::string escaping_scheme;           // of Accept: allow-utf-8, underscores, dots, values
  HttpClientConfig http;
  std::vector<TargetGroup> static_configs;
  std::vector<FileSdConfig> file_sd_configs;
  std::vector<HttpSdConfig> http_sd_configs;
  std::vector<DnsSdConfig> dns_sd_configs;
  std::vector<Ec2SdConfig> ec2_sd_configs;
  std::vector<EcsSdConfig> ecs_sd_configs;
  std::vector<EcsTaskSdConfig> ecs_task_sd_configs;
  std::vector<KubernetesSdConfig> kubernetes_sd_configs;
  std::vector<RelabelConfig> relabel_configs;
  std::vector<RelabelConfig> metric_relabel_configs;
  bool operator==(const ScrapeConfig&) const = default;
};

struct QueueConfig {
  uint64_t capacity = 10000;  // samples read ahead per shard
  uint64_t max_shards = 50;
  uint64_t min_shards = 1;
  uint64_t max_samples_per_send = 2000;
  std::chrono::milliseconds batch_send_deadline{5000};
  std::chrono::milliseconds min_backoff{30};
  std::chrono::milliseconds max_backoff{5000};
  bool retry_on_http_429 = false;
  std::chrono::milliseconds sample_age_limit{0};  // 0: none
  bool operator==(const QueueConfig&) const = default;
};

struct MetadataConfig {
  bool send = true;
  std::chrono::milliseconds send_interval{60000};
  uint64_t max_samples_per_send = 2000;
  bool operator==(const MetadataConfig&) const = default;
};

enum class RemoteWriteMessage : uint8_t {
  kV1,  // prometheus.WriteRequest, of remote write 1.0
  kV2,  // io.prometheus.write.v2.Request, of remote write 2.0
};

// Signing with AWS Signature Version 4. What is empty comes from AWS' chain (common/aws).
struct Sigv4Config {
  std::string region;
  std::string access_key;
  Secret secret_key;
  std::string profile;
  std::string role_arn, external_id, session_name;
  std::map<std::string, std::string> tags;  // of the role's session
  bool use_fips_sts_endpoint = false;
  std::string service_name = "aps";
  // Where no region is given: that of the profile which AWS_PROFILE names, or default, whatever
  // `profile` says. Of service discovery.
  bool region_of_default_profile = false;
  bool operator==(const Sigv4Config&) const = default;
};

// What becomes of a remote's errors where Prometheus drops: the options of `tributary`.
struct RemoteErrorsConfig {
  bool retry_auth_errors = true;         // what was answered with 401 or 403
  bool split_rejected = true;            // what was answered with 400 or 413
  bool quarantine_refused = true;        // series that were refused three times
  bool split_too_many_series = true;     // what is answered with 429 for ever
  bool count_maybe_duplicates = true;    // apart from what failed
  uint64_t dead_letter_size = 16 << 20;  // bytes; 0: no file
  bool operator==(const RemoteErrorsConfig&) const = default;
  // Everything as Prometheus has it.
  static RemoteErrorsConfig Off() { return {false, false, false, false, false, 0}; }
};

// Series that are shared among several remotes: the options of `share`.
struct RemoteShareConfig {
  std::string group;      // "": none, the remote gets all
  uint32_t replicas = 1;  // members that get each series
  // Which of a series' labels decide where it goes; at most one of the two is not empty, and none:
  // all labels. Sorted.
  std::vector<std::string> labels, ignore_labels;
  std::vector<std::string> members;  // the identities of the group's remotes, sorted
  bool operator==(const RemoteShareConfig&) const = default;
};

struct RemoteWriteConfig {
  std::string url;   // as given, with userinfo; show RedactUrl(url)
  std::string name;  // given or first 6 hex digits of a hash over the entry
  // What stays when other things about the entry change: its name if given, else its URL without
  // secrets, and which of those with that URL it is.
  std::string identity;
  std::chrono::milliseconds remote_timeout{30000};
  std::map<std::string, std::string> headers;
  std::vector<RelabelConfig> write_relabel_configs;
  bool send_exemplars = false;
  bool send_native_histograms = false;
  RemoteWriteMessage message = RemoteWriteMessage::kV1;
  // protobuf_message is auto: `message` is 2.0, and 1.0 follows it if the receiver does not know
  // it.
  bool falls_back_to_v1 = false;
  QueueConfig queue;
  MetadataConfig metadata;
  HttpClientConfig http;
  std::optional<Sigv4Config> sigv4;
  RemoteErrorsConfig errors;
  uint64_t series_limit = 0;  // Tributary's own; 0: none
  RemoteShareConfig share;
  bool operator==(const RemoteWriteConfig&) const = default;
};

enum class TracingProtocol : uint8_t { kGrpc, kHttp };  // of OTLP

// Where the agent's own traces go.
struct TracingConfig {
  TracingProtocol protocol = TracingProtocol::kGrpc;
  std::string endpoint;          // host, and port if it is not the protocol's own
  double sampling_fraction = 0;  // of the traces; 0 or less: none, 1 or more: all
  bool insecure = false;         // without TLS
  TlsConfig tls;
  std::map<std::string, Secret> headers;
  bool gzip = false;
  std::chrono::milliseconds timeout{0};  // of an export; 0: the exporter's default
  bool operator==(const TracingConfig&) const = default;
};

// What others may send by remote write; the options of `tributary.receive`.
struct ReceiveConfig {
  uint64_t body_size_limit = 32 << 20;  // of a request: bytes, compressed and decompressed
  uint64_t sample_limit = 500'000;      // of a request
  uint64_t label_limit = 200;           // 0: none, as for the following
  uint64_t label_name_length_limit = 1024;
  uint64_t label_value_length_limit = 16384;
  uint64_t series_limit_per_sender = 0;
  // Of the replicas that send the same series one for each cluster is elected; "": none is.
  std::string cluster_label = "cluster", replica_label = "__replica__";
  std::chrono::milliseconds failover_timeout{30000};
  bool operator==(const ReceiveConfig&) const = default;
};

// What an aggregate says of its inputs at the end of an interval.
enum class AggregateOutput : uint8_t {
  kSum,
  kAvg,
  kMin,
  kMax,
  kCount,
  kLast,
  kIncrease,
  kRateSum,
  kHistogramQuantile,
};
// "sum", "rate_sum" and so on.
const char* AggregateOutputName(AggregateOutput output);

// A rule of tributary.aggregate.
struct AggregateConfig {
  std::string name;                 // as metrics call it
  std::vector<std::string> match;   // selectors: series that one of them selects are its inputs
  bool without = false;             // `labels` are those that are taken away
  std::vector<std::string> labels;  // sorted
  std::chrono::milliseconds interval{60000};
  std::chrono::milliseconds window{60000};  // of increases: a multiple of the interval
  std::chrono::milliseconds late{10000};    // how long after an interval's end samples are awaited
  std::chrono::milliseconds staleness_interval{300000};
  bool drop_inputs = false;
  struct Output {
    AggregateOutput output = AggregateOutput::kSum;
    std::string record;  // the metric's name; "": made of the inputs' name
    auto operator<=>(const Output&) const = default;
  };
  // Sorted. Either all of them have a name or none.
  std::vector<Output> outputs;
  double quantile = 0;  // of kHistogramQuantile
  bool operator==(const AggregateConfig&) const = default;
};

// A rule of tributary.downsample.
struct DownsampleConfig {
  std::vector<std::string> match;
  std::chrono::milliseconds interval{0};
  bool operator==(const DownsampleConfig&) const = default;
};

struct GlobalConfig {
  std::chrono::milliseconds scrape_interval{60000};
  std::chrono::milliseconds scrape_timeout{10000};
  Labels external_labels;  // with environment variables expanded
  NameValidation metric_name_validation_scheme = NameValidation::kUtf8;
};

struct Config {
  GlobalConfig global;
  // storage.tsdb.out_of_order_time_window: samples with own timestamps may be that much late.
  std::chrono::milliseconds out_of_order_time_window{0};
  std::vector<ScrapeConfig> scrape_configs;  // those of scrape_config_files included
  std::vector<RemoteWriteConfig> remote_write;
  std::optional<TracingConfig> tracing;
  ReceiveConfig receive;
  std::vector<AggregateConfig> aggregate;
  std::vector<DownsampleConfig> downsample;
  // The file as it is in force, all defaults said, secrets as <secret>: for /api/v1/status/config.
  std::string yaml;
  // The files that were read (main, scrape_config_files): what auto-reload and messages speak of.
  std::vector<std::string> files;
};

// "http://user:xxxxx@host/" as Go's url.Redacted prints it; the password, and nothing else, is
// replaced.
std::string RedactUrl(const std::string& url);

}  // namespace tributary
