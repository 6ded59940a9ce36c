// remote_write and what only it has (config/config.go, storage/remote/azuread, prometheus/sigv4).
#include "common/config/checks.h"
#include "common/config/options.h"

namespace tributary {

const Section& Sigv4Section() {
  static const Section section{
      "sigv4",
      "Signs each request, each retry anew, with AWS Signature Version 4. Without keys: those of "
      "the profile, the environment, the shared files, the container or the instance, in AWS' "
      "order.",
      {
          {.name = "region",
           .doc = "AWS region. Not given: that of the environment, the profile or the instance."},
          {.name = "access_key", .type = OptionType::kSecret, .doc = "Access key id."},
          {.name = "secret_key", .type = OptionType::kSecret, .doc = "Secret access key."},
          {.name = "profile", .doc = "Profile of the AWS configuration files."},
          {.name = "role_arn", .doc = "Role to assume, with the keys found."},
          {.name = "external_id", .doc = "External id for the role."},
          {.name = "session_name", .doc = "Session name for the role."},
          {.name = "tags", .type = OptionType::kMap, .doc = "Session tags for the role."},
          {.name = "use_fips_sts_endpoint",
           .type = OptionType::kBool,
           .doc = "Assume the role by a FIPS endpoint."},
          {.name = "service_name", .doc = "Service to sign for. Not given: aps."},
      },
      CheckSigv4};
  return section;
}

const Section& RemoteShareSection() {
  static const Section section{
      "share of remote_write",
      "Series that are shared among several remotes: each goes to one of the group, or to some, "
      "and "
      "to the same ones always. A remote that joins or leaves moves its part of the series, and no "
      "other. What decides are the labels that a series has in the agent, without external labels "
      "and before write_relabel_configs. All members of a group say the same.",
      {
          {.name = "group",
           .doc = "The group's name. Not given: the remote is in none and gets all series."},
          {.name = "replicas",
           .type = OptionType::kInt,
           .fallback = "1",
           .doc = "To how many members each series goes.",
           .positive = true},
          {.name = "labels",
           .type = OptionType::kStrings,
           .doc = "Which labels decide: series that have the same values go the same way. Not "
                  "given: all."},
          {.name = "ignore_labels",
           .type = OptionType::kStrings,
           .doc = "Which labels do not decide, as `le`, so that a histogram's buckets stay "
                  "together. Not with `labels`."},
      },
      CheckRemoteShare};
  return section;
}

const Section& RemoteErrorsSection() {
  static const Section section{
      "tributary of remote_write",
      "What becomes of a remote's errors, which series it gets and how many it may have; none of "
      "it "
      "is Prometheus'. All false, and the size 0B, "
      "is what Prometheus does: network errors, 5xx and (`retry_on_http_429`) 429 are retried, all "
      "else is dropped and counted.",
      {
          {.name = "retry_auth_errors",
           .type = OptionType::kBool,
           .fallback = "true",
           .doc = "Keep what was answered with 401 or 403, and try it again after 2 s, doubling to "
                  "1 m, and at once when a file of credentials changes.",
           .shown = true},
          {.name = "split_rejected",
           .type = OptionType::kBool,
           .fallback = "true",
           .doc =
               "Send what was answered with 400 or 413 again in halves, by at most 32 requests, "
               "to find the series that are refused; the others are delivered. What may have been "
               "delivered before a crash is divided as far as need be.",
           .shown = true},
          {.name = "quarantine_refused",
           .type = OptionType::kBool,
           .fallback = "true",
           .doc = "Leave a series out that was refused alone three times in a row, and try it "
                  "alone once an hour. Needs split_rejected.",
           .shown = true},
          {.name = "split_too_many_series",
           .type = OptionType::kBool,
           .fallback = "true",
           .doc = "With retry_on_http_429: what is answered with 429 for 30 s and 8 times, while "
                  "other samples are taken, is sent in halves; what is still refused is dropped. "
                  "Otherwise it is retried for ever, and others wait for it.",
           .shown = true},
          {.name = "count_maybe_duplicates",
           .type = OptionType::kBool,
           .fallback = "true",
           .doc = "Count what was answered with 400 and may have been delivered before a crash as "
                  "dropped with reason maybe_duplicate, not as failed.",
           .shown = true},
          {.name = "dead_letter_size",
           .type = OptionType::kSize,
           .fallback = "16MB",
           .doc = "How much of what was refused is kept to be looked at, in "
                  "dead-letter/NAME.jsonl below `--storage.path`. 0B: nothing.",
           .shown = true},
          {.name = "series_limit",
           .type = OptionType::kUint,
           .fallback = "0",
           .doc = "How many series the remote may have; new ones above it are not sent to it until "
                  "there is room. 0: no limit.",
           .shown = true},
          {.name = "share",
           .type = OptionType::kSection,
           .doc = "With which other remotes it shares the series.",
           .section = &RemoteShareSection(),
           .optional = true},
      },
      CheckRemoteErrors};
  return section;
}

namespace {

const Section& QueueSection() {
  static const Section section{
      "queue_config",
      "The queue of a remote. Shards are requests in flight.",
      {
          {.name = "capacity",
           .type = OptionType::kInt,
           .fallback = "10000",
           .doc = "Samples read ahead, a shard.",
           .positive = true},
          {.name = "max_shards",
           .type = OptionType::kInt,
           .fallback = "50",
           .doc = "Most shards.",
           .positive = true},
          {.name = "min_shards",
           .type = OptionType::kInt,
           .fallback = "1",
           .doc = "Fewest shards, and how many it begins with.",
           .positive = true},
          {.name = "max_samples_per_send",
           .type = OptionType::kInt,
           .fallback = "2000",
           .doc = "Most samples of a request.",
           .positive = true},
          {.name = "batch_send_deadline",
           .type = OptionType::kDuration,
           .fallback = "5s",
           .doc = "How long a sample waits for its request to fill up."},
          {.name = "min_backoff",
           .type = OptionType::kDuration,
           .fallback = "30ms",
           .doc = "First pause before a retry; it doubles each time."},
          {.name = "max_backoff",
           .type = OptionType::kDuration,
           .fallback = "5s",
           .doc = "Longest pause before a retry."},
          {.name = "retry_on_http_429",
           .type = OptionType::kBool,
           .doc = "Retry what was answered with 429; otherwise it is dropped and counted."},
          {.name = "sample_age_limit",
           .type = OptionType::kDuration,
           .doc = "Older samples are dropped and counted rather than sent. 0: none."},
      },
      CheckQueue};
  return section;
}

const Section& MetadataSection() {
  static const Section section{"metadata_config",
                               "Sends type, unit and help of metrics, with version 1.0 of the "
                               "protocol; version 2.0 has them beside each series.",
                               {
                                   {.name = "send",
                                    .type = OptionType::kBool,
                                    .fallback = "true",
                                    .doc = "Whether to send them.",
                                    .shown = true},
                                   {.name = "send_interval",
                                    .type = OptionType::kDuration,
                                    .fallback = "1m",
                                    .doc = "How often.",
                                    .shown = true},
                                   {.name = "max_samples_per_send",
                                    .type = OptionType::kInt,
                                    .fallback = "2000",
                                    .doc = "Most metrics of a request."},
                               },
                               CheckMetadata};
  return section;
}

const Section& ManagedIdentitySection() {
  static const Section section{
      "managed_identity", "A managed identity.", {{.name = "client_id", .doc = "Its client id."}}};
  return section;
}

const Section& WorkloadIdentitySection() {
  static const Section section{"workload_identity",
                               "A workload identity.",
                               {
                                   {.name = "client_id", .doc = "Its client id.", .required = true},
                                   {.name = "tenant_id", .doc = "Its tenant id.", .required = true},
                                   {.name = "token_file_path", .doc = "File of the token."},
                               }};
  return section;
}

const Section& AzureOauthSection() {
  static const Section section{"oauth",
                               "An application's secret.",
                               {
                                   {.name = "client_id", .doc = "Its client id.", .required = true},
                                   {.name = "client_secret",
                                    .type = OptionType::kSecret,
                                    .doc = "Its secret.",
                                    .required = true},
                                   {.name = "tenant_id", .doc = "Its tenant id.", .required = true},
                               }};
  return section;
}

const Section& AzureSdkSection() {
  static const Section section{
      "sdk", "What the SDK finds.", {{.name = "tenant_id", .doc = "Tenant id."}}};
  return section;
}

const Section& AzureCertificateSection() {
  static const Section section{
      "certificate",
      "An application's certificate.",
      {
          {.name = "client_id", .doc = "Its client id.", .required = true},
          {.name = "tenant_id", .doc = "Its tenant id.", .required = true},
          {.name = "certificate_path", .doc = "File of the certificate.", .required = true},
          {.name = "certificate_key_path", .doc = "File of its key."},
          {.name = "certificate_password",
           .type = OptionType::kSecret,
           .doc = "Password of the file."},
          {.name = "send_certificate_chain",
           .type = OptionType::kBool,
           .doc = "Show the chain, too."},
      }};
  return section;
}

const Section& AzureAdSection() {
  static const Section section{"azuread",
                               "A token from Microsoft Entra ID.",
                               {
                                   {.name = "managed_identity",
                                    .type = OptionType::kSection,
                                    .doc = "By a managed identity.",
                                    .section = &ManagedIdentitySection(),
                                    .optional = true},
                                   {.name = "workload_identity",
                                    .type = OptionType::kSection,
                                    .doc = "By a workload identity.",
                                    .section = &WorkloadIdentitySection(),
                                    .optional = true},
                                   {.name = "oauth",
                                    .type = OptionType::kSection,
                                    .doc = "By an application's secret.",
                                    .section = &AzureOauthSection(),
                                    .optional = true},
                                   {.name = "sdk",
                                    .type = OptionType::kSection,
                                    .doc = "By what the SDK finds.",
                                    .section = &AzureSdkSection(),
                                    .optional = true},
                                   {.name = "certificate",
                                    .type = OptionType::kSection,
                                    .doc = "By an application's certificate.",
                                    .section = &AzureCertificateSection(),
                                    .optional = true},
                                   {.name = "cloud",
                                    .type = OptionType::kEnum,
                                    .doc = "Which cloud.",
                                    .values = "AzurePublic|AzureGovernment|AzureChina"},
                                   {.name = "scope", .doc = "OAuth scope to ask for."},
                               },
                               CheckAzureAd,
                               Support::kNotBuilt};
  return section;
}

const Section& GoogleIamSection() {
  static const Section section{
      "google_iam",
      "A token from Google Cloud.",
      {{.name = "credentials_file", .doc = "File of a service account's credentials."}},
      nullptr,
      Support::kNotBuilt};
  return section;
}

std::vector<Option> RemoteOptions() {
  return {
      {.name = "url", .type = OptionType::kUrl, .doc = "Where to send.", .required = true},
      {.name = "remote_timeout",
       .type = OptionType::kDuration,
       .fallback = "30s",
       .doc = "Of one request.",
       .positive = true},
      {.name = "headers",
       .type = OptionType::kSecretMap,
       .doc = "Headers to add to each request; those of the protocol are refused. Shown as "
              "secrets."},
      {.name = "write_relabel_configs",
       .type = OptionType::kSections,
       .doc = "Rules over the labels of each series, external labels included, before it is sent.",
       .section = &RelabelSection()},
      {.name = "name",
       .doc = "Name in metrics and logs. Not given: six hex digits of a hash over the entry."},
      {.name = "send_exemplars",
       .type = OptionType::kBool,
       .doc = "Send exemplars. They count towards `max_samples_per_send` and `capacity`."},
      {.name = "send_native_histograms",
       .type = OptionType::kBool,
       .doc = "Send native histograms, with either version of the protocol. Version 1.0 cannot "
              "carry those with custom buckets: they are dropped and counted."},
      {.name = "round_robin_dns",
       .type = OptionType::kBool,
       .doc = "Spread connections over the addresses of the host.",
       .support = Support::kNotBuilt},
      {.name = "protobuf_message",
       .type = OptionType::kEnum,
       .fallback = "prometheus.WriteRequest",
       .doc = "Version of the protocol: 1.0 is prometheus.WriteRequest, 2.0 is "
              "io.prometheus.write.v2.Request. auto, which Prometheus does not have, is 2.0 until "
              "the receiver answers that it does not know it, and 1.0 from then on.",
       .values = "prometheus.WriteRequest|io.prometheus.write.v2.Request|auto",
       .required = true},
      {.name = "failed_request_logging",
       .type = OptionType::kBool,
       .doc = "Log requests of version 2.0 that failed.",
       .support = Support::kNotBuilt},
  };
}

}  // namespace

const Section& RemoteWriteSection() {
  static const Section section{
      "remote_write", "A remote: a store that samples are sent to.",
      Join({RemoteOptions(),
            HttpClientOptions(false),
            {
                {.name = "queue_config",
                 .type = OptionType::kSection,
                 .doc = "Its queue.",
                 .section = &QueueSection()},
                {.name = "metadata_config",
                 .type = OptionType::kSection,
                 .doc = "Metadata of metrics.",
                 .section = &MetadataSection()},
                {.name = "sigv4",
                 .type = OptionType::kSection,
                 .doc = "Sign requests for AWS.",
                 .section = &Sigv4Section(),
                 .optional = true},
                {.name = "azuread",
                 .type = OptionType::kSection,
                 .doc = "A token from Microsoft Entra ID.",
                 .support = Support::kNotBuilt,
                 .section = &AzureAdSection(),
                 .optional = true},
                {.name = "google_iam",
                 .type = OptionType::kSection,
                 .doc = "A token from Google Cloud.",
                 .support = Support::kNotBuilt,
                 .section = &GoogleIamSection(),
                 .optional = true},
                {.name = "convert_nhcb_to_classic",
                 .type = OptionType::kBool,
                 .doc = "Turn native histograms with custom buckets into classic ones.",
                 .support = Support::kNotBuilt},
                {.name = "tributary",
                 .type = OptionType::kSection,
                 .doc = "What becomes of errors. What is not said here is as at the top level.",
                 .section = &RemoteErrorsSection(),
                 .optional = true},
            }}),
      CheckRemoteWrite};
  return section;
}

}  // namespace tributary
