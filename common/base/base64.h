// Base64 (RFC 4648), read as Go's StdEncoding reads it. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tributary {

// With padding; line breaks are passed over. Nullopt for what is not that.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace tributary
