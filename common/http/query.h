// Escaping of queries and forms, byte for byte as Go's net/url writes them (QueryEscape,
// Values.Encode). Pure functions; any bytes are taken.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tributary {

// Keeps what RFC 3986 calls unreserved and the bytes of `kept`; the rest becomes %XX.
std::string EscapeBytes(std::string_view text, std::string_view kept);
// For names and values of a query; a space becomes '+'.
std::string EscapeQuery(std::string_view text);
// "a=1&a=2&b=3", sorted by name, values in their order.
std::string EncodeQuery(const std::map<std::string, std::vector<std::string>>& values);

}  // namespace tributary
