// Service discovery, AWS and what its mechanisms share (discovery/*/*.go). An option's section is
// what one entry of its list holds.
#include "common/config/checks.h"
#include "common/config/options_sd.h"

namespace tributary {

const Section& FilterSection() {
  static const Section section{
      "filter",
      "Which objects an API is asked for.",
      {
          {.name = "name", .doc = "What to look at."},
          {.name = "values", .type = OptionType::kStrings, .doc = "What it may be."},
      },
      nullptr};
  return section;
}

Option FiltersOption() {
  return {.name = "filters",
          .type = OptionType::kSections,
          .doc = "Which of them to take.",
          .section = &FilterSection()};
}

Option PortOption(std::string_view fallback) {
  return {.name = "port",
          .type = OptionType::kInt,
          .fallback = fallback,
          .doc = "Port of the targets."};
}

Option RefreshIntervalOption(std::string_view fallback) {
  return {.name = "refresh_interval",
          .type = OptionType::kDuration,
          .fallback = fallback,
          .doc = "How often to ask."};
}

namespace {

Option ClustersOption() {
  return {.name = "clusters",
          .type = OptionType::kStrings,
          .doc = "Clusters to look at. Not given: all."};
}

Option PerContainerOption() {
  return {.name = "per_container",
          .type = OptionType::kBool,
          .fallback = "false",
          .doc =
              "Of Tributary alone: instead of one target for each task of ECS, one for each port "
              "of its containers, with their Docker labels."};
}

Option RequestConcurrencyOption(std::string_view fallback) {
  return {.name = "request_concurrency",
          .type = OptionType::kInt,
          .fallback = fallback,
          .doc = "Requests at the same time.",
          .positive = true};
}

// How all of AWS' mechanisms reach their API.
std::vector<Option> AwsApiOptions() {
  return {
      {.name = "region", .doc = "AWS region. Not given: found out."},
      {.name = "endpoint", .doc = "Another address of the API."},
      {.name = "access_key", .type = OptionType::kSecret, .doc = "Access key id."},
      {.name = "secret_key", .type = OptionType::kSecret, .doc = "Secret access key."},
      {.name = "profile", .doc = "Profile of the AWS configuration files."},
      {.name = "role_arn", .doc = "Role to assume."},
      {.name = "external_id", .doc = "External id for the role."},
  };
}

}  // namespace

const Section& AwsSdSection() {
  static const Section section{"aws_sd_config",
                               "Instances, tasks and databases of AWS, one kind a role.",
                               Join({{
                                         {.name = "role",
                                          .type = OptionType::kEnum,
                                          .doc = "What to look for.",
                                          .values = "ec2|ecs|elasticache|lightsail|msk|rds",
                                          .unbuilt_values = "elasticache|lightsail|msk|rds",
                                          .required = true},
                                     },
                                     AwsApiOptions(),
                                     {
                                         ClustersOption(),
                                         PortOption("80"),
                                         RefreshIntervalOption("1m"),
                                         FiltersOption(),
                                         PerContainerOption(),
                                     },
                                     HttpClientOptions(true)}),
                               CheckAwsSd};
  return section;
}

const Section& Ec2SdSection() {
  static const Section section{"ec2_sd_config", "Instances of EC2.",
                               Join({AwsApiOptions(),
                                     {
                                         PortOption("80"),
                                         RefreshIntervalOption("1m"),
                                         FiltersOption(),
                                     },
                                     HttpClientOptions(true)}),
                               CheckEc2Sd};
  return section;
}

const Section& EcsSdSection() {
  static const Section section{"ecs_sd_config", "Tasks of ECS.",
                               Join({AwsApiOptions(),
                                     {
                                         ClustersOption(),
                                         PortOption("80"),
                                         RefreshIntervalOption("1m"),
                                         RequestConcurrencyOption("20"),
                                         PerContainerOption(),
                                     },
                                     HttpClientOptions(true)}),
                               CheckEcsSd};
  return section;
}

const Section& EcsTaskSdSection() {
  static const Section section{"ecs_task_sd_config",
                               "Of Tributary alone, for sidecars in ECS: the other containers of "
                               "the agent's own task, and statistics of all of them.",
                               {RefreshIntervalOption("15s")},
                               CheckEcsTaskSd};
  return section;
}

const Section& ElasticacheSdSection() {
  static const Section section{"elasticache_sd_config", "Nodes of ElastiCache.",
                               Join({AwsApiOptions(),
                                     {
                                         ClustersOption(),
                                         PortOption("80"),
                                         RefreshIntervalOption("1m"),
                                         RequestConcurrencyOption("10"),
                                     },
                                     HttpClientOptions(true)}),
                               CheckHttpClient, Support::kNotBuilt};
  return section;
}

const Section& LightsailSdSection() {
  static const Section section{"lightsail_sd_config", "Instances of Lightsail.",
                               Join({AwsApiOptions(),
                                     {
                                         PortOption("80"),
                                         RefreshIntervalOption("1m"),
                                     },
                                     HttpClientOptions(true)}),
                               CheckHttpClient, Support::kNotBuilt};
  return section;
}

const Section& MskSdSection() {
  static const Section section{"msk_sd_config", "Brokers of MSK.",
                               Join({AwsApiOptions(),
                                     {
                                         ClustersOption(),
                                         PortOption("80"),
                                         RefreshIntervalOption("1m"),
                                         RequestConcurrencyOption("10"),
                                     },
                                     HttpClientOptions(true)}),
                               CheckHttpClient, Support::kNotBuilt};
  return section;
}

const Section& RdsSdSection() {
  static const Section section{"rds_sd_config", "Databases of RDS.",
                               Join({AwsApiOptions(),
                                     {
                                         ClustersOption(),
                                         PortOption("80"),
                                         RefreshIntervalOption("1m"),
                                         FiltersOption(),
                                         RequestConcurrencyOption("10"),
                                     },
                                     HttpClientOptions(true)}),
                               CheckHttpClient, Support::kNotBuilt};
  return section;
}

std::vector<Option> ServiceDiscoveryOptions() {
  struct Mechanism {
    std::string_view name;
    const Section& (*section)();
  };
  static constexpr Mechanism kMechanisms[] = {
      {"aws_sd_configs", &AwsSdSection},
      {"azure_sd_configs", &AzureSdSection},
      {"consul_sd_configs", &ConsulSdSection},
      {"digitalocean_sd_configs", &DigitalOceanSdSection},
      {"dns_sd_configs", &DnsSdSection},
      {"docker_sd_configs", &DockerSdSection},
      {"dockerswarm_sd_configs", &DockerSwarmSdSection},
      {"ec2_sd_configs", &Ec2SdSection},
      {"ecs_sd_configs", &EcsSdSection},
      {"ecs_task_sd_configs", &EcsTaskSdSection},
      {"elasticache_sd_configs", &ElasticacheSdSection},
      {"eureka_sd_configs", &EurekaSdSection},
      {"file_sd_configs", &FileSdSection},
      {"gce_sd_configs", &GceSdSection},
      {"hetzner_sd_configs", &HetznerSdSection},
      {"http_sd_configs", &HttpSdSection},
      {"ionos_sd_configs", &IonosSdSection},
      {"kubernetes_sd_configs", &KubernetesSdSection},
      {"kuma_sd_configs", &KumaSdSection},
      {"lightsail_sd_configs", &LightsailSdSection},
      {"linode_sd_configs", &LinodeSdSection},
      {"marathon_sd_configs", &MarathonSdSection},
      {"msk_sd_configs", &MskSdSection},
      {"nerve_sd_configs", &NerveSdSection},
      {"nomad_sd_configs", &NomadSdSection},
      {"oci_sd_configs", &OciSdSection},
      {"openstack_sd_configs", &OpenstackSdSection},
      {"outscale_sd_configs", &OutscaleSdSection},
      {"ovhcloud_sd_configs", &OvhCloudSdSection},
      {"puppetdb_sd_configs", &PuppetDbSdSection},
      {"rds_sd_configs", &RdsSdSection},
      {"scaleway_sd_configs", &ScalewaySdSection},
      {"serverset_sd_configs", &ServersetSdSection},
      {"stackit_sd_configs", &StackitSdSection},
      {"static_configs", &StaticConfigSection},
      {"triton_sd_configs", &TritonSdSection},
      {"uyuni_sd_configs", &UyuniSdSection},
      {"vultr_sd_configs", &VultrSdSection},
  };
  std::vector<Option> options;
  for (const Mechanism& mechanism : kMechanisms) {
    const Section& section = mechanism.section();
    options.push_back({.name = mechanism.name,
                       .type = OptionType::kSections,
                       .doc = section.doc,
                       .support = section.support,
                       .section = &section});
  }
  return options;
}

}  // namespace tributary
