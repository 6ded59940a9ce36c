// The file itself and the sections that stand beside scraping and sending (config/config.go).
#include "common/config/checks.h"
#include "common/config/options.h"

namespace tributary {

const Section& GlobalSection() {
  static const Section section{
      "global",
      "What holds for all jobs and remotes unless they say otherwise.",
      {
          {.name = "scrape_interval",
           .type = OptionType::kDuration,
           .fallback = "1m",
           .doc = "How often a target is scraped."},
          {.name = "scrape_timeout",
           .type = OptionType::kDuration,
           .fallback = "10s",
           .doc = "How long a scrape may take; not more than the interval, which also bounds the "
                  "default."},
          {.name = "scrape_protocols",
           .type = OptionType::kEnums,
           .doc = "Formats to ask targets for, the best first. Not given: OpenMetricsText1.0.0, "
                  "OpenMetricsText0.0.1, PrometheusText1.0.0, PrometheusText0.0.4; before them "
                  "PrometheusProto where native histograms are scraped.",
           .values = kScrapeProtocols,
           .unbuilt_values = kUnbuiltScrapeProtocols},
          {.name = "evaluation_interval",
           .type = OptionType::kDuration,
           .fallback = "1m",
           .doc = "How often rules are evaluated; an agent has none.",
           .support = Support::kNoEffect},
          {.name = "rule_query_offset",
           .type = OptionType::kDuration,
           .doc = "How far back rules look; an agent has none.",
           .support = Support::kNoEffect},
          {.name = "query_log_file",
           .type = OptionType::kPath,
           .doc = "Log of queries; an agent answers none.",
           .support = Support::kNoEffect},
          {.name = "query_max_series",
           .type = OptionType::kUint,
           .doc = "Limit of a query; an agent answers none.",
           .support = Support::kNoEffect},
          {.name = "query_max_samples_read",
           .type = OptionType::kUint,
           .doc = "Limit of a query; an agent answers none.",
           .support = Support::kNoEffect},
          {.name = "query_max_duration",
           .type = OptionType::kDuration,
           .doc = "Limit of a query; an agent answers none.",
           .support = Support::kNoEffect},
          {.name = "scrape_failure_log_file",
           .type = OptionType::kPath,
           .doc = "File in which failed scrapes are logged.",
           .support = Support::kNotBuilt},
          {.name = "external_labels",
           .type = OptionType::kLabels,
           .doc = "Labels added to all that is sent. $NAME and ${NAME} stand for variables of the "
                  "environment, $$ for a dollar sign."},
          {.name = "body_size_limit",
           .type = OptionType::kSize,
           .doc = "A larger page, once unpacked, fails the scrape. 0: no limit."},
          {.name = "sample_limit",
           .type = OptionType::kUint,
           .doc = "More samples than that after metric relabeling fail the scrape. 0: no limit."},
          {.name = "target_limit",
           .type = OptionType::kUint,
           .doc =
               "More targets than that after relabeling fail all scrapes of a job. 0: no limit."},
          {.name = "label_limit",
           .type = OptionType::kUint,
           .doc = "More labels than that on a series fail the scrape. 0: no limit."},
          {.name = "label_name_length_limit",
           .type = OptionType::kUint,
           .doc = "A longer label name, in bytes, fails the scrape. 0: no limit."},
          {.name = "label_value_length_limit",
           .type = OptionType::kUint,
           .doc = "A longer label value, in bytes, fails the scrape. 0: no limit."},
          {.name = "keep_dropped_targets",
           .type = OptionType::kUint,
           .doc = "How many targets dropped by relabeling are kept for show, a job. 0: all."},
          {.name = "metric_name_validation_scheme",
           .type = OptionType::kEnum,
           .fallback = "utf8",
           .doc = "Which names of metrics and labels are valid.",
           .values = "utf8|legacy"},
          {.name = "metric_name_escaping_scheme",
           .type = OptionType::kEnum,
           .doc = "How targets are asked to escape names. Not given: allow-utf-8, or underscores "
                  "with legacy names.",
           .values = "allow-utf-8|underscores|dots|values"},
          {.name = "scrape_native_histograms",
           .type = OptionType::kBool,
           .fallback = "false",
           .doc = "Scrape native histograms, which targets have in the protobuf format.",
           .shown = true},
          {.name = "convert_classic_histograms_to_nhcb",
           .type = OptionType::kBool,
           .doc = "Turn classic histograms into native ones with custom buckets."},
          {.name = "always_scrape_classic_histograms",
           .type = OptionType::kBool,
           .doc = "Keep classic histograms beside native ones."},
          {.name = "extra_scrape_metrics",
           .type = OptionType::kBool,
           .fallback = "false",
           .doc = "Add scrape_timeout_seconds, scrape_sample_limit and scrape_body_size_bytes.",
           .shown = true},
      },
      CheckGlobal};
  return section;
}

namespace {

const Section& RuntimeSection() {
  static const Section section{
      "runtime",
      "How the process behaves.",
      {
          {.name = "gogc",
           .type = OptionType::kInt,
           .doc = "Tunes a garbage collector; there is none here.",
           .support = Support::kNoEffect},
          {.name = "log_level",
           .type = OptionType::kEnum,
           .fallback = "info",
           .doc = "Lowest level that is logged; today the flag --log.level says it.",
           .support = Support::kNotBuilt,
           .values = "debug|info|warn|error"},
      }};
  return section;
}

const Section& AlertingSection() {
  static const Section section{"alerting",
                               "Where alerts go; an agent raises none.",
                               {
                                   {.name = "alert_relabel_configs",
                                    .type = OptionType::kAny,
                                    .doc = "Alerts come from rules, and an agent has none.",
                                    .support = Support::kRefused},
                                   {.name = "alertmanagers",
                                    .type = OptionType::kAny,
                                    .doc = "Alerts come from rules, and an agent has none.",
                                    .support = Support::kRefused},
                               },
                               nullptr,
                               Support::kRefused};
  return section;
}

const Section& RetentionSection() {
  static const Section section{"retention",
                               "How long a database keeps samples; an agent has none.",
                               {
                                   {.name = "time",
                                    .type = OptionType::kDuration,
                                    .doc = "Age.",
                                    .support = Support::kNoEffect},
                                   {.name = "size",
                                    .type = OptionType::kSize,
                                    .doc = "Size.",
                                    .support = Support::kNoEffect},
                                   {.name = "percentage",
                                    .type = OptionType::kFloat,
                                    .doc = "Share of the disk.",
                                    .support = Support::kNoEffect},
                               },
                               CheckRetention,
                               Support::kNoEffect};
  return section;
}

const Section& ChunkEncodingSection() {
  static const Section section{"chunk_encoding",
                               "How a database packs samples; an agent has none.",
                               {
                                   {.name = "floats",
                                    .type = OptionType::kEnum,
                                    .doc = "Of plain samples.",
                                    .support = Support::kNoEffect,
                                    .values = "xor|xor2"},
                               },
                               nullptr,
                               Support::kNoEffect};
  return section;
}

const Section& TsdbSection() {
  static const Section section{
      "tsdb",
      "How samples are kept until they are sent.",
      {
          {.name = "out_of_order_time_window",
           .type = OptionType::kDuration,
           .doc = "How much older than the newest a sample with a timestamp of its own may be."},
          {.name = "stale_series_compaction_threshold",
           .type = OptionType::kFloat,
           .doc = "When a database drops stale series; an agent has none.",
           .support = Support::kNoEffect},
          {.name = "chunk_encoding",
           .type = OptionType::kSection,
           .doc = "How a database packs samples.",
           .support = Support::kNoEffect,
           .section = &ChunkEncodingSection()},
          {.name = "retention",
           .type = OptionType::kSection,
           .doc = "How long a database keeps samples.",
           .support = Support::kNoEffect,
           .section = &RetentionSection(),
           .optional = true},
      }};
  return section;
}

const Section& ExemplarsSection() {
  static const Section section{"exemplars",
                               "How a database keeps exemplars; an agent has none.",
                               {
                                   {.name = "max_exemplars",
                                    .type = OptionType::kInt,
                                    .doc = "How many.",
                                    .support = Support::kNoEffect},
                               },
                               nullptr,
                               Support::kNoEffect};
  return section;
}

const Section& StorageSection() {
  static const Section section{"storage",
                               "How samples are kept until they are sent.",
                               {
                                   {.name = "tsdb",
                                    .type = OptionType::kSection,
                                    .doc = "Samples.",
                                    .section = &TsdbSection(),
                                    .optional = true},
                                   {.name = "exemplars",
                                    .type = OptionType::kSection,
                                    .doc = "Exemplars.",
                                    .support = Support::kNoEffect,
                                    .section = &ExemplarsSection(),
                                    .optional = true},
                               }};
  return section;
}

const Section& TracingSection() {
  static const Section section{
      "tracing",
      "Where the agent's own traces go.",
      {
          {.name = "client_type",
           .type = OptionType::kEnum,
           .fallback = "grpc",
           .doc = "How OTLP is spoken: gRPC, or protobuf over HTTP (POST /v1/traces).",
           .values = "http|grpc"},
          {.name = "endpoint",
           .doc = "Host and port of the receiver, without scheme and path.",
           .required = true},
          {.name = "sampling_fraction",
           .type = OptionType::kFloat,
           .doc = "Share of the traces that are exported, from 0 to 1. What is not sampled has a "
                  "traceparent header all the same."},
          {.name = "insecure", .type = OptionType::kBool, .doc = "Without TLS."},
          {.name = "tls_config",
           .type = OptionType::kSection,
           .doc = "TLS towards the endpoint.",
           .section = &TlsSection()},
          {.name = "headers",
           .type = OptionType::kSecretMap,
           .doc = "Headers of each export; with gRPC, its metadata."},
          {.name = "compression",
           .type = OptionType::kEnum,
           .doc = "Compression of exports.",
           .values = "gzip"},
          {.name = "timeout",
           .type = OptionType::kDuration,
           .doc = "Of one export: by HTTP each attempt, by gRPC all of them. 0: 10s."},
      },
      CheckTracing};
  return section;
}

const Section& OtlpSection() {
  static const Section section{
      "otlp",
      "How metrics received by OTLP become series.",
      {
          {.name = "promote_all_resource_attributes",
           .type = OptionType::kBool,
           .doc = "Make labels of all resource attributes."},
          {.name = "promote_resource_attributes",
           .type = OptionType::kStrings,
           .doc = "Make labels of these."},
          {.name = "ignore_resource_attributes",
           .type = OptionType::kStrings,
           .doc = "Make labels of all but these."},
          {.name = "translation_strategy",
           .type = OptionType::kEnum,
           .fallback = "UnderscoreEscapingWithSuffixes",
           .doc = "How names are made.",
           .values = "UnderscoreEscapingWithSuffixes|UnderscoreEscapingWithoutSuffixes|"
                     "NoUTF8EscapingWithSuffixes|NoTranslation"},
          {.name = "keep_identifying_resource_attributes",
           .type = OptionType::kBool,
           .doc = "Keep service.name and its kin in target_info."},
          {.name = "convert_histograms_to_nhcb",
           .type = OptionType::kBool,
           .doc = "Turn histograms into native ones with custom buckets."},
          {.name = "promote_scope_metadata",
           .type = OptionType::kBool,
           .doc = "Make labels of the instrumentation scope."},
          {.name = "label_name_underscore_sanitization",
           .type = OptionType::kBool,
           .fallback = "true",
           .doc = "Prefix label names that begin with an underscore."},
          {.name = "label_name_preserve_multiple_underscores",
           .type = OptionType::kBool,
           .fallback = "true",
           .doc = "Keep runs of underscores in label names."},
      },
      CheckOtlp,
      Support::kNotBuilt};
  return section;
}

const Section& ReceiveSection() {
  static const Section section{
      "tributary.receive",
      "What others may send to /api/v1/write, which --web.enable-remote-write-receiver opens.",
      {
          {.name = "body_size_limit",
           .type = OptionType::kSize,
           .fallback = "32MB",
           .doc =
               "How large a request may be, compressed or decompressed; larger ones are answered "
               "with 413. At most 1GB.",
           .shown = true},
          {.name = "sample_limit",
           .type = OptionType::kUint,
           .fallback = "500000",
           .doc =
               "How many samples, histograms and exemplars a request may have; others are answered "
               "with 413.",
           .shown = true},
          {.name = "label_limit",
           .type = OptionType::kUint,
           .fallback = "200",
           .doc = "How many labels a series may have; others are refused. 0: no limit.",
           .shown = true},
          {.name = "label_name_length_limit",
           .type = OptionType::kUint,
           .fallback = "1024",
           .doc = "How many bytes the name of a label may have. 0: no limit.",
           .shown = true},
          {.name = "label_value_length_limit",
           .type = OptionType::kUint,
           .fallback = "16384",
           .doc = "How many bytes the value of a label may have. 0: no limit.",
           .shown = true},
          {.name = "series_limit_per_sender",
           .type = OptionType::kUint,
           .fallback = "0",
           .doc = "How many series a sender may have: a user of --web.config.file, else an "
                  "address. New ones above it are refused, the rest of a request is taken. 0: no "
                  "limit.",
           .shown = true},
          {.name = "cluster_label",
           .fallback = "cluster",
           .doc = "Which label names the cluster of a replica.",
           .shown = true},
          {.name = "replica_label",
           .fallback = "__replica__",
           .doc =
               "Which label names one of several replicas that send the same series. Of those of "
               "a cluster one is elected, what the others send is dropped, and the label is taken "
               "away. Empty: all are kept, and the label is a label.",
           .shown = true},
          {.name = "failover_timeout",
           .type = OptionType::kDuration,
           .fallback = "30s",
           .doc = "How long nothing must have come from the elected replica before another one is "
                  "elected.",
           .positive = true},
      },
      CheckReceive};
  return section;
}

const Section& TributarySection() {
  static const Section section{
      "tributary",
      "What Prometheus does not have. With such a section its file is no longer one that "
      "Prometheus reads.",
      {
          {.name = "scrape",
           .type = OptionType::kSection,
           .doc = "Limits on the series of all jobs that do not say it themselves; each job's own "
                  "limit is that high.",
           .section = &ScrapeLimitsSection(),
           .optional = true},
          {.name = "remote_write",
           .type = OptionType::kSection,
           .doc = "What becomes of errors of all remotes that do not say it themselves.",
           .section = &RemoteErrorsSection(),
           .optional = true},
          {.name = "receive",
           .type = OptionType::kSection,
           .doc = "What others may send by remote write.",
           .section = &ReceiveSection(),
           .optional = true},
          {.name = "aggregate",
           .type = OptionType::kSections,
           .doc = "Rules by which aggregates are made of series here, at the edge "
                  "([aggregation.md](aggregation.md)).",
           .section = &AggregateSection()},
          {.name = "downsample",
           .type = OptionType::kSections,
           .doc = "Series of which one sample is kept for each interval.",
           .section = &DownsampleSection()},
      },
      CheckTributary};
  return section;
}

}  // namespace

const Section& FileSection() {
  static const Section section{
      "the configuration file",
      "The top level of the file.",
      {
          {.name = "global",
           .type = OptionType::kSection,
           .doc = "What holds for all jobs and remotes.",
           .section = &GlobalSection(),
           .null_is_default = true},
          {.name = "runtime",
           .type = OptionType::kSection,
           .doc = "How the process behaves.",
           .section = &RuntimeSection(),
           .null_is_default = true},
          {.name = "alerting",
           .type = OptionType::kSection,
           .doc = "Alerts come from rules, and an agent has none.",
           .support = Support::kRefused,
           .section = &AlertingSection()},
          {.name = "rule_files",
           .type = OptionType::kStrings,
           .doc = "Rules belong to the store that the samples are sent to.",
           .support = Support::kRefused},
          {.name = "scrape_config_files",
           .type = OptionType::kPaths,
           .doc = "Files, or patterns of files, with further scrape_configs. Only the last part of "
                  "a path may hold wildcards."},
          {.name = "scrape_configs",
           .type = OptionType::kSections,
           .doc = "The jobs: what to scrape, and how.",
           .section = &ScrapeConfigSection()},
          {.name = "storage",
           .type = OptionType::kSection,
           .doc = "How samples are kept until they are sent.",
           .section = &StorageSection()},
          {.name = "tracing",
           .type = OptionType::kSection,
           .doc = "Where the agent's own traces go.",
           .section = &TracingSection(),
           .optional = true},
          {.name = "remote_write",
           .type = OptionType::kSections,
           .doc = "The remotes: where samples are sent, each with a queue of its own.",
           .section = &RemoteWriteSection()},
          {.name = "remote_read",
           .type = OptionType::kAny,
           .doc = "Queries belong to the store that the samples are sent to.",
           .support = Support::kRefused},
          {.name = "otlp",
           .type = OptionType::kSection,
           .doc = "How metrics received by OTLP become series.",
           .support = Support::kNotBuilt,
           .section = &OtlpSection()},
          {.name = "tributary",
           .type = OptionType::kSection,
           .doc = "What Prometheus does not have.",
           .section = &TributarySection(),
           .optional = true},
      },
      CheckFile};
  return section;
}

const Section& ScrapeConfigFileSection() {
  static const Section section{"a file of scrape_config_files",
                               "A file with further jobs, and nothing else.",
                               {
                                   {.name = "scrape_configs",
                                    .type = OptionType::kSections,
                                    .doc = "The jobs.",
                                    .section = &ScrapeConfigSection()},
                               }};
  return section;
}

}  // namespace tributary
