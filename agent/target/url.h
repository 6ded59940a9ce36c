// Escaping of the parts of a URL, byte for byte as Go's net/url writes them (URL.String,
// QueryEscape). Pure functions; any bytes are taken.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tributary {

std::string EscapeHost(std::string_view host);
std::string EscapePath(std::string_view path);
// For names and values of a query; a space becomes '+'.
std::string EscapeQuery(std::string_view text);

// "a=1&a=2&b=3", sorted by name, values in their order.
std::string EncodeQuery(const std::map<std::string, std::vector<std::string>>& values);

// scheme://host/path?query. What is empty is left out with its separator; a path without a leading
// '/' gets one. `query` is encoded already.
std::string JoinUrl(std::string_view scheme, std::string_view host, std::string_view path,
                    std::string_view query);

}  // namespace tributary
