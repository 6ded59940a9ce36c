// Service discovery, other clouds (discovery/*/*.go). An option's section is what one entry of its
// list holds.
#include "common/config/checks.h"
#include "common/config/options_sd.h"

namespace tributary {

const Section& AzureSdSection() {
  static const Section section{
      "azure_sd_config", "Virtual machines of Azure.",
      Join({{
                {.name = "environment", .fallback = "AzurePublicCloud", .doc = "Which cloud."},
                PortOption("80"),
                {.name = "subscription_id", .doc = "Subscription.", .required = true},
                {.name = "tenant_id", .doc = "Tenant."},
                {.name = "client_id", .doc = "Client."},
                {.name = "client_secret", .type = OptionType::kSecret, .doc = "Its secret."},
                RefreshIntervalOption("5m"),
                {.name = "authentication_method",
                 .type = OptionType::kEnum,
                 .fallback = "OAuth",
                 .doc = "How to log in.",
                 .values = "OAuth|ManagedIdentity|SDK|WorkloadIdentity"},
                {.name = "resource_group", .doc = "Only this group."},
            },
            HttpClientOptions(true)}),
      CheckAzureSd, Support::kNotBuilt};
  return section;
}

const Section& DigitalOceanSdSection() {
  static const Section section{"digitalocean_sd_config", "Machines of DigitalOcean.",
                               Join({HttpClientOptions(true),
                                     {
                                         RefreshIntervalOption("1m"),
                                         PortOption("80"),
                                         {.name = "role",
                                          .type = OptionType::kEnum,
                                          .fallback = "droplets",
                                          .doc = "What to look for.",
                                          .values = "droplets|databases",
                                          .required = true},
                                     }}),
                               CheckHttpClient, Support::kNotBuilt};
  return section;
}

const Section& GceSdSection() {
  static const Section section{
      "gce_sd_config",
      "Instances of Google Compute Engine.",
      {
          {.name = "project", .doc = "Project.", .required = true},
          {.name = "zone", .doc = "Zone.", .required = true},
          {.name = "filter", .doc = "Which of them to take."},
          RefreshIntervalOption("1m"),
          PortOption("80"),
          {.name = "tag_separator", .fallback = ",", .doc = "What tags are joined with."},
      },
      nullptr,
      Support::kNotBuilt};
  return section;
}

const Section& HetznerSdSection() {
  static const Section section{
      "hetzner_sd_config", "Machines of Hetzner.",
      Join({HttpClientOptions(true),
            {
                RefreshIntervalOption("1m"),
                PortOption("80"),
                {.name = "role",
                 .type = OptionType::kEnum,
                 .doc = "What to look for.",
                 .values = "robot|hcloud",
                 .required = true},
                {.name = "label_selector", .doc = "Which of them to take."},
            }}),
      CheckHttpClient, Support::kNotBuilt};
  return section;
}

const Section& IonosSdSection() {
  static const Section section{
      "ionos_sd_config", "Machines of IONOS.",
      Join({{
                {.name = "datacenter_id", .doc = "Data centre.", .required = true},
            },
            HttpClientOptions(true),
            {
                RefreshIntervalOption("1m"),
                PortOption("80"),
            }}),
      CheckHttpClient, Support::kNotBuilt};
  return section;
}

const Section& LinodeSdSection() {
  static const Section section{
      "linode_sd_config", "Machines of Linode.",
      Join({HttpClientOptions(true),
            {
                RefreshIntervalOption("1m"),
                PortOption("80"),
                {.name = "tag_separator", .fallback = ",", .doc = "What tags are joined with."},
                {.name = "region", .doc = "Region."},
            }}),
      CheckHttpClient, Support::kNotBuilt};
  return section;
}

const Section& OciSdSection() {
  static const Section section{
      "oci_sd_config", "Instances of Oracle Cloud.",
      Join({{
                {.name = "auth",
                 .type = OptionType::kEnum,
                 .fallback = "api_key",
                 .doc = "How to log in.",
                 .values = "api_key|instance_principal"},
                {.name = "tenancy", .doc = "Tenancy."},
                {.name = "user", .doc = "User."},
                {.name = "fingerprint", .doc = "Fingerprint of the key."},
                {.name = "key_file", .type = OptionType::kPath, .doc = "File of the key."},
                {.name = "key_passphrase",
                 .type = OptionType::kSecret,
                 .doc = "Passphrase of the key."},
                {.name = "key_passphrase_file",
                 .type = OptionType::kPath,
                 .doc = "File that holds the passphrase."},
                {.name = "region", .doc = "Region.", .required = true},
                {.name = "compartments",
                 .type = OptionType::kStrings,
                 .doc = "Compartments to look at."},
            },
            HttpClientOptions(true),
            {
                PortOption("80"),
                RefreshIntervalOption("1m"),
            }}),
      CheckOciSd, Support::kNotBuilt};
  return section;
}

const Section& OpenstackSdSection() {
  static const Section section{
      "openstack_sd_config",
      "Machines of OpenStack.",
      {
          {.name = "identity_endpoint", .doc = "URL of the identity API."},
          {.name = "username", .doc = "User name."},
          {.name = "userid", .doc = "User id."},
          {.name = "password", .type = OptionType::kSecret, .doc = "Password."},
          {.name = "project_name", .doc = "Project."},
          {.name = "project_id", .doc = "Project."},
          {.name = "domain_name", .doc = "Domain."},
          {.name = "domain_id", .doc = "Domain."},
          {.name = "application_credential_name", .doc = "Application credential."},
          {.name = "application_credential_id", .doc = "Application credential."},
          {.name = "application_credential_secret",
           .type = OptionType::kSecret,
           .doc = "Its secret."},
          {.name = "role",
           .type = OptionType::kEnum,
           .doc = "What to look for.",
           .values = "hypervisor|instance|loadbalancer",
           .required = true},
          {.name = "region", .doc = "Region.", .required = true},
          RefreshIntervalOption("1m"),
          PortOption("80"),
          {.name = "all_tenants", .type = OptionType::kBool, .doc = "Look at all projects."},
          {.name = "tls_config",
           .type = OptionType::kSection,
           .doc = "TLS towards the API.",
           .section = &TlsSection()},
          {.name = "availability",
           .type = OptionType::kEnum,
           .fallback = "public",
           .doc = "Kind of endpoint.",
           .values = "public|internal|admin"},
      },
      nullptr,
      Support::kNotBuilt};
  return section;
}

const Section& OutscaleSdSection() {
  static const Section section{
      "outscale_sd_config", "Machines of Outscale.",
      Join({{
                {.name = "endpoint", .doc = "Another address of the API."},
                {.name = "region", .fallback = "eu-west-2", .doc = "Region.", .required = true},
                {.name = "access_key",
                 .type = OptionType::kSecret,
                 .doc = "Access key.",
                 .required = true},
                {.name = "secret_key", .type = OptionType::kSecret, .doc = "Secret key."},
                {.name = "secret_key_file",
                 .type = OptionType::kPath,
                 .doc = "File that holds the secret key."},
                RefreshIntervalOption("1m"),
                PortOption("80"),
            },
            HttpClientOptions(true)}),
      CheckOutscaleSd, Support::kNotBuilt};
  return section;
}

const Section& OvhCloudSdSection() {
  static const Section section{
      "ovhcloud_sd_config",
      "Machines of OVHcloud.",
      {
          {.name = "endpoint", .fallback = "ovh-eu", .doc = "Which API.", .required = true},
          {.name = "application_key",
           .type = OptionType::kSecret,
           .doc = "Application key.",
           .required = true},
          {.name = "application_secret",
           .type = OptionType::kSecret,
           .doc = "Its secret.",
           .required = true},
          {.name = "consumer_key",
           .type = OptionType::kSecret,
           .doc = "Consumer key.",
           .required = true},
          RefreshIntervalOption("1m"),
          {.name = "service",
           .type = OptionType::kEnum,
           .doc = "What to look for.",
           .values = "dedicated_server|vps",
           .required = true},
      },
      nullptr,
      Support::kNotBuilt};
  return section;
}

const Section& ScalewaySdSection() {
  static const Section section{
      "scaleway_sd_config", "Machines of Scaleway.",
      Join({{
                {.name = "project_id", .doc = "Project.", .required = true},
                {.name = "api_url",
                 .fallback = "https://api.scaleway.com",
                 .doc = "Address of the API."},
                {.name = "zone", .fallback = "fr-par-1", .doc = "Zone."},
                {.name = "access_key",
                 .type = OptionType::kSecret,
                 .doc = "Access key.",
                 .required = true},
                {.name = "secret_key", .type = OptionType::kSecret, .doc = "Secret key."},
                {.name = "secret_key_file",
                 .type = OptionType::kPath,
                 .doc = "File that holds the secret key."},
                {.name = "name_filter", .doc = "Part of the name."},
                {.name = "tags_filter",
                 .type = OptionType::kStrings,
                 .doc = "Tags that a machine must have."},
            },
            HttpClientOptions(true),
            {
                RefreshIntervalOption("1m"),
                PortOption("80"),
                {.name = "role",
                 .type = OptionType::kEnum,
                 .doc = "What to look for.",
                 .values = "instance|baremetal",
                 .required = true},
            }}),
      CheckScalewaySd, Support::kNotBuilt};
  return section;
}

const Section& StackitSdSection() {
  static const Section section{
      "stackit_sd_config", "Machines of STACKIT.",
      Join({HttpClientOptions(true),
            {
                {.name = "project", .doc = "Project."},
                RefreshIntervalOption("1m"),
                PortOption("80"),
                {.name = "region", .fallback = "eu01", .doc = "Region."},
                {.name = "endpoint", .doc = "Another address of the API."},
                {.name = "service_account_key",
                 .type = OptionType::kSecret,
                 .doc = "Key of the service account."},
                {.name = "private_key", .type = OptionType::kSecret, .doc = "Private key."},
                {.name = "service_account_key_path",
                 .type = OptionType::kPath,
                 .doc = "File of the key."},
                {.name = "private_key_path",
                 .type = OptionType::kPath,
                 .doc = "File of the private key."},
                {.name = "credentials_file_path",
                 .type = OptionType::kPath,
                 .doc = "File of the credentials."},
            }}),
      CheckStackitSd, Support::kNotBuilt};
  return section;
}

const Section& TritonSdSection() {
  static const Section section{
      "triton_sd_config",
      "Containers and nodes of Triton.",
      {
          {.name = "account", .doc = "Account.", .required = true},
          {.name = "role",
           .type = OptionType::kEnum,
           .fallback = "container",
           .doc = "What to look for.",
           .values = "container|cn",
           .required = true},
          {.name = "dns_suffix", .doc = "Suffix of names.", .required = true},
          {.name = "endpoint", .doc = "Address of the API.", .required = true},
          {.name = "groups", .type = OptionType::kStrings, .doc = "Groups to look at."},
          PortOption("9163"),
          RefreshIntervalOption("1m"),
          {.name = "tls_config",
           .type = OptionType::kSection,
           .doc = "TLS towards the API.",
           .section = &TlsSection()},
          {.name = "version",
           .type = OptionType::kInt,
           .fallback = "1",
           .doc = "Version of the API."},
      },
      nullptr,
      Support::kNotBuilt};
  return section;
}

const Section& UyuniSdSection() {
  static const Section section{
      "uyuni_sd_config", "Systems of Uyuni.",
      Join({{
                {.name = "server",
                 .type = OptionType::kUrl,
                 .doc = "URL of the server.",
                 .required = true},
                {.name = "username", .doc = "User name.", .required = true},
                {.name = "password",
                 .type = OptionType::kSecret,
                 .doc = "Password.",
                 .required = true},
            },
            HttpClientOptions(true),
            {
                {.name = "entitlement",
                 .fallback = "monitoring_entitled",
                 .doc = "Entitlement that a system must have."},
                {.name = "separator", .fallback = ",", .doc = "What groups are joined with."},
                RefreshIntervalOption("1m"),
            }}),
      CheckHttpClient, Support::kNotBuilt};
  return section;
}

const Section& VultrSdSection() {
  static const Section section{"vultr_sd_config", "Machines of Vultr.",
                               Join({HttpClientOptions(true),
                                     {
                                         RefreshIntervalOption("1m"),
                                         PortOption("80"),
                                     }}),
                               CheckHttpClient, Support::kNotBuilt};
  return section;
}

}  // namespace tributary
