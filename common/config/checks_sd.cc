// What the mechanisms of service discovery refuse (UnmarshalYAML in discovery/*/*.go).
#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <set>

#include "common/config/checks.h"
#include "common/config/kubernetes_selector.h"
#include "common/config/url.h"

namespace tributary {

std::optional<DnsSdType> ParseDnsSdType(const std::string& text) {
  static const std::map<std::string, DnsSdType> kTypes = {{"SRV", DnsSdType::kSrv},
                                                          {"A", DnsSdType::kA},
                                                          {"AAAA", DnsSdType::kAaaa},
                                                          {"MX", DnsSdType::kMx},
                                                          {"NS", DnsSdType::kNs}};
  std::string upper = text;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  const auto found = kTypes.find(upper);
  return found == kTypes.end() ? std::nullopt : std::optional<DnsSdType>(found->second);
}

const char* KubeRoleName(KubeRole role) {
  constexpr const char* kNames[] = {"node",      "pod",           "service",
                                    "endpoints", "endpointslice", "ingress"};
  return kNames[static_cast<size_t>(role)];
}

std::optional<KubeRole> ParseKubeRole(const std::string& text) {
  for (const KubeRole role : {KubeRole::kNode, KubeRole::kPod, KubeRole::kService,
                              KubeRole::kEndpoints, KubeRole::kEndpointSlice, KubeRole::kIngress}) {
    if (text == KubeRoleName(role)) return role;
  }
  return std::nullopt;
}

namespace {

bool Set(const SectionValue& section, std::string_view name) { return !section.Get(name).IsZero(); }

void ExactlyOne(const SectionValue& section, CheckContext& context, std::string_view a,
                std::string_view b) {
  if (Set(section, a) != Set(section, b)) return;
  context.Error(section,
                "exactly one of " + std::string(a) + " and " + std::string(b) + " has to be given");
}

void NotBoth(const SectionValue& section, CheckContext& context, std::string_view a,
             std::string_view b) {
  if (!Set(section, a) || !Set(section, b)) return;
  context.Error(section.Get(b), section,
                std::string(a) + " and " + std::string(b) + " exclude each other");
}

// Prometheus does not check this of every mechanism, and ends with a panic at an interval of 0.
void CheckRefreshInterval(const SectionValue& section, CheckContext& context) {
  const Value& refresh = section.Get("refresh_interval");
  if (!refresh.valid || refresh.integer != 0) return;
  context.Error(refresh, section, "'refresh_interval' has to be above 0");
}

bool CustomHttpClient(const SectionValue& section) {
  for (const Option& option : section.section().options) {
    if (!option.http_client) continue;
    const Value& value = section.Get(option);
    bool is_default = value.IsZero() == DefaultValue(option).IsZero() &&
                      (value.IsZero() || option.type == OptionType::kBool);
    if (!is_default) return true;
  }
  return false;
}

}  // namespace

void CheckHttpSd(SectionValue& section, CheckContext& context) {
  const Value& url = section.Get("url");
  if (auto parts = ParseUrl(url.text); parts && !url.text.empty()) {
    if (parts->scheme != "http" && parts->scheme != "https") {
      context.Error(url, section, "the scheme of 'url' has to be http or https");
    } else if (parts->host.empty()) {
      context.Error(url, section, "'url' has no host");
    }
  }
  CheckRefreshInterval(section, context);
  CheckHttpClient(section, context);
}

void CheckPuppetDbSd(SectionValue& section, CheckContext& context) {
  CheckHttpSd(section, context);
}

void CheckServerUrl(SectionValue& section, CheckContext& context) {
  const Value& server = section.Get("server");
  auto parts = ParseUrl(server.text);
  if (!server.text.empty() && (!parts || parts->scheme.empty() || parts->host.empty())) {
    context.Error(server, section, "'server' has to be a URL with scheme and host");
  }
  CheckHttpClient(section, context);
}

void CheckDnsSd(SectionValue& section, CheckContext& context) {
  const Value& type = section.Get("type");
  const std::optional<DnsSdType> parsed = ParseDnsSdType(type.text);
  if (!parsed) {
    context.Error(type, section, "'type' has to be SRV, A, AAAA, MX or NS");
  } else if (*parsed != DnsSdType::kSrv && section.Get("port").integer == 0) {
    context.Error(section, "records of type " + type.text + " need a 'port'");
  }
  CheckRefreshInterval(section, context);
}

void CheckKubernetesSd(SectionValue& section, CheckContext& context) {
  static const std::map<std::string, std::string_view> kSelectors = {
      {"pod", "pod|node"},
      {"service", "service"},
      {"endpointslice", "pod|service|endpointslice"},
      {"endpoints", "pod|service|endpoints"},
      {"node", "node"},
      {"ingress", "ingress"}};
  CheckHttpClient(section, context);
  bool api_server = section.Given("api_server");
  bool kubeconfig = Set(section, "kubeconfig_file");
  bool own_namespace = section.Sub("namespaces")->Flag("own_namespace");
  NotBoth(section, context, "api_server", "kubeconfig_file");
  if (CustomHttpClient(section) && (kubeconfig || !api_server)) {
    context.Error(section, kubeconfig ? "the access is in kubeconfig_file: no other can be given"
                                      : "settings of the HTTP client need api_server");
  }
  if (own_namespace && (api_server || kubeconfig)) {
    context.Error(section, "own_namespace excludes api_server and kubeconfig_file");
  }
  auto allowed = kSelectors.find(section.Text("role"));
  std::set<std::string> seen;
  for (const SectionValue& selector : section.Get("selectors").sections) {
    const Value& role = selector.Get("role");
    if (!seen.insert(role.text).second) {
      context.Error(role, selector, "two selectors for the same role");
    }
    if (allowed != kSelectors.end() && role.valid && !IsListed(allowed->second, role.text)) {
      context.Error(role, selector, "the role " + allowed->first + " has no such selector");
    }
    const Value& label = selector.Get("label");
    if (Status good = CheckLabelSelector(label.text); !good) {
      context.Error(label, selector, "'label': " + good.error().message);
    }
    const Value& field = selector.Get("field");
    if (Status good = CheckFieldSelector(field.text); !good) {
      context.Error(field, selector, "'field': " + good.error().message);
    }
  }
}

namespace {

// One of them alone is not used, as in Prometheus.
void CheckAwsKeys(const SectionValue& section, CheckContext& context) {
  if (Set(section, "access_key") == Set(section, "secret_key")) return;
  const Value& key = section.Get(Set(section, "access_key") ? "access_key" : "secret_key");
  context.Warning(key.key_line, key.key_column,
                  "'" + std::string(key.option->name) +
                      "' has no effect without the other of access_key and secret_key");
}

void WarnOfNoEffect(const SectionValue& section, CheckContext& context, std::string_view name,
                    const std::string& with) {
  const Value& value = section.Get(name);
  if (!Set(section, name)) return;
  context.Warning(value.key_line, value.key_column,
                  "'" + std::string(name) + "' has no effect with " + with);
}

void CheckPerContainer(const SectionValue& section, CheckContext& context) {
  if (!section.Flag("per_container") || !section.Given("port")) return;
  WarnOfNoEffect(section, context, "port", "per_container, where each container has its own");
}

}  // namespace

// Here 0 means the default of refresh_interval and port, and filters may be without values.
void CheckAwsSd(SectionValue& section, CheckContext& context) {
  const std::string role = section.Text("role");
  const std::string with = "the role " + role;
  if (role == "ec2") WarnOfNoEffect(section, context, "clusters", with);
  if (role == "ec2") WarnOfNoEffect(section, context, "per_container", with);
  if (role == "ecs") WarnOfNoEffect(section, context, "filters", with);
  if (role == "ecs") CheckPerContainer(section, context);
  CheckAwsKeys(section, context);
  CheckHttpClient(section, context);
}

void CheckEc2Sd(SectionValue& section, CheckContext& context) {
  for (const SectionValue& filter : section.Get("filters").sections) {
    if (filter.Get("values").items.empty()) {
      context.Error(filter, "'values' of a filter cannot be empty");
    }
  }
  CheckRefreshInterval(section, context);
  CheckAwsKeys(section, context);
  CheckHttpClient(section, context);
}

void CheckEcsSd(SectionValue& section, CheckContext& context) {
  CheckPerContainer(section, context);
  CheckRefreshInterval(section, context);
  CheckAwsKeys(section, context);
  CheckHttpClient(section, context);
}

void CheckEcsTaskSd(SectionValue& section, CheckContext& context) {
  CheckRefreshInterval(section, context);
}

void CheckConsulSd(SectionValue& section, CheckContext& context) {
  const Value& server = section.Get("server");
  if (server.valid && server.text.find_first_not_of(" \t\r\n") == std::string::npos) {
    context.Error(server, section, "'server' cannot be empty");
  }
  if (Set(section, "username") || Set(section, "password")) {
    if (Set(section, "basic_auth")) {
      context.Error(section.Get("basic_auth"), section, "username and password exclude basic_auth");
    }
  }
  NotBoth(section, context, "token", "authorization");
  NotBoth(section, context, "token", "oauth2");
  CheckHttpClient(section, context);
}

void CheckAzureSd(SectionValue& section, CheckContext& context) {
  if (section.Text("authentication_method") == "OAuth") {
    for (std::string_view name : {"tenant_id", "client_id", "client_secret"}) {
      if (!Set(section, name)) {
        context.Error(section, "'" + std::string(name) + "' is missing in azure_sd_config");
      }
    }
  }
  CheckHttpClient(section, context);
}

void CheckMarathonSd(SectionValue& section, CheckContext& context) {
  NotBoth(section, context, "auth_token", "auth_token_file");
  for (std::string_view token : {"auth_token", "auth_token_file"}) {
    for (std::string_view other :
         {"basic_auth", "bearer_token", "bearer_token_file", "authorization"}) {
      NotBoth(section, context, token, other);
    }
  }
  CheckHttpClient(section, context);
}

void CheckOutscaleSd(SectionValue& section, CheckContext& context) {
  ExactlyOne(section, context, "secret_key", "secret_key_file");
  CheckHttpClient(section, context);
}

void CheckScalewaySd(SectionValue& section, CheckContext& context) {
  ExactlyOne(section, context, "secret_key", "secret_key_file");
  CheckHttpClient(section, context);
}

void CheckStackitSd(SectionValue& section, CheckContext& context) {
  if (!Set(section, "endpoint") && !Set(section, "region")) {
    context.Error(section, "one of endpoint and region has to be given");
  }
  const Value& endpoint = section.Get("endpoint");
  if (!ParseUrl(endpoint.text)) context.Error(endpoint, section, "'endpoint' is not a URL");
  CheckHttpClient(section, context);
}

void CheckOciSd(SectionValue& section, CheckContext& context) {
  constexpr std::string_view kNeeded[] = {"tenancy", "user", "fingerprint", "key_file"};
  if (section.Text("auth") == "instance_principal") {
    for (std::string_view name :
         {"tenancy", "user", "fingerprint", "key_file", "key_passphrase", "key_passphrase_file"}) {
      if (Set(section, name)) {
        context.Error(section.Get(name), section,
                      "'" + std::string(name) + "' is not for instance_principal");
      }
    }
  } else {
    for (std::string_view name : kNeeded) {
      if (!Set(section, name)) {
        context.Error(section, "'" + std::string(name) + "' is missing in oci_sd_config");
      }
    }
    NotBoth(section, context, "key_passphrase", "key_passphrase_file");
  }
  for (const Value& compartment : section.Get("compartments").items) {
    if (compartment.text.empty()) {
      context.Error(compartment, section, "a compartment cannot be empty");
    }
  }
  CheckRefreshInterval(section, context);
  CheckHttpClient(section, context);
}

void CheckZookeeperSd(SectionValue& section, CheckContext& context) {
  for (const Value& path : section.Get("paths").items) {
    if (!path.text.starts_with('/')) {
      context.Error(path, section, "a path in ZooKeeper has to begin with '/'");
    }
  }
}

}  // namespace tributary
