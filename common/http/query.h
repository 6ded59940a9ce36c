// Escaping of queries and forms, byte for byte as Go's net/url writes them (QueryEscape,
// Values.Encode). Pure functions; any bytes are taken.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tributary {

// Keeps what RFC 3986 calls unreserved and the bytes of `kept`; the rest becomes %XX.
std::string EscapeBytes(std::string_view text, std::string_view kept);
// For names and values of a query; a space becomes '+'.
std::string EscapeQuery(std::string_view text);
// The other way; nullopt where a % has no two hex digits after it.
std::optional<std::string> UnescapeBytes(std::string_view text, bool plus_is_space);
// "a=1&a=2&b=3", sorted by name, values in their order.
std::string EncodeQuery(const std::map<std::string, std::vector<std::string>>& values);

}  // namespace tributary
