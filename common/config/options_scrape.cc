// A job and its relabeling (config/config.go, model/relabel/relabel.go).
#include "common/config/checks.h"
#include "common/config/options.h"

namespace tributary {

const Section& RelabelSection() {
  static const Section section{
      "relabel_config",
      "One rule of relabel_configs, metric_relabel_configs or write_relabel_configs.",
      {
          {.name = "source_labels",
           .type = OptionType::kStrings,
           .doc = "Labels whose values are joined and matched."},
          {.name = "separator",
           .type = OptionType::kString,
           .fallback = ";",
           .doc = "What the values are joined with.",
           .shown = true},
          {.name = "regex",
           .type = OptionType::kString,
           .fallback = "(.*)",
           .doc = "RE2 expression that has to match the whole."},
          {.name = "modulus", .type = OptionType::kUint, .doc = "Of the hash, for hashmod."},
          {.name = "target_label",
           .type = OptionType::kString,
           .doc = "The label that is written; $1 and ${1} stand for groups of the regex."},
          {.name = "replacement",
           .type = OptionType::kString,
           .fallback = "$1",
           .doc = "What is written; groups as above.",
           .shown = true},
          {.name = "action",
           .type = OptionType::kString,
           .fallback = "replace",
           .doc = "replace, keep, drop, hashmod, labelmap, labeldrop, labelkeep, lowercase, "
                  "uppercase, keepequal or dropequal."},
      },
      CheckRelabel};
  return section;
}

const Section& StaticConfigSection() {
  static const Section section{
      "static_config",
      "Targets that are named one by one.",
      {
          {.name = "targets",
           .type = OptionType::kStrings,
           .doc = "host:port of each target.",
           .shown = true},
          {.name = "labels", .type = OptionType::kLabels, .doc = "Labels of all of them."},
      }};
  return section;
}

namespace {

std::vector<Option> JobOptions() {
  return {
      {.name = "job_name",
       .doc = "Name of the job, and default of the label job. Each job has its own.",
       .required = true,
       .shown = true},
      {.name = "honor_labels",
       .type = OptionType::kBool,
       .doc = "Where a page and a target have the same label, keep the page's."},
      {.name = "honor_timestamps",
       .type = OptionType::kBool,
       .fallback = "true",
       .doc = "Keep timestamps that a page gives.",
       .shown = true},
      {.name = "track_timestamps_staleness",
       .type = OptionType::kBool,
       .fallback = "false",
       .doc = "Mark vanished series as stale even if they had timestamps of their own.",
       .shown = true},
      {.name = "params", .type = OptionType::kListMap, .doc = "Query of the URL."},
      {.name = "scrape_interval",
       .type = OptionType::kDuration,
       .doc = "How often its targets are scraped. Not given: as in global."},
      {.name = "scrape_timeout",
       .type = OptionType::kDuration,
       .doc = "How long a scrape may take. Not given: as in global, at most the interval."},
      {.name = "scrape_protocols",
       .type = OptionType::kEnums,
       .doc = "Formats to ask for, the best first. Not given: as in global.",
       .values = kScrapeProtocols,
       .unbuilt_values = kUnbuiltScrapeProtocols},
      {.name = "fallback_scrape_protocol",
       .type = OptionType::kEnum,
       .doc = "Format of a page whose Content-Type is missing or unknown; without it such a "
              "scrape fails.",
       .values = kScrapeProtocols,
       .unbuilt_values = kUnbuiltScrapeProtocols},
      {.name = "scrape_native_histograms",
       .type = OptionType::kBool,
       .doc = "Scrape native histograms. Not given: as in global.",
       .shown = true},
      {.name = "always_scrape_classic_histograms",
       .type = OptionType::kBool,
       .doc = "Keep classic histograms beside native ones. Not given: as in global.",
       .shown = true},
      {.name = "convert_classic_histograms_to_nhcb",
       .type = OptionType::kBool,
       .doc = "Turn classic histograms into native ones. Not given: as in global.",
       .shown = true},
      {.name = "scrape_failure_log_file",
       .type = OptionType::kPath,
       .doc = "File in which failed scrapes are logged. Not given: as in global.",
       .support = Support::kNotBuilt},
      {.name = "metrics_path", .fallback = "/metrics", .doc = "Path of the page."},
      {.name = "scheme", .fallback = "http", .doc = "http or https."},
      {.name = "enable_compression",
       .type = OptionType::kBool,
       .fallback = "true",
       .doc = "Ask for pages packed with gzip.",
       .shown = true},
      {.name = "body_size_limit",
       .type = OptionType::kSize,
       .doc = "Largest page, once unpacked. 0: as in global."},
      {.name = "sample_limit",
       .type = OptionType::kUint,
       .doc = "Most samples of a page after metric relabeling. 0: as in global."},
      {.name = "target_limit",
       .type = OptionType::kUint,
       .doc = "Most targets after relabeling. 0: as in global."},
      {.name = "label_limit",
       .type = OptionType::kUint,
       .doc = "Most labels of a series. 0: as in global."},
      {.name = "label_name_length_limit",
       .type = OptionType::kUint,
       .doc = "Longest label name. 0: as in global."},
      {.name = "label_value_length_limit",
       .type = OptionType::kUint,
       .doc = "Longest label value. 0: as in global."},
      {.name = "native_histogram_bucket_limit",
       .type = OptionType::kUint,
       .doc =
           "Most buckets of a native histogram: one with more is made coarser, and a scrape with "
           "one that cannot be fails. 0: no limit."},
      {.name = "native_histogram_min_bucket_factor",
       .type = OptionType::kFloat,
       .doc = "Finest growth from bucket to bucket of a native histogram: finer ones are made "
              "coarser. 0: no limit."},
      {.name = "keep_dropped_targets",
       .type = OptionType::kUint,
       .doc = "How many dropped targets are kept for show. 0: as in global."},
      {.name = "metric_name_validation_scheme",
       .type = OptionType::kEnum,
       .doc = "Which names are valid. Not given: as in global.",
       .values = "utf8|legacy"},
      {.name = "metric_name_escaping_scheme",
       .type = OptionType::kEnum,
       .doc = "How targets are asked to escape names. Not given: as in global, or what fits the "
              "job's validation scheme.",
       .values = "allow-utf-8|underscores|dots|values"},
      {.name = "extra_scrape_metrics",
       .type = OptionType::kBool,
       .doc = "Add series about the scrape's limits. Not given: as in global.",
       .shown = true},
  };
}

}  // namespace

const Section& ScrapeLimitsSection() {
  static const Section section{
      "tributary of scrape_config",
      "Limits on the number of series; none of them is Prometheus'. Series that are known go on; a "
      "new one above a limit is dropped and counted until there is room, the rest of the scrape is "
      "kept.",
      {
          {.name = "series_limit_per_target",
           .type = OptionType::kUint,
           .doc = "How many series a target may have. 0: no limit.",
           .shown = true},
          {.name = "series_limit",
           .type = OptionType::kUint,
           .doc = "How many series all targets of the job may have together. 0: no limit.",
           .shown = true},
      }};
  return section;
}

const Section& ScrapeConfigSection() {
  static const Section section{
      "scrape_config", "A job: targets that are found and scraped alike.",
      Join({JobOptions(),
            HttpClientOptions(true),
            {
                {.name = "relabel_configs",
                 .type = OptionType::kSections,
                 .doc = "Rules over the labels of a target before it is scraped.",
                 .section = &RelabelSection()},
                {.name = "metric_relabel_configs",
                 .type = OptionType::kSections,
                 .doc = "Rules over the labels of each series scraped.",
                 .section = &RelabelSection()},
                {.name = "tributary",
                 .type = OptionType::kSection,
                 .doc = "Limits on the number of series. What is not said here is as at the top "
                        "level.",
                 .section = &ScrapeLimitsSection(),
                 .optional = true},
            },
            ServiceDiscoveryOptions()}),
      CheckScrapeConfig};
  return section;
}

}  // namespace tributary
