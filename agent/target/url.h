// Escaping of the parts of a URL, byte for byte as Go's net/url writes them (URL.String). Pure
// functions; any bytes are taken.
#pragma once

#include <string>
#include <string_view>

#include "common/http/query.h"

namespace tributary {

std::string EscapeHost(std::string_view host);
std::string EscapePath(std::string_view path);

// scheme://host/path?query. What is empty is left out with its separator; a path without a leading
// '/' gets one. `query` is encoded already.
std::string JoinUrl(std::string_view scheme, std::string_view host, std::string_view path,
                    std::string_view query);

}  // namespace tributary
