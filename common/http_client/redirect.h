// Redirects as Go's client follows them, with the credentials' rule of prometheus/common.
// Source: net/http client.go; config/http_config.go (isCrossHostRedirect, sensitiveHeadersStripRT).
// Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "common/http/transport.h"

namespace tributary {

// Go's client gives up at the redirect that its tenth request meets.
inline constexpr int kRequestsMax = 10;

// Whether the response is followed: 301, 302, 303, 307 and 308 with a Location.
bool IsRedirect(const HttpResponseHead& head);
// Makes the request that follows a redirect of this status to `url`. 301 to 303 turn all but GET
// and HEAD into a GET without a body and what describes one.
void MakeNext(HttpRequest& request, int status, std::string url);
// Takes the headers off that are for the first host only: Authorization, Cookie and their kin.
void DropCredentials(HttpRequest& request);
// Whether a host (lower case, no port) is `first`, or a name below it: it may see first's
// credentials.
bool IsSameOrBelow(std::string_view host, std::string_view first);

}  // namespace tributary
