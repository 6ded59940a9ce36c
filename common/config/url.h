// URLs as Go's net/url reads them, as far as configuration is concerned: which are valid, and their
// scheme, host and password.
#pragma once

#include <string>
#include <string_view>

#include "common/base/status.h"

namespace tributary {

struct UrlParts {
  std::string scheme;    // lower case
  std::string userinfo;  // as written, without the '@'
  std::string host;      // with the port, as written
};

// Follows url.Parse (Go 1.26). The error says what is wrong and never shows the URL.
Result<UrlParts> ParseUrl(std::string_view text);

}  // namespace tributary
