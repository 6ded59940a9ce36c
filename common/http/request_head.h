// The head of a request of HTTP/1.1, as it is sent (RFC 9112, 3). Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/http/http_url.h"
#include "common/http/transport.h"

namespace tributary {

// Whether the headers can be sent as they are: no line breaks, no empty names.
bool HeadersAreSendable(const std::vector<HttpHeader>& headers);

// With Host, unless the request has its own, and with a body's Content-Length. `url` is that of the
// request. Nullopt: the URL has to be rewritten first (userinfo, characters to escape, a zone), or
// the headers cannot be sent.
std::optional<std::string> RequestHead(const HttpRequest& request, const HttpUrl& url);

}  // namespace tributary
