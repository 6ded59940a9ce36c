// What the token endpoint of an OAuth 2.0 server answered.
// Source: RFC 6749, 5; golang.org/x/oauth2 internal/token.go. Pure function.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "common/base/time.h"

namespace tributary {

struct AccessToken {
  std::string authorization;  // the header's value: type and token
  std::optional<seconds> expires_in;
};

// The error has the server's words where they are an OAuth error, and else its status.
Result<AccessToken> ReadTokenResponse(int status, std::string_view content_type,
                                      const std::string& body);

}  // namespace tributary
