#include "common/aws/credential_plan.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "common/aws/endpoint.h"
#include "common/http/http_url.h"
#include "common/http/transport.h"

namespace tributary {

namespace {

constexpr char kContainerHost[] = "http://169.254.170.2";
constexpr char kInstanceV4[] = "http://169.254.169.254";
constexpr char kInstanceV6[] = "http://[fd00:ec2::254]";

// A planner of one plan.
class Planner {
 public:
  Planner(const AwsGetenv& getenv, CredentialPlan& plan) : getenv_(getenv), plan_(plan) {}

  const AwsGetenv& getenv() const { return getenv_; }
  std::string Variable(const char* name) const { return AwsVariable(getenv_, name); }
  AwsCredentials KeysOfEnvironment() const;
  Status UseProfile(const AwsProfile& profile);
  Status UseInstance();
  void UseWebIdentity(std::string token_file, const std::string& arn, const std::string& session);

 private:
  Status UseSource(const AwsProfile& profile);
  Status UseNamed(const AwsProfile& profile);
  Status UseContainer();
  Status AddRole(const AwsProfile& profile);

  const AwsGetenv& getenv_;
  CredentialPlan& plan_;
};

Error InProfile(const AwsProfile& profile, const std::string& problem) {
  return {"AWS profile '" + profile.name + "': " + problem};
}

// Where plain http may carry credentials: this machine, and the agents of ECS and EKS.
bool IsContainerHost(const std::string& host) {
  const bool v4 = host.find_first_not_of("0123456789.") == std::string::npos;
  return host == "localhost" || host == "::1" || (v4 && host.starts_with("127.")) ||
         host == "169.254.170.2" || host == "169.254.170.23" || host == "fd00:ec2::23";
}

AwsCredentials Planner::KeysOfEnvironment() const {
  const auto either = [this](const char* name, const char* old) {
    std::string value = Variable(name);
    return value.empty() ? Variable(old) : value;
  };
  AwsCredentials keys;
  keys.access_key_id = either("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY");
  keys.secret_access_key = either("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY");
  keys.session_token = Variable("AWS_SESSION_TOKEN");
  return keys;
}

void Planner::UseWebIdentity(std::string token_file, const std::string& arn,
                             const std::string& session) {
  plan_.base = CredentialPlan::Base::kWebIdentity;
  plan_.token_file = std::move(token_file);
  plan_.web_role.arn = arn;
  plan_.web_role.session_name = session;
}

Status Planner::UseInstance() {
  plan_.base = CredentialPlan::Base::kInstance;
  if (!plan_.instance_endpoint.empty()) return {};
  return Fail(
      "there are no AWS credentials: not in the configuration, the environment or the "
      "shared files, and AWS_EC2_METADATA_DISABLED forbids to ask the instance");
}

Status Planner::UseContainer() {
  plan_.base = CredentialPlan::Base::kContainer;
  const std::string relative = Variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  plan_.container_url =
      relative.empty() ? Variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") : kContainerHost + relative;
  plan_.container_token = Variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
  plan_.container_token_file = Variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  if (plan_.container_url.empty()) {
    return Fail(
        "credential_source is EcsContainer, but neither "
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is "
        "set");
  }
  const std::optional<HttpUrl> url = ParseHttpUrl(plan_.container_url);
  if (!url) return Fail("AWS_CONTAINER_CREDENTIALS_FULL_URI is no http or https URL");
  if (!url->https && !IsContainerHost(url->host)) {
    return Fail(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI: plain http goes to loopback addresses and to "
        "the hosts of ECS and EKS only, not to " +
        url->host);
  }
  return {};
}

Status Planner::UseNamed(const AwsProfile& profile) {
  if (profile.credential_source == "Ec2InstanceMetadata") return UseInstance();
  if (profile.credential_source == "EcsContainer") return UseContainer();
  if (profile.credential_source != "Environment") {
    return tl::unexpected(InProfile(
        profile, "credential_source has to be Environment, Ec2InstanceMetadata or EcsContainer"));
  }
  plan_.keys = KeysOfEnvironment();
  if (plan_.keys.has_keys()) return {};
  return tl::unexpected(
      InProfile(profile, "credential_source is Environment, which has no AWS_ACCESS_KEY_ID"));
}

Status Planner::UseSource(const AwsProfile& profile) {
  if (profile.source != nullptr) return UseProfile(*profile.source);
  if (profile.keys.has_keys()) {
    plan_.keys = profile.keys;
    plan_.keys_of_file = true;
    return {};
  }
  if (!profile.credential_source.empty()) return UseNamed(profile);
  const std::pair<const char*, bool> not_built[] = {
      {"IAM Identity Center (sso_*)", profile.sso},
      {"login_session", profile.login_session},
      {"credential_process", !profile.credential_process.empty()}};
  for (const auto& [what, given] : not_built) {
    if (given) return tl::unexpected(InProfile(profile, std::string(what) + " is not built yet"));
  }
  if (!Variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").empty() ||
      !Variable("AWS_CONTAINER_CREDENTIALS_FULL_URI").empty()) {
    return UseContainer();
  }
  return UseInstance();
}

Status Planner::AddRole(const AwsProfile& profile) {
  if (!profile.mfa_serial.empty()) {
    return tl::unexpected(
        InProfile(profile, "mfa_serial wants a person with a token, whom an agent does not have"));
  }
  AwsRole role;
  role.arn = profile.role_arn;
  role.external_id = profile.external_id;
  role.session_name = profile.role_session_name;
  int64_t duration_s = 0;
  const std::string& text = profile.duration_seconds;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, duration_s);
  if (!text.empty() && (parsed.ec != std::errc() || parsed.ptr != end)) {
    return tl::unexpected(
        InProfile(profile, "duration_seconds has to be a whole number, not '" + text + "'"));
  }
  role.duration = std::max(role.duration, seconds(std::min<int64_t>(duration_s, 12 * 3600)));
  plan_.roles.push_back(std::move(role));
  return {};
}

Status Planner::UseProfile(const AwsProfile& profile) {
  // The role of a web identity is what the token is for.
  if (profile.source == nullptr && !profile.keys.has_keys() &&
      !profile.web_identity_token_file.empty()) {
    UseWebIdentity(profile.web_identity_token_file, profile.role_arn, profile.role_session_name);
    return {};
  }
  if (Status used = UseSource(profile); !used) return used;
  if (profile.role_arn.empty()) return {};
  return AddRole(profile);
}

std::string InstanceEndpoint(const Planner& planner) {
  std::string disabled = planner.Variable("AWS_EC2_METADATA_DISABLED");
  if (SameHeaderName(disabled, "true")) return "";
  std::string endpoint = planner.Variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (endpoint.empty()) {
    const std::string mode = planner.Variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    endpoint = SameHeaderName(mode, "IPv6") ? kInstanceV6 : kInstanceV4;
  }
  while (endpoint.ends_with('/')) endpoint.pop_back();
  return endpoint;
}

Status PlanEndpoints(const Sigv4Config& config, const AwsProfile& profile,
                     const std::string& profile_region, const Planner& planner,
                     CredentialPlan& plan) {
  plan.instance_endpoint = InstanceEndpoint(planner);
  plan.fips = config.use_fips_sts_endpoint;
  for (const std::string& region : {config.region, planner.Variable("AWS_REGION"),
                                    planner.Variable("AWS_DEFAULT_REGION"), profile_region}) {
    if (plan.region.empty()) plan.region = region;
  }
  if (plan.region.empty() && plan.instance_endpoint.empty()) {
    return Fail(
        "there is no AWS region: not in the configuration, AWS_REGION or the profile, and "
        "AWS_EC2_METADATA_DISABLED forbids to ask the instance");
  }
  plan.sts_endpoint = ConfiguredAwsEndpoint("STS", profile, planner.getenv());
  if (plan.fips && !plan.sts_endpoint.empty()) {
    return Fail("use_fips_sts_endpoint and an endpoint URL of one's own exclude each other");
  }
  return {};
}

}  // namespace

Result<CredentialPlan> PlanCredentials(const Sigv4Config& config, const AwsGetenv& getenv,
                                       FileSystem& files) {
  const Result<AwsProfile> profile = LoadAwsProfile(config.profile, getenv, files);
  if (!profile) return tl::unexpected(profile.error());
  CredentialPlan plan;
  Planner planner(getenv, plan);
  std::string profile_region = profile->region;
  if (config.region_of_default_profile && config.region.empty() && !config.profile.empty()) {
    const Result<AwsProfile> other = LoadAwsProfile("", getenv, files);
    if (!other) return tl::unexpected(other.error());
    profile_region = other->region;
  }
  Status planned = PlanEndpoints(config, *profile, profile_region, planner, plan);
  if (!planned) return tl::unexpected(planned.error());

  if (const std::string token_file = planner.Variable("AWS_WEB_IDENTITY_TOKEN_FILE");
      !config.access_key.empty()) {
    plan.keys.access_key_id = config.access_key;
    plan.keys.secret_access_key = config.secret_key.value;
  } else if (!config.profile.empty()) {
    planned = planner.UseProfile(*profile);
  } else if (AwsCredentials keys = planner.KeysOfEnvironment(); keys.has_keys()) {
    plan.keys = std::move(keys);
  } else if (!token_file.empty()) {
    planner.UseWebIdentity(token_file, planner.Variable("AWS_ROLE_ARN"),
                           planner.Variable("AWS_ROLE_SESSION_NAME"));
    if (plan.web_role.arn.empty()) {
      return Fail("AWS_WEB_IDENTITY_TOKEN_FILE needs AWS_ROLE_ARN");
    }
  } else {
    planned = planner.UseProfile(*profile);
  }
  if (!planned) return tl::unexpected(planned.error());

  if (!config.role_arn.empty()) {
    AwsRole role;
    role.arn = config.role_arn;
    role.external_id = config.external_id;
    role.session_name = config.session_name;
    role.tags = config.tags;
    plan.roles.push_back(std::move(role));
  }
  return plan;
}

Result<std::string> StsUrl(const std::string& region, bool fips) {
  const bool own_name = fips && !region.starts_with("us-gov-");  // all of GovCloud's are FIPS
  return AwsServiceUrl(own_name ? "sts-fips" : "sts", region);
}

}  // namespace tributary
