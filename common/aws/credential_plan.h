// Where credentials come from, worked out from the configuration, the environment and the shared
// files, before anybody is asked over the network.
// Source: prometheus/sigv4 sigv4.go; aws-sdk-go-v2 config/resolve_credentials.go and env_config.go.
//
// In this order: keys of the configuration; a profile that the configuration names; keys of the
// environment; AWS_WEB_IDENTITY_TOKEN_FILE; the profile of AWS_PROFILE or default; and where a
// profile has none, the container's service or the instance's. Then the role of the profile, and
// that of the configuration.
//
// Not built, and refused with a message that names it: credential_process, IAM Identity Center
// (sso_*), login_session and mfa_serial.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/aws/credentials.h"
#include "common/aws/profile.h"
#include "common/base/status.h"
#include "common/base/time.h"
#include "common/config/model.h"
#include "common/file/file_system.h"

namespace tributary {

struct AwsRole {
  std::string arn, external_id;
  std::string session_name;  // "": one is made up
  std::map<std::string, std::string> tags;
  seconds duration = std::chrono::minutes(15);
};

struct CredentialPlan {
  enum class Base : uint8_t {
    kKeys,         // `keys`
    kWebIdentity,  // STS, for the token in `token_file` and `web_role`
    kContainer,    // `container_url`
    kInstance,     // the instance's metadata service
  };
  Base base = Base::kKeys;
  AwsCredentials keys;
  bool keys_of_file = false;  // they may change without a reload
  AwsRole web_role;
  std::string token_file;
  std::string container_url;
  std::string container_token, container_token_file;  // sent as Authorization; the file counts
  std::vector<AwsRole> roles;                         // to assume, one with the keys of the other

  std::string region;             // "": what the instance says
  std::string instance_endpoint;  // of its metadata service, without a slash at the end
  std::string sts_endpoint;       // "": StsUrl() of the region
  bool fips = false;

  bool asks_instance() const { return region.empty() || base == Base::kInstance; }
};

Result<CredentialPlan> PlanCredentials(const Sigv4Config& config, const AwsGetenv& getenv,
                                       FileSystem& files);

// The regional STS. An error for what cannot be a region.
Result<std::string> StsUrl(const std::string& region, bool fips);

}  // namespace tributary
