// Service discovery, the mechanisms of clusters and registries (discovery/*/*.go). An option's
// section is what one entry of its list holds.
#include "common/config/checks.h"
#include "common/config/options_sd.h"

namespace tributary {

namespace {

const Section& NamespacesSection() {
  static const Section section{"namespaces",
                               "Namespaces to look at.",
                               {
                                   {.name = "own_namespace",
                                    .type = OptionType::kBool,
                                    .doc = "The one that the agent runs in."},
                                   {.name = "names", .type = OptionType::kStrings, .doc = "These."},
                               }};
  return section;
}

const Section& SelectorSection() {
  static const Section section{
      "selector",
      "Which objects of a role to take.",
      {
          {.name = "role",
           .type = OptionType::kEnum,
           .doc = "Of these objects. Which ones a role looks at: pod (also node), endpoints and "
                  "endpointslice (also pod and service).",
           .values = "node|pod|service|endpoints|endpointslice|ingress"},
          {.name = "label", .doc = "Label selector: \"app=web,tier!=db\"."},
          {.name = "field", .doc = "Field selector: \"spec.nodeName=n1\"."},
      }};
  return section;
}

const Section& AttachMetadataSection() {
  static const Section section{
      "attach_metadata",
      "Labels of objects that a target belongs to.",
      {
          {.name = "node", .type = OptionType::kBool, .doc = "Of its node."},
          {.name = "namespace", .type = OptionType::kBool, .doc = "Of its namespace."},
          {.name = "deployment", .type = OptionType::kBool, .doc = "Of its deployment."},
          {.name = "job", .type = OptionType::kBool, .doc = "Of its job."},
          {.name = "cronjob", .type = OptionType::kBool, .doc = "Of its cron job."},
      }};
  return section;
}

}  // namespace

const Section& ConsulSdSection() {
  static const Section section{
      "consul_sd_config", "Services of Consul.",
      Join({{
                {.name = "server", .fallback = "localhost:8500", .doc = "host:port of the API."},
                {.name = "path_prefix", .doc = "Path in front of the API."},
                {.name = "token", .type = OptionType::kSecret, .doc = "Access token."},
                {.name = "datacenter", .doc = "Data centre."},
                {.name = "namespace", .doc = "Namespace."},
                {.name = "partition", .doc = "Partition."},
                {.name = "tag_separator", .fallback = ",", .doc = "What tags are joined with."},
                {.name = "scheme", .fallback = "http", .doc = "http or https."},
                {.name = "username", .doc = "User name."},
                {.name = "password", .type = OptionType::kSecret, .doc = "Password."},
                {.name = "allow_stale",
                 .type = OptionType::kBool,
                 .fallback = "true",
                 .doc = "Accept answers of followers."},
                RefreshIntervalOption("30s"),
                {.name = "services",
                 .type = OptionType::kStrings,
                 .doc = "Services to look at. Not given: all."},
                {.name = "tags",
                 .type = OptionType::kStrings,
                 .doc = "Tags that a service must have."},
                {.name = "node_meta",
                 .type = OptionType::kMap,
                 .doc = "Metadata that a node must have."},
                {.name = "filter", .doc = "Expression for the catalog."},
                {.name = "health_filter", .doc = "Expression for the health API."},
            },
            HttpClientOptions(true)}),
      CheckConsulSd, Support::kNotBuilt};
  return section;
}

const Section& DnsSdSection() {
  static const Section section{
      "dns_sd_config",
      "Names that DNS resolves to targets.",
      {
          {.name = "names",
           .type = OptionType::kStrings,
           .doc = "Names to ask for.",
           .required = true},
          RefreshIntervalOption("30s"),
          {.name = "type", .fallback = "SRV", .doc = "SRV, A, AAAA, MX or NS."},
          {.name = "port",
           .type = OptionType::kInt,
           .doc = "Port of the targets, for all but SRV.",
           .shown = true},
      },
      CheckDnsSd,
      Support::kBuilt};
  return section;
}

const Section& DockerSdSection() {
  static const Section section{
      "docker_sd_config", "Containers of a Docker daemon.",
      Join({HttpClientOptions(true),
            {
                {.name = "host", .doc = "Address of the daemon.", .required = true},
                PortOption("80"),
                FiltersOption(),
                {.name = "host_networking_host",
                 .fallback = "localhost",
                 .doc = "Host of containers in the host network."},
                RefreshIntervalOption("1m"),
                {.name = "match_first_network",
                 .type = OptionType::kBool,
                 .fallback = "true",
                 .doc = "Take the first network only."},
            }}),
      CheckHttpClient, Support::kNotBuilt};
  return section;
}

const Section& DockerSwarmSdSection() {
  static const Section section{
      "dockerswarm_sd_config", "Services, nodes and tasks of a Docker swarm.",
      Join({HttpClientOptions(true),
            {
                {.name = "host", .doc = "Address of the daemon.", .required = true},
                {.name = "role",
                 .type = OptionType::kEnum,
                 .doc = "What to look for.",
                 .values = "services|nodes|tasks",
                 .required = true},
                PortOption("80"),
                FiltersOption(),
                RefreshIntervalOption("1m"),
            }}),
      CheckHttpClient, Support::kNotBuilt};
  return section;
}

const Section& EurekaSdSection() {
  static const Section section{
      "eureka_sd_config", "Instances of Eureka.",
      Join({{
                {.name = "server", .doc = "URL of the server.", .required = true},
            },
            HttpClientOptions(true),
            {
                RefreshIntervalOption("30s"),
            }}),
      CheckServerUrl, Support::kNotBuilt};
  return section;
}

const Section& FileSdSection() {
  static const Section section{
      "file_sd_config",
      "Target groups in files (JSON or YAML), read again when they change.",
      {
          {.name = "files",
           .type = OptionType::kPaths,
           .doc = "Files, or patterns of files, that end in .json, .yml or .yaml. Only the last "
                  "part of a path may hold wildcards.",
           .required = true},
          {.name = "refresh_interval",
           .type = OptionType::kDuration,
           .fallback = "5m",
           .doc = "How often to look even if no change was seen.",
           .positive = true},
      },
      CheckFileSd,
      Support::kBuilt};
  return section;
}

const Section& HttpSdSection() {
  static const Section section{
      "http_sd_config", "Target groups that a web server answers.",
      Join({HttpClientOptions(true),
            {
                RefreshIntervalOption("1m"),
                {.name = "url", .type = OptionType::kUrl, .doc = "Where to ask.", .required = true},
            }}),
      CheckHttpSd, Support::kBuilt};
  return section;
}

const Section& KubernetesSdSection() {
  static const Section section{
      "kubernetes_sd_config", "Pods, services and nodes of Kubernetes.",
      Join({{
                {.name = "api_server",
                 .type = OptionType::kUrl,
                 .doc = "URL of the API. Not given: from inside the cluster."},
                {.name = "role",
                 .type = OptionType::kEnum,
                 .doc = "What to look for.",
                 .values = "node|pod|service|endpoints|endpointslice|ingress",
                 .required = true},
                {.name = "kubeconfig_file",
                 .type = OptionType::kPath,
                 .doc = "File of the access to the API, as kubectl has it. Its exec and "
                        "auth-provider plugins are refused."},
            },
            HttpClientOptions(true),
            {
                {.name = "namespaces",
                 .type = OptionType::kSection,
                 .doc = "Namespaces to look at.",
                 .section = &NamespacesSection()},
                {.name = "selectors",
                 .type = OptionType::kSections,
                 .doc = "Which objects to take.",
                 .section = &SelectorSection()},
                {.name = "attach_metadata",
                 .type = OptionType::kSection,
                 .doc = "Labels of objects that a target belongs to.",
                 .section = &AttachMetadataSection()},
            }}),
      CheckKubernetesSd, Support::kBuilt};
  return section;
}

const Section& KumaSdSection() {
  static const Section section{
      "kuma_sd_config", "Data plane proxies of Kuma.",
      Join({HttpClientOptions(true),
            {
                RefreshIntervalOption("15s"),
                {.name = "fetch_timeout",
                 .type = OptionType::kDuration,
                 .fallback = "2m",
                 .doc = "Of one request."},
                {.name = "server", .doc = "URL of the control plane.", .required = true},
                {.name = "client_id", .doc = "Name of this client."},
            }}),
      CheckServerUrl, Support::kNotBuilt};
  return section;
}

const Section& MarathonSdSection() {
  static const Section section{
      "marathon_sd_config", "Apps of Marathon.",
      Join({{
                {.name = "servers",
                 .type = OptionType::kStrings,
                 .doc = "URLs of the servers.",
                 .required = true},
                RefreshIntervalOption("30s"),
                {.name = "auth_token", .type = OptionType::kSecret, .doc = "Access token."},
                {.name = "auth_token_file",
                 .type = OptionType::kPath,
                 .doc = "File that holds the token."},
            },
            HttpClientOptions(true)}),
      CheckMarathonSd, Support::kNotBuilt};
  return section;
}

const Section& NerveSdSection() {
  static const Section section{"nerve_sd_config",
                               "Nerve services in ZooKeeper.",
                               {
                                   {.name = "servers",
                                    .type = OptionType::kStrings,
                                    .doc = "ZooKeeper servers.",
                                    .required = true},
                                   {.name = "paths",
                                    .type = OptionType::kStrings,
                                    .doc = "Paths to look at.",
                                    .required = true},
                                   {.name = "timeout",
                                    .type = OptionType::kDuration,
                                    .fallback = "10s",
                                    .doc = "Of a session."},
                               },
                               CheckZookeeperSd,
                               Support::kNotBuilt};
  return section;
}

const Section& NomadSdSection() {
  static const Section section{
      "nomad_sd_config", "Services of Nomad.",
      Join({{
                {.name = "allow_stale",
                 .type = OptionType::kBool,
                 .fallback = "true",
                 .doc = "Accept answers of followers."},
            },
            HttpClientOptions(true),
            {
                {.name = "namespace", .fallback = "default", .doc = "Namespace."},
                RefreshIntervalOption("1m"),
                {.name = "region", .fallback = "global", .doc = "Region."},
                {.name = "server",
                 .fallback = "http://localhost:4646",
                 .doc = "URL of the API.",
                 .required = true},
                {.name = "tag_separator", .fallback = ",", .doc = "What tags are joined with."},
            }}),
      CheckHttpClient, Support::kNotBuilt};
  return section;
}

const Section& PuppetDbSdSection() {
  static const Section section{
      "puppetdb_sd_config", "Resources of PuppetDB.",
      Join({HttpClientOptions(true),
            {
                RefreshIntervalOption("1m"),
                {.name = "url", .type = OptionType::kUrl, .doc = "Where to ask.", .required = true},
                {.name = "query", .doc = "PQL query.", .required = true},
                {.name = "include_parameters",
                 .type = OptionType::kBool,
                 .doc = "Make labels of parameters."},
                PortOption("80"),
            }}),
      CheckPuppetDbSd, Support::kNotBuilt};
  return section;
}

const Section& ServersetSdSection() {
  static const Section section{"serverset_sd_config",
                               "Serversets in ZooKeeper.",
                               {
                                   {.name = "servers",
                                    .type = OptionType::kStrings,
                                    .doc = "ZooKeeper servers.",
                                    .required = true},
                                   {.name = "paths",
                                    .type = OptionType::kStrings,
                                    .doc = "Paths to look at.",
                                    .required = true},
                                   {.name = "timeout",
                                    .type = OptionType::kDuration,
                                    .fallback = "10s",
                                    .doc = "Of a session."},
                               },
                               CheckZookeeperSd,
                               Support::kNotBuilt};
  return section;
}

}  // namespace tributary
