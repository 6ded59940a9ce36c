// Keys to sign with, and how AWS' services hand them out: JSON from the metadata services, XML from
// STS.
//
// Pure functions. Errors have the service's words, cut to 500 bytes, and never what was in an
// answer that could be read.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "common/base/time.h"

namespace tributary {

struct AwsCredentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;           // "": of a user, not of a role
  std::optional<TimestampMs> expires;  // nullopt: never

  bool has_keys() const { return !access_key_id.empty() && !secret_access_key.empty(); }
};

// Of the instance's or the container's metadata service. A Code that is there has to be Success.
Result<AwsCredentials> ReadMetadataCredentials(int status, const std::string& body);
// Of AssumeRole and AssumeRoleWithWebIdentity.
Result<AwsCredentials> ReadStsCredentials(int status, const std::string& body);

// "2011-07-11T19:55:29.611Z", also with an offset; nullopt for anything else.
std::optional<TimestampMs> ParseAwsTime(const std::string& text);

}  // namespace tributary
