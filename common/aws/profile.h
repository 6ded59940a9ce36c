// Profiles of AWS' shared files: ~/.aws/config and ~/.aws/credentials.
// Source: aws-sdk-go-v2 config/shared_config.go and internal/ini.
//
// Files of at most 1 MiB, read at each call; one that cannot be read counts as empty, as in the
// SDK. Errors name the profile and the option, never a value.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/aws/credentials.h"
#include "common/base/status.h"
#include "common/file/file_system.h"

namespace tributary {

// Of a variable of the environment; null: not set.
using AwsGetenv = std::function<const char*(const char* name)>;
// The value; "" where the variable is not set.
std::string AwsVariable(const AwsGetenv& getenv, const char* name);

// A section's options by their names in lower case.
using AwsProfileOptions = std::map<std::string, std::string>;
using AwsProfiles = std::map<std::string, AwsProfileOptions>;

struct AwsProfile {
  std::string name;
  AwsCredentials keys;
  std::string region;
  std::string endpoint_url;
  std::string role_arn, external_id, mfa_serial, role_session_name, duration_seconds;
  std::string credential_source, credential_process, web_identity_token_file;
  bool sso = false;
  bool login_session = false;
  std::shared_ptr<const AwsProfile> source;  // of source_profile: it has the keys for the role
};

// Of the text of one file. In the credentials file, [name] is a profile; in the configuration file,
// [profile name] and [default] are, and [profile default] rather than [default].
AwsProfiles ParseAwsProfiles(const std::string& text, bool credentials_file);

// The profile of that name, its source profiles with it; "": the one that AWS_PROFILE names, or
// default, which need not exist.
Result<AwsProfile> LoadAwsProfile(const std::string& name, const AwsGetenv& getenv,
                                  FileSystem& files);

}  // namespace tributary
